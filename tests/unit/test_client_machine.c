/* The client's machine with a clock that only the test moves, against a daemon and a network that are simulated here: a
 * channel that knows puts by their numbers, and connections that are cut after any byte. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/frames.h"
#include "tests/lib/machine_fixture.h"
#include "tests/lib/suite.h"

enum { NO_CUT = 1 << 30, HEARTBEAT_MS = 1000 };

/* -- the daemon -- */

static struct {
	bool knows_once, is_mute; /* mute: it reads, and says nothing */
	bool refuses_creates;
	bool parks_takes; /* they are not answered */
	struct buffer in, out;
	json_t *entered; /* values, in the order in which they entered */
	json_t *seen;    /* of numbered puts: "producer/seq" */
	char ops[4096];  /* what it was asked: "hello put! put take ", the ! where there was no id */
} server;

/* Whether it changes anything. */
static bool server_is_new(json_t *request)
{
	char key[128];

	if (!json_object_get(request, "producer"))
		return true;
	snprintf(key, sizeof key, "%s/%lld", json_string_value(json_object_get(request, "producer")),
		 (long long)json_integer_value(json_object_get(request, "seq")));
	if (json_object_get(server.seen, key))
		return false;
	json_object_set_new(server.seen, key, json_true());
	return true;
}

static void server_do(json_t *request)
{
	const char *op = json_string_value(json_object_get(request, "op"));
	json_t *id = json_object_get(request, "id"), *reply;
	size_t i;
	json_t *value;

	strcat(server.ops, op);
	strcat(server.ops, id ? " " : "! ");
	if (strcmp(op, "put") == 0 && server_is_new(request)) {
		if (json_object_get(request, "value"))
			json_array_append(server.entered, json_object_get(request, "value"));
		json_array_foreach(json_object_get(request, "values"), i, value)
			json_array_append(server.entered, value);
	}
	if (!id || (server.parks_takes && strcmp(op, "take") == 0))
		return;
	reply = json_pack("{s:O,s:s}", "id", id, "status", "ok");
	if (strcmp(op, "hello") == 0) {
		json_object_update_new(reply,
				       json_pack("{s:i,s:i,s:i,s:[s*]}", "protocol", 1, "max_frame_bytes", 65536,
						 "max_inflight", 64, "features", server.knows_once ? "once" : NULL));
	} else if (strcmp(op, "take") == 0) {
		json_object_set_new(reply, "value", json_string("\xc3\xa9\n"));
	} else if (strcmp(op, "create") == 0 && server.refuses_creates) {
		json_object_set_new(reply, "status", json_string("error"));
		json_object_set_new(reply, "error", json_string("channel_exists"));
		json_object_set_new(reply, "message", json_string("it is another's"));
	}
	if (server.is_mute)
		json_decref(reply);
	else
		frames_append(&server.out, reply);
}

/* Carries out the frames that are there wholly. */
static void server_run(void)
{
	for (json_t *request; (request = frames_next(&server.in)); json_decref(request))
		server_do(request);
}

/* -- the network -- */

static struct {
	size_t cut_out, cut_in; /* of this connection: after so many bytes it ends */
	size_t piece;           /* how many bytes come at a time */
	bool is_down;           /* connections are refused */
	int n_opened;
} net = {.piece = 1 << 20};

static void net_open(void)
{
	contact_opening(machine.home, now_ms);
	if (net.is_down) {
		contact_close(machine.home, now_ms, MR_ECONNECT, "refused");
		return;
	}
	net.n_opened++;
	if (net.n_opened > 1)
		net.cut_out = net.cut_in = NO_CUT;
	buffer_clear(&server.in);
	buffer_clear(&server.out);
	contact_opened(machine.home, now_ms);
}

/* Moves what there is, as far as the connection bears it. Whether anything moved. */
static bool net_move_out(void)
{
	struct slice out = contact_output(machine.home, true, now_ms);
	size_t n = sim_least(out.len, net.cut_out);

	if (!out.len)
		return false;
	buffer_append(&server.in, out.bytes, n);
	contact_written(machine.home, n, now_ms);
	net.cut_out -= n;
	server_run();
	if (net.cut_out == 0)
		contact_closed_by_peer(machine.home, now_ms, "cut");
	return true;
}

static bool net_move_in(void)
{
	size_t n = sim_least(sim_least(buffer_len(&server.out), net.cut_in), net.piece), room;
	char *to;

	if (buffer_len(&server.out) == 0 || !contact_has_connection(machine.home))
		return false;
	to = contact_room(machine.home, &room, now_ms);
	ck_assert_uint_le(n, room);
	memcpy(to, buffer_front(&server.out), n);
	contact_read(machine.home, n, now_ms);
	buffer_consume(&server.out, n);
	net.cut_in -= n;
	return true;
}

/* -- the driver -- */

/* Until nothing moves any more, at this moment. */
static void settle(void)
{
	bool moves = true;

	while (moves) {
		machine_tick(&machine, now_ms);
		sim_deliver();
		moves = contact_wants_connection(machine.home, now_ms);
		if (moves)
			net_open();
		moves = net_move_out() || moves;
		moves = net_move_in() || moves;
		sim_deliver();
		if (net.cut_in == 0 && contact_has_connection(machine.home)) {
			contact_closed_by_peer(machine.home, now_ms, "cut");
			moves = true;
		}
	}
}

static void run_until(int64_t end_ms)
{
	sim_run_until(end_ms, settle);
}

static const struct url sim_url = {.kind = URL_TCP, .host = "sim", .port = "1", .text = "tcp://sim:1"};

static const struct machine_settings plain = {
	.urls = &sim_url,
	.contact_bytes = sizeof(struct contact),
	.producer = "producer",
	.seed = 7,
	.n_urls = 1,
	.reopens = true,
	.connect_timeout_ms = 5000,
	.backoff_min_ms = 50,
	.backoff_max_ms = 5000,
	.max_waiting_bytes = 1 << 20,
};

static void start(const struct machine_settings *settings)
{
	ck_assert_int_eq(machine_init(&machine, settings), MR_OK);
}

static void reset(void)
{
	buffer_finish(&server.in);
	buffer_finish(&server.out);
	json_decref(server.entered);
	json_decref(server.seen);
	memset(&server, 0, sizeof server);
	server.entered = json_array();
	server.seen = json_object();
	server.knows_once = true;
	net.cut_out = net.cut_in = NO_CUT;
	net.piece = 1 << 20;
	net.is_down = false;
	net.n_opened = 0;
	sim_begin();
}

static void teardown(void)
{
	machine_finish(&machine);
	reset();
	json_decref(server.entered);
	json_decref(server.seen);
	server.entered = server.seen = NULL;
}

static void cut(void)
{
	contact_closed_by_peer(machine.home, now_ms, "cut");
}

/* -- once -- */

/* Puts with an answer and without, in order, over a connection that ends after so many bytes. How many connections it
 * took. */
static int puts_over_a_cut(size_t cut_out, size_t cut_in)
{
	reset();
	net.cut_out = cut_out;
	net.cut_in = cut_in;
	start(&plain);
	sim_put(0, "jobs", MR_FOREVER);
	for (int i = 1; i <= 8; i++)
		sim_put_unanswered(i, "jobs");
	sim_put(9, "jobs", MR_FOREVER);
	sim_put_unanswered(10, "jobs");
	run_until(now_ms + 60000);
	for (int i = 0; i <= 10; i++)
		sim_ended(i, MR_OK);
	sim_expect_numbers(server.entered, 11);
	ck_assert_uint_eq(machine.n_numbered, 0);
	ck_assert_uint_eq(machine.n_waiting_bytes, 0);
	return net.n_opened;
}

START_TEST(a_cut_after_any_byte_loses_no_put_and_doubles_none)
{
	size_t n_cuts = 0;

	for (size_t at = 1; puts_over_a_cut(at, NO_CUT) > 1; at++, n_cuts++)
		machine_finish(&machine);
	ck_assert_uint_gt(n_cuts, 800); /* bytes of the requests */
	for (size_t at = 1; machine_finish(&machine), puts_over_a_cut(NO_CUT, at) > 1; at++)
		n_cuts++;
	ck_assert_uint_gt(n_cuts, 1100); /* and of the replies */
}
END_TEST

START_TEST(where_the_daemon_knows_no_numbers_it_gets_none)
{
	server.knows_once = false;
	start(&plain);
	sim_put(0, "jobs", MR_FOREVER);
	sim_put_unanswered(1, "jobs");
	settle();
	sim_ended(0, MR_OK);
	sim_ended(1, MR_OK);
	ck_assert_uint_eq(json_object_size(server.seen), 0);
	server.is_mute = true;
	sim_put(2, "jobs", MR_FOREVER);
	sim_put_unanswered(3, "jobs");
	settle();
	cut();
	sim_deliver();
	sim_ended(2, MR_UNKNOWN);
	sim_ended(3, MR_UNKNOWN);
}
END_TEST

START_TEST(a_put_cannot_be_sent_again_to_a_daemon_without_numbers)
{
	start(&plain);
	settle();
	server.is_mute = true;
	sim_put(0, "jobs", MR_FOREVER);
	settle();
	cut();
	sim_deliver();
	ck_assert_int_eq(requests[0].n_last, 0);
	server.is_mute = server.knows_once = false;
	run_until(now_ms + 100);
	sim_ended(0, MR_UNKNOWN);
	sim_expect_numbers(server.entered, 1);
}
END_TEST

START_TEST(a_put_that_was_sent_and_whose_time_ends_without_a_connection_is_unknown)
{
	start(&plain);
	settle();
	server.is_mute = true;
	sim_put(0, "jobs", 1000);
	settle();
	net.is_down = true;
	cut();
	sim_put(1, "jobs", 1000); /* never sent */
	run_until(now_ms + 1001);
	sim_ended(0, MR_UNKNOWN);
	sim_ended(1, MR_TIMEOUT);
}
END_TEST

START_TEST(puts_without_an_answer_go_in_runs)
{
	start(&plain);
	settle();
	for (int i = 0; i < 5; i++)
		sim_put_unanswered(i, "jobs");
	(void)contact_output(machine.home, false, now_ms); /* the last is kept back: who knows what follows */
	ck_assert_int_eq(machine.home->waiting.tqh_first->operation.op, OP_PUT);
	settle();
	ck_assert_str_eq(server.ops, "hello put! put! put put! put ");
	for (int i = 0; i < 5; i++)
		sim_ended(i, MR_OK);
}
END_TEST

/* -- what becomes of the others -- */

START_TEST(after_a_cut_each_ends_or_goes_again_by_its_kind)
{
	struct client_operation operation;

	start(&plain);
	server.parks_takes = true;
	sim_take(0, "jobs", 0, MR_FOREVER);
	sim_take(1, "jobs", 1000, MR_FOREVER);
	settle();
	server.is_mute = true;
	sim_submit(2, operation_close(&operation, "jobs"), &operation);
	sim_submit(3, operation_stat(&operation, "jobs"), &operation);
	sim_submit(4, operation_ack(&operation, "token"), &operation);
	settle();
	sim_submit(5, operation_close(&operation, "other"), &operation); /* not sent */
	cut();
	sim_deliver();
	sim_ended(0, MR_ECONNECTION);
	sim_ended(2, MR_UNKNOWN);
	sim_ended(4, MR_UNKNOWN);
	server.is_mute = server.parks_takes = false;
	server.ops[0] = '\0';
	run_until(now_ms + 100);
	ck_assert_str_eq(server.ops, "hello take stat close ");
	sim_ended(1, MR_OK);
	sim_ended(3, MR_OK);
	sim_ended(5, MR_OK);
}
END_TEST

START_TEST(a_cancelled_request_does_not_go_again)
{
	start(&plain);
	server.parks_takes = true;
	sim_take(0, "jobs", 1000, MR_FOREVER);
	settle();
	ck_assert_int_eq(requests_cancel(&requests[0].base), MR_OK);
	cut();
	sim_deliver();
	sim_ended(0, MR_CANCELLED);
	ck_assert_int_eq(requests_cancel(&requests[0].base), MR_ENO_SUCH_REQUEST);
}
END_TEST

START_TEST(ephemeral_channels_come_first_and_are_told_when_they_are_lost)
{
	start(&plain);
	sim_create(0, "mine");
	settle();
	sim_ended(0, MR_OK);
	sim_put(1, "jobs", MR_FOREVER);
	cut();
	server.ops[0] = news[0] = '\0';
	run_until(now_ms + 100);
	ck_assert_str_eq(server.ops, "hello create put ");
	server.refuses_creates = true;
	cut();
	run_until(now_ms + 100);
	ck_assert_ptr_nonnull(strstr(news, "3:tcp://sim:1:mine"));
	server.ops[0] = '\0';
	cut();
	run_until(now_ms + 100);
	ck_assert_str_eq(server.ops, "hello ");
}
END_TEST

START_TEST(replies_come_in_any_pieces)
{
	for (size_t piece = 1; piece < 40; piece++) {
		if (piece > 1)
			machine_finish(&machine);
		reset();
		net.piece = piece;
		start(&plain);
		sim_put(0, "jobs", MR_FOREVER);
		sim_take(1, "jobs", 0, MR_FOREVER);
		sim_create(2, "mine");
		settle();
		for (int i = 0; i <= 2; i++)
			sim_ended(i, MR_OK);
		ck_assert_str_eq(requests[1].value, "\"\xc3\xa9\\n\"");
	}
}
END_TEST

/* -- time -- */

START_TEST(the_pauses_grow_and_are_never_quite_the_same)
{
	int64_t pause_ms = 50;

	net.is_down = true;
	start(&plain);
	for (int i = 0; i < 12; i++) {
		settle();
		ck_assert_int_ge(machine.home->next_open_ms - now_ms, pause_ms / 2);
		ck_assert_int_le(machine.home->next_open_ms - now_ms, pause_ms);
		pause_ms = pause_ms * 2 > 5000 ? 5000 : pause_ms * 2;
		ck_assert_int_eq(machine_due_ms(&machine), machine.home->next_open_ms);
		now_ms = machine.home->next_open_ms;
	}
}
END_TEST

START_TEST(a_silent_daemon_is_asked_and_then_given_up)
{
	struct machine_settings beating = plain;

	beating.heartbeat_ms = HEARTBEAT_MS;
	start(&beating);
	settle();
	run_until(now_ms + 5 * HEARTBEAT_MS);
	ck_assert_str_eq(server.ops, "hello ping ping ping ping ping ");
	server.is_mute = true;
	news[0] = '\0';
	run_until(now_ms + HEARTBEAT_MS);
	ck_assert_str_eq(news, "");
	run_until(now_ms + HEARTBEAT_MS);
	ck_assert_ptr_nonnull(strstr(news, "2:tcp://sim:1:connection"));
}
END_TEST

START_TEST(a_request_that_is_not_answered_in_time_ends_the_connection)
{
	start(&plain);
	settle();
	server.is_mute = true;
	news[0] = '\0';
	sim_take(0, "jobs", 0, 1000);
	sim_take(1, "jobs", 0, MR_FOREVER);
	run_until(now_ms + 1000 + MACHINE_GRACE_MS - 1);
	ck_assert_int_eq(requests[0].n_last, 0);
	run_until(now_ms + 1);
	sim_ended(0, MR_ECONNECTION);
	sim_ended(1, MR_ECONNECTION);
	ck_assert_int_eq(net.n_opened, 1);
}
END_TEST

START_TEST(whoever_waits_for_a_connection_waits_as_long_as_it_may)
{
	net.is_down = true;
	start(&plain);
	sim_take(0, "jobs", 0, 1000);
	sim_take(1, "jobs", 0, MR_FOREVER);
	run_until(now_ms + 999);
	ck_assert_int_eq(requests[0].n_last, 0);
	run_until(now_ms + 1);
	sim_ended(0, MR_TIMEOUT);
	ck_assert_int_eq(requests[1].n_last, 0);
	net.is_down = false;
	run_until(now_ms + 5000);
	sim_ended(1, MR_OK);
}
END_TEST

START_TEST(the_impatient_hear_of_the_first_attempt_that_fails)
{
	struct machine_settings impatient = plain;

	impatient.is_impatient = true;
	start(&impatient);
	sim_put(0, "jobs", 1000); /* somebody has to want something */
	settle();
	sim_ended(0, MR_OK);
	server.is_mute = true;
	sim_put(1, "jobs", MR_FOREVER);
	settle();
	net.is_down = true;
	cut();
	sim_take(2, "jobs", 0, MR_FOREVER);
	run_until(now_ms + 100);
	sim_ended(2, MR_ECONNECT);
	ck_assert_int_eq(requests[1].n_last, 0); /* it may have happened: it is sent again if that can be */
	run_until(now_ms + 5000);
	sim_ended(1, MR_UNKNOWN);
	net.is_down = server.is_mute = false;
	sim_put(3, "jobs", MR_FOREVER);
	run_until(now_ms + 6000);
	sim_ended(3, MR_OK);
}
END_TEST

START_TEST(without_reopening_all_ends_with_the_connection)
{
	struct machine_settings once = plain;

	once.reopens = false;
	start(&once);
	settle();
	server.is_mute = true;
	sim_put(0, "jobs", MR_FOREVER);
	sim_take(1, "jobs", 1000, MR_FOREVER);
	settle();
	sim_put(2, "jobs", MR_FOREVER); /* not sent */
	cut();
	sim_deliver();
	sim_ended(0, MR_UNKNOWN);
	sim_ended(1, MR_ECONNECTION);
	sim_ended(2, MR_ECONNECTION);
	ck_assert_int_eq(machine.home->state, CONTACT_ENDED);
	ck_assert_int_eq(machine_due_ms(&machine), MACHINE_NEVER);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client: the machine");
	const TTest *const tests[] = {
		a_cut_after_any_byte_loses_no_put_and_doubles_none,
		where_the_daemon_knows_no_numbers_it_gets_none,
		a_put_cannot_be_sent_again_to_a_daemon_without_numbers,
		a_put_that_was_sent_and_whose_time_ends_without_a_connection_is_unknown,
		puts_without_an_answer_go_in_runs,
		after_a_cut_each_ends_or_goes_again_by_its_kind,
		a_cancelled_request_does_not_go_again,
		ephemeral_channels_come_first_and_are_told_when_they_are_lost,
		replies_come_in_any_pieces,
		the_pauses_grow_and_are_never_quite_the_same,
		a_silent_daemon_is_asked_and_then_given_up,
		a_request_that_is_not_answered_in_time_ends_the_connection,
		whoever_waits_for_a_connection_waits_as_long_as_it_may,
		the_impatient_hear_of_the_first_attempt_that_fails,
		without_reopening_all_ends_with_the_connection,
		NULL,
	};

	suite_case(suite, "machine", reset, teardown, tests);
	return suite_run(suite);
}
