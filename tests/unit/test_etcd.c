/* The etcd client against a scripted server: what it asks, what it makes of each answer, and that no answer, however
 * wrong, hostile or late, does more than end a call with ENGINE_UNKNOWN and a line that says why. */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "daemon/cluster/etcd.h"
#include "tests/lib/scripted_http.h"
#include "tests/lib/suite.h"

enum { DEADLINE_US = 30000000 };

/* Where an answer is awaited there is time for it on any machine; where none comes the test waits for as long as that.
 */
static const struct haste {
	uint32_t try_ms, call_ms;
} patient = {2000, 10000}, hasty = {250, 300}, endless = {500, 800}, turning = {100, 10000}, brief = {100, 500};

#define HEADER            "\"header\":{\"cluster_id\":\"77\",\"member_id\":\"1\",\"revision\":\"12\",\"raft_term\":\"2\"}"
#define SUCCEEDED         "{" HEADER ",\"succeeded\":true,\"responses\":[{\"response_put\":{}}]}"
#define FAILED            "{" HEADER "}"
#define ERROR(code, text) "{\"error\":\"" text "\",\"message\":\"" text "\",\"code\":" #code "}"

static struct loop *loop;
static struct scripted_http *server, *other;
static struct engine *engine;
static int me; /* owns the calls */

/* The last answer, copied. */
static struct told {
	unsigned n;
	struct engine_answer answer;
	char message[300], version[40];
	char keys[512], values[512]; /* of all rows, each behind a blank */
} told;

static void tell(void *arg, const struct engine_answer *answer)
{
	struct told *to = arg ? arg : &told;
	unsigned n = to->n + 1;
	*to = (struct told){.n = n, .answer = *answer};
	snprintf(to->message, sizeof(to->message), "%s", answer->message ? answer->message : "");
	snprintf(to->version, sizeof(to->version), "%.*s", (int)answer->version.len,
		 answer->version.len ? answer->version.bytes : "");
	for (size_t i = 0; i < answer->n_rows && i < 20; i++) {
		struct slice key = answer->rows[i].key, value = answer->rows[i].value;
		snprintf(strchr(to->keys, 0), 24, " %.*s", (int)key.len, key.bytes);
		snprintf(strchr(to->values, 0), 24, " %.*s", (int)value.len, value.bytes);
	}
}

static struct engine *make_engine(const char *const *urls, size_t n, const char *user, struct haste haste)
{
	char error[ETCD_ERROR_BYTES] = "";
	struct etcd_settings settings = {.endpoints = urls,
					 .n_endpoints = n,
					 .prefix = "/m",
					 .user = user,
					 .password = user ? "pass\"word" : NULL,
					 .try_ms = haste.try_ms,
					 .call_ms = haste.call_ms};
	struct engine *made = etcd_create(loop, &settings, error);
	ck_assert_msg(made != NULL, "%s", error);
	return made;
}

static void setup(void)
{
	told = (struct told){0};
	loop = loop_create();
	server = scripted_http_start(loop);
	other = scripted_http_start(loop);
	engine = make_engine((const char *[]){scripted_http_url(server)}, 1, NULL, patient);
}

static void use_both(struct haste haste)
{
	etcd_destroy(engine);
	engine = make_engine((const char *[]){scripted_http_url(server), scripted_http_url(other)}, 2, NULL, haste);
}

static void use(struct haste haste)
{
	etcd_destroy(engine);
	engine = make_engine((const char *[]){scripted_http_url(server)}, 1, NULL, haste);
}

static void use_user(struct haste haste)
{
	etcd_destroy(engine);
	engine = make_engine((const char *[]){scripted_http_url(server)}, 1, "me", haste);
}

static void teardown(void)
{
	etcd_destroy(engine);
	scripted_http_stop(server);
	scripted_http_stop(other);
	loop_destroy(loop);
}

static struct awaited {
	const unsigned *counter;
	unsigned at_least;
} awaited;

static void stop_if_there(void *arg)
{
	(void)arg;
	if (*awaited.counter >= awaited.at_least)
		loop_stop(loop);
}

static void on_late(void *arg)
{
	(void)arg;
	ck_abort_msg("what was awaited did not come");
}

/* Runs turns until the counter has got there. */
static void run_until(const unsigned *counter, unsigned at_least)
{
	struct loop_timer *late = loop_timer_create(loop, on_late, NULL);
	awaited = (struct awaited){counter, at_least};
	loop_timer_set(late, loop_clock_us() + DEADLINE_US);
	ck_assert_int_eq(loop_run(loop, stop_if_there, NULL), 0);
	loop_timer_destroy(late);
}

/* Until the next answer. */
static void run(void)
{
	run_until(&told.n, told.n + 1);
}

static void script(const struct scripted_answer *answers, size_t n)
{
	scripted_http_script(server, answers, n, false);
}
#define SCRIPT(...)                                                                                                    \
	script((const struct scripted_answer[]){__VA_ARGS__},                                                          \
	       sizeof((const struct scripted_answer[]){__VA_ARGS__}) / sizeof(struct scripted_answer))

static void answers_always(const char *body)
{
	scripted_http_script(server, &(struct scripted_answer){.status = 200, .body = body}, 1, true);
}

static const char *body_of(size_t i)
{
	return scripted_http_request(server, i)->body;
}

static void transact(void)
{
	engine->calls->transact(engine, &me,
				&(struct engine_transaction){
					.compares = &(struct engine_compare){ENGINE_IS, SLICE("o"), SLICE("mine")},
					.n_compares = 1,
					.writes = &(struct engine_write){.key = SLICE("k"), .value = SLICE("v")},
					.n_writes = 1,
				},
				tell, NULL);
}

static void range(size_t limit)
{
	engine->calls->range(engine, &me, SLICE("a"), SLICE("b"), limit, false, tell, NULL);
}

static void is_result(enum engine_result result, const char *words)
{
	ck_assert_msg(told.answer.result == result, "result %d: %s", told.answer.result, told.message);
	ck_assert_msg(strstr(told.message, words) != NULL, "\"%s\" has no \"%s\"", told.message, words);
	for (const char *at = told.message; *at; at++)
		ck_assert_int_ge(*at, ' ');
}

/* -- What is asked -- */

START_TEST(a_transaction_is_one_request)
{
	const struct engine_compare compares[] = {
		{ENGINE_IS, SLICE("o"), SLICE("mine")},
		{ENGINE_BELOW, SLICE("f"), SLICE("5")},
		{ENGINE_ABSENT, SLICE("n"), SLICE("")},
	};
	const struct engine_write writes[] = {
		{.key = SLICE("k"), .value = {"\0\xff", 2}, .lease = 1234567890123456789},
		{.key = SLICE("a"), .end = SLICE("b")},
		{.key = SLICE("d"), .is_delete = true},
	};
	SCRIPT({.status = 200, .body = SUCCEEDED});
	engine->calls->transact(engine, &me, &(struct engine_transaction){compares, 3, writes, 3}, tell, NULL);
	ck_assert_uint_eq(told.n, 0);
	run();
	is_result(ENGINE_DONE, "");
	ck_assert_uint_eq(told.answer.revision, 12);
	ck_assert_str_eq(scripted_http_request(server, 0)->path, "/v3/kv/txn");
	ck_assert_str_eq(
		body_of(0),
		"{\"compare\":[{\"key\":\"L20vbw==\",\"target\":\"VALUE\",\"result\":\"EQUAL\",\"value\":\"bWluZQ==\"},"
		"{\"key\":\"L20vZg==\",\"target\":\"VALUE\",\"result\":\"LESS\",\"value\":\"NQ==\"},"
		"{\"key\":\"L20vbg==\",\"target\":\"VERSION\",\"result\":\"EQUAL\",\"version\":\"0\"}],"
		"\"success\":[{\"request_put\":{\"key\":\"L20vaw==\",\"value\":\"AP8=\",\"lease\":"
		"\"1234567890123456789\"}},"
		"{\"request_delete_range\":{\"key\":\"L20vYQ==\",\"range_end\":\"L20vYg==\"}},"
		"{\"request_delete_range\":{\"key\":\"L20vZA==\"}}]}");
}
END_TEST

START_TEST(a_transaction_whose_comparisons_do_not_hold)
{
	SCRIPT({.status = 200, .body = FAILED});
	transact();
	run();
	is_result(ENGINE_NOT_SO, "");
}
END_TEST

START_TEST(rows_come_without_the_prefix)
{
	SCRIPT({.status = 200,
		.body = "{" HEADER ",\"kvs\":[{\"key\":\"L20vYTE=\",\"value\":\"b25l\",\"lease\":\"9\"},"
			"{\"key\":\"L20vYTI=\"}],\"more\":true,\"count\":\"7\"}"});
	range(2);
	run();
	is_result(ENGINE_DONE, "");
	ck_assert_str_eq(told.keys, " a1 a2");
	ck_assert_str_eq(told.values, " one ");
	ck_assert(told.answer.has_more);
	ck_assert_str_eq(body_of(0), "{\"key\":\"L20vYQ==\",\"range_end\":\"L20vYg==\",\"limit\":\"2\"}");
}
END_TEST

START_TEST(leases)
{
	SCRIPT({.status = 200, .body = "{" HEADER ",\"ID\":\"99\",\"TTL\":\"3\"}"},
	       {.status = 200, .body = "{\"result\":{" HEADER ",\"ID\":\"99\",\"TTL\":\"3\"}}\n"},
	       {.status = 200, .body = "{\"result\":{" HEADER ",\"ID\":\"99\"}}\n"}, {.status = 200, .body = FAILED},
	       {.status = 404, .body = ERROR(5, "etcdserver: requested lease not found")});
	engine->calls->grant(engine, &me, 2001, tell, NULL);
	run();
	is_result(ENGINE_DONE, "");
	ck_assert_uint_eq(told.answer.lease, 99);
	ck_assert_uint_eq(told.answer.ttl_ms, 3000);
	ck_assert_str_eq(body_of(0), "{\"TTL\":\"3\"}");
	engine->calls->keep_alive(engine, &me, 99, tell, NULL);
	run();
	is_result(ENGINE_DONE, "");
	ck_assert_uint_eq(told.answer.ttl_ms, 3000);
	engine->calls->keep_alive(engine, &me, 99, tell, NULL);
	run();
	is_result(ENGINE_NOT_SO, "");
	engine->calls->revoke(engine, &me, 99, tell, NULL);
	run();
	is_result(ENGINE_DONE, "");
	engine->calls->revoke(engine, &me, 99, tell, NULL);
	run();
	is_result(ENGINE_NOT_SO, "lease not found");
	ck_assert_str_eq(body_of(4), "{\"ID\":\"99\"}");
}
END_TEST

START_TEST(the_state_of_the_store_and_its_quota)
{
#define STATUS                                                                                                         \
	"{" HEADER ",\"version\":\"3.4.23\",\"dbSize\":\"32768\",\"dbSizeInUse\":\"16384\",\"errors\":["               \
	"\"memberID:1 alarm:NOSPACE \"]}"
	SCRIPT({.status = 200, .body = STATUS},
	       {.status = 200,
		.body = "# HELP etcd_server_quota_backend_bytes x\netcd_server_quota_backend_bytes 2.147483648e+09\n"},
	       {.status = 200, .body = STATUS});
	for (int i = 0; i < 2; i++) {
		engine->calls->status(engine, &me, tell, NULL);
		run();
		is_result(ENGINE_DONE, "");
		ck_assert_str_eq(told.version, "3.4.23");
		ck_assert_uint_eq(told.answer.used_bytes, 16384);
		ck_assert_uint_eq(told.answer.quota_bytes, 2147483648);
		ck_assert(told.answer.is_full);
	}
	ck_assert_uint_eq(scripted_http_n_requests(server), 3);
	ck_assert_str_eq(scripted_http_request(server, 1)->path, "/metrics");
}
END_TEST

START_TEST(a_quota_that_is_not_told)
{
	SCRIPT({.status = 200, .body = STATUS}, {.status = 404, .body = "nothing"});
	engine->calls->status(engine, &me, tell, NULL);
	run();
	is_result(ENGINE_DONE, "");
	ck_assert_uint_eq(told.answer.quota_bytes, 0);
}
END_TEST

START_TEST(a_connection_is_kept)
{
	answers_always(SUCCEEDED);
	for (int i = 0; i < 50; i++) {
		transact();
		run();
		is_result(ENGINE_DONE, "");
	}
	ck_assert_uint_eq(scripted_http_n_accepted(server), 1);
}
END_TEST

START_TEST(no_proxy_is_asked)
{
	setenv("http_proxy", scripted_http_url(other), 1);
	setenv("ALL_PROXY", scripted_http_url(other), 1);
	answers_always(SUCCEEDED);
	transact();
	run();
	is_result(ENGINE_DONE, "");
	ck_assert_uint_eq(scripted_http_n_accepted(other), 0);
}
END_TEST

/* -- Errors -- */

static const struct error_row {
	unsigned status;
	const char *body;
	enum engine_result result;
	bool is_full;
	const char *words;
} error_rows[] = {
	{429, ERROR(8, "etcdserver: mvcc: database space exceeded"), ENGINE_REFUSED, true, "space exceeded"},
	{429, ERROR(8, "etcdserver: too many requests"), ENGINE_UNKNOWN, false, "too many requests"},
	{400, ERROR(3, "etcdserver: request is too large"), ENGINE_REFUSED, false, "too large"},
	{400, ERROR(3, "etcdserver: user name is empty"), ENGINE_REFUSED, false, "wants a user"},
	{403, ERROR(7, "etcdserver: permission denied"), ENGINE_REFUSED, false, "permission denied"},
	{404, ERROR(5, "etcdserver: requested lease not found"), ENGINE_NOT_SO, false, "lease not found"},
	{400, ERROR(11, "etcdserver: mvcc: required revision is a future revision"), ENGINE_REFUSED, false, "future"},
	{503, ERROR(14, "etcdserver: leader changed"), ENGINE_UNKNOWN, false, "leader changed"},
	{500, ERROR(2, "raft proposal dropped"), ENGINE_UNKNOWN, false, "proposal dropped"},
	{503, ERROR(14, "a\\nb\\u0007\\u00e9"), ENGINE_UNKNOWN, false, "a?b???"},
	/* Of later versions, and of streams. */
	{200, "{\"error\":{\"grpc_code\":7,\"http_code\":403,\"message\":\"no rights\"}}", ENGINE_REFUSED, false,
	 "no rights"},
	{403, "{\"code\":7,\"message\":\"no rights\",\"details\":[]}", ENGINE_REFUSED, false, "no rights"},
};

START_TEST(an_error_of_etcds)
{
	const struct error_row *row = &error_rows[_i];
	use(row->result == ENGINE_UNKNOWN ? hasty : patient);
	scripted_http_script(server, &(struct scripted_answer){.status = row->status, .body = row->body}, 1, true);
	transact();
	run();
	is_result(row->result, row->words);
	ck_assert_int_eq(told.answer.is_full, row->is_full);
	ck_assert_uint_eq(scripted_http_n_requests(server) > 1, row->result == ENGINE_UNKNOWN);
}
END_TEST

START_TEST(what_is_compacted_already_is_compacted)
{
	SCRIPT({.status = 400, .body = ERROR(11, "etcdserver: mvcc: required revision has been compacted")});
	engine->calls->compact(engine, &me, 5, tell, NULL);
	run();
	is_result(ENGINE_DONE, "");
}
END_TEST

/* -- Wrong and hostile answers: each to each kind of call -- */

static char deep[40000];

static const struct hostile {
	struct scripted_answer answer;
	const char *words; /* of the message */
} hostile[] = {
	{{.raw = ""}, "no answer in time"},
	{{.closes = true}, ": "},
	{{.raw = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"header\":", .closes = true}, ": "},
	{{.raw = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"header\":"}, "no answer in time"},
	{{.raw = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n{}"}, ": "},
	{{.raw = "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}", .closes = true}, ": "},
	{{.raw = "HTTP/1.1 200 OK\r\n\r\n", .endless = "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}, "too long"},
	{{.raw = "HTTP/1.1 200 OK\r\n\r\n{\"kvs\":[", .endless = "{},"}, "too long"},
	{{.raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .endless = "5\r\n{{{{{\r\n"}, "too long"},
	{{.raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n{}"}, ": "},
	{{.raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n", .endless = " "},
	 "too long"},
	{{.raw = "HTTP/1.1 200 OK\r\n", .endless = "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n"}, "too long"},
	{{.raw = "HTTP/1.1 200 OK\r\nX: ", .endless = "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"}, ": "},
	{{.raw = "HTTP/1.1 100 Continue\r\n\r\n", .endless = "HTTP/1.1 100 Continue\r\n\r\n"}, "too long"},
	{{.raw = "\x16\x03\x01\x02\x00 this is no HTTP\r\n\r\n", .closes = true}, ": "},
	{{.status = 200, .body = ""}, "no JSON object"},
	{{.status = 200, .body = "{}"}, "no answer of etcd's"},
	{{.status = 200, .body = "null"}, "no JSON object"},
	{{.status = 200, .body = "[]"}, "no JSON object"},
	{{.status = 200, .body = FAILED "{}"}, "no JSON object"},
	{{.status = 200, .body = "{\"header\":{\"cluster_id\":\"77\""}, "no JSON object"},
	{{.status = 200, .body = "{\"header\":\"\xff\xfe\"}"}, "no JSON object"},
	{{.status = 200, .body = "{\"header\":{\"cluster_id\":\"777777777777777777777777777777777777777777777\"}}"},
	 "cluster's id"},
	{{.status = 200, .body = deep}, "no JSON object"},
	{{.status = 404, .body = "Not Found"}, "HTTP 404"},
	{{.status = 502, .body = "<html>"}, "HTTP 502"},
	{{.status = 204, .body = ""}, "HTTP 204"},
	{{.status = 200, .body = "{\"error\":{\"error\":{\"error\":5}},\"code\":\"x\"}"}, "an error without text"},
	{{.raw = "HTTP/1.1 301 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"}, "HTTP 301"},
	{{.raw = "HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n"}, "HTTP 401"},
	{{.raw = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"}, "no answer of etcd's"},
};

static void start_call(int kind, struct told *to)
{
	const struct engine_calls *calls = engine->calls;
	switch (kind) {
	case 0:
		calls->transact(engine, &me, &(struct engine_transaction){0}, tell, to);
		break;
	case 1:
		calls->range(engine, &me, SLICE("a"), SLICE("b"), 1, false, tell, to);
		break;
	case 2:
		calls->grant(engine, &me, 1000, tell, to);
		break;
	case 3:
		calls->keep_alive(engine, &me, 1, tell, to);
		break;
	case 4:
		calls->revoke(engine, &me, 1, tell, to);
		break;
	case 5:
		calls->compact(engine, &me, 1, tell, to);
		break;
	default:
		calls->status(engine, &me, tell, to);
		break;
	}
}

enum { KINDS = 7 };

START_TEST(a_hostile_answer_ends_a_call_with_a_line)
{
	const struct hostile *one = &hostile[_i];
	memset(deep, '[', sizeof(deep) - 1);
	scripted_http_script(server, &one->answer, 1, true);
	struct told tolds[KINDS] = {0};
	int n_kinds = one->answer.endless ? 2 : KINDS; /* megabytes, to each */
	use(one->answer.endless ? endless : hasty);
	size_t before = (size_t)mallinfo2().uordblks;
	uint64_t start_us = loop_clock_us();
	for (int kind = 0; kind < n_kinds; kind++)
		start_call(kind, &tolds[kind]);
	for (int kind = 0; kind < n_kinds; kind++) {
		run_until(&tolds[kind].n, 1);
		told = tolds[kind];
		/* A machine that is too slow for megabytes runs out of time first. */
		bool is_slow = one->answer.endless && scripted_http_n_sent(server) < (size_t)40 * 1024 * 1024;
		is_result(ENGINE_UNKNOWN, is_slow ? "" : one->words);
	}
	ck_assert_uint_lt(loop_clock_us() - start_us, 10000000);
	ck_assert_uint_lt((size_t)mallinfo2().uordblks, before + 4 * 1024 * 1024);
	for (size_t i = 0; i < scripted_http_n_requests(server) && i < SCRIPTED_MAX_REQUESTS; i++)
		ck_assert_str_ne(scripted_http_request(server, i)->path, "/elsewhere");
}
END_TEST

static const char *const wrong_rows[] = {
	"5",
	"{}",
	"[5]",
	"[{}]",
	"[{\"key\":5}]",
	"[{\"key\":\"L20vYTE\"}]",
	"[{\"key\":\"L20v YTE=\"}]",
	"[{\"key\":\"=20vYTE=\"}]",
	"[{\"key\":\"L20vYTE=\",\"value\":\"!\"}]",
	"[{\"key\":\"L20vYTE=\",\"value\":null}]",
	"[{\"key\":\"L24vYTE=\"}]", /* another prefix */
	"[{\"key\":\"L20vYg==\"}]", /* the end itself */
	"[{\"key\":\"L20v\"}]",
	"[{\"key\":\"L20vYTE=\"},{\"key\":\"L20vYTE=\"}]",
	"[{\"key\":\"L20vYTI=\"},{\"key\":\"L20vYTE=\"}]",
	"[{\"key\":\"L20vYTE=\"},{\"key\":\"L20vYTI=\"},{\"key\":\"L20vYTM=\"}]", /* three */
	"[],\"more\":true",
};

START_TEST(rows_that_are_wrong)
{
	char body[1024];
	use(hasty);
	snprintf(body, sizeof(body), "{" HEADER ",\"kvs\":%s}", wrong_rows[_i]);
	answers_always(body);
	range(2);
	run();
	is_result(ENGINE_UNKNOWN, "no answer of etcd's");
}
END_TEST

START_TEST(pages_that_are_too_long_become_smaller)
{
	struct scripted_answer answers[] = {
		{.raw = "HTTP/1.1 200 OK\r\n\r\n{\"kvs\":[", .endless = "{\"key\":\"L20vYTE=\"},"},
		{.raw = "HTTP/1.1 200 OK\r\n\r\n{\"kvs\":[{\"key\":\"L20vYTE=\"},{\"key\":\"L20vYTE=\"}",
		 .endless = "  "},
		{.status = 200, .body = "{" HEADER ",\"kvs\":[{\"key\":\"L20vYTE=\"}],\"more\":true}"},
	};
	script(answers, 3);
	range(100);
	run();
	is_result(ENGINE_DONE, "");
	ck_assert(told.answer.has_more);
	ck_assert_ptr_nonnull(strstr(body_of(1), "\"limit\":\"50\""));
	ck_assert_ptr_nonnull(strstr(body_of(2), "\"limit\":\"1\""));
}
END_TEST

/* -- From endpoint to endpoint -- */

START_TEST(a_silent_endpoint_is_passed_over_with_the_same_request)
{
	use_both(turning);
	scripted_http_script(other, &(struct scripted_answer){.status = 200, .body = SUCCEEDED}, 1, true);
	transact();
	run();
	is_result(ENGINE_DONE, "");
	ck_assert_str_eq(scripted_http_request(server, 0)->body, scripted_http_request(other, 0)->body);
	/* The other one is asked first from now on. */
	transact();
	run();
	is_result(ENGINE_DONE, "");
	ck_assert_uint_eq(scripted_http_n_requests(server), 1);
}
END_TEST

START_TEST(after_a_try_without_an_answer_nothing_says_that_it_has_not_happened)
{
	const struct scripted_answer noes[] = {
		{.status = 200, .body = FAILED},
		{.status = 403, .body = ERROR(7, "etcdserver: permission denied")},
		{.status = 404, .body = ERROR(5, "etcdserver: requested lease not found")},
	};
	use_both(turning);
	for (int i = 0; i < 3; i++) {
		scripted_http_script(server, &(struct scripted_answer){0}, 1, true);
		scripted_http_script(other, &noes[i], 1, true);
		transact();
		run();
		if (i == 0) /* then `other` comes first */
			is_result(ENGINE_UNKNOWN, "");
		else
			is_result(i == 1 ? ENGINE_REFUSED : ENGINE_NOT_SO, "");
	}
}
END_TEST

START_TEST(a_connection_that_breaks_is_a_try_without_an_answer)
{
	use(hasty);
	SCRIPT({.closes = true}, {.status = 200, .body = FAILED});
	transact();
	run();
	is_result(ENGINE_UNKNOWN, "");
}
END_TEST

START_TEST(a_kept_connection_that_breaks_is_not_tried_again_in_silence)
{
	SCRIPT({.status = 200, .body = SUCCEEDED}, {.closes = true}, {.status = 200, .body = FAILED});
	transact();
	run();
	is_result(ENGINE_DONE, "");
	transact();
	run();
	is_result(ENGINE_UNKNOWN, "");
}
END_TEST

START_TEST(an_endpoint_where_nobody_listens_says_nothing)
{
	use_both(turning);
	scripted_http_stop(server);
	server = NULL;
	scripted_http_script(other, &(struct scripted_answer){.status = 200, .body = FAILED}, 1, true);
	transact();
	run();
	is_result(ENGINE_NOT_SO, "");
}
END_TEST

START_TEST(an_endpoint_of_another_cluster_has_not_answered)
{
	use_both(brief);
	answers_always(SUCCEEDED);
	scripted_http_script(other,
			     &(struct scripted_answer){.status = 200, .body = "{\"header\":{\"cluster_id\":\"78\"}}"},
			     1, true);
	transact();
	run();
	is_result(ENGINE_DONE, "");
	scripted_http_script(server, NULL, 0, false);
	transact();
	run();
	is_result(ENGINE_UNKNOWN, "");
	ck_assert_uint_gt(scripted_http_n_requests(other), 0);
}
END_TEST

/* -- Logging in -- */

#define TOKEN(name) "{" HEADER ",\"token\":\"" name "\"}"

START_TEST(a_user_logs_in_once)
{
	use_user(patient);
	SCRIPT({.status = 200, .body = TOKEN("abc.1")}, {.status = 200, .body = SUCCEEDED},
	       {.status = 200, .body = SUCCEEDED});
	transact();
	transact();
	run_until(&told.n, 2);
	is_result(ENGINE_DONE, "");
	ck_assert_str_eq(scripted_http_request(server, 0)->path, "/v3/auth/authenticate");
	ck_assert_str_eq(body_of(0), "{\"name\":\"me\",\"password\":\"pass\\\"word\"}");
	ck_assert_str_eq(scripted_http_request(server, 0)->authorization, "");
	ck_assert_str_eq(scripted_http_request(server, 1)->authorization, "abc.1");
	ck_assert_str_eq(scripted_http_request(server, 2)->authorization, "abc.1");
}
END_TEST

START_TEST(a_token_that_is_refused_is_renewed)
{
	use_user(patient);
	SCRIPT({.status = 200, .body = TOKEN("abc.1")},
	       {.status = 401, .body = ERROR(16, "etcdserver: invalid auth token")},
	       {.status = 200, .body = TOKEN("abc.2")}, {.status = 200, .body = FAILED});
	transact();
	run();
	is_result(ENGINE_NOT_SO, ""); /* the refused one has not happened */
	ck_assert_str_eq(scripted_http_request(server, 3)->authorization, "abc.2");
}
END_TEST

START_TEST(tokens_that_are_always_refused_end_a_call)
{
	struct scripted_answer answers[40];
	use_user(patient);
	for (int i = 0; i < 40; i++)
		answers[i] = i % 2 ? (struct scripted_answer){.status = 401,
							      .body = ERROR(16, "etcdserver: invalid auth token")}
				   : (struct scripted_answer){.status = 200, .body = TOKEN("abc.1")};
	script(answers, 40);
	transact();
	run();
	is_result(ENGINE_REFUSED, "invalid auth token");
	ck_assert_uint_lt(scripted_http_n_requests(server), 10);
}
END_TEST

START_TEST(a_login_that_is_refused_ends_all_that_wait)
{
	use_user(patient);
	scripted_http_script(
		server, &(struct scripted_answer){.status = 400, .body = ERROR(3, "etcdserver: authentication failed")},
		1, true);
	transact();
	range(1);
	engine->calls->keep_alive(engine, &me, 1, tell, NULL);
	run_until(&told.n, 3);
	is_result(ENGINE_REFUSED, "login: etcdserver: authentication failed");
	ck_assert_uint_eq(scripted_http_n_requests(server), 1);
}
END_TEST

START_TEST(tokens_that_are_none)
{
	static const char *const tokens[] = {"", "a\\r\\nX-Evil: 1", "a\\u0000b"};
	char body[256];
	use_user(hasty);
	snprintf(body, sizeof(body), "{" HEADER ",\"token\":\"%s\"}", tokens[_i]);
	answers_always(body);
	transact();
	run();
	is_result(ENGINE_UNKNOWN, "");
}
END_TEST

/* -- Watches -- */

static unsigned n_hints;

static void on_hint(void *arg)
{
	(void)arg;
	n_hints++;
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define CREATED "22\r\n{\"result\":{\"created\":true       }}\r\n"

static void watch(engine_hint_cb *hint)
{
	n_hints = 0;
	engine->calls->watch(engine, &me, SLICE("g/"), hint, NULL);
}

START_TEST(a_watch_hints)
{
	SCRIPT({.raw = CHUNKED CREATED});
	watch(on_hint);
	run_until(&n_hints, 1);
	scripted_http_say(server, "5\r\n{...}\r\n");
	run_until(&n_hints, 2);
	ck_assert_str_eq(body_of(0), "{\"create_request\":{\"key\":\"L20vZy8=\",\"range_end\":\"L20vZzA=\"}}");
}
END_TEST

START_TEST(a_watch_that_ends_is_made_again)
{
	scripted_http_script(server, &(struct scripted_answer){.raw = CHUNKED CREATED}, 1, true);
	watch(on_hint);
	for (unsigned i = 1; i < 5; i++) {
		run_until(&n_hints, i);
		scripted_http_hang_up(server);
	}
	ck_assert_uint_ge(scripted_http_n_requests(server), 4);
}
END_TEST

START_TEST(a_watch_that_etcd_cancels_is_made_again)
{
	SCRIPT({.raw = CHUNKED "2e\r\n{\"result\":{\"created\":true,\"canceled\":true   }}\r\n"},
	       {.raw = CHUNKED CREATED});
	watch(on_hint);
	run_until(&n_hints, 2);
	ck_assert_uint_eq(scripted_http_n_requests(server), 2);
}
END_TEST

START_TEST(an_endless_watch_takes_no_memory)
{
	scripted_http_script(
		server, &(struct scripted_answer){.raw = "HTTP/1.1 200 OK\r\n\r\n", .endless = "aaaaaaaaaaaaaaaaaaaaa"},
		1, true);
	watch(on_hint);
	run_until(&n_hints, 2);
	size_t before = (size_t)mallinfo2().uordblks;
	run_until(&n_hints, 20);
	ck_assert_uint_lt((size_t)mallinfo2().uordblks, before + 1024 * 1024);
	ck_assert_uint_gt(scripted_http_n_sent(server), 1024 * 1024);
}
END_TEST

/* -- Cancelling -- */

static void cancel_within(void *arg)
{
	(void)arg;
	n_hints++;
	engine->calls->cancel_all(engine, &me);
}

static void cancel_in_answer(void *arg, const struct engine_answer *answer)
{
	tell(arg, answer);
	engine->calls->cancel_all(engine, &me);
	ck_assert_int_eq(answer->result, ENGINE_NOT_SO);
}

START_TEST(who_cancels_hears_nothing_more)
{
	static int somebody;
	static struct told others;
	answers_always(SUCCEEDED);
	transact();
	range(1);
	watch(on_hint);
	engine->calls->keep_alive(engine, &somebody, 1, tell, &others);
	engine->calls->cancel_all(engine, &me);
	run_until(&others.n, 1);
	ck_assert_uint_eq(told.n, 0);
	ck_assert_uint_eq(n_hints, 0);
}
END_TEST

START_TEST(a_callback_may_cancel)
{
	answers_always(FAILED);
	engine->calls->transact(engine, &me, &(struct engine_transaction){0}, cancel_in_answer, NULL);
	range(1);
	run();
	ck_assert_uint_eq(told.n, 1);
	SCRIPT({.raw = CHUNKED CREATED});
	watch(cancel_within);
	run_until(&n_hints, 1);
	answers_always(SUCCEEDED);
	transact();
	run();
	is_result(ENGINE_DONE, "");
}
END_TEST

/* -- Settings -- */

static const struct {
	const char *url, *cert, *words;
} settings_rows[] = {
	{"tcp://a:1", NULL, "neither http:// nor https://"},
	{"", NULL, "no URL"},
	{"http://a b", NULL, "no URL"},
	{"http://user@a:1", NULL, "no URL"},
	{"http://a:1/x", NULL, "path"},
	{"http://a:1/?x", NULL, "behind the port"},
	{"http://a:1", "cert.pem", "belong together"},
};

START_TEST(settings_that_are_wrong)
{
	char error[ETCD_ERROR_BYTES] = "";
	struct etcd_settings settings = {
		.endpoints = &settings_rows[_i].url, .n_endpoints = 1, .prefix = "", .cert = settings_rows[_i].cert};
	ck_assert_ptr_null(etcd_create(loop, &settings, error));
	ck_assert_msg(strstr(error, settings_rows[_i].words) != NULL, "%s", error);
	settings.n_endpoints = 0;
	ck_assert_ptr_null(etcd_create(loop, &settings, error));
	ck_assert_ptr_nonnull(strstr(error, "0 endpoints"));
}
END_TEST

#define N(array) (sizeof(array) / sizeof((array)[0]))

int main(void)
{
	Suite *suite = suite_create("etcd");
	const TTest *const tests[] = {a_transaction_is_one_request,
				      a_transaction_whose_comparisons_do_not_hold,
				      rows_come_without_the_prefix,
				      leases,
				      the_state_of_the_store_and_its_quota,
				      a_quota_that_is_not_told,
				      a_connection_is_kept,
				      no_proxy_is_asked,
				      what_is_compacted_already_is_compacted,
				      pages_that_are_too_long_become_smaller,
				      a_silent_endpoint_is_passed_over_with_the_same_request,
				      after_a_try_without_an_answer_nothing_says_that_it_has_not_happened,
				      a_connection_that_breaks_is_a_try_without_an_answer,
				      a_kept_connection_that_breaks_is_not_tried_again_in_silence,
				      an_endpoint_where_nobody_listens_says_nothing,
				      an_endpoint_of_another_cluster_has_not_answered,
				      a_user_logs_in_once,
				      a_token_that_is_refused_is_renewed,
				      tokens_that_are_always_refused_end_a_call,
				      a_login_that_is_refused_ends_all_that_wait,
				      a_watch_hints,
				      a_watch_that_ends_is_made_again,
				      a_watch_that_etcd_cancels_is_made_again,
				      an_endless_watch_takes_no_memory,
				      who_cancels_hears_nothing_more,
				      a_callback_may_cancel,
				      NULL};
	suite_case(suite, "scripted", setup, teardown, tests);
	TCase *loops = tcase_create("tables");
	tcase_set_timeout(loops, SUITE_TIMEOUT_S);
	tcase_add_checked_fixture(loops, setup, teardown);
	tcase_add_loop_test(loops, an_error_of_etcds, 0, N(error_rows));
	tcase_add_loop_test(loops, a_hostile_answer_ends_a_call_with_a_line, 0, N(hostile));
	tcase_add_loop_test(loops, rows_that_are_wrong, 0, N(wrong_rows));
	tcase_add_loop_test(loops, tokens_that_are_none, 0, 3);
	tcase_add_loop_test(loops, settings_that_are_wrong, 0, N(settings_rows));
	suite_add_tcase(suite, loops);
	return suite_run(suite);
}
