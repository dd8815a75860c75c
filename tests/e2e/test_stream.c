/* Producers and consumers of the client library, through the real daemon. */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/millrace_stream.h"
#include "tests/lib/client.h"
#include "tests/lib/suite.h"

static struct daemon *d;
static mr *m;
static mr *other;

/* A daemon that a test has killed is not stopped in order: the thread that reads its log stays as it is. The thread sanitizer asks this for its options. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "report_thread_leaks=0";
}

static void setup(void)
{
	d = daemon_start(NULL);
	m = client_connect(daemon_url(d));
	other = client_connect(daemon_url(d));
	client_channel(m, "jobs", "bounded", 4);
	client_channel(m, "wide", "bounded", 100000);
	client_channel(m, "meet", "unbuffered", 0);
	client_channel(m, "drop", "dropping", 1);
}

static void teardown(void)
{
	mr_destroy(m);
	mr_destroy(other);
	daemon_stop(d);
}

/* -- producers -- */

static void put_number(mr_producer *p, int number, enum mr_more more)
{
	char json[16];

	IS(MR_OK, mr_producer_put_raw(p, json, (size_t)snprintf(json, sizeof json, "%d", number), more, MR_FOREVER));
}

static void assert_report(const struct mr_report *report, uint64_t put, uint64_t failed, uint64_t unknown)
{
	ck_assert_uint_eq(report->put, put);
	ck_assert_uint_eq(report->failed, failed);
	ck_assert_uint_eq(report->unknown, unknown);
}

static void take_numbers(const char *channel, int n)
{
	char expected[16];

	for (int i = 0; i < n; i++) {
		snprintf(expected, sizeof expected, "%d", i);
		client_take(other, channel, expected);
	}
}

START_TEST(all_that_is_put_is_there_in_order_after_a_flush)
{
	static const size_t windows[] = {0, 2, 3, 4, 5, 7, 1000};
	struct mr_report report;

	for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
		mr_producer *p;

		IS(MR_OK, mr_producer_create(&p, m, "wide", windows[i]));
		for (int n = 0; n < 1000; n++)
			put_number(p, n, MR_MORE);
		IS(MR_OK, mr_producer_flush(p, &report, MR_FOREVER));
		assert_report(&report, 1000, 0, 0);
		ck_assert_int_eq(client_stat(other, "wide", "buffered"), 1000);
		take_numbers("wide", 1000);
		IS(MR_OK, mr_producer_flush(p, &report, MR_FOREVER));
		assert_report(&report, 0, 0, 0);
		mr_producer_destroy(p);
	}
	mr_producer_destroy(NULL);
}
END_TEST

START_TEST(the_last_goes_at_once_and_more_waits_for_it)
{
	mr_producer *p;

	IS(MR_OK, mr_producer_create(&p, m, "jobs", 0));
	put_number(p, 0, MR_MORE);
	put_number(p, 1, MR_MORE);
	put_number(p, 2, MR_LAST);
	take_numbers("jobs", 3);
	IS(MR_OK, mr_producer_flush(p, NULL, MR_FOREVER));
	mr_producer_destroy(p);
}
END_TEST

START_TEST(a_full_window_makes_it_wait)
{
	mr_producer *p;
	struct mr_report report;

	IS(MR_OK, mr_producer_create(&p, m, "meet", 4));
	for (int n = 0; n < 4; n++)
		put_number(p, n, MR_MORE);
	IS(MR_TIMEOUT, mr_producer_put_raw(p, "9", 1, MR_MORE, 1));
	IS(MR_TIMEOUT, mr_producer_flush(p, &report, 1));
	client_stat_wait(other, "meet", "parked_puts", 4);
	take_numbers("meet", 4);
	IS(MR_OK, mr_producer_flush(p, &report, MR_FOREVER));
	assert_report(&report, 4, 0, 0);
	mr_producer_destroy(p);
}
END_TEST

START_TEST(what_goes_wrong_is_told_and_then_it_goes_on)
{
	struct mr_report report;
	mr_producer *p;

	IS(MR_OK, mr_producer_create(&p, m, "nowhere", 8));
	for (int n = 0; n < 8; n++)
		if (mr_producer_put_raw(p, "1", 1, MR_MORE, MR_FOREVER) != MR_OK)
			break;
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", mr_producer_flush(p, &report, MR_FOREVER));
	ck_assert_uint_gt(report.failed, 0);
	ck_assert_uint_eq(report.put, report.failed + report.unknown);
	ck_assert_uint_eq(report.unknown, 0);
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", (mr_producer_put_raw(p, "1", 1, MR_LAST, MR_FOREVER), mr_producer_flush(p, NULL, MR_FOREVER)));
	client_channel(other, "nowhere", "bounded", 9);
	put_number(p, 0, MR_LAST);
	IS(MR_OK, mr_producer_flush(p, &report, MR_FOREVER));
	assert_report(&report, 1, 0, 0);
	mr_producer_destroy(p);
}
END_TEST

START_TEST(after_a_failure_nothing_is_put_until_the_flush)
{
	struct mr_report report;
	mr_producer *p;
	int status;

	IS(MR_OK, mr_close(other, "jobs"));
	IS(MR_OK, mr_producer_create(&p, m, "jobs", 2));
	do { /* known at the latest when the window is full */
		status = mr_producer_put_raw(p, "1", 1, MR_LAST, MR_FOREVER);
	} while (status == MR_OK);
	IS(MR_CLOSED, status);
	IS(MR_CLOSED, mr_producer_put_raw(p, "1", 1, MR_MORE, MR_FOREVER));
	IS(MR_CLOSED, mr_producer_flush(p, &report, MR_FOREVER));
	ck_assert_uint_eq(report.put, report.failed);
	mr_producer_destroy(p);
}
END_TEST

START_TEST(dropped_is_no_failure)
{
	struct mr_report report;
	mr_producer *p;

	IS(MR_OK, mr_producer_create(&p, m, "drop", 0));
	for (int n = 0; n < 500; n++)
		put_number(p, n, MR_MORE);
	IS(MR_OK, mr_producer_flush(p, &report, MR_FOREVER));
	assert_report(&report, 500, 0, 0);
	ck_assert_int_eq(client_stat(other, "drop", "dropped"), 499);
	mr_producer_destroy(p);
}
END_TEST

START_TEST(impossible_producers)
{
	mr_producer *p, *second;
	json_t *value = json_integer(1);
	char *large = malloc(1024 * 1024 + 1);

	FAILS(MR_EARGUMENT, "window", mr_producer_create(&p, m, "jobs", 1));
	FAILS(MR_EARGUMENT, "NULL", mr_producer_create(&p, m, NULL, 0));
	ck_assert_ptr_null(p);
	IS(MR_OK, mr_producer_create(&p, m, "jobs", 0));
	FAILS(MR_EARGUMENT, "already", mr_producer_create(&second, m, "jobs", 0));
	FAILS(MR_EARGUMENT, "JSON", mr_producer_put_raw(p, "1 2", 3, MR_LAST, MR_FOREVER));
	FAILS(MR_EARGUMENT, "time-out", mr_producer_put(p, value, MR_LAST, -2));
	FAILS(MR_EARGUMENT, "time-out", mr_producer_flush(p, NULL, -2));
	memset(large, '1', 1024 * 1024 + 1);
	FAILS(MR_EARGUMENT, "larger", mr_producer_put_raw(p, large, 1024 * 1024 + 1, MR_MORE, MR_FOREVER));
	FAILS(MR_EARGUMENT, "larger", mr_producer_put_raw(p, large, 1024 * 1024 - 1, MR_MORE, MR_FOREVER));
	IS(MR_OK, mr_producer_put(p, value, MR_LAST, MR_FOREVER));
	IS(MR_OK, mr_producer_flush(p, NULL, MR_FOREVER));
	mr_producer_destroy(p);
	IS(MR_OK, mr_producer_create(&p, m, "jobs", 0));
	mr_producer_destroy(p);
	free(large);
	json_decref(value);
}
END_TEST

START_TEST(a_killed_daemon_leaves_the_unanswered_unknown)
{
	struct mr_report report;
	mr_producer *p;

	IS(MR_OK, mr_producer_create(&p, m, "meet", 8));
	for (int n = 0; n < 5; n++)
		put_number(p, n, MR_MORE);
	client_stat_wait(other, "meet", "parked_puts", 4);
	daemon_signal(d, SIGKILL);
	FAILS(MR_UNKNOWN, "ended", mr_producer_flush(p, &report, MR_FOREVER));
	ck_assert_uint_eq(report.put, 5);
	ck_assert_uint_eq(report.failed + report.unknown, 5);
	ck_assert_uint_ge(report.unknown, 4);
	ck_assert_int_lt(mr_producer_put_raw(p, "1", 1, MR_LAST, MR_FOREVER), 0);
	mr_producer_destroy(p);
	mr_destroy(m);
	mr_destroy(other);
}
END_TEST

enum { THREADS = 4, EACH = 500 };

static void *put_each(void *producer)
{
	for (int n = 0; n < EACH; n++)
		put_number(producer, n, n % 7 ? MR_MORE : MR_LAST);
	return NULL;
}

START_TEST(threads_share_a_producer)
{
	pthread_t threads[THREADS];
	struct mr_report report;
	mr_producer *p;

	IS(MR_OK, mr_producer_create(&p, m, "wide", 16));
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, put_each, p);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	IS(MR_OK, mr_producer_flush(p, &report, MR_FOREVER));
	assert_report(&report, THREADS * EACH, 0, 0);
	ck_assert_int_eq(client_stat(other, "wide", "buffered"), THREADS * EACH);
	mr_producer_destroy(p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client: streams");
	const TTest *const producers[] = {
		all_that_is_put_is_there_in_order_after_a_flush, the_last_goes_at_once_and_more_waits_for_it, a_full_window_makes_it_wait,
		what_goes_wrong_is_told_and_then_it_goes_on, after_a_failure_nothing_is_put_until_the_flush, dropped_is_no_failure,
		impossible_producers, threads_share_a_producer, NULL,
	};
	const TTest *const ends[] = {a_killed_daemon_leaves_the_unanswered_unknown, NULL}; /* nothing is left to stop */

	suite_case(suite, "producers", setup, teardown, producers);
	suite_case(suite, "ends", setup, NULL, ends);
	return suite_run(suite);
}
