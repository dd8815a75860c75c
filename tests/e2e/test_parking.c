/* The parking client on an event loop, against the real daemon: every request, every outcome, and their bounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/parking_fixture.h"
#include "tests/lib/suite.h"

/* -- requests -- */

START_TEST(values_go_through)
{
	clear();
	ck_assert(!mr_parking_is_connected(p));
	PUT("jobs", "{\"a\": 1}", MR_FOREVER, &seen); /* before there is a connection */
	ck_assert_uint_eq(mr_parking_pending(p), 1);
	ends(&seen, MR_OK);
	ck_assert(mr_parking_is_connected(p));
	ck_assert_int_eq(n_connected, 1);
	clear();
	TAKE("jobs", MR_FOREVER, &seen);
	ends(&seen, MR_OK);
	ck_assert_str_eq(seen.raw, "{\"a\": 1}");
	ck_assert_uint_eq(mr_parking_pending(p), 0);
	clear();
	TAKE("jobs", 0, &seen);
	ends(&seen, MR_TIMEOUT);
	clear();
	TAKE("jobs", 5, &seen);
	ends(&seen, MR_TIMEOUT);
	clear();
	TAKE("meet", MR_FOREVER, &seen);
	PUT("meet", "7", 10000, &other_seen);
	ends(&other_seen, MR_OK);
	ends(&seen, MR_OK);
	ck_assert_str_eq(seen.raw, "7");
	clear();
	TAKE("nowhere", MR_FOREVER, &seen);
	ends(&seen, MR_ENO_SUCH_CHANNEL);
	ck_assert_ptr_nonnull(strstr(seen.message, "nowhere"));
}
END_TEST

START_TEST(batches_and_counts)
{
	clear();
	MAKES(mr_park_put_many(p, "jobs", "[1,2, 3]", 8, MR_FOREVER, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	ck_assert_uint_eq(seen.accepted, 3);
	clear();
	MAKES(mr_park_take(p, "jobs", &(struct mr_take_options){.max = 10}, MR_FOREVER, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	ck_assert_str_eq(seen.raw, "[1,2,3]");
	clear();
	MAKES(mr_park_take_count(p, "jobs", 3, NULL, MR_FOREVER, on_seen, &seen, NULL));
	PUT("jobs", "1", MR_FOREVER, &other_seen);
	LOOP_UNTIL(seen.n == 1);
	ck_assert_uint_eq(seen.left, 2);
	ck_assert_int_eq(seen.n_last, 0);
	client_put(m, "jobs", "2");
	client_put(m, "jobs", "3");
	ends(&seen, MR_OK);
	ck_assert_int_eq(seen.n, 3);
	ck_assert_str_eq(seen.raw, "3");
	clear();
	MAKES(mr_park_take_count(p, "jobs", 1000000, NULL, MR_FOREVER, on_seen, &seen, &seen.request));
	client_put(m, "jobs", "4");
	LOOP_UNTIL(seen.n == 1);
	MAKES(mr_parking_cancel(p, seen.request));
	MAKES(mr_parking_cancel(p, seen.request));
	ends(&seen, MR_CANCELLED);
	ck_assert_uint_eq(seen.left, 999999);
	clear();
	MAKES(mr_park_take_count(p, "jobs", 1, NULL, MR_FOREVER, on_seen, &seen, NULL));
	client_put(m, "jobs", "5");
	ends(&seen, MR_OK);
}
END_TEST

START_TEST(choices)
{
	struct mr_arm arms[] = {{.channel = "jobs"}, {.channel = "latest", .raw = "5", .raw_len = 1}};

	clear();
	MAKES(mr_park_alts(p, arms, 1, NULL, 0, on_seen, &seen, NULL));
	ends(&seen, MR_TIMEOUT);
	clear();
	client_put(m, "jobs", "1");
	MAKES(mr_park_alts(p, arms, 2, &(struct mr_alts_options){.priority = true}, MR_FOREVER, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	ck_assert_uint_eq(seen.arm, 0);
	ck_assert_str_eq(seen.raw, "1");
	client_put(m, "latest", "4");
	clear();
	MAKES(mr_park_alts(p, arms, 2, NULL, MR_FOREVER, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	ck_assert_uint_eq(seen.arm, 1);
	ck_assert_uint_eq(seen.evicted, 1);
}
END_TEST

static json_t *member(const char *key)
{
	return json_object_get(seen.body, key);
}

START_TEST(what_enters_one_channel_is_tapped_to_another)
{
	const struct mr_tap_options rule = {.match = "{\"\":2}"}, live = {.kind = "sliding", .capacity = 9};

	clear();
	MAKES(mr_park_tap(p, "jobs", "meet", &rule, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	ck_assert(json_is_true(member("created")));
	clear();
	MAKES(mr_park_tap(p, "jobs", NULL, &live, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	ck_assert_int_eq(strncmp(json_string_value(member("to")), "_t.", 3), 0);
	clear();
	MAKES(mr_park_taps(p, "meet", 0, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	ck_assert_uint_eq(json_array_size(member("taps")), 1);
	clear();
	client_put(m, "jobs", "2");
	MAKES(mr_park_take(p, "meet", NULL, MR_FOREVER, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	ck_assert_str_eq(seen.raw, "2");
	clear();
	MAKES(mr_park_untap(p, "jobs", "meet", on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	clear();
	MAKES(mr_park_untap(p, "jobs", "meet", on_seen, &seen, NULL));
	ends(&seen, MR_ENO_SUCH_TAP);
	FAILS(MR_EARGUMENT, "target", mr_park_tap(p, "jobs", NULL, NULL, on_seen, &seen, NULL));
}
END_TEST

START_TEST(channels_are_made_closed_looked_at_and_deleted)
{
	clear();
	MAKES(mr_park_create(p, "mine", &(struct mr_definition){.kind = "bounded", .capacity = 2}, on_seen, &seen,
			     NULL));
	ends(&seen, MR_OK);
	ck_assert(json_is_true(member("created")));
	clear();
	MAKES(mr_park_create(p, NULL, &(struct mr_definition){.kind = "unbuffered", .ephemeral = true}, on_seen, &seen,
			     NULL));
	ends(&seen, MR_OK);
	ck_assert_int_eq(strncmp(json_string_value(member("channel")), "_r.", 3), 0);
	clear();
	client_put(m, "mine", "1");
	MAKES(mr_park_peek(p, "mine", 5, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	ck_assert_str_eq(seen.raw, "[1]");
	clear();
	MAKES(mr_park_stat(p, "mine", on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	ck_assert_int_eq(json_integer_value(member("buffered")), 1);
	clear();
	MAKES(mr_park_list(p, "m*", "meet", on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	ck_assert_uint_eq(json_array_size(member("channels")), 1);
	clear();
	MAKES(mr_park_waiters(p, NULL, 0, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	ck_assert_uint_eq(json_array_size(member("waiters")), 0);
	clear();
	MAKES(mr_park_close(p, "mine", on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	clear();
	MAKES(mr_park_delete(p, "mine", false, on_seen, &seen, NULL));
	ends(&seen, MR_ENOT_EMPTY);
	clear();
	MAKES(mr_park_delete(p, "mine", true, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	ck_assert_int_eq(json_integer_value(member("discarded")), 1);
	clear();
	MAKES(mr_park_ping(p, 10000, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
}
END_TEST

START_TEST(a_put_without_a_callback_is_told_only_if_it_fails)
{
	clear();
	MAKES(mr_park_put(p, "jobs", "1", 1, MR_FOREVER, NULL, NULL, NULL));
	MAKES(mr_park_put(p, "nowhere", "1", 1, MR_FOREVER, NULL, NULL, &seen.request));
	ck_assert_ptr_null(seen.request);
	ck_assert_uint_eq(mr_parking_pending(p), 0);
	LOOP_UNTIL(n_put_failed == 1);
	ck_assert_int_eq(put_failed_status, MR_ENO_SUCH_CHANNEL);
	ck_assert_str_eq(put_failed_channel, "nowhere");
	client_take(m, "jobs", "1");
	MAKES(mr_park_put(p, "jobs", "2", 1, MR_FOREVER, NULL, NULL, NULL)); /* connected by now */
	TAKE("jobs", MR_FOREVER, &seen);
	ends(&seen, MR_OK);
	ck_assert_str_eq(seen.raw, "2");
}
END_TEST

START_TEST(impossible_requests_are_refused_at_once)
{
	char *large = malloc(2 * 1024 * 1024);
	mr_parked *request = (mr_parked *)large;
	mr_parking *none;

	clear();
	FAILS(MR_EARGUMENT, "JSON", mr_park_put(p, "jobs", "1 2", 3, 0, on_seen, &seen, &request));
	ck_assert_ptr_null(request);
	FAILS(MR_EARGUMENT, "time-out", mr_park_take(p, "jobs", NULL, -2, on_seen, &seen, NULL));
	FAILS(MR_EARGUMENT, "callback", mr_park_take(p, "jobs", NULL, 0, NULL, NULL, NULL));
	FAILS(MR_EARGUMENT, "max",
	      mr_park_take(p, "jobs", &(struct mr_take_options){.max = 1001}, 0, on_seen, &seen, NULL));
	FAILS(MR_EARGUMENT, "count", mr_park_take_count(p, "jobs", 0, NULL, 0, on_seen, &seen, NULL));
	FAILS(MR_EARGUMENT, "both",
	      mr_park_take_count(p, "jobs", 2, &(struct mr_take_options){.max = 1}, 0, on_seen, &seen, NULL));
	FAILS(MR_EARGUMENT, "arms", mr_park_alts(p, NULL, 0, NULL, 0, on_seen, &seen, NULL));
	FAILS(MR_EARGUMENT, "kind",
	      mr_park_create(p, "x", &(struct mr_definition){.ephemeral = true}, on_seen, &seen, NULL));
	FAILS(MR_EARGUMENT, "UTF-8", mr_park_close(p, "\xff", on_seen, &seen, NULL));
	FAILS(MR_EARGUMENT, "max", mr_park_peek(p, "jobs", 0, on_seen, &seen, NULL));
	FAILS(MR_EARGUMENT, "tcp://", mr_parking_create(&none, base, "http://x", NULL));
	ck_assert_ptr_null(none);
	FAILS(MR_EARGUMENT, "times",
	      mr_parking_create(&none, base, url, &(struct mr_parking_options){.backoff_min_ms = 9000}));
	FAILS(MR_EARGUMENT, "UTF-8", mr_parking_create(&none, base, url, &(struct mr_parking_options){.name = "\xff"}));
	/* Too large for the daemon: known only when there is one. */
	memset(large, 'x', 2 * 1024 * 1024);
	large[0] = large[2 * 1024 * 1024 - 1] = '"';
	MAKES(mr_park_put(p, "jobs", large, 2 * 1024 * 1024, MR_FOREVER, on_seen, &seen, NULL));
	MAKES(mr_park_put(p, "jobs", large, 2 * 1024 * 1024, MR_FOREVER, NULL, NULL, NULL));
	ends(&seen, MR_EARGUMENT);
	LOOP_UNTIL(n_put_failed == 1);
	FAILS(MR_EARGUMENT, "larger", mr_park_put(p, "jobs", large, 2 * 1024 * 1024, MR_FOREVER, on_seen, &seen, NULL));
	clear();
	TAKE("jobs", 0, &seen);
	ends(&seen, MR_TIMEOUT);
	free(large);
}
END_TEST

/* -- cancelling -- */

START_TEST(what_is_cancelled_ends_from_the_loop)
{
	clear();
	TAKE("jobs", MR_FOREVER, &seen); /* not sent yet */
	MAKES(mr_parking_cancel(p, seen.request));
	FAILS(MR_ENO_SUCH_REQUEST, "ended", mr_parking_cancel(p, seen.request));
	ck_assert_int_eq(seen.n, 0);
	ends(&seen, MR_CANCELLED);
	clear();
	LOOP_UNTIL(n_connected);
	TAKE("jobs", MR_FOREVER, &seen);
	client_await_parked(m, 0);
	TURN_UNTIL(client_stat(m, "jobs", "parked_takes") == 1);
	MAKES(mr_parking_cancel(p, seen.request));
	ends(&seen, MR_CANCELLED);
	client_await_parked(m, 0);
}
END_TEST

static void on_cancel_itself(mr_parking *of, const struct mr_outcome *outcome, void *argument)
{
	ck_assert(outcome->is_last);
	FAILS(MR_ENO_SUCH_REQUEST, "ended", mr_parking_cancel(of, seen.request));
	on_seen(of, outcome, argument);
}

START_TEST(cancelling_in_its_own_last_callback_is_in_vain)
{
	clear();
	MAKES(mr_park_take(p, "jobs", NULL, 0, on_cancel_itself, &seen, &seen.request));
	ends(&seen, MR_TIMEOUT);
}
END_TEST

/* -- fork -- */

/* The child's part: what it finds is its exit status. */
static int in_a_child(void)
{
	if (mr_park_put(p, "jobs", "9", 1, 0, NULL, NULL, NULL) != MR_EARGUMENT || !strstr(mr_message(), "fork"))
		return 1;
	if (mr_parking_cancel(p, seen.request) != MR_EARGUMENT)
		return 2;
	mr_parking_destroy(p);
	if (event_reinit(base) != 0)
		return 3;
	event_base_loop(base, EVLOOP_NONBLOCK); /* its loop may go on */
	return 0;
}

START_TEST(a_child_has_no_part_in_its_parents_client)
{
	int status;

	clear();
	TAKE("jobs", MR_FOREVER, &seen);
	TURN_UNTIL(client_stat(m, "jobs", "parked_takes") == 1);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(in_a_child());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child: %d", status);
	client_put(m, "jobs", "1");
	ends(&seen, MR_OK);
	ck_assert_str_eq(seen.raw, "1");
	ck_assert_int_eq(n_disconnected, 0);
}
END_TEST

/* -- bounds -- */

START_TEST(no_more_than_the_window_is_in_flight)
{
	struct mr_parking_options chosen = parking_options;
	static struct seen takes[5];
	mr_parking *client;

	chosen.window = 2;
	client = make_client(url, &chosen);
	for (int i = 0; i < 5; i++)
		MAKES(mr_park_take(client, "meet", NULL, MR_FOREVER, on_seen, &takes[i], NULL));
	TURN_UNTIL(client_stat(m, "meet", "parked_takes") == 2);
	for (int i = 0; i < 5; i++) {
		char json[16];

		snprintf(json, sizeof json, "%d", i);
		PUT("meet", json, MR_FOREVER, &seen);
		ends(&seen, MR_OK);
		ends(&takes[i], MR_OK);
		ck_assert_str_eq(takes[i].raw, json);
		clear();
		seen_clear(&takes[i]);
	}
	mr_parking_destroy(client);
}
END_TEST

START_TEST(too_much_waiting_is_refused_until_there_is_room)
{
	struct mr_parking_options chosen = parking_options;
	mr_parking *client;
	int status, n = 0;

	chosen.max_waiting_bytes = 10000;
	client = make_client(url, &chosen);
	do {
		status = mr_park_put(client, "latest", "1", 1, MR_FOREVER, NULL, NULL, NULL);
		n += status == MR_OK;
	} while (status == MR_OK);
	FAILS(MR_EFULL, "wait", status);
	ck_assert_int_ge(n, 10);
	LOOP_UNTIL(n_room == 1);
	client_stat_wait(m, "latest", "accepted", n);
	mr_parking_destroy(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parking client: requests");
	const TTest *const tests[] = {
		values_go_through,
		batches_and_counts,
		choices,
		what_enters_one_channel_is_tapped_to_another,
		channels_are_made_closed_looked_at_and_deleted,
		a_put_without_a_callback_is_told_only_if_it_fails,
		impossible_requests_are_refused_at_once,
		what_is_cancelled_ends_from_the_loop,
		cancelling_in_its_own_last_callback_is_in_vain,
		no_more_than_the_window_is_in_flight,
		too_much_waiting_is_refused_until_there_is_room,
		a_child_has_no_part_in_its_parents_client,
		NULL,
	};

	suite_case(suite, "calls", parking_setup, parking_teardown, tests);
	return suite_run(suite);
}
