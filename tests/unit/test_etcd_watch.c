/* The etcd client: watches that hint at changes, end and are made again, and what is cancelled, which is not heard of
 * any more. */
#include <malloc.h>

#include "tests/lib/etcd_scripted.h"
#include "tests/lib/suite.h"

/* -- Watches -- */

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

int main(void)
{
	Suite *suite = suite_create("etcd: watches");
	const TTest *const tests[] = {a_watch_hints,
				      a_watch_that_ends_is_made_again,
				      a_watch_that_etcd_cancels_is_made_again,
				      an_endless_watch_takes_no_memory,
				      who_cancels_hears_nothing_more,
				      a_callback_may_cancel,
				      NULL};
	suite_case(suite, "scripted", etcd_scripted_setup, etcd_scripted_teardown, tests);
	return suite_run(suite);
}
