/* The parking client on an event loop, against the real daemon: every request, every outcome, broken connections, and
 * destroying inside of callbacks. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "client/millrace_parking.h"
#include "tests/lib/client.h"
#include "tests/lib/proxy.h"
#include "tests/lib/suite.h"

static struct daemon *d;
static mr *m; /* another client, blocking */
static struct event_base *base;
static mr_parking *p;
static char url[64];
static int n_connected, n_disconnected, n_failed, n_lost, n_put_failed, n_room;
static int put_failed_status;
static char put_failed_channel[64];
static bool is_calling; /* a function of the library runs */

#define MAKES(call)                                                                                                    \
	do {                                                                                                           \
		is_calling = true;                                                                                     \
		IS(MR_OK, call);                                                                                       \
		is_calling = false;                                                                                    \
	} while (0)

/* -- the loop -- */

static void on_late(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	ck_abort_msg("the loop has waited too long for: %s", (const char *)argument);
}

#define LOOP_UNTIL(condition)                                                                                          \
	do {                                                                                                           \
		struct event *late = evtimer_new(base, on_late, (char[]){#condition});                                 \
		evtimer_add(late, &(struct timeval){.tv_sec = DAEMON_DEADLINE_MS / 1000});                             \
		while (!(condition))                                                                                   \
			ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);                                       \
		event_free(late);                                                                                      \
	} while (0)

/* The same for what the loop is not told of. */
#define TURN_UNTIL(condition)                                                                                          \
	do {                                                                                                           \
		uint64_t deadline_ms = test_now_ms() + DAEMON_DEADLINE_MS;                                             \
		while (!(condition)) {                                                                                 \
			ck_assert_msg(test_now_ms() < deadline_ms, "the loop has turned too long for: %s",             \
				      #condition);                                                                     \
			event_base_loop(base, EVLOOP_NONBLOCK);                                                        \
		}                                                                                                      \
	} while (0)

static void on_news(mr_parking *of, const struct mr_news *news, void *argument)
{
	ck_assert(!is_calling);
	(void)of;
	(void)argument;
	ck_assert_ptr_nonnull(news->message);
	switch (news->event) {
	case MR_EVENT_CONNECTED:
		n_connected++;
		break;
	case MR_EVENT_FAILED:
		ck_assert_int_lt(news->status, 0);
		n_failed++;
		break;
	case MR_EVENT_DISCONNECTED:
		ck_assert_int_lt(news->status, 0);
		n_disconnected++;
		break;
	case MR_EVENT_CHANNEL_LOST:
		n_lost++;
		break;
	case MR_EVENT_PUT_FAILED:
		put_failed_status = news->status;
		snprintf(put_failed_channel, sizeof put_failed_channel, "%s", news->channel);
		n_put_failed++;
		break;
	case MR_EVENT_ROOM:
		n_room++;
		break;
	}
}

static const struct mr_parking_options options = {
	.name = "tests", .backoff_min_ms = 1, .backoff_max_ms = 20, .on_news = on_news};

static mr_parking *make_client(const char *urls, const struct mr_parking_options *chosen)
{
	mr_parking *made;

	MAKES(mr_parking_create(&made, base, urls, chosen));
	return made;
}

static struct daemon *start_daemon(void)
{
	return url[0] ? daemon_start((const char *[]){"--listen", url, NULL}) : daemon_start(NULL);
}

static void make_channels(void)
{
	client_channel(m, "jobs", "bounded", 4);
	client_channel(m, "meet", "unbuffered", 0);
	client_channel(m, "latest", "sliding", 1);
	client_channel(m, "answer", "promise", 0);
}

static void setup(void)
{
	url[0] = '\0';
	d = start_daemon();
	snprintf(url, sizeof url, "%s", daemon_url(d));
	m = client_connect(url);
	make_channels();
	base = event_base_new();
	p = make_client(url, &options);
}

static void teardown(void)
{
	mr_parking_destroy(p);
	event_base_loop(base, EVLOOP_NONBLOCK);
	event_base_free(base);
	mr_destroy(m);
	daemon_stop(d);
}

static void kill_daemon(void)
{
	mr_destroy(m);
	m = NULL;
	daemon_kill(d);
}

static void restart_daemon(void)
{
	d = start_daemon();
	m = client_connect(url);
	make_channels();
}

/* -- what came -- */

struct seen {
	int n; /* callbacks */
	int n_last;
	int status;
	char raw[128];
	size_t arm;
	uint64_t accepted, evicted, left;
	char message[128];
	json_t *body;
	mr_parked *request;
};

static void seen_clear(struct seen *seen)
{
	json_decref(seen->body);
	*seen = (struct seen){.status = 12345};
}

static void on_seen(mr_parking *of, const struct mr_outcome *outcome, void *argument)
{
	struct seen *seen = argument;

	(void)of;
	ck_assert(!is_calling);
	ck_assert_int_eq(seen->n_last, 0); /* never after the last */
	seen->n++;
	seen->n_last += outcome->is_last;
	seen->status = outcome->status;
	snprintf(seen->raw, sizeof seen->raw, "%.*s", (int)outcome->raw_len, outcome->raw ? outcome->raw : "");
	snprintf(seen->message, sizeof seen->message, "%s", outcome->message);
	seen->arm = outcome->arm;
	seen->accepted = outcome->accepted;
	seen->evicted = outcome->evicted;
	seen->left = outcome->left;
	json_decref(seen->body);
	seen->body = NULL;
	if (outcome->body)
		IS(MR_OK, mr_outcome_body(outcome, &seen->body));
}

/* Runs the loop until it has ended, which it has to do so. */
static void ends(struct seen *seen, int status)
{
	LOOP_UNTIL(seen->n_last);
	ck_assert_msg(seen->status == status, "%s (%s), not %s", mr_status_name(seen->status), seen->message,
		      mr_status_name(status));
	ck_assert_int_eq(seen->n_last, 1);
}

static struct seen seen, other;

#define PUT(channel, json, timeout_ms, seen)                                                                           \
	MAKES(mr_park_put(p, channel, json, strlen(json), timeout_ms, on_seen, seen, &(seen)->request))
#define TAKE(channel, timeout_ms, seen)                                                                                \
	MAKES(mr_park_take(p, channel, NULL, timeout_ms, on_seen, seen, &(seen)->request))

static void clear(void)
{
	seen_clear(&seen);
	seen_clear(&other);
}

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
	PUT("meet", "7", 10000, &other);
	ends(&other, MR_OK);
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
	PUT("jobs", "1", MR_FOREVER, &other);
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

/* -- destroying inside of callbacks -- */

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
	MAKES(mr_park_take(p, "jobs", NULL, MR_FOREVER, never, NULL, &other.request));
	MAKES(mr_parking_cancel(p, seen.request));
	MAKES(mr_parking_cancel(p, other.request));
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
		struct mr_parking_options chosen = options;
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
	PUT("jobs", "\"again\"", MR_FOREVER, &other);
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
	TAKE("jobs", MR_FOREVER, &other);
	LOOP_UNTIL(n_failed >= 3);
	ck_assert_int_eq(seen.n + other.n, 0);
	restart_daemon(); /* its channels may come too late for these */
	LOOP_UNTIL(seen.n_last && other.n_last);
	ck_assert(seen.status == MR_OK || seen.status == MR_ENO_SUCH_CHANNEL);
	ck_assert(other.status == MR_OK || other.status == MR_ENO_SUCH_CHANNEL);
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
	MAKES(mr_park_create(p, "short", &definition, on_seen, &other, NULL));
	ends(&seen, MR_OK);
	ends(&other, MR_OK);
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
	client = make_client(urls, &options);
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
	client = make_client(urls, &options);
	LOOP_UNTIL(mr_parking_is_connected(client));
	mr_parking_destroy(client);
}
END_TEST

START_TEST(a_silent_daemon_is_given_up)
{
	struct mr_parking_options chosen = options;
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

/* -- leases -- */

static char lease[128];

static void on_leased(mr_parking *of, const struct mr_outcome *outcome, void *argument)
{
	if (outcome->status == MR_OK) {
		ck_assert_ptr_nonnull(outcome->lease);
		snprintf(lease, sizeof lease, "%s", outcome->lease);
	}
	on_seen(of, outcome, argument);
	seen.accepted = outcome->deliveries;
}

static void take_leased(const char *expected, uint64_t deliveries)
{
	clear();
	MAKES(mr_park_take(p, "jobs", &(struct mr_take_options){.lease_ms = 60000}, MR_FOREVER, on_leased, &seen,
			   NULL));
	ends(&seen, MR_OK);
	ck_assert_str_eq(seen.raw, expected);
	ck_assert_uint_eq(seen.accepted, deliveries);
	clear();
}

START_TEST(leases_end_in_every_way)
{
	client_put(m, "jobs", "1");
	take_leased("1", 1);
	MAKES(mr_park_extend(p, lease, 90000, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	clear();
	MAKES(mr_park_nack(p, lease, 0, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	take_leased("1", 2);
	MAKES(mr_park_ack(p, lease, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	clear();
	MAKES(mr_park_ack(p, lease, on_seen, &seen, NULL));
	ends(&seen, MR_ENO_SUCH_LEASE);
	FAILS(MR_EARGUMENT, "delay", mr_park_nack(p, lease, -1, on_seen, &seen, NULL));
}
END_TEST

START_TEST(an_ack_does_not_wait_behind_takes_that_wait_for_it)
{
	struct mr_parking_options chosen = options;
	static struct seen given_back;
	mr_parking *client;

	client_put(m, "jobs", "1");
	take_leased("1", 1);
	chosen.window = 1;
	client = make_client(url, &chosen);
	MAKES(mr_park_take(client, "jobs", NULL, MR_FOREVER, on_seen, &seen, NULL));
	MAKES(mr_park_take(client, "jobs", NULL, MR_FOREVER, on_seen, &other, NULL));
	TURN_UNTIL(client_stat(m, "jobs", "parked_takes") == 1);
	MAKES(mr_park_nack(client, lease, 0, on_seen, &given_back, NULL));
	ends(&seen, MR_OK);
	client_put(m, "jobs", "2");
	ends(&other, MR_OK);
	ends(&given_back, MR_OK);
	seen_clear(&given_back);
	mr_parking_destroy(client);
}
END_TEST

START_TEST(a_leased_take_is_sent_once_more)
{
	struct proxy *proxy = proxy_start(daemon_port(d));
	mr_parking *client = make_client(proxy_url(proxy), &options);
	static struct seen count;

	LOOP_UNTIL(n_connected == 2);
	clear();
	seen_clear(&count);
	MAKES(mr_park_take(client, "jobs", &(struct mr_take_options){.lease_ms = 60000}, MR_FOREVER, on_leased, &seen,
			   NULL));
	MAKES(mr_park_take_count(client, "meet", 3, &(struct mr_take_options){.lease_ms = 60000}, MR_FOREVER, on_seen,
				 &count, NULL));
	TURN_UNTIL(client_stat(m, "meet", "parked_takes") == 1);
	client_put(m, "meet", "1");
	LOOP_UNTIL(count.n == 1);
	proxy_cut(proxy);
	LOOP_UNTIL(n_connected == 3);
	client_put(m, "jobs", "7");
	ends(&seen, MR_OK);
	LOOP_UNTIL(count.n == 2); /* the value that was leased has come back with the connection's end */
	ck_assert_uint_eq(count.left, 1);
	client_put(m, "meet", "2");
	ends(&count, MR_OK);
	ck_assert_int_eq(count.n, 3);
	seen_clear(&count);
	mr_parking_destroy(client);
	proxy_stop(proxy);
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
	struct mr_parking_options chosen = options;
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
	struct mr_parking_options chosen = options;
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
	Suite *suite = suite_create("parking client and daemon");
	const TTest *const requests[] = {
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
		a_cut_after_any_byte_loses_no_put_and_doubles_none,
		a_child_has_no_part_in_its_parents_client,
		NULL,
	};
	const TTest *const leases[] = {
		leases_end_in_every_way,
		an_ack_does_not_wait_behind_takes_that_wait_for_it,
		a_leased_take_is_sent_once_more,
		NULL,
	};
	const TTest *const destroying[] = {
		destroyed_in_the_callback_of_a_reply,
		destroyed_in_the_callback_of_one_of_many,
		destroyed_in_the_callback_of_what_was_never_sent,
		destroyed_in_the_callback_of_a_time_out,
		destroyed_when_the_connection_breaks,
		destroyed_in_the_callback_of_news,
		destroyed_at_any_moment,
		NULL,
	};
	const TTest *const connections[] = {
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

	suite_case(suite, "requests", setup, teardown, requests);
	suite_case(suite, "leases", setup, teardown, leases);
	suite_case(suite, "destroying", setup, teardown, destroying);
	suite_case(suite, "connections", setup, teardown, connections);
	return suite_run(suite);
}
