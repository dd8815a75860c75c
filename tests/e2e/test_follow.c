/* The client library, both APIs, over sockets to daemons that are one service, which a thread of this test plays. What
 * the machine does is told by tests/unit/test_client_routes.c; here it is about the connections. */
#include <check.h>
#include <event2/event.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "client/millrace_parking.h"
#include "client/millrace_stream.h"
#include "client/net/clock.h"
#include "tests/lib/client.h"
#include "tests/lib/stand_in.h"
#include "tests/lib/suite.h"

enum { A, B, C, N_DAEMONS };

static mr *m;

static void setup(void)
{
	stand_in_start(N_DAEMONS);
	stand_in_own("orders", B);
	IS(MR_OK, mr_connect(&m, stand_in_urls(), &(struct mr_options){.reconnect = true}));
}

static void teardown(void)
{
	mr_destroy(m);
	stand_in_stop();
}

/* -- blocking -- */

START_TEST(calls_go_to_whom_has_the_group)
{
	client_put(m, "{orders}.jobs", "1");
	client_put(m, "jobs", "2");
	client_take(m, "{orders}.jobs", "1");
	client_take(m, "jobs", "2");
	stand_in_own("orders", C);
	client_put(m, "{orders}.jobs", "3");
	client_take(m, "{orders}.jobs", "3");
}
END_TEST

START_TEST(one_address_is_enough)
{
	mr *one;

	IS(MR_OK, mr_connect(&one, stand_in_url(A), NULL));
	client_put(one, "{orders}.jobs", "1");
	client_take(one, "{orders}.jobs", "1");
	mr_destroy(one);
}
END_TEST

START_TEST(a_group_without_an_owner_is_waited_for)
{
	mr_request *request;

	stand_in_own("orders", -1);
	IS(MR_EUNAVAILABLE, mr_put_raw(m, "{orders}.jobs", "1", 1, 0));
	IS(MR_EUNAVAILABLE, mr_put_raw(m, "{orders}.jobs", "1", 1, 50));
	IS(MR_OK, mr_begin_put(m, &request, "{orders}.jobs", "1", 1, MR_FOREVER));
	stand_in_own("orders", C);
	IS(MR_OK, mr_wait(m, request, NULL));
	client_take(m, "{orders}.jobs", "1");
}
END_TEST

static void *take_one(void *argument)
{
	char *json;

	(void)argument;
	IS(MR_OK, mr_take_raw(m, "{orders}.jobs", &json, NULL, MR_FOREVER));
	ck_assert_str_eq(json, "7");
	mr_free(json);
	return NULL;
}

START_TEST(threads_park_with_several_daemons)
{
	pthread_t thread;

	pthread_create(&thread, NULL, take_one, NULL);
	stand_in_await(B, "take");
	client_put(m, "jobs", "1"); /* while the other waits for another daemon */
	client_take(m, "jobs", "1");
	stand_in_own("orders", C); /* what is parked goes along */
	stand_in_await(C, "take");
	client_put(m, "{orders}.jobs", "7");
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(a_call_that_is_cancelled_was_asked_of_another)
{
	mr_request *request;

	client_put(m, "{orders}.jobs", "1"); /* now it knows whom to ask */
	client_take(m, "{orders}.jobs", "1");
	IS(MR_OK, mr_begin_take(m, &request, "{orders}.jobs", 0, MR_FOREVER));
	stand_in_await(B, "take take");
	IS(MR_OK, mr_cancel(m, request));
	IS(MR_CANCELLED, mr_wait(m, request, NULL));
}
END_TEST

START_TEST(leases_end_where_they_were_given)
{
	struct mr_result result;

	client_put(m, "{orders}.jobs", "1");
	IS(MR_OK, mr_take_with(m, "{orders}.jobs", &(struct mr_take_options){.lease_ms = 1000}, MR_FOREVER, &result));
	IS(MR_OK, mr_ack(m, result.lease));
	IS(MR_ENO_SUCH_LEASE, mr_ack(m, result.lease));
	mr_result_finish(&result);
}
END_TEST

START_TEST(the_death_of_the_owner_is_survived)
{
	client_put(m, "{orders}.jobs", "1");
	stand_in_own("orders", C);
	stand_in_kill(B);
	client_put(m, "{orders}.jobs", "2");
	client_take(m, "{orders}.jobs", "1");
	stand_in_own("default", C);
	stand_in_kill(A); /* to which the handle had connected */
	client_put(m, "jobs", "3");
	client_take(m, "{orders}.jobs", "2");
}
END_TEST

START_TEST(producers_and_consumers_go_along)
{
	struct mr_report report;
	struct mr_result result;
	mr_producer *producer;
	mr_consumer *consumer;
	char json[16];

	IS(MR_OK, mr_producer_create(&producer, m, "{orders}.jobs", 0));
	for (int i = 0; i < 300; i++) {
		if (i == 100)
			stand_in_own("orders", C);
		if (i == 200)
			stand_in_own("orders", A);
		snprintf(json, sizeof json, "%d", i);
		IS(MR_OK, mr_producer_put_raw(producer, json, strlen(json), MR_MORE, MR_FOREVER));
	}
	IS(MR_OK, mr_producer_flush(producer, &report, MR_FOREVER));
	ck_assert_uint_eq(report.put, 300);
	ck_assert_uint_eq(report.failed + report.unknown, 0);
	ck_assert_uint_eq(stand_in_count("{orders}.jobs"), 300);
	mr_producer_destroy(producer);

	IS(MR_OK, mr_consumer_create(&consumer, m, "{orders}.none", NULL));
	stand_in_await(A, "take");
	stand_in_own("orders", B);
	client_put(m, "{orders}.none", "1");
	IS(MR_OK, mr_consumer_next(consumer, &result, MR_FOREVER));
	ck_assert_str_eq(result.raw, "1");
	mr_result_finish(&result);
	mr_consumer_destroy(consumer);
}
END_TEST

START_TEST(a_descriptor_to_poll_shows_what_any_daemon_says)
{
	struct pollfd ready = {.fd = mr_fd(m), .events = POLLIN};
	mr_request *request;
	mr *other = client_connect(stand_in_url(B));

	IS(MR_OK, mr_begin_take(m, &request, "{orders}.jobs", 0, MR_FOREVER));
	while (!mr_is_done(m, request)) {
		ck_assert_int_eq(poll(&ready, 1, 10000), 1);
		if (stand_in_count("other") == 0)
			client_put(other, "{orders}.jobs", "1");
	}
	IS(MR_OK, mr_wait(m, request, NULL));
	mr_destroy(other);
}
END_TEST

/* -- parking -- */

static struct {
	int n_done, n_left, status, n_connected, n_lost;
	char value[32];
	struct event_base *base;
} parking;

static void on_done(mr_parking *p, const struct mr_outcome *outcome, void *argument)
{
	(void)p;
	(void)argument;
	parking.n_done++;
	parking.status = outcome->status;
	snprintf(parking.value, sizeof parking.value, "%.*s", (int)outcome->raw_len, outcome->raw ? outcome->raw : "");
	if (--parking.n_left == 0)
		event_base_loopbreak(parking.base);
}

static void on_news(mr_parking *p, const struct mr_news *news, void *argument)
{
	(void)p;
	(void)argument;
	ck_assert_ptr_nonnull(news->url);
	parking.n_connected += news->event == MR_EVENT_CONNECTED;
	parking.n_lost += news->event == MR_EVENT_DISCONNECTED;
}

static void run_until_done(int n, int status)
{
	parking.n_left = n;
	event_base_dispatch(parking.base);
	ck_assert_int_eq(parking.n_left, 0);
	ck_assert_int_eq(parking.status, status);
}

START_TEST(parked_requests_follow)
{
	mr_parking *p;

	memset(&parking, 0, sizeof parking);
	parking.base = event_base_new();
	IS(MR_OK,
	   mr_parking_create(&p, parking.base, stand_in_urls(), &(struct mr_parking_options){.on_news = on_news}));
	IS(MR_OK, mr_park_put(p, "{orders}.jobs", "1", 1, MR_FOREVER, on_done, NULL, NULL));
	IS(MR_OK, mr_park_put(p, "jobs", "2", 1, MR_FOREVER, on_done, NULL, NULL));
	run_until_done(2, MR_OK);
	ck_assert_int_eq(parking.n_connected, 2);
	stand_in_own("orders", -1);
	IS(MR_OK, mr_park_put(p, "{orders}.jobs", "3", 1, 0, on_done, NULL, NULL));
	run_until_done(1, MR_EUNAVAILABLE);
	IS(MR_OK, mr_park_put(p, "{orders}.jobs", "3", 1, 50, on_done, NULL, NULL));
	run_until_done(1, MR_EUNAVAILABLE);
	stand_in_own("orders", C);
	stand_in_kill(B);
	for (int i = 0; i < 200; i++)
		IS(MR_OK, mr_park_put(p, "{orders}.jobs", "3", 1, MR_FOREVER, NULL, NULL, NULL));
	IS(MR_OK, mr_park_take(p, "{orders}.jobs", NULL, MR_FOREVER, on_done, NULL, NULL));
	IS(MR_OK, mr_park_take(p, "{orders}.jobs", NULL, MR_FOREVER, on_done, NULL, NULL));
	run_until_done(2, MR_OK);
	ck_assert_str_eq(parking.value, "3");
	ck_assert_int_eq(parking.n_lost, 1);
	ck_assert(mr_parking_is_connected(p));
	ck_assert_uint_eq(stand_in_count("{orders}.jobs"), 199);
	mr_parking_destroy(p);
	event_base_free(parking.base);
}
END_TEST

START_TEST(a_client_can_be_destroyed_at_any_time)
{
	for (int i = 0; i < 6; i++) {
		mr_parking *p;

		memset(&parking, 0, sizeof parking);
		parking.base = event_base_new();
		IS(MR_OK, mr_parking_create(&p, parking.base, stand_in_urls(), NULL));
		IS(MR_OK, mr_park_take(p, "{orders}.none", NULL, MR_FOREVER, on_done, NULL, NULL));
		for (int turn = 0; turn < i; turn++)
			event_base_loop(parking.base, EVLOOP_ONCE);
		mr_parking_destroy(p);
		event_base_loop(parking.base, EVLOOP_NONBLOCK);
		event_base_free(parking.base);
		ck_assert_int_eq(parking.n_done, 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client: following");
	const TTest *const tests[] = {
		calls_go_to_whom_has_the_group,
		one_address_is_enough,
		a_group_without_an_owner_is_waited_for,
		threads_park_with_several_daemons,
		a_call_that_is_cancelled_was_asked_of_another,
		leases_end_where_they_were_given,
		the_death_of_the_owner_is_survived,
		producers_and_consumers_go_along,
		a_descriptor_to_poll_shows_what_any_daemon_says,
		parked_requests_follow,
		a_client_can_be_destroyed_at_any_time,
		NULL,
	};

	suite_case(suite, "follow", setup, teardown, tests);
	return suite_run(suite);
}
