/* The etcd client from endpoint to endpoint: which it asks next, what a try without an answer leaves open, and how it
 * logs in. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/etcd_scripted.h"
#include "tests/lib/suite.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

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

static const char *const tokens[] = {"", "a\\r\\nX-Evil: 1", "a\\u0000b"};

START_TEST(tokens_that_are_none)
{
	char body[256];
	use_user(hasty);
	snprintf(body, sizeof(body), "{" HEADER ",\"token\":\"%s\"}", tokens[_i]);
	answers_always(body);
	transact();
	run();
	is_result(ENGINE_UNKNOWN, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("etcd: endpoints and logins");
	const TTest *const tests[] = {a_silent_endpoint_is_passed_over_with_the_same_request,
				      after_a_try_without_an_answer_nothing_says_that_it_has_not_happened,
				      a_connection_that_breaks_is_a_try_without_an_answer,
				      a_kept_connection_that_breaks_is_not_tried_again_in_silence,
				      an_endpoint_where_nobody_listens_says_nothing,
				      an_endpoint_of_another_cluster_has_not_answered,
				      a_user_logs_in_once,
				      a_token_that_is_refused_is_renewed,
				      tokens_that_are_always_refused_end_a_call,
				      a_login_that_is_refused_ends_all_that_wait,
				      NULL};
	suite_case(suite, "scripted", etcd_scripted_setup, etcd_scripted_teardown, tests);
	suite_rows(suite, etcd_scripted_setup, etcd_scripted_teardown, tokens_that_are_none, N(tokens));
	return suite_run(suite);
}
