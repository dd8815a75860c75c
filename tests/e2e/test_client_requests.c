/* Requests of the client library that are in flight together, and threads that share a handle. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/millrace.h"
#include "tests/lib/client_fixture.h"
#include "tests/lib/suite.h"

/* -- requests in flight -- */

START_TEST(begun_now_and_waited_for_later)
{
	mr_request *take, *batch, *put, *many;
	struct mr_result result;

	IS(MR_OK, mr_begin_take(m, &take, "meet", 0, MR_FOREVER));
	IS(MR_OK, mr_begin_take(m, &batch, "jobs", 10, MR_FOREVER));
	ck_assert(!mr_is_done(m, take));
	IS(MR_OK, mr_begin_put(m, &put, "meet", "[ 7]", 4, MR_FOREVER));
	IS(MR_OK, mr_begin_put_many(m, &many, "jobs", "[1,2]", 5, MR_FOREVER));
	while (!mr_is_done(m, many))
		poll_readable(m);
	IS(MR_OK, mr_wait(m, many, &result));
	ck_assert_uint_eq(result.accepted, 2);
	ck_assert_ptr_null(result.raw);
	IS(MR_OK, mr_wait(m, take, &result));
	ck_assert_str_eq(result.raw, "[ 7]");
	ck_assert_uint_eq(result.raw_len, 4);
	mr_result_finish(&result);
	IS(MR_OK, mr_wait(m, batch, &result));
	ck_assert_str_eq(result.raw, "[1,2]");
	mr_result_finish(&result);
	IS(MR_OK, mr_wait(m, put, NULL));
	IS(MR_OK, mr_begin_take(m, &take, "nowhere", 0, MR_FOREVER));
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", mr_wait(m, take, &result));
	ck_assert_ptr_null(result.raw);
	IS(MR_OK, mr_begin_take(m, &take, "meet", 0, 1));
	IS(MR_TIMEOUT, mr_wait(m, take, &result));
	IS(MR_OK, mr_begin_take(m, &take, "meet", 0, MR_FOREVER)); /* nobody waits for it: it goes with the handle */
}
END_TEST

struct waiting {
	pthread_t thread;
	mr_request *request;
	int status;
};

static void *wait_in_thread(void *argument)
{
	struct waiting *waiting = argument;

	waiting->status = mr_wait(m, waiting->request, NULL);
	return NULL;
}

START_TEST(cancelled_by_another_thread)
{
	struct waiting waiting = {.status = -1};
	mr *other = client_connect(daemon_url(d));
	mr_request *ended;

	IS(MR_OK, mr_begin_take(m, &waiting.request, "meet", 0, MR_FOREVER));
	pthread_create(&waiting.thread, NULL, wait_in_thread, &waiting);
	client_await_parked(other, 1);
	IS(MR_OK, mr_cancel(m, waiting.request));
	pthread_join(waiting.thread, NULL);
	IS(MR_CANCELLED, waiting.status);
	client_await_parked(other, 0);
	client_put(m, "jobs", "1");
	IS(MR_OK, mr_begin_take(m, &ended, "jobs", 0, MR_FOREVER));
	FAILS(MR_ENO_SUCH_REQUEST, "", mr_cancel(m, ended));
	IS(MR_OK, mr_wait(m, ended, NULL));
	mr_destroy(other);
}
END_TEST

START_TEST(who_reads_for_the_leader_wakes_it)
{
	struct waiting waiting = {.status = -1};
	mr_request *last;

	for (int i = 0; i < 200; i++) {
		IS(MR_OK, mr_begin_take(m, &waiting.request, "jobs", 0, MR_FOREVER));
		pthread_create(&waiting.thread, NULL, wait_in_thread, &waiting);
		IS(MR_OK, mr_begin_put(m, &last, "jobs", "1", 1, MR_FOREVER));
		while (!mr_is_done(m, last)) /* races the thread for every reply */
			;
		IS(MR_OK, mr_wait(m, last, NULL));
		pthread_join(waiting.thread, NULL);
		IS(MR_OK, waiting.status);
	}
}
END_TEST

/* -- threads that share a handle -- */

enum { PAIRS = 8, ROUNDS = 300 };

static void *put_rounds(void *argument)
{
	for (int i = 0; i < ROUNDS; i++) {
		json_t *value = json_integer(i);

		IS(MR_OK, mr_put(m, argument, value, i % 2 ? MR_FOREVER : 60000));
		json_decref(value);
	}
	return NULL;
}

static void *take_rounds(void *argument)
{
	for (int i = 0; i < ROUNDS; i++) {
		json_t *value = NULL;

		IS(MR_OK, mr_take(m, argument, &value, i % 3 ? MR_FOREVER : 60000));
		ck_assert_int_eq(json_integer_value(value), i);
		json_decref(value);
	}
	return NULL;
}

START_TEST(threads_share_a_handle)
{
	pthread_t putters[PAIRS], takers[PAIRS];
	char names[PAIRS][32];

	for (int i = 0; i < PAIRS; i++) {
		snprintf(names[i], sizeof names[i], "pair.%d", i);
		client_channel(m, names[i], i % 2 ? "unbuffered" : "bounded", i % 2 ? 0 : 3);
	}
	for (int i = 0; i < PAIRS; i++) {
		pthread_create(&takers[i], NULL, take_rounds, names[i]);
		pthread_create(&putters[i], NULL, put_rounds, names[i]);
	}
	for (int i = 0; i < PAIRS; i++) {
		pthread_join(takers[i], NULL);
		pthread_join(putters[i], NULL);
	}
}
END_TEST

static void *put_large(void *argument)
{
	size_t len = 900 * 1024;
	char *json = malloc(len);

	(void)argument;
	memset(json, 'y', len);
	json[0] = json[len - 1] = '"';
	for (int i = 0; i < 8; i++)
		IS(MR_OK, mr_put_raw(m, "meet", json, len, 60000));
	free(json);
	return NULL;
}

static void *take_large(void *argument)
{
	(void)argument;
	for (int i = 0; i < 8; i++) {
		size_t len;

		IS(MR_OK, mr_take_raw(m, "meet", NULL, &len, MR_FOREVER));
		ck_assert_uint_eq(len, 900 * 1024);
	}
	return NULL;
}

START_TEST(frames_larger_than_the_sockets_go_both_ways)
{
	enum { N = 4 };
	pthread_t putters[N], takers[N];

	for (int i = 0; i < N; i++) {
		pthread_create(&putters[i], NULL, put_large, NULL);
		pthread_create(&takers[i], NULL, take_large, NULL);
	}
	for (int i = 0; i < N; i++) {
		pthread_join(putters[i], NULL);
		pthread_join(takers[i], NULL);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client: requests in flight");
	const TTest *const tests[] = {
		begun_now_and_waited_for_later,
		cancelled_by_another_thread,
		who_reads_for_the_leader_wakes_it,
		threads_share_a_handle,
		frames_larger_than_the_sockets_go_both_ways,
		NULL,
	};

	suite_case(suite, "calls", client_setup, client_teardown, tests);
	return suite_run(suite);
}
