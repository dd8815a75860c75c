/* The etcd client against a server whose answers are wrong, hostile or endless: none does more than end a call with
 * ENGINE_UNKNOWN and a line that says why. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/etcd_scripted.h"
#include "tests/lib/suite.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* -- Each to each kind of call -- */

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

int main(void)
{
	Suite *suite = suite_create("etcd: hostile answers");
	const TTest *const tests[] = {pages_that_are_too_long_become_smaller, NULL};
	suite_case(suite, "scripted", etcd_scripted_setup, etcd_scripted_teardown, tests);
	suite_rows(suite, etcd_scripted_setup, etcd_scripted_teardown, a_hostile_answer_ends_a_call_with_a_line,
		   N(hostile));
	suite_rows(suite, etcd_scripted_setup, etcd_scripted_teardown, rows_that_are_wrong, N(wrong_rows));
	return suite_run(suite);
}
