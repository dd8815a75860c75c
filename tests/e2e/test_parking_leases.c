/* Leases through the parking client: how they end, and what goes again when the connection has ended. */
#include <stdio.h>

#include "tests/lib/parking_fixture.h"
#include "tests/lib/proxy.h"
#include "tests/lib/suite.h"

static char lease[128];

static void on_leased(mr_parking *of, const struct mr_outcome *outcome, void *argument)
{
	if (outcome->status == MR_OK) {
		ck_assert_ptr_nonnull(outcome->lease);
		snprintf(lease, sizeof lease, "%s", outcome->lease);
	}
	on_seen(of, outcome, argument);
	seen.accepted = outcome->deliveries;
}

static void take_leased(const char *expected, uint64_t deliveries)
{
	clear();
	MAKES(mr_park_take(p, "jobs", &(struct mr_take_options){.lease_ms = 60000}, MR_FOREVER, on_leased, &seen,
			   NULL));
	ends(&seen, MR_OK);
	ck_assert_str_eq(seen.raw, expected);
	ck_assert_uint_eq(seen.accepted, deliveries);
	clear();
}

START_TEST(leases_end_in_every_way)
{
	client_put(m, "jobs", "1");
	take_leased("1", 1);
	MAKES(mr_park_extend(p, lease, 90000, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	clear();
	MAKES(mr_park_nack(p, lease, 0, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	take_leased("1", 2);
	MAKES(mr_park_ack(p, lease, on_seen, &seen, NULL));
	ends(&seen, MR_OK);
	clear();
	MAKES(mr_park_ack(p, lease, on_seen, &seen, NULL));
	ends(&seen, MR_ENO_SUCH_LEASE);
	FAILS(MR_EARGUMENT, "delay", mr_park_nack(p, lease, -1, on_seen, &seen, NULL));
}
END_TEST

START_TEST(an_ack_does_not_wait_behind_takes_that_wait_for_it)
{
	struct mr_parking_options chosen = parking_options;
	static struct seen given_back;
	mr_parking *client;

	client_put(m, "jobs", "1");
	take_leased("1", 1);
	chosen.window = 1;
	client = make_client(url, &chosen);
	MAKES(mr_park_take(client, "jobs", NULL, MR_FOREVER, on_seen, &seen, NULL));
	MAKES(mr_park_take(client, "jobs", NULL, MR_FOREVER, on_seen, &other_seen, NULL));
	TURN_UNTIL(client_stat(m, "jobs", "parked_takes") == 1);
	MAKES(mr_park_nack(client, lease, 0, on_seen, &given_back, NULL));
	ends(&seen, MR_OK);
	client_put(m, "jobs", "2");
	ends(&other_seen, MR_OK);
	ends(&given_back, MR_OK);
	seen_clear(&given_back);
	mr_parking_destroy(client);
}
END_TEST

START_TEST(a_leased_take_is_sent_once_more)
{
	struct proxy *proxy = proxy_start(daemon_port(d));
	mr_parking *client = make_client(proxy_url(proxy), &parking_options);
	static struct seen count;

	LOOP_UNTIL(n_connected == 2);
	clear();
	seen_clear(&count);
	MAKES(mr_park_take(client, "jobs", &(struct mr_take_options){.lease_ms = 60000}, MR_FOREVER, on_leased, &seen,
			   NULL));
	MAKES(mr_park_take_count(client, "meet", 3, &(struct mr_take_options){.lease_ms = 60000}, MR_FOREVER, on_seen,
				 &count, NULL));
	TURN_UNTIL(client_stat(m, "meet", "parked_takes") == 1);
	client_put(m, "meet", "1");
	LOOP_UNTIL(count.n == 1);
	proxy_cut(proxy);
	LOOP_UNTIL(n_connected == 3);
	client_put(m, "jobs", "7");
	ends(&seen, MR_OK);
	LOOP_UNTIL(count.n == 2); /* the value that was leased has come back with the connection's end */
	ck_assert_uint_eq(count.left, 1);
	client_put(m, "meet", "2");
	ends(&count, MR_OK);
	ck_assert_int_eq(count.n, 3);
	seen_clear(&count);
	mr_parking_destroy(client);
	proxy_stop(proxy);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parking client: leases");
	const TTest *const tests[] = {
		leases_end_in_every_way,
		an_ack_does_not_wait_behind_takes_that_wait_for_it,
		a_leased_take_is_sent_once_more,
		NULL,
	};

	suite_case(suite, "calls", parking_setup, parking_teardown, tests);
	return suite_run(suite);
}
