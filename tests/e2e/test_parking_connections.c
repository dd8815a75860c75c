/* Connections of the parking client that break, and what becomes of its requests then. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/parking_fixture.h"
#include "tests/lib/proxy.h"
#include "tests/lib/suite.h"

/* -- broken connections -- */

enum { N_TAKES = 40, N_PUTS = 30, N_ALTS = 20, N_PUT_ALTS = 10, N_ALL = N_TAKES + N_PUTS + N_ALTS + N_PUT_ALTS };

START_TEST(a_hundred_parked_end_once_each_when_the_daemon_is_killed)
{
	static struct seen all[N_ALL];
	const struct mr_arm arms[] = {
		{.channel = "jobs"}, {.channel = "answer"}, {.channel = "meet", .raw = "1", .raw_len = 1}};
	int at = 0, ended = 0;

	client_put(m, "jobs", "0");
	for (int i = 0; i < 3; i++)
		client_put(m, "jobs", "1");
	for (int i = 0; i < N_PUTS; i++, at++)
		PUT("jobs", "1", i % 2 ? MR_FOREVER : 60000, &all[at]);
	for (int i = 0; i < N_TAKES; i++, at++)
		TAKE("answer", i % 2 ? MR_FOREVER : 60000, &all[at]);
	for (int i = 0; i < N_ALTS; i++, at++)
		MAKES(mr_park_alts(p, arms + 1, 1, NULL, MR_FOREVER, on_seen, &all[at], NULL));
	for (int i = 0; i < N_PUT_ALTS; i++, at++)
		MAKES(mr_park_alts(p, arms + 1, 2, NULL, MR_FOREVER, on_seen, &all[at], NULL));
	ck_assert_int_eq(at, N_ALL);
	TURN_UNTIL(client_stat(m, "answer", "parked_takes") == N_TAKES + N_ALTS + N_PUT_ALTS);
	kill_daemon();
	LOOP_UNTIL(n_disconnected == 1 && mr_parking_pending(p) == N_PUTS); /* puts are sent again, and enter once */
	for (int i = N_PUTS; i < N_ALL; i++) {
		bool is_put = i >= N_PUTS + N_TAKES + N_ALTS;

		ck_assert_int_eq(all[i].n, 1);
		ck_assert_int_eq(all[i].n_last, 1);
		ck_assert_msg(all[i].status == (is_put ? MR_UNKNOWN : MR_ECONNECTION), "%d: %s", i,
			      mr_status_name(all[i].status));
		ck_assert_str_ne(all[i].message, "");
		ended += all[i].n_last;
	}
	ck_assert_int_eq(ended, N_ALL - N_PUTS);
	restart_daemon();
	LOOP_UNTIL(n_connected == 2);
	for (int i = 0; i < N_PUTS; i++) {
		seen_clear(&seen);
		TAKE("jobs", MR_FOREVER, &seen);
		LOOP_UNTIL(seen.n_last);
		IS(MR_OK, seen.status);
	}
	LOOP_UNTIL(mr_parking_pending(p) == 0);
	for (int i = 0; i < N_PUTS; i++)
		IS(MR_OK, all[i].status);
	clear();
	TAKE("jobs", MR_FOREVER, &seen);
	PUT("jobs", "\"again\"", MR_FOREVER, &other_seen);
	ends(&seen, MR_OK);
	ck_assert_str_eq(seen.raw, "\"again\"");
	for (int i = 0; i < N_ALL; i++) { /* and nothing more came */
		ck_assert_int_eq(all[i].n, 1);
		seen_clear(&all[i]);
	}
}
END_TEST

START_TEST(what_was_never_sent_waits_for_the_next_connection)
{
	clear();
	LOOP_UNTIL(n_connected == 1);
	kill_daemon();
	LOOP_UNTIL(n_disconnected == 1);
	PUT("jobs", "1", 60000, &seen);
	TAKE("jobs", MR_FOREVER, &other_seen);
	LOOP_UNTIL(n_failed >= 3);
	ck_assert_int_eq(seen.n + other_seen.n, 0);
	restart_daemon(); /* its channels may come too late for these */
	LOOP_UNTIL(seen.n_last && other_seen.n_last);
	ck_assert(seen.status == MR_OK || seen.status == MR_ENO_SUCH_CHANNEL);
	ck_assert(other_seen.status == MR_OK || other_seen.status == MR_ENO_SUCH_CHANNEL);
}
END_TEST

START_TEST(what_is_in_front_of_a_full_socket_is_sent_again)
{
	enum { N = 40 };
	static struct seen puts[N];
	char *large = malloc(1000 * 1000);
	int n_unknown = 0, n_broken = 0, n_other = 0;

	memset(large, 'x', 1000 * 1000);
	large[0] = large[1000 * 1000 - 1] = '"';
	LOOP_UNTIL(n_connected == 1);
	daemon_signal(d, SIGSTOP);
	for (int i = 0; i < N; i++) { /* more than the buffers of the sockets take */
		int status = mr_park_put(p, "latest", large, 1000 * 1000, MR_FOREVER, on_seen, &puts[i], NULL);

		if (status == MR_EFULL)
			puts[i].n_last = puts[i].status = 1;
		else
			IS(MR_OK, status);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	kill_daemon();
	LOOP_UNTIL(n_disconnected == 1);
	restart_daemon();
	LOOP_UNTIL(mr_parking_pending(p) == 0);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(puts[i].n_last, 1);
		n_unknown += puts[i].status == MR_UNKNOWN;
		n_broken += puts[i].status == MR_ECONNECTION;
		n_other += puts[i].status == MR_OK || puts[i].status == MR_ENO_SUCH_CHANNEL;
		seen_clear(&puts[i]);
	}
	ck_assert_int_eq(n_unknown, 0); /* the daemon knows puts again, so each is sent again */
	ck_assert_int_le(n_broken, 1);  /* the one that was being written */
	ck_assert_int_ge(n_other, 1);
	ck_assert_int_eq(n_room, 1);
	free(large);
}
END_TEST

START_TEST(ephemeral_channels_are_created_anew)
{
	const struct mr_definition definition = {.kind = "bounded", .capacity = 1, .ephemeral = true};

	clear();
	MAKES(mr_park_create(p, "mine", &definition, on_seen, &seen, NULL));
	MAKES(mr_park_create(p, "short", &definition, on_seen, &other_seen, NULL));
	ends(&seen, MR_OK);
	ends(&other_seen, MR_OK);
	clear();
	MAKES(mr_park_delete(p, "short", false, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	kill_daemon();
	LOOP_UNTIL(n_disconnected == 1);
	clear();
	PUT("mine", "1", MR_FOREVER, &seen); /* it is there before this is sent */
	restart_daemon();
	ends(&seen, MR_OK);
	clear();
	TAKE("short", 0, &seen);
	ends(&seen, MR_ENO_SUCH_CHANNEL);
	ck_assert_int_eq(n_lost, 0);
}
END_TEST

START_TEST(an_ephemeral_channel_that_somebody_else_has_now_is_lost)
{
	clear();
	MAKES(mr_park_create(p, "mine", &(struct mr_definition){.kind = "bounded", .capacity = 1, .ephemeral = true},
			     on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	kill_daemon();
	restart_daemon();
	client_channel(m, "mine", "unbuffered", 0);
	LOOP_UNTIL(n_lost == 1);
	LOOP_UNTIL(n_connected == 2);
}
END_TEST

START_TEST(the_next_address_is_tried)
{
	char urls[160];
	mr_parking *client;

	snprintf(urls, sizeof urls, "unix:///nowhere/x.sock, tcp://127.0.0.1:1 %s", url);
	client = make_client(urls, &parking_options);
	LOOP_UNTIL(mr_parking_is_connected(client));
	ck_assert_int_ge(n_failed, 2);
	mr_parking_destroy(client);
}
END_TEST

START_TEST(names_are_looked_up)
{
	char urls[64];
	mr_parking *client;

	snprintf(urls, sizeof urls, "tcp://localhost:%u", (unsigned)daemon_port(d));
	client = make_client(urls, &parking_options);
	LOOP_UNTIL(mr_parking_is_connected(client));
	mr_parking_destroy(client);
}
END_TEST

START_TEST(a_silent_daemon_is_given_up)
{
	struct mr_parking_options chosen = parking_options;
	mr_parking *client;

	clear();
	LOOP_UNTIL(n_connected == 1);
	daemon_signal(d, SIGSTOP);
	TAKE("jobs", 10, &seen); /* the time-out finds it */
	ends(&seen, MR_ECONNECTION);
	ck_assert_int_eq(n_disconnected, 1);
	daemon_signal(d, SIGCONT);
	chosen.heartbeat_ms = 50;
	client = make_client(url, &chosen);
	LOOP_UNTIL(mr_parking_is_connected(client) && mr_parking_is_connected(p));
	daemon_signal(d, SIGSTOP);
	LOOP_UNTIL(n_disconnected == 2); /* the heartbeat finds it */
	daemon_signal(d, SIGCONT);
	mr_parking_destroy(client);
}
END_TEST

/* -- once -- */

static int n_answered;

static void on_put_in(mr_parking *of, const struct mr_outcome *outcome, void *argument)
{
	(void)of;
	(void)argument;
	ck_assert_msg(outcome->status == MR_OK, "%s: %s", mr_status_name(outcome->status), outcome->message);
	n_answered += outcome->is_last;
}

/* Puts with an answer and without, over a connection that ends early. Whether it did. */
static bool puts_over_a_cut(struct proxy *proxy, size_t from_client, size_t from_daemon)
{
	static const struct mr_parking_options quick = {.backoff_min_ms = 1, .backoff_max_ms = 1};
	mr_parking *client;
	bool was_cut;
	char *json;

	proxy_cut_after(proxy, from_client, from_daemon);
	client = make_client(proxy_url(proxy), &quick);
	n_answered = 0;
	for (char digit = '1'; digit <= '5'; digit++)
		MAKES(mr_park_put(client, "all", &digit, 1, MR_FOREVER, digit == '1' || digit == '5' ? on_put_in : NULL,
				  NULL, NULL));
	MAKES(mr_park_put_many(client, "all", "[6,7]", 5, MR_FOREVER, on_put_in, NULL, NULL));
	LOOP_UNTIL(n_answered == 3);
	was_cut = proxy_was_cut(proxy);
	mr_parking_destroy(client);
	IS(MR_OK, mr_take_many_raw(m, "all", 100, &json, NULL, 0));
	ck_assert_str_eq(json, "[1,2,3,4,5,6,7]");
	mr_free(json);
	return was_cut;
}

START_TEST(a_cut_after_any_byte_loses_no_put_and_doubles_none)
{
	struct proxy *proxy = proxy_start(daemon_port(d));
	int n_cuts = 0;

	if (client_knows(m, "once")) {
		client_channel(m, "all", "bounded", 100);
		for (size_t at = 1; puts_over_a_cut(proxy, at, SIZE_MAX); at++)
			n_cuts++;
		for (size_t at = 1; puts_over_a_cut(proxy, SIZE_MAX, at); at++)
			n_cuts++;
		ck_assert_int_gt(n_cuts, 900);
	}
	proxy_stop(proxy);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parking client: connections");
	const TTest *const tests[] = {
		a_cut_after_any_byte_loses_no_put_and_doubles_none,
		a_hundred_parked_end_once_each_when_the_daemon_is_killed,
		what_was_never_sent_waits_for_the_next_connection,
		what_is_in_front_of_a_full_socket_is_sent_again,
		ephemeral_channels_are_created_anew,
		an_ephemeral_channel_that_somebody_else_has_now_is_lost,
		the_next_address_is_tried,
		names_are_looked_up,
		a_silent_daemon_is_given_up,
		NULL,
	};

	suite_case(suite, "calls", parking_setup, parking_teardown, tests);
	return suite_run(suite);
}
