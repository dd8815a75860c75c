/* The daemon's inside in a cluster: what those are told who ask about groups that are with others, and what is to see
 * of the cluster. What the daemon knows of it is the test's. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/journal/journal.h"
#include "proto/frame.h"
#include "tests/lib/inside.h"
#include "tests/lib/suite.h"

static struct inside inside;
static int fd;
static char path[64];
static bool is_joined;
static const char *owner; /* of the group `far`; NULL: nobody */
static char moved[64];

/* -- The cluster -- */

static const struct cluster_daemon_row daemons[] = {
	{{"a", 1}, {"tcp://a:1", 9}, {"http://a:2", 10}, true},
	{{"b", 1}, {"tcp://b:1", 9}, {"http://b:2", 10}, false},
	{{"c", 1}, {"tls://c:1", 9}, {NULL, 0}, false},
};

static enum cluster_place route(const struct cluster_view *view, struct slice group, bool creates,
				struct cluster_daemon_row *row)
{
	(void)view;
	if (slice_equal(group, SLICE("unknown")))
		return creates ? CLUSTER_FULL : CLUSTER_UNKNOWN;
	for (size_t i = 0; i < 3; i++)
		if (owner && slice_equal(group, SLICE("far")) && slice_equal(daemons[i].name, slice_from(owner))) {
			*row = daemons[i];
			return CLUSTER_THERE;
		}
	return CLUSTER_NOWHERE;
}

static bool next_daemon(const struct cluster_view *view, size_t i, struct cluster_daemon_row *row)
{
	(void)view;
	if (i < 3)
		*row = daemons[i];
	return i < 3;
}

static bool next_group(const struct cluster_view *view, size_t i, struct cluster_group_row *row)
{
	static const struct cluster_group_row rows[] = {
		{.name = {"default", 7}, .owner = {"a", 1}, .epoch = 3, .is_served = true, .lag_us = 2500},
		{.name = {"far", 3}, .owner = {"b", 1}, .target = {"c", 1}, .epoch = 12},
		{.name = {"none", 4}},
	};
	(void)view;
	if (i < 3)
		*row = rows[i];
	return i < 3;
}

static void status(const struct cluster_view *view, struct cluster_status *now)
{
	(void)view;
	*now = (struct cluster_status){
		.is_joined = is_joined, .message = "etcd does not answer", .used_bytes = 1000, .takeovers = 2};
}

static bool move(struct cluster_view *view, struct slice group, struct slice to, const char **why)
{
	(void)view;
	*why = "there is no such daemon";
	snprintf(moved, sizeof(moved), "%.*s to %.*s", (int)group.len, group.bytes, (int)to.len, to.bytes);
	return slice_equal(to, SLICE("b"));
}

static const struct cluster_calls calls = {route, next_daemon, next_group, status, move};
static struct cluster_view view = {&calls};

/* -- A carrier that has all at once -- */

static struct carrier_status carried;

static void append(struct carrier *carrier, char *run, size_t len, uint64_t last)
{
	(void)carrier, (void)run, (void)len;
	carried.committed = last;
}

static struct journal journal;
static unsigned n_dropped;

/* It tells of the change at once, and whoever hears of it asks. */
static void drop_before(struct carrier *carrier, uint64_t number)
{
	(void)carrier, (void)number;
	if (++n_dropped < 10)
		journal_notice(&journal);
}

static void carrier_status(struct carrier *carrier, struct carrier_status *now)
{
	(void)carrier;
	*now = carried;
}

static const struct carrier_calls carrier_calls = {append, drop_before, carrier_status};
static struct carrier carrier = {&carrier_calls};

/* What has gathered is kept, and what waited for it goes. */
static void commit(void)
{
	journal_end_turn(&journal, loop_now_us(inside.loop));
	journal_notice(&journal);
	stream_group_release(inside.streams, journal_committed(&journal));
}

static void setup(void)
{
	static const struct journal_settings settings = {.max_batch = 1 << 20};
	ck_assert_int_eq(inside_start_in_cluster(&inside), 0);
	carried = (struct carrier_status){0};
	is_joined = true;
	owner = "b";
	ck_assert_int_eq(journal_init(&journal, &settings, &carrier, 1), 0);
	inside.broker.journal = &journal;
	inside.sessions.cluster = &view;
	broker_adopt(&inside.broker, SLICE("default"), core_restore_create(NULL));
	broker_serve(&inside.broker, SLICE("default"));
	fd = inside_connect(&inside);
	snprintf(path, sizeof(path), "/tmp/millrace-cluster.%ld", (long)getpid());
	ck_assert_int_eq(inside_serve_http(&inside, path), 0);
}

static void teardown(void)
{
	close(fd);
	inside_run(&inside);
	inside_stop(&inside);
	journal_finish(&journal);
	unlink(path);
}

/* -- Asking -- */

/* Everything that is there to be read, as text; frames without their lengths. */
static const char *answer_of(int from)
{
	static char text[256 * 1024];
	size_t len = 0;
	ssize_t n;
	do {
		inside_run(&inside);
		commit();
		inside_run(&inside);
		while ((n = read(from, text + len, sizeof(text) - 1 - len)) > 0)
			len += (size_t)n;
	} while (!inside_is_settled(&inside));
	text[len] = '\0';
	return len > 0 && text[0] == '\0' ? text + FRAME_HEADER_BYTES : text;
}

static const char *ask(const char *body)
{
	struct buffer out = {0};
	size_t mark = frame_begin(&out);
	buffer_append(&out, body, strlen(body));
	frame_end(&out, mark);
	ck_assert_int_eq(write(fd, out.bytes + out.start, buffer_len(&out)), (ssize_t)buffer_len(&out));
	buffer_finish(&out);
	return answer_of(fd);
}

static const char *ask_http(const char *request)
{
	char text[1024];
	int connection = inside_connect_http(path);
	snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", request);
	ck_assert_int_eq(write(connection, text, strlen(text)), (ssize_t)strlen(text));
	const char *answer = answer_of(connection);
	close(connection);
	inside_run(&inside);
	return answer;
}

static void has(const char *answer, const char *part)
{
	ck_assert_msg(strstr(answer, part), "\"%.2000s\" lacks \"%s\"", answer, part);
}

/* -- The tests -- */

START_TEST(who_asks_for_what_is_elsewhere_is_sent_there)
{
	static const char *const requests[] = {
		"{\"id\":1,\"op\":\"put\",\"channel\":\"{far}c\",\"value\":1}",
		"{\"id\":1,\"op\":\"take\",\"channel\":\"{far}c\"}",
		"{\"id\":1,\"op\":\"create\",\"channel\":\"{far}c\",\"kind\":\"unbuffered\"}",
		"{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"{far}c\"}]}",
		"{\"id\":1,\"op\":\"stat\",\"channel\":\"{far}c\"}",
		"{\"id\":1,\"op\":\"peek\",\"channel\":\"{far}c\"}",
		"{\"id\":1,\"op\":\"waiters\",\"channel\":\"{far}c\"}",
		"{\"id\":1,\"op\":\"leases\",\"channel\":\"{far}c\"}",
		"{\"id\":1,\"op\":\"taps\",\"channel\":\"{far}c\"}",
		"{\"id\":1,\"op\":\"alter\",\"channel\":\"{far}c\",\"capacity\":2}",
		"{\"id\":1,\"op\":\"delete\",\"channel\":\"{far}c\"}",
		"{\"id\":1,\"op\":\"move\",\"from\":\"{far}c\"}",
		"{\"id\":1,\"op\":\"tap\",\"from\":\"{far}c\",\"to\":\"{far}d\"}",
		"{\"id\":1,\"op\":\"tap\",\"from\":\"{far}c\",\"kind\":\"unbuffered\"}",
		"{\"id\":1,\"op\":\"untap\",\"from\":\"{far}c\",\"to\":\"{far}d\"}",
	};
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		owner = "b";
		const char *answer = ask(requests[i]);
		has(answer, "{\"id\":1,\"status\":\"error\",\"error\":\"moved\"");
		has(answer, "the group \\\"far\\\" is with daemon \\\"b\\\"\",\"address\":\"tcp://b:1\"");
		owner = NULL;
		answer = ask(requests[i]);
		has(answer, "{\"id\":1,\"status\":\"error\",\"error\":\"unavailable\"");
		has(answer, "\"retry_ms\":20");
	}
	has(ask("{\"op\":\"put\",\"channel\":\"{far}c\",\"value\":1}"),
	    "{\"id\":null,\"status\":\"error\",\"error\":\"unavailable\"");
	has(ask("{\"id\":2,\"op\":\"alter\",\"channel\":\"{far}c\",\"dead_letter\":\"d\",\"max_deliveries\":2}"),
	    "\"error\":\"cross_group\"");
	has(ask("{\"id\":2,\"op\":\"stat\",\"channel\":\"c\"}"), "\"error\":\"no_such_channel\"");
	has(ask("{\"id\":2,\"op\":\"hello\",\"protocol\":1}"), "[\"alter\",\"cluster\",\"delayed_put\",\"durable\"");
}
END_TEST

START_TEST(only_who_creates_something_brings_a_group_about)
{
	static const char *const requests[] = {
		"{\"id\":1,\"op\":\"put\",\"channel\":\"{unknown}c\",\"value\":1}",
		"{\"id\":1,\"op\":\"take\",\"channel\":\"{unknown}c\"}",
		"{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"{unknown}c\"}]}",
		"{\"id\":1,\"op\":\"stat\",\"channel\":\"{unknown}c\"}",
		"{\"id\":1,\"op\":\"alter\",\"channel\":\"{unknown}c\",\"capacity\":2}",
		"{\"id\":1,\"op\":\"close\",\"channel\":\"{unknown}c\"}",
		"{\"id\":1,\"op\":\"move\",\"from\":\"{unknown}c\"}",
		"{\"id\":1,\"op\":\"tap\",\"from\":\"{unknown}c\",\"kind\":\"unbuffered\"}",
	};
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		const char *answer = ask(requests[i]);
		has(answer, "\"error\":\"no_such_channel\"");
		has(answer, "\\\"{unknown}c\\\"");
	}
	has(ask("{\"id\":1,\"op\":\"create\",\"channel\":\"{unknown}c\",\"kind\":\"unbuffered\"}"),
	    "\"error\":\"overloaded\"");
	has(ask_http("GET /api/v1/channels/%7Bunknown%7Dc"), "HTTP/1.1 404 ");
}
END_TEST

START_TEST(who_is_parked_is_sent_on)
{
	ask("{\"id\":1,\"op\":\"create\",\"channel\":\"c\",\"kind\":\"unbuffered\"}");
	ck_assert_str_eq(ask("{\"id\":2,\"op\":\"take\",\"channel\":\"c\",\"count\":3}"), "");
	broker_release(&inside.broker, SLICE("default"));
	const char *answer = answer_of(fd);
	has(answer, "{\"id\":2,\"status\":\"error\",\"error\":\"unavailable\"");
	has(answer, "\"left\":3");
}
END_TEST

START_TEST(a_subscription_is_of_its_sources_group)
{
	static const struct core_limits limits = {
		.max_memory = 200000, .max_channels = 8, .max_inflight = 6, .max_waiters = 10, .max_taps = 1};
	struct core_event event = {.op = CORE_SET_LIMITS, .limits = &limits};
	broker_step(&inside.broker, &event);
	broker_adopt(&inside.broker, SLICE("near"), core_restore_create(NULL));
	broker_serve(&inside.broker, SLICE("near"));
	ask("{\"id\":1,\"op\":\"create\",\"channel\":\"{near}c\",\"kind\":\"bounded\",\"capacity\":1}");
	has(ask("{\"id\":2,\"op\":\"tap\",\"from\":\"{near}c\",\"kind\":\"unbuffered\"}"),
	    "{\"id\":2,\"status\":\"ok\",\"to\":\"_t.{near}");
}
END_TEST

START_TEST(http_redirects)
{
	const char *answer = ask_http("GET /api/v1/channels/%7Bfar%7Dc/values?max=2");
	has(answer, "HTTP/1.1 307 Temporary Redirect\r\n");
	has(answer, "\r\nLocation: http://b:2/api/v1/channels/%7Bfar%7Dc/values?max=2\r\n");
	has(answer, "\"error\":\"moved\"");
	has(answer, "\"address\":\"tcp://b:1\"");
	owner = "c"; /* which has not said where its HTTP is */
	has(ask_http("GET /api/v1/channels/%7Bfar%7Dc"), "HTTP/1.1 421 Misdirected Request\r\n");
	owner = NULL;
	answer = ask_http("GET /api/v1/channels/%7Bfar%7Dc");
	has(answer, "HTTP/1.1 503 Service Unavailable\r\n");
	has(answer, "\r\nRetry-After: 1\r\n");
	has(answer, "\"retry_ms\":20");
}
END_TEST

START_TEST(the_cluster_is_shown)
{
	const char *answer = ask("{\"id\":1,\"op\":\"cluster\"}");
	ck_assert_str_eq(
		answer,
		"{\"id\":1,\"status\":\"ok\",\"groups\":[{\"group\":\"default\",\"owner\":\"a\",\"epoch\":3,\"lag_ms\":"
		"2},"
		"{\"group\":\"far\",\"owner\":\"b\",\"target\":\"c\",\"epoch\":12},{\"group\":\"none\",\"epoch\":0}],"
		"\"more\":false,\"daemons\":[{\"daemon\":\"a\",\"address\":\"tcp://a:1\",\"http\":\"http://a:2\","
		"\"self\":true},{\"daemon\":\"b\",\"address\":\"tcp://b:1\",\"http\":\"http://b:2\",\"self\":false},"
		"{\"daemon\":\"c\",\"address\":\"tls://c:1\",\"self\":false}],\"joined\":true}");
	answer = ask("{\"id\":1,\"op\":\"cluster\",\"limit\":1}");
	has(answer, "\"more\":true,\"next\":\"default\"");
	answer = ask("{\"id\":1,\"op\":\"cluster\",\"after\":\"default\",\"limit\":1}");
	has(answer, "\"groups\":[{\"group\":\"far\"");
	has(answer, "\"more\":true,\"next\":\"far\"");
	has(ask_http("GET /api/v1/cluster"), "{\"group\":\"none\",\"epoch\":0}");
	answer = ask_http("GET /metrics");
	has(answer, "\nmillrace_cluster_joined 1\n");
	has(answer, "\nmillrace_cluster_group_lag_seconds{group=\"default\"} 0.002500\n");
	has(ask_http("GET /readyz"), "HTTP/1.1 200 OK");
	is_joined = false;
	has(ask_http("GET /readyz"), "HTTP/1.1 503 Service Unavailable");
	has(ask_http("GET /readyz"), "\r\n\r\netcd does not answer\n");
	has(ask("{\"id\":1,\"op\":\"cluster\"}"), "\"joined\":false,\"waits_for\":\"etcd does not answer\"");
}
END_TEST

/* While nothing may be sent. */
START_TEST(probes_are_answered_at_once_and_nothing_else)
{
	static const char pipelined[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
					"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
	is_joined = false;
	stream_group_send_until(inside.streams, 0);
	has(ask_http("GET /readyz"), "HTTP/1.1 503 Service Unavailable");
	has(ask_http("GET /readyz"), "\r\n\r\netcd does not answer\n");
	has(ask_http("GET /healthz"), "\r\n\r\nok\n");
	ck_assert_str_eq(ask_http("GET /metrics"), "");
	ck_assert_str_eq(ask_http("GET /nothing"), "");
	ck_assert_str_eq(ask("{\"id\":1,\"op\":\"ping\"}"), "");
	int connection = inside_connect_http(path);
	ck_assert_int_eq(write(connection, pipelined, sizeof(pipelined) - 1), sizeof(pipelined) - 1);
	ck_assert_str_eq(answer_of(connection), "");
	stream_group_send_until(inside.streams, UINT64_MAX);
	has(answer_of(connection), "\r\n\r\netcd does not answer\n");
	has(answer_of(fd), "{\"id\":1,\"status\":\"ok\"");
	close(connection);
}
END_TEST

START_TEST(a_group_is_moved)
{
	ck_assert_str_eq(ask("{\"id\":1,\"op\":\"cluster\",\"group\":\"far\",\"to\":\"b\"}"),
			 "{\"id\":1,\"status\":\"ok\"}");
	ck_assert_str_eq(moved, "far to b");
	has(ask("{\"id\":1,\"op\":\"cluster\",\"group\":\"far\",\"to\":\"x\"}"), "there is no such daemon");
	has(ask("{\"id\":1,\"op\":\"cluster\",\"group\":\"far\"}"), "\"error\":\"bad_request\"");
	has(ask("{\"id\":1,\"op\":\"cluster\",\"group\":\"f}\",\"to\":\"b\"}"), "is not a group's name");
}
END_TEST

START_TEST(a_checkpoint_ends_once_whatever_the_carrier_tells)
{
	journal_begin_checkpoint(&journal);
	ck_assert(broker_checkpoint(&inside.broker));
	journal_end_checkpoint(&journal);
	commit();
	ck_assert_uint_eq(n_dropped, 1);
	ck_assert_uint_eq(journal.checkpoints, 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		who_asks_for_what_is_elsewhere_is_sent_there,
		only_who_creates_something_brings_a_group_about,
		who_is_parked_is_sent_on,
		a_subscription_is_of_its_sources_group,
		http_redirects,
		the_cluster_is_shown,
		probes_are_answered_at_once_and_nothing_else,
		a_group_is_moved,
		a_checkpoint_ends_once_whatever_the_carrier_tells,
		NULL,
	};
	Suite *suite = suite_create("inside: in a cluster");
	suite_case(suite, "all", setup, teardown, tests);
	return suite_run(suite);
}
