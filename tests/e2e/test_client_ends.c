/* What becomes of the client library's calls when its connection ends, and when it connects again. */
#include <check.h>
#include <pthread.h>
#include <signal.h>

#include "client/millrace.h"
#include "client/millrace_stream.h"
#include "tests/lib/client_fixture.h"
#include "tests/lib/proxy.h"
#include "tests/lib/suite.h"

/* -- the end of a connection -- */

static void *take_and_end(void *argument)
{
	json_t *value = NULL;

	*(int *)argument = mr_take(m, "meet", &value, MR_FOREVER);
	ck_assert_ptr_null(value);
	return *mr_message() ? m : NULL;
}

START_TEST(a_daemon_that_is_killed_ends_every_call)
{
	enum { N = 6 };
	mr *other = client_connect(daemon_url(d));
	mr_request *request;
	pthread_t threads[N];
	int statuses[N];
	void *has_words;

	for (int i = 0; i < N; i++)
		pthread_create(&threads[i], NULL, take_and_end, &statuses[i]);
	IS(MR_OK, mr_begin_take(m, &request, "meet", 0, MR_FOREVER));
	client_await_parked(other, N + 1);
	daemon_kill(d);
	for (int i = 0; i < N; i++) {
		pthread_join(threads[i], &has_words);
		IS(MR_ECONNECTION, statuses[i]);
		ck_assert_ptr_nonnull(has_words);
	}
	ck_assert(mr_is_done(m, request));
	FAILS(MR_ECONNECTION, "ended", mr_wait(m, request, NULL));
	FAILS(MR_ECONNECTION, "ended", mr_ping(m, MR_FOREVER));
	ck_assert_int_eq(mr_fd(m), -1);
	mr_destroy(other);
	mr_destroy(m);
}
END_TEST

START_TEST(is_done_sees_the_end_by_itself)
{
	mr_request *request;

	IS(MR_OK, mr_begin_take(m, &request, "meet", 0, MR_FOREVER));
	daemon_kill(d);
	while (!mr_is_done(m, request))
		poll_readable(m);
	FAILS(MR_ECONNECTION, "ended", mr_wait(m, request, NULL));
	mr_destroy(m);
}
END_TEST

START_TEST(a_silent_daemon_is_given_up)
{
	uint64_t before_ms;
	mr_request *request;

	IS(MR_OK, mr_begin_take(m, &request, "jobs", 0, MR_FOREVER));
	daemon_signal(d, SIGSTOP);
	before_ms = test_now_ms();
	FAILS(MR_ECONNECTION, "silent", mr_ping(m, 10));
	ck_assert_uint_ge(test_now_ms() - before_ms, 10);
	IS(MR_ECONNECTION, mr_wait(m, request, NULL));
	daemon_signal(d, SIGCONT);
}
END_TEST

/* The promise is a second; what a loaded machine adds is not ours. */
static void silent(mr *made, int (*call)(mr *made, int64_t timeout_ms), int64_t timeout_ms, int expected)
{
	uint64_t begun_ms = test_now_ms();

	IS(expected, call(made, timeout_ms));
	ck_assert_uint_ge(test_now_ms() - begun_ms, (uint64_t)timeout_ms);
	ck_assert_uint_lt(test_now_ms() - begun_ms, (uint64_t)timeout_ms + 10000);
}

static int put_one(mr *made, int64_t timeout_ms)
{
	return mr_put_raw(made, "jobs", "1", 1, timeout_ms);
}

static int take_one(mr *made, int64_t timeout_ms)
{
	return mr_take(made, "jobs", NULL, timeout_ms);
}

START_TEST(a_silent_network_ends_every_call)
{
	static const struct {
		int (*call)(mr *made, int64_t timeout_ms);
		int expected;
	} calls[] = {{mr_ping, MR_ECONNECTION}, {put_one, MR_UNKNOWN}, {take_one, MR_ECONNECTION}};
	struct proxy *proxy = proxy_start(daemon_port(d));
	mr *made;

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		made = client_connect(proxy_url(proxy));
		proxy_swallow(proxy);
		silent(made, calls[i].call, 20, calls[i].expected);
		mr_destroy(made);
		proxy_cut(proxy);
	}
	proxy_swallow(proxy);
	FAILS(MR_ECONNECT, "silent",
	      mr_connect(&made, proxy_url(proxy), &(struct mr_options){.connect_timeout_ms = 50}));
	proxy_stop(proxy);
}
END_TEST

START_TEST(a_put_that_was_not_answered_is_unknown)
{
	struct mr_arm arms[] = {{.channel = "jobs"}, {.channel = "meet", .raw = "1", .raw_len = 1}};
	struct proxy *proxy = proxy_start(daemon_port(d));
	mr *made = client_connect(proxy_url(proxy));
	mr_request *put, *take;
	struct mr_choice choice;

	IS(MR_OK, mr_begin_put(made, &put, "meet", "1", 1, MR_FOREVER));
	IS(MR_OK, mr_begin_take(made, &take, "jobs", 0, MR_FOREVER));
	client_await_parked(m, 2);
	proxy_cut(proxy);
	FAILS(MR_UNKNOWN, "cannot be known", mr_wait(made, put, NULL));
	FAILS(MR_ECONNECTION, "ended", mr_wait(made, take, NULL));
	FAILS(MR_ECONNECTION, "ended", mr_put_raw(made, "jobs", "1", 1, 0)); /* never sent */
	mr_destroy(made);
	for (size_t n = 1; n <= 2; n++) {
		made = client_connect(proxy_url(proxy));
		proxy_swallow(proxy);
		IS(n == 1 ? MR_ECONNECTION : MR_UNKNOWN, mr_alts(made, arms, n, false, 1, &choice));
		mr_destroy(made);
		proxy_cut(proxy);
	}
	proxy_stop(proxy);
}
END_TEST

/* -- connecting again -- */

static mr *connect_again(const char *url)
{
	mr *made = NULL;

	IS(MR_OK, mr_connect(&made, url, &(struct mr_options){.reconnect = true}));
	return made;
}

START_TEST(the_next_call_connects_again)
{
	struct proxy *proxy = proxy_start(daemon_port(d));
	mr *made = connect_again(proxy_url(proxy));
	struct mr_definition definition = {.kind = "bounded", .capacity = 1, .ephemeral = true};
	mr_request *take, *put;

	IS(MR_OK, mr_create(made, "mine", &definition, NULL, NULL));
	IS(MR_OK, mr_create(made, "short", &definition, NULL, NULL));
	IS(MR_OK, mr_delete(made, "short", false, NULL));
	IS(MR_OK, mr_begin_take(made, &take, "jobs", 0, MR_FOREVER));
	client_await_parked(m, 1);
	proxy_cut(proxy);
	client_await_parked(m, 0);
	while (!mr_is_done(made, take))
		;
	IS(MR_OK, mr_put_raw(made, "mine", "1", 1, 60000)); /* it is there again */
	FAILS(MR_ENO_SUCH_CHANNEL, "short", mr_put_raw(made, "short", "1", 1, MR_FOREVER));
	IS(MR_OK, mr_begin_put(made, &put, "meet", "1", 1, MR_FOREVER));
	client_await_parked(m, 1);
	FAILS(MR_ENO_SUCH_REQUEST, "ended", mr_cancel(made, take)); /* not whatever has its id now */
	FAILS(MR_ECONNECTION, "ended", mr_wait(made, take, NULL));
	client_take(m, "meet", "1");
	IS(MR_OK, mr_wait(made, put, NULL));
	mr_destroy(made);
	proxy_stop(proxy);
}
END_TEST

START_TEST(while_it_cannot_connect_each_call_says_so_in_time)
{
	struct proxy *proxy = proxy_start(daemon_port(d));
	mr *made = connect_again(proxy_url(proxy));
	uint64_t begun_ms;

	proxy_swallow(proxy);
	IS(MR_ECONNECTION, mr_ping(made, 0));
	for (int i = 0; i < 2; i++) {
		begun_ms = test_now_ms();
		FAILS(MR_ECONNECT, "", mr_ping(made, 10));
		ck_assert_uint_lt(test_now_ms() - begun_ms, 10000);
	}
	proxy_cut(proxy);
	IS(MR_OK, mr_ping(made, MR_FOREVER));
	mr_destroy(made);
	proxy_stop(proxy);
}
END_TEST

/* One value, a batch, and a stream, over a connection that ends early. Whether it did. */
static bool puts_over_a_cut(struct proxy *proxy, size_t from_client, size_t from_daemon)
{
	mr *cuttable;
	mr_producer *producer;
	struct mr_report report;
	json_t *values;
	bool was_cut;

	proxy_cut_after(proxy, from_client, from_daemon);
	cuttable = connect_again(proxy_url(proxy));
	was_cut = mr_put_raw(cuttable, "all", "1", 1, MR_FOREVER) != MR_OK;
	IS(MR_OK, mr_put_many_raw(cuttable, "all", "[2,3]", 5, MR_FOREVER, NULL));
	IS(MR_OK, mr_producer_create(&producer, cuttable, "all", 0));
	for (char digit = '4'; digit <= '7'; digit++)
		IS(MR_OK, mr_producer_put_raw(producer, &digit, 1, MR_MORE, MR_FOREVER));
	IS(MR_OK, mr_producer_flush(producer, &report, MR_FOREVER));
	ck_assert_uint_eq(report.put, 4);
	ck_assert_uint_eq(report.failed + report.unknown, 0);
	mr_producer_destroy(producer);
	IS(MR_OK, mr_take_many(m, "all", 100, &values, 0));
	assert_json(values, "[1,2,3,4,5,6,7]");
	ck_assert(!was_cut);
	was_cut = proxy_was_cut(proxy);
	mr_destroy(cuttable);
	return was_cut;
}

/* Every byte is in the machine's own test, and in the parking client's. Here the pauses between connections take time.
 */
START_TEST(a_cut_loses_no_put_and_doubles_none)
{
	struct proxy *proxy = proxy_start(daemon_port(d));
	int n_cuts = 0;

	if (!client_knows(m, "once")) {
		proxy_stop(proxy);
		return;
	}
	client_channel(m, "all", "bounded", 100);
	for (size_t at = 90; puts_over_a_cut(proxy, at, SIZE_MAX); at += 17)
		n_cuts++;
	for (size_t at = 300; puts_over_a_cut(proxy, SIZE_MAX, at); at += 11) /* behind the hello */
		n_cuts++;
	ck_assert_int_gt(n_cuts, 20);
	proxy_stop(proxy);
}
END_TEST

static void *put_through_cuts(void *argument)
{
	mr *made = argument;
	intptr_t n_ok = 0;

	for (int i = 0; i < 200; i++) {
		int status = mr_put_raw(made, "latest", "1", 1, i % 2 ? 60000 : MR_FOREVER);

		n_ok += status == MR_OK;
		ck_assert_msg(status == MR_OK || status == MR_UNKNOWN || status == MR_ECONNECTION ||
				      status == MR_ECONNECT,
			      "%s: %s", mr_status_name(status), mr_message());
	}
	return (void *)n_ok;
}

START_TEST(threads_share_a_handle_whose_connection_is_cut)
{
	enum { N = 8 };
	struct proxy *proxy = proxy_start(daemon_port(d));
	mr *made = connect_again(proxy_url(proxy));
	pthread_t threads[N];
	void *n_ok;

	for (int i = 0; i < N; i++)
		pthread_create(&threads[i], NULL, put_through_cuts, made);
	for (int64_t accepted = 0, i = 0; i < 5; i++) {
		while (client_stat(m, "latest", "accepted") < accepted + 50) /* somebody has come through */
			;
		accepted = client_stat(m, "latest", "accepted");
		proxy_cut(proxy);
	}
	for (int i = 0; i < N; i++) {
		pthread_join(threads[i], &n_ok);
		ck_assert_int_gt((intptr_t)n_ok, 0);
	}
	IS(MR_OK, mr_ping(made, MR_FOREVER));
	mr_destroy(made);
	proxy_stop(proxy);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client: ends of connections");
	const TTest *const tests[] = {
		a_silent_daemon_is_given_up,
		a_silent_network_ends_every_call,
		a_put_that_was_not_answered_is_unknown,
		a_cut_loses_no_put_and_doubles_none,
		the_next_call_connects_again,
		while_it_cannot_connect_each_call_says_so_in_time,
		threads_share_a_handle_whose_connection_is_cut,
		NULL,
	};
	const TTest *const ends[] = {a_daemon_that_is_killed_ends_every_call, is_done_sees_the_end_by_itself,
				     NULL}; /* nothing is left to stop */

	suite_case(suite, "calls", client_setup, client_teardown, tests);
	suite_case(suite, "ends", client_setup, NULL, ends);
	return suite_run(suite);
}
