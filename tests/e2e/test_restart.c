/* A service that is started anew while programs work with it: clients of the library connect again by themselves,
 * nothing that was put is lost as long as somebody takes, and what a daemon ends with is gone with it. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/client.h"
#include "tests/lib/suite.h"

enum { RESTARTS = 3, N_PUTTERS = 3, N_TAKERS = 3, PUTS_BETWEEN = 200 };

static char *directory, *url;
static struct daemon *d;
static atomic_bool putting_is_over, taking_is_over;
static atomic_uint put_ok, put_unknown, taken, unexpected;

static void start(void)
{
	d = daemon_start((const char *[]){"--listen", url, "--set", "limits.grace_ms=30s", "--set",
					  "channels.jobs={kind: bounded, capacity: 8}", NULL});
}

static void setup(void)
{
	directory = directory_create();
	size_t size = strlen(directory) + 32;
	url = malloc(size);
	ck_assert_ptr_nonnull(url);
	snprintf(url, size, "unix://%s/m.sock", directory);
	start();
}

static void teardown(void)
{
	free(url);
	directory_destroy(directory);
}

/* What a client may hear of a daemon that ends, or is not there. */
static bool is_of_a_restart(int status)
{
	return status == MR_EDRAINING || status == MR_ECONNECTION || status == MR_ECONNECT || status == MR_UNKNOWN;
}

static void count_failure(int status)
{
	if (!is_of_a_restart(status)) {
		fprintf(stderr, "%s: %s\n", mr_status_name(status), mr_message());
		atomic_fetch_add(&unexpected, 1);
	}
	sched_yield();
}

static void *put_values(void *arg)
{
	mr *m = arg;
	while (!putting_is_over) {
		int status = mr_put_raw(m, "jobs", "1", 1, MR_FOREVER);
		if (status == MR_OK)
			atomic_fetch_add(&put_ok, 1);
		else if (status == MR_UNKNOWN)
			atomic_fetch_add(&put_unknown, 1);
		if (status != MR_OK)
			count_failure(status);
	}
	mr_destroy(m);
	return NULL;
}

static void *take_values(void *arg)
{
	mr *m = arg;
	while (!taking_is_over) {
		char *json;
		size_t len;
		int status = mr_take_raw(m, "jobs", &json, &len, MR_FOREVER);
		if (status == MR_OK) {
			atomic_fetch_add(&taken, 1);
			mr_free(json);
		} else {
			count_failure(status);
		}
	}
	mr_destroy(m);
	return NULL;
}

static void await_puts(unsigned more)
{
	unsigned goal = put_ok + more;
	uint64_t deadline_ms = test_now_ms() + DAEMON_DEADLINE_MS;
	while (put_ok < goal && !unexpected) {
		ck_assert_msg(test_now_ms() < deadline_ms, "nothing is put any more");
		sched_yield();
	}
}

static mr *connect_again(void)
{
	mr *m = NULL;
	IS(MR_OK, mr_connect(&m, url, &(struct mr_options){.reconnect = true}));
	return m;
}

START_TEST(clients_connect_again_and_nothing_is_lost)
{
	pthread_t putters[N_PUTTERS], takers[N_TAKERS];
	for (size_t i = 0; i < N_PUTTERS; i++)
		ck_assert_int_eq(pthread_create(&putters[i], NULL, put_values, connect_again()), 0);
	for (size_t i = 0; i < N_TAKERS; i++)
		ck_assert_int_eq(pthread_create(&takers[i], NULL, take_values, connect_again()), 0);
	for (size_t i = 0; i < RESTARTS; i++) {
		await_puts(PUTS_BETWEEN);
		daemon_signal(d, SIGTERM);
		daemon_log_wait(d, "ended");
		ck_assert(!daemon_log_has(d, "values are lost"));
		daemon_stop_by(d, 0);
		start();
	}
	await_puts(PUTS_BETWEEN);
	putting_is_over = true;
	for (size_t i = 0; i < N_PUTTERS; i++)
		ck_assert_int_eq(pthread_join(putters[i], NULL), 0);
	daemon_signal(d, SIGTERM); /* takers go on to take what is left */
	daemon_log_wait(d, "ended");
	ck_assert(!daemon_log_has(d, "values are lost"));
	taking_is_over = true;
	daemon_stop_by(d, 0);
	for (size_t i = 0; i < N_TAKERS; i++)
		ck_assert_int_eq(pthread_join(takers[i], NULL), 0);
	ck_assert_uint_eq(unexpected, 0);
	ck_assert_uint_le(put_ok, taken);
	ck_assert_uint_le(taken, put_ok + put_unknown);
}
END_TEST

START_TEST(a_lease_ends_with_its_daemon)
{
	mr *m = connect_again();
	struct mr_result result;
	client_put(m, "jobs", "1");
	IS(MR_OK, mr_take_with(m, "jobs", &(struct mr_take_options){.lease_ms = 600000}, MR_FOREVER, &result));
	daemon_signal(d, SIGTERM);
	daemon_log_wait(d, "draining");
	daemon_signal(d, SIGTERM); /* at once */
	daemon_log_wait(d, "values are lost with this end: 0 buffered, 1 leased");
	daemon_stop_by(d, 0);
	start();
	int status = mr_ack(m, result.lease);
	while (is_of_a_restart(status)) /* it may learn only now that its connection has ended */
		status = mr_ack(m, result.lease);
	client_is(status, MR_ENO_SUCH_LEASE, "mr_ack");
	client_put(m, "jobs", "2");
	client_take(m, "jobs", "2");
	mr_result_finish(&result);
	mr_destroy(m);
	daemon_stop(d);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("restart");
	const TTest *const tests[] = {clients_connect_again_and_nothing_is_lost, a_lease_ends_with_its_daemon, NULL};

	suite_case(suite, "restart", setup, teardown, tests);
	return suite_run(suite);
}
