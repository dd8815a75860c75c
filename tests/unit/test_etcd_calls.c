/* The etcd client against a scripted server: what each call asks, what it makes of the answer and of etcd's errors, and
 * which settings it takes. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/etcd_scripted.h"
#include "tests/lib/suite.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

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

int main(void)
{
	Suite *suite = suite_create("etcd: calls");
	const TTest *const tests[] = {a_transaction_is_one_request,
				      a_transaction_whose_comparisons_do_not_hold,
				      rows_come_without_the_prefix,
				      leases,
				      the_state_of_the_store_and_its_quota,
				      a_quota_that_is_not_told,
				      a_connection_is_kept,
				      no_proxy_is_asked,
				      what_is_compacted_already_is_compacted,
				      NULL};
	suite_case(suite, "scripted", etcd_scripted_setup, etcd_scripted_teardown, tests);
	suite_rows(suite, etcd_scripted_setup, etcd_scripted_teardown, an_error_of_etcds, N(error_rows));
	suite_rows(suite, etcd_scripted_setup, etcd_scripted_teardown, settings_that_are_wrong, N(settings_rows));
	return suite_run(suite);
}
