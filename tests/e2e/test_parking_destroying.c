/* The parking client is destroyed: inside of each callback, and at any moment. */
#include <string.h>

#include "tests/lib/parking_fixture.h"
#include "tests/lib/suite.h"

static void on_destroy(mr_parking *of, const struct mr_outcome *outcome, void *argument)
{
	mr_parking_destroy(of);
	p = NULL;
	on_seen(of, outcome, argument); /* what it points to is valid still */
}

static void never(mr_parking *of, const struct mr_outcome *outcome, void *argument)
{
	(void)of;
	(void)argument;
	ck_abort_msg("called with %s, though the client is destroyed", mr_status_name(outcome->status));
}

START_TEST(destroyed_in_the_callback_of_a_reply)
{
	clear();
	client_put(m, "jobs", "\"value\"");
	MAKES(mr_park_take(p, "jobs", NULL, MR_FOREVER, on_destroy, &seen, NULL));
	for (int i = 0; i < 10; i++)
		MAKES(mr_park_take(p, "jobs", NULL, i % 2 ? 1000 : MR_FOREVER, never, NULL, NULL));
	ends(&seen, MR_OK);
	ck_assert_str_eq(seen.raw, "\"value\"");
	client_await_parked(m, 0);
}
END_TEST

START_TEST(destroyed_in_the_callback_of_one_of_many)
{
	clear();
	for (int i = 0; i < 4; i++)
		client_put(m, "jobs", "\"value\"");
	MAKES(mr_park_take_count(p, "jobs", 4, NULL, MR_FOREVER, on_destroy, &seen, NULL));
	MAKES(mr_park_take(p, "jobs", NULL, MR_FOREVER, never, NULL, NULL));
	LOOP_UNTIL(seen.n == 1);
	ck_assert_str_eq(seen.raw, "\"value\"");
	client_await_parked(m, 0);
}
END_TEST

START_TEST(destroyed_in_the_callback_of_what_was_never_sent)
{
	clear();
	MAKES(mr_park_take(p, "jobs", NULL, MR_FOREVER, on_destroy, &seen, &seen.request));
	MAKES(mr_park_take(p, "jobs", NULL, MR_FOREVER, never, NULL, &other_seen.request));
	MAKES(mr_parking_cancel(p, seen.request));
	MAKES(mr_parking_cancel(p, other_seen.request));
	ends(&seen, MR_CANCELLED);
}
END_TEST

START_TEST(destroyed_in_the_callback_of_a_time_out)
{
	clear();
	kill_daemon();
	MAKES(mr_park_take(p, "jobs", NULL, 1, on_destroy, &seen, NULL));
	MAKES(mr_park_take(p, "jobs", NULL, 1, on_destroy, &seen,
			   NULL)); /* whichever is the first: there is no second */
	ends(&seen, MR_TIMEOUT);
	restart_daemon();
}
END_TEST

START_TEST(destroyed_when_the_connection_breaks)
{
	clear();
	MAKES(mr_park_take(p, "jobs", NULL, MR_FOREVER, on_destroy, &seen, NULL));
	MAKES(mr_park_take(p, "jobs", NULL, MR_FOREVER, never, NULL, NULL));
	TURN_UNTIL(client_stat(m, "jobs", "parked_takes") == 2);
	kill_daemon();
	ends(&seen, MR_ECONNECTION);
	restart_daemon();
}
END_TEST

static void on_news_destroy(mr_parking *of, const struct mr_news *news, void *argument)
{
	if ((int)news->event != *(int *)argument)
		return;
	mr_parking_destroy(of);
	ck_assert_ptr_nonnull(news->message);
	ck_assert_ptr_nonnull(strstr(news->url, "://"));
	seen.n++;
}

START_TEST(destroyed_in_the_callback_of_news)
{
	static const enum mr_event events[] = {MR_EVENT_CONNECTED, MR_EVENT_FAILED, MR_EVENT_DISCONNECTED,
					       MR_EVENT_PUT_FAILED};

	for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
		struct mr_parking_options chosen = parking_options;
		int event = (int)events[i];
		mr_parking *client;

		clear();
		chosen.on_news = on_news_destroy;
		chosen.argument = &event;
		client = make_client(events[i] == MR_EVENT_FAILED ? "tcp://127.0.0.1:1" : url, &chosen);
		MAKES(mr_park_put(client, "nowhere", "1", 1, MR_FOREVER, NULL, NULL, NULL));
		if (events[i] == MR_EVENT_DISCONNECTED) {
			LOOP_UNTIL(mr_parking_is_connected(client));
			kill_daemon();
		} else if (events[i] != MR_EVENT_PUT_FAILED) {
			MAKES(mr_park_take(client, "jobs", NULL, MR_FOREVER, never, NULL, NULL));
		}
		LOOP_UNTIL(seen.n == 1);
		if (events[i] == MR_EVENT_DISCONNECTED)
			restart_daemon();
	}
}
END_TEST

START_TEST(destroyed_at_any_moment)
{
	for (int turns = 0; turns < 12; turns++) {
		mr_parking *client = make_client(turns % 3 ? url : "tcp://localhost:1", NULL);

		MAKES(mr_park_take(client, "jobs", NULL, MR_FOREVER, never, NULL, NULL));
		for (int i = 0; i < turns; i++)
			event_base_loop(base, EVLOOP_NONBLOCK);
		mr_parking_destroy(client);
	}
	mr_parking_destroy(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parking client: destroying");
	const TTest *const tests[] = {
		destroyed_in_the_callback_of_a_reply,
		destroyed_in_the_callback_of_one_of_many,
		destroyed_in_the_callback_of_what_was_never_sent,
		destroyed_in_the_callback_of_a_time_out,
		destroyed_when_the_connection_breaks,
		destroyed_in_the_callback_of_news,
		destroyed_at_any_moment,
		NULL,
	};

	suite_case(suite, "calls", parking_setup, parking_teardown, tests);
	return suite_run(suite);
}
