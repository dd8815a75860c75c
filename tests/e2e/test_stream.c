/* Producers and consumers of the client library, through the real daemon. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/millrace_stream.h"
#include "tests/lib/client.h"
#include "tests/lib/suite.h"

static struct daemon *d;
static mr *m;
static mr *other;

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
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere",
	      (mr_producer_put_raw(p, "1", 1, MR_LAST, MR_FOREVER), mr_producer_flush(p, NULL, MR_FOREVER)));
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
	daemon_kill(d);
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

/* -- consumers -- */

static void next_is(mr_consumer *c, const char *expected)
{
	struct mr_result result;

	IS(MR_OK, mr_consumer_next(c, &result, MR_FOREVER));
	ck_assert_str_eq(result.raw, expected);
	ck_assert_uint_eq(result.raw_len, strlen(expected));
	ck_assert_ptr_null(result.lease);
	mr_result_finish(&result);
}

static void ends_with(mr_consumer *c, int status)
{
	struct mr_result result;

	IS(status, mr_consumer_next(c, &result, MR_FOREVER));
	ck_assert_ptr_null(result.raw);
	IS(status, mr_consumer_next(c, &result, 0));
}

static void put_numbers(const char *channel, int n)
{
	char json[16];

	for (int i = 0; i < n; i++) {
		snprintf(json, sizeof json, "%d", i);
		client_put(other, channel, json);
	}
}

START_TEST(values_come_in_order_whatever_the_credit)
{
	static const size_t credits[] = {0, 1, 2, 3, 5, 7, 100, 1000000};
	char expected[16];

	for (size_t i = 0; i < sizeof credits / sizeof *credits; i++) {
		char name[16];
		mr_consumer *c;

		snprintf(name, sizeof name, "credit.%zu", i);
		client_channel(m, name, "bounded", 300);
		put_numbers(name, 300);
		IS(MR_OK, mr_close(other, name));
		IS(MR_OK, mr_consumer_create(&c, m, name, &(struct mr_consumer_options){.credit = credits[i]}));
		for (int n = 0; n < 300; n++) {
			snprintf(expected, sizeof expected, "%d", n);
			next_is(c, expected);
		}
		ends_with(c, MR_CLOSED);
		mr_consumer_destroy(c);
	}
	mr_consumer_destroy(NULL);
}
END_TEST

START_TEST(no_more_than_the_credit_comes)
{
	struct mr_result result;
	mr_consumer *c;

	IS(MR_OK, mr_consumer_create(&c, m, "meet", &(struct mr_consumer_options){.credit = 3}));
	IS(MR_TIMEOUT, mr_consumer_next(c, &result, 0));
	put_numbers("meet", 3);
	IS(MR_TIMEOUT, mr_put_raw(other, "meet", "3", 1, 0));
	next_is(c, "0"); /* and it tops up */
	client_put(other, "meet", "3");
	IS(MR_TIMEOUT, mr_put_raw(other, "meet", "4", 1, 0));
	IS(MR_OK, mr_consumer_cancel(c, MR_FOREVER));
	next_is(c, "1");
	next_is(c, "2");
	next_is(c, "3");
	ends_with(c, MR_CANCELLED);
	IS(MR_OK, mr_consumer_cancel(c, MR_FOREVER));
	client_await_parked(other, 0);
	mr_consumer_destroy(c);
}
END_TEST

START_TEST(a_destroyed_consumer_takes_no_more)
{
	mr_consumer *c;

	IS(MR_OK, mr_consumer_create(&c, m, "meet", NULL));
	client_put(other, "meet", "1");
	client_await_parked(other, 1);
	mr_consumer_destroy(c);
	client_await_parked(other, 0);
	IS(MR_OK, mr_ping(m, MR_FOREVER));
}
END_TEST

START_TEST(what_the_daemon_says_against_it_is_the_first_answer)
{
	mr_consumer *c;
	struct mr_result result;

	FAILS(MR_EARGUMENT, "credit",
	      mr_consumer_create(&c, m, "jobs", &(struct mr_consumer_options){.credit = 1000001}));
	ck_assert_ptr_null(c);
	FAILS(MR_EARGUMENT, "sticky", mr_consumer_create(&c, m, "jobs", &(struct mr_consumer_options){.sticky = true}));
	FAILS(MR_EARGUMENT, "lease", mr_consumer_create(&c, m, "jobs", &(struct mr_consumer_options){.lease_ms = -1}));
	FAILS(MR_EARGUMENT, "NULL", mr_consumer_create(&c, m, NULL, NULL));
	IS(MR_OK, mr_consumer_create(&c, m, "nowhere", NULL));
	FAILS(MR_EARGUMENT, "time-out", mr_consumer_next(c, &result, -2));
	FAILS(MR_EARGUMENT, "time-out", mr_consumer_cancel(c, -2));
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", mr_consumer_next(c, &result, MR_FOREVER));
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", mr_consumer_next(c, &result, 0));
	mr_consumer_destroy(c);
}
END_TEST

static void *next_in_thread(void *consumer)
{
	struct mr_result result;
	intptr_t n = 0;
	int status;

	while ((status = mr_consumer_next(consumer, &result, MR_FOREVER)) == MR_OK) {
		n++;
		mr_result_finish(&result);
	}
	IS(MR_CLOSED, status);
	return (void *)n;
}

START_TEST(threads_share_a_consumer)
{
	pthread_t threads[THREADS];
	mr_consumer *c;
	mr_producer *p;
	intptr_t sum = 0;
	void *n;

	IS(MR_OK, mr_consumer_create(&c, m, "jobs", &(struct mr_consumer_options){.credit = 8}));
	IS(MR_OK, mr_producer_create(&p, m, "jobs", 16)); /* the same handle */
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, next_in_thread, c);
	put_each(p);
	IS(MR_OK, mr_producer_flush(p, NULL, MR_FOREVER));
	IS(MR_OK, mr_close(m, "jobs"));
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &n);
		sum += (intptr_t)n;
	}
	ck_assert_int_eq(sum, EACH);
	mr_consumer_destroy(c);
	mr_producer_destroy(p);
}
END_TEST

START_TEST(a_killed_daemon_ends_a_consumer_after_what_has_come)
{
	struct mr_result result;
	mr_consumer *c;

	IS(MR_OK, mr_consumer_create(&c, m, "jobs", NULL));
	client_put(other, "jobs", "1");
	client_put(other, "jobs", "2");
	next_is(c, "1");
	daemon_kill(d);
	next_is(c, "2");
	FAILS(MR_ECONNECTION, "ended", mr_consumer_next(c, &result, MR_FOREVER));
	FAILS(MR_ECONNECTION, "ended", mr_consumer_next(c, &result, 0));
	mr_consumer_destroy(c);
	mr_destroy(m);
	mr_destroy(other);
}
END_TEST

static void setup_short_parking(void)
{
	d = daemon_start((const char *[]){"--set", "limits.max_park_ms=1", NULL});
	m = client_connect(daemon_url(d));
	other = client_connect(daemon_url(d));
	client_channel(m, "jobs", "bounded", 4);
}

START_TEST(a_daemon_that_lets_nobody_park_for_long_is_asked_again)
{
	struct mr_result result;
	mr_consumer *c;

	IS(MR_OK, mr_consumer_create(&c, m, "jobs", NULL));
	IS(MR_TIMEOUT, mr_consumer_next(c, &result, 20));
	client_put(other, "jobs", "1");
	next_is(c, "1");
	mr_consumer_destroy(c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client: streams");
	const TTest *const producers[] = {
		all_that_is_put_is_there_in_order_after_a_flush,
		the_last_goes_at_once_and_more_waits_for_it,
		a_full_window_makes_it_wait,
		what_goes_wrong_is_told_and_then_it_goes_on,
		after_a_failure_nothing_is_put_until_the_flush,
		dropped_is_no_failure,
		impossible_producers,
		threads_share_a_producer,
		NULL,
	};
	const TTest *const consumers[] = {
		values_come_in_order_whatever_the_credit,
		no_more_than_the_credit_comes,
		a_destroyed_consumer_takes_no_more,
		what_the_daemon_says_against_it_is_the_first_answer,
		threads_share_a_consumer,
		NULL,
	};
	const TTest *const short_parking[] = {a_daemon_that_lets_nobody_park_for_long_is_asked_again, NULL};
	const TTest *const ends[] = {
		/* nothing is left to stop */
		a_killed_daemon_leaves_the_unanswered_unknown,
		a_killed_daemon_ends_a_consumer_after_what_has_come,
		NULL,
	};

	suite_case(suite, "producers", setup, teardown, producers);
	suite_case(suite, "consumers", setup, teardown, consumers);
	suite_case(suite, "short parking", setup_short_parking, teardown, short_parking);
	suite_case(suite, "ends", setup, NULL, ends);
	return suite_run(suite);
}
