/* The client's machine and several daemons that are one service, with a clock that only the test moves: whom it asks,
 * and what becomes of its requests while groups go from one to another, and daemons away. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "client/machine/daemons.h"
#include "tests/lib/cluster_model.h"
#include "tests/lib/frames.h"
#include "tests/lib/machine_fixture.h"
#include "tests/lib/suite.h"

enum { A, B, C, N_DAEMONS, NO_ANSWER = 1000 };

static const char *const urls[] = {"tcp://a:1", "tcp://b:1", "tcp://c:1"};
static struct url addresses[N_DAEMONS];

/* -- the network -- */

struct wire {
	struct contact contact; /* first */
	struct buffer in, out;  /* to the daemon, and from it */
	int daemon, connection; /* 0: there is none */
};

static struct {
	bool is_down[N_DAEMONS], is_gone[N_DAEMONS]; /* refuses; says nothing at all */
	int last_connection, n_attempts;
	size_t piece; /* how many bytes move at a time */
} net;

#define FOREACH_WIRE(wire)                                                                                             \
	for (struct wire *wire = (struct wire *)TAILQ_FIRST(&machine.contacts); wire;                                  \
	     wire = (struct wire *)TAILQ_NEXT(&wire->contact, entry))

static void on_reply(int connection, json_t *reply)
{
	FOREACH_WIRE(wire)
	{
		if (wire->connection == connection)
			frames_append(&wire->out, json_incref(reply));
	}
	json_decref(reply);
}

static void hang_up(struct wire *wire)
{
	if (wire->connection)
		cluster_hang_up(wire->connection);
	wire->connection = 0;
	buffer_finish(&wire->in);
	buffer_finish(&wire->out);
	wire->in = wire->out = (struct buffer){0};
}

static void open_wire(struct wire *wire)
{
	net.n_attempts++;
	contact_opening(&wire->contact, now_ms);
	for (wire->daemon = 0; wire->daemon < N_DAEMONS; wire->daemon++) {
		if (url_is_same(&addresses[wire->daemon], wire->contact.url))
			break;
	}
	if (wire->daemon == N_DAEMONS || net.is_down[wire->daemon]) {
		contact_close(&wire->contact, now_ms, MR_ECONNECT, "refused");
	} else if (!net.is_gone[wire->daemon]) {
		wire->connection = ++net.last_connection;
		contact_opened(&wire->contact, now_ms);
	}
}

/* The daemon carries out what is there wholly. */
static void run_daemon(struct wire *wire)
{
	for (json_t *request; (request = frames_next(&wire->in)); json_decref(request))
		cluster_request(wire->daemon, wire->connection, request);
}

/* Whether anything moved. */
static bool move_bytes(struct wire *wire)
{
	struct slice out = contact_output(&wire->contact, true, now_ms);
	size_t n = sim_least(out.len, net.piece), room;
	bool moves = out.len > 0;
	char *to;

	if (!wire->connection || net.is_gone[wire->daemon])
		return false;
	if (moves) {
		buffer_append(&wire->in, out.bytes, n);
		contact_written(&wire->contact, n, now_ms);
		run_daemon(wire);
	}
	n = sim_least(buffer_len(&wire->out), net.piece);
	if (n && contact_has_connection(&wire->contact)) {
		to = contact_room(&wire->contact, &room, now_ms);
		n = sim_least(n, room);
		memcpy(to, buffer_front(&wire->out), n);
		contact_read(&wire->contact, n, now_ms);
		buffer_consume(&wire->out, n);
		moves = true;
	}
	return moves;
}

/* -- the driver -- */

static void deliver(void)
{
	sim_deliver();
	FOREACH_WIRE(wire)
	{
		if (wire->connection && !contact_has_connection(&wire->contact))
			hang_up(wire);
	}
}

static bool settle_once(void)
{
	bool moves = false;

	machine_tick(&machine, now_ms);
	deliver();
	FOREACH_WIRE(wire)
	{
		if (contact_wants_connection(&wire->contact, now_ms)) {
			open_wire(wire);
			moves = true;
		}
		moves = move_bytes(wire) || moves;
		deliver();
	}
	return moves;
}

/* Until nothing moves any more, at this moment. */
static void settle(void)
{
	while (settle_once())
		;
}

static void run_until(int64_t end_ms)
{
	sim_run_until(end_ms, settle);
}

static void kill_daemon(int daemon)
{
	net.is_down[daemon] = true;
	FOREACH_WIRE(wire)
	{
		if (wire->connection && wire->daemon == daemon) {
			hang_up(wire);
			contact_closed_by_peer(&wire->contact, now_ms, "killed");
		}
	}
	deliver();
}

static const struct machine_settings plain = {
	.producer = "producer",
	.seed = 7,
	.urls = addresses,
	.n_urls = N_DAEMONS,
	.contact_bytes = sizeof(struct wire),
	.reopens = true,
	.connect_timeout_ms = 5000,
	.backoff_min_ms = 50,
	.backoff_max_ms = 5000,
	.max_waiting_bytes = 1 << 20,
};

static void start_with(const struct machine_settings *settings)
{
	ck_assert_int_eq(machine_init(&machine, settings), MR_OK);
	if (!settings->is_impatient)
		settle();
}

static void finish(void)
{
	FOREACH_WIRE(wire)
	hang_up(wire);
	machine_finish(&machine);
}

static void begin(void)
{
	memset(&net, 0, sizeof net);
	net.piece = 1 << 20;
	sim_begin();
	cluster_begin(urls, N_DAEMONS, on_reply);
}

static void setup(void)
{
	for (int i = 0; i < N_DAEMONS; i++)
		ck_assert_ptr_null(url_parse(&addresses[i], urls[i]));
	begin();
	start_with(&plain);
}

static void teardown(void)
{
	finish();
	cluster_end();
}

static void again_with(const struct machine_settings *settings)
{
	teardown();
	begin();
	start_with(settings);
}

/* -- whom to ask -- */

START_TEST(a_request_goes_to_the_daemon_that_is_named)
{
	cluster_own("orders", B);
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	settle();
	sim_ended(0, MR_OK);
	ck_assert_str_eq(cluster_ops(A), "hello put ");
	ck_assert_str_eq(cluster_ops(B), "hello put ");
	sim_put(1, "retry.{orders}", MR_FOREVER); /* what is known of the group holds for all of its channels */
	sim_put(2, "jobs", MR_FOREVER);
	settle();
	sim_ended(1, MR_OK);
	sim_ended(2, MR_OK);
	ck_assert_str_eq(cluster_ops(A), "hello put put ");
	ck_assert_str_eq(cluster_ops(B), "hello put put ");
	ck_assert_str_eq(news, "0:tcp://a:1:ok 0:tcp://b:1:ok ");
}
END_TEST

START_TEST(every_request_follows)
{
	struct client_operation operation;
	struct mr_arm arms[] = {{.channel = "{orders}.jobs"}, {.channel = "{orders}.others"}};
	int i = 0;

	cluster_own("orders", B);
	sim_submit(i++, operation_alts(&operation, arms, 2, &(struct mr_alts_options){0}, 0), &operation);
	sim_submit(i++, operation_create(&operation, "{orders}.jobs", &(struct mr_definition){.kind = "promise"}),
		   &operation);
	sim_submit(i++, operation_alter(&operation, "{orders}.jobs", &(struct mr_alteration){.capacity = 1}),
		   &operation);
	sim_submit(i++, operation_close(&operation, "{orders}.jobs"), &operation);
	sim_submit(i++, operation_delete(&operation, "{orders}.jobs", false), &operation);
	sim_submit(i++, operation_stat(&operation, "{orders}.jobs"), &operation);
	sim_submit(i++, operation_peek(&operation, "{orders}.jobs", 1), &operation);
	sim_submit(i++, operation_waiters(&operation, "{orders}.jobs", 0), &operation);
	sim_submit(i++, operation_leases(&operation, "{orders}.jobs", 0), &operation);
	sim_submit(i++, operation_taps(&operation, "{orders}.jobs", 0), &operation);
	settle();
	for (int j = 0; j < i; j++)
		sim_ended(j, MR_OK);
}
END_TEST

START_TEST(a_take_with_count_goes_on_with_what_is_left)
{
	struct client_operation operation;

	sim_submit(0, operation_take_count(&operation, "jobs", 3, &(struct mr_take_options){0}, MR_FOREVER),
		   &operation);
	sim_put(1, "jobs", MR_FOREVER);
	settle();
	ck_assert_int_eq(requests[0].n_values, 1);
	cluster_own("default", B);
	sim_put(2, "jobs", MR_FOREVER);
	sim_put(3, "jobs", MR_FOREVER);
	sim_put(4, "jobs", MR_FOREVER);
	settle();
	sim_ended(0, MR_OK);
	ck_assert_int_eq(requests[0].n_values, 3);
	ck_assert_uint_eq(requests[0].left, 0);
	ck_assert_uint_eq(json_array_size(cluster_values("jobs")), 1);
}
END_TEST

START_TEST(an_address_that_leads_nowhere_is_the_requests_error)
{
	cluster_own("orders", B);
	cluster_lie(A, "http://b:1");
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	settle();
	sim_ended(0, MR_EMOVED);
	cluster_lie(A, "");
	sim_put(1, "{orders}.jobs", MR_FOREVER);
	settle();
	sim_ended(1, MR_EMOVED);
	ck_assert_uint_eq(machine.n_contacts, 1);
}
END_TEST

START_TEST(who_asks_over_tls_is_not_led_away_from_it)
{
	addresses[A].kind = URL_TLS;
	again_with(&plain);
	cluster_own("orders", B);
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	settle();
	sim_ended(0, MR_EMOVED);
}
END_TEST

START_TEST(daemons_that_disagree_are_asked_more_and_more_slowly)
{
	cluster_lie(A, urls[B]);
	cluster_lie(B, urls[A]);
	sim_put(0, "jobs", 10000);
	run_until(now_ms + 9000);
	sim_runs_still(0);
	ck_assert_int_lt(cluster_n_requests(), 100);
	cluster_lie(A, NULL);
	run_until(now_ms + 1000);
	sim_ended(0, MR_OK);
}
END_TEST

START_TEST(no_more_daemons_are_asked_than_there_can_be)
{
	char url[32];

	for (int i = 0; i < 300; i++) {
		snprintf(url, sizeof url, "tcp://nowhere-%d:1", i);
		cluster_lie(A, url);
		sim_put(0, "jobs", 0);
		run_until(now_ms + 1000);
		ck_assert_int_eq(requests[0].n_last, 1);
		memset(&requests[0], 0, sizeof requests[0]);
	}
	ck_assert_uint_le(machine.n_contacts, MACHINE_MOST_CONTACTS);
	cluster_lie(A, NULL);
	sim_put(0, "jobs", MR_FOREVER);
	run_until(now_ms + 5000);
	sim_ended(0, MR_OK);
}
END_TEST

START_TEST(what_is_known_of_many_groups_is_bounded)
{
	char channel[32];

	for (int i = 0; i < ROUTE_MOST + 100; i++) {
		snprintf(channel, sizeof channel, "{%d}", i);
		channel[strlen(channel) - 1] = '\0';
		cluster_own(channel + 1, B);
		strcat(channel, "}");
		sim_put(0, channel, MR_FOREVER);
		settle();
		sim_ended(0, MR_OK);
		memset(&requests[0], 0, sizeof requests[0]);
	}
	ck_assert_uint_eq(machine.n_routes, ROUTE_MOST);
}
END_TEST

/* -- nobody has it -- */

START_TEST(what_nobody_has_is_asked_for_again_in_the_requests_time)
{
	cluster_own("default", -1);
	sim_put(0, "jobs", MR_FOREVER);
	sim_put(1, "jobs", 1000);
	sim_put(2, "jobs", CLUSTER_RETRY_MS - 1); /* there is no time to ask once more */
	settle();
	sim_ended(2, MR_EUNAVAILABLE);
	sim_put(3, "jobs", 0); /* and none at all */
	settle();
	sim_ended(3, MR_EUNAVAILABLE);
	run_until(now_ms + 1000);
	sim_ended(1, MR_EUNAVAILABLE);
	sim_runs_still(0);
	cluster_own("default", C);
	run_until(now_ms + CLUSTER_RETRY_MS);
	sim_ended(0, MR_OK);
	ck_assert_int_le(cluster_n_requests(), 2 * 1100 / CLUSTER_RETRY_MS);
}
END_TEST

START_TEST(while_nobody_has_one_group_the_others_go_on)
{
	cluster_own("orders", -1);
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	settle();
	sim_put(1, "jobs", MR_FOREVER);
	settle();
	sim_runs_still(0);
	sim_ended(1, MR_OK);
}
END_TEST

/* -- hand-over -- */

/* Puts with an answer, or most without, and the group goes from one daemon to another in the midst of them, and on. */
static void hand_over(size_t piece, int after, bool stops, bool is_answered)
{
	struct machine_settings narrow = plain;

	narrow.window = is_answered ? 3 : 0;
	again_with(&narrow);
	net.piece = piece;
	cluster_own_after("default", stops ? -1 : B, after);
	for (int i = 0; i < 30; i++) {
		if (is_answered || i % 7 == 0)
			sim_put(i, "jobs", MR_FOREVER);
		else
			sim_put_unanswered(i, "jobs");
		if (i % 4 == 0) /* the others make runs, most of which have no id */
			settle_once();
	}
	run_until(now_ms + 3 * CLUSTER_RETRY_MS);
	cluster_own("default", C);
	for (int i = 30; i < 40; i++)
		sim_put_unanswered(i, "jobs");
	run_until(now_ms + 3 * CLUSTER_RETRY_MS);
	for (int i = 0; i < 40; i++)
		sim_ended(i, MR_OK);
	sim_expect_numbers(cluster_values("jobs"), 40);
	ck_assert_uint_eq(machine.n_numbered, 0);
	ck_assert_uint_eq(machine.n_waiting_bytes, 0);
}

START_TEST(a_hand_over_loses_no_put_doubles_none_and_keeps_their_order)
{
	for (int after = 1; after <= 30; after++) {
		for (size_t piece = 40; piece < 1000; piece += 57) {
			for (int i = 0; i < 4; i++)
				hand_over(piece, after, i & 1, i & 2);
		}
	}
}
END_TEST

START_TEST(parked_takes_go_along)
{
	sim_take(0, "jobs", 0, MR_FOREVER);
	sim_take(1, "jobs", 1000, MR_FOREVER);
	settle();
	cluster_own("default", B);
	sim_put(2, "jobs", MR_FOREVER);
	sim_put(3, "jobs", MR_FOREVER);
	settle();
	sim_ended(0, MR_OK);
	sim_ended(1, MR_OK);
	ck_assert_str_eq(requests[0].value, "2"); /* in their order */
	ck_assert_str_eq(requests[1].value, "3");
}
END_TEST

START_TEST(what_is_cancelled_does_not_go_along)
{
	sim_take(0, "jobs", 0, MR_FOREVER);
	settle();
	requests[0].base.is_cancelled = true; /* the request for that is on its way */
	cluster_own("default", B);
	settle();
	sim_ended(0, MR_EMOVED);
}
END_TEST

START_TEST(a_cancel_goes_to_whom_was_asked)
{
	cluster_own("orders", B);
	sim_take(0, "{orders}.jobs", 0, MR_FOREVER);
	settle();
	ck_assert_int_eq(requests_cancel(&machine, &requests[0].base), MR_OK);
	settle();
	sim_ended(0, MR_CANCELLED);
	ck_assert_ptr_nonnull(strstr(cluster_ops(B), "cancel"));
	ck_assert_ptr_null(strstr(cluster_ops(A), "cancel"));
}
END_TEST

/* -- fail-over -- */

START_TEST(when_the_owner_is_killed_what_can_be_is_sent_again_to_its_successor)
{
	cluster_own("orders", B);
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	settle();
	sim_take(40, "{orders}.none", 1000, MR_FOREVER);
	sim_take(41, "{orders}.none", 0, MR_FOREVER);
	settle();
	for (int i = 1; i < 20; i++)
		sim_put_unanswered(i, "{orders}.jobs");
	net.piece = 200;
	for (int i = 0; i < 5; i++)
		settle_once();
	cluster_own("orders", -1);
	kill_daemon(B);
	net.piece = 1 << 20;
	run_until(now_ms + 100);
	sim_ended(41, MR_ECONNECTION);
	cluster_own("orders", C);
	run_until(now_ms + 100);
	for (int i = 0; i < 20; i++)
		sim_ended(i, MR_OK);
	sim_expect_numbers(cluster_values("{orders}.jobs"), 20);
	sim_put(42, "{orders}.none", MR_FOREVER);
	settle();
	sim_ended(40, MR_OK);
}
END_TEST

START_TEST(when_home_is_killed_the_others_are_asked)
{
	sim_take(0, "jobs", 1000, MR_FOREVER);
	settle();
	cluster_own("default", C);
	kill_daemon(A);
	settle(); /* without a pause: any of them will do */
	sim_put(1, "jobs", MR_FOREVER);
	settle();
	sim_ended(0, MR_OK);
	sim_ended(1, MR_OK);
}
END_TEST

START_TEST(while_its_owner_does_not_answer_a_group_is_asked_for_elsewhere)
{
	net.is_gone[B] = true;
	cluster_own("orders", B);
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	run_until(now_ms + MACHINE_ASK_AGAIN_MS / 2);
	cluster_own("orders", C);
	run_until(now_ms + MACHINE_ASK_AGAIN_MS / 2);
	sim_ended(0, MR_OK);
}
END_TEST

START_TEST(an_owner_that_refuses_is_not_asked_all_the_time)
{
	net.is_down[B] = true;
	cluster_own("orders", B);
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	run_until(now_ms + 3000);
	sim_runs_still(0);
	ck_assert_int_lt(net.n_attempts, 60);
	ck_assert_int_gt(net.n_attempts, 10);
	net.is_down[B] = false;
	run_until(now_ms + 500);
	sim_ended(0, MR_OK);
}
END_TEST

START_TEST(an_impatient_request_waits_as_long_as_it_may)
{
	struct machine_settings impatient = plain;

	impatient.is_impatient = true;
	again_with(&impatient);
	sim_put(0, "jobs", MR_FOREVER);
	settle();
	net.is_down[B] = true;
	cluster_own("orders", B);
	sim_put(1, "{orders}.jobs", 3000);
	run_until(now_ms + 2500);
	sim_runs_still(1);
	cluster_own("orders", C);
	run_until(now_ms + 400);
	sim_ended(1, MR_OK);
}
END_TEST

START_TEST(without_reopening_moves_are_followed_and_ends_are_ends)
{
	struct machine_settings once = plain;

	once.reopens = false;
	again_with(&once);
	cluster_own("orders", B);
	sim_put_unanswered(0, "{orders}.jobs");
	sim_put_unanswered(1, "{orders}.jobs");
	settle();
	sim_ended(0, MR_OK);
	sim_ended(1, MR_OK);
	sim_take(2, "{orders}.none", 1000, MR_FOREVER);
	settle();
	kill_daemon(B);
	sim_ended(2, MR_ECONNECTION);
	cluster_own("orders", C);
	sim_put(3, "{orders}.jobs", MR_FOREVER); /* home is still there */
	settle();
	sim_ended(3, MR_OK);
	kill_daemon(A);
	settle();
	ck_assert_int_eq(machine.home->state, CONTACT_ENDED);
}
END_TEST

/* -- leases, and channels that go with a connection -- */

START_TEST(an_ack_goes_to_who_has_given_the_lease)
{
	cluster_own("orders", B);
	cluster_own("others", C);
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	sim_put(1, "{others}.jobs", MR_FOREVER);
	sim_take(2, "{orders}.jobs", 1000, MR_FOREVER);
	sim_take(3, "{others}.jobs", 1000, MR_FOREVER);
	settle();
	sim_ack(4, requests[2].lease);
	sim_ack(5, requests[3].lease);
	settle();
	sim_ended(4, MR_OK);
	sim_ended(5, MR_OK);
	ck_assert_ptr_null(strstr(cluster_ops(A), "ack"));
	memset(machine.lease_contacts, 0, DAEMONS_LEASES * sizeof(struct contact *));
	sim_put(6, "{others}.jobs", MR_FOREVER);
	sim_take(7, "{others}.jobs", 1000, MR_FOREVER);
	settle();
	memset(machine.lease_contacts, 0, DAEMONS_LEASES * sizeof(struct contact *));
	sim_ack(8, requests[7].lease); /* whose it is is not known: all are asked */
	sim_ack(9, "nobody-has-this");
	settle();
	sim_ended(8, MR_OK);
	sim_ended(9, MR_ENO_SUCH_LEASE);
}
END_TEST

/* How often a daemon was asked for that. */
static int count(int daemon, const char *op)
{
	int n = 0;

	for (const char *at = cluster_ops(daemon); (at = strstr(at, op)); at++)
		n++;
	return n;
}

START_TEST(ephemeral_channels_are_made_anew_where_their_group_is)
{
	cluster_own("orders", B);
	sim_create(0, "{orders}.mine");
	sim_create(1, "mine");
	settle();
	sim_ended(0, MR_OK);
	sim_ended(1, MR_OK);
	ck_assert_int_eq(count(A, "create"), 2); /* once to be told where the group is */
	ck_assert_int_eq(count(B, "create"), 1);
	cluster_own("orders", -1);
	kill_daemon(B);
	run_until(now_ms + 100);
	cluster_own("orders", C);
	run_until(now_ms + 100);
	ck_assert_int_eq(count(C, "create"), 1);
	ck_assert_uint_eq(machine.n_missing, 0);
	ck_assert_ptr_null(strstr(news, "3:")); /* MR_EVENT_CHANNEL_LOST */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client: several daemons");
	const TTest *const tests[] = {
		a_request_goes_to_the_daemon_that_is_named,
		every_request_follows,
		a_take_with_count_goes_on_with_what_is_left,
		an_address_that_leads_nowhere_is_the_requests_error,
		who_asks_over_tls_is_not_led_away_from_it,
		daemons_that_disagree_are_asked_more_and_more_slowly,
		no_more_daemons_are_asked_than_there_can_be,
		what_is_known_of_many_groups_is_bounded,
		what_nobody_has_is_asked_for_again_in_the_requests_time,
		while_nobody_has_one_group_the_others_go_on,
		a_hand_over_loses_no_put_doubles_none_and_keeps_their_order,
		parked_takes_go_along,
		what_is_cancelled_does_not_go_along,
		a_cancel_goes_to_whom_was_asked,
		when_the_owner_is_killed_what_can_be_is_sent_again_to_its_successor,
		when_home_is_killed_the_others_are_asked,
		while_its_owner_does_not_answer_a_group_is_asked_for_elsewhere,
		an_owner_that_refuses_is_not_asked_all_the_time,
		an_impatient_request_waits_as_long_as_it_may,
		without_reopening_moves_are_followed_and_ends_are_ends,
		an_ack_goes_to_who_has_given_the_lease,
		ephemeral_channels_are_made_anew_where_their_group_is,
		NULL,
	};

	suite_case(suite, "routes", setup, teardown, tests);
	return suite_run(suite);
}
