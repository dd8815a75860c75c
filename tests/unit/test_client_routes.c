/* The client's machine and several daemons that are one service, with a clock that only the test moves: whom it asks,
 * and for how long. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "client/machine/daemons.h"
#include "tests/lib/network_fixture.h"
#include "tests/lib/suite.h"

/* -- whom to ask -- */

START_TEST(a_request_goes_to_the_daemon_that_is_named)
{
	cluster_own("orders", B);
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	network_settle();
	sim_ended(0, MR_OK);
	ck_assert_str_eq(cluster_ops(A), "hello put ");
	ck_assert_str_eq(cluster_ops(B), "hello put ");
	sim_put(1, "retry.{orders}", MR_FOREVER); /* what is known of the group holds for all of its channels */
	sim_put(2, "jobs", MR_FOREVER);
	network_settle();
	sim_ended(1, MR_OK);
	sim_ended(2, MR_OK);
	ck_assert_str_eq(cluster_ops(A), "hello put put ");
	ck_assert_str_eq(cluster_ops(B), "hello put put ");
	ck_assert_str_eq(news, "0:tcp://a:1:ok 0:tcp://b:1:ok ");
}
END_TEST

START_TEST(every_request_follows)
{
	struct client_operation operation;
	struct mr_arm arms[] = {{.channel = "{orders}.jobs"}, {.channel = "{orders}.others"}};
	int i = 0;

	cluster_own("orders", B);
	sim_submit(i++, operation_alts(&operation, arms, 2, &(struct mr_alts_options){0}, 0), &operation);
	sim_submit(i++, operation_create(&operation, "{orders}.jobs", &(struct mr_definition){.kind = "promise"}),
		   &operation);
	sim_submit(i++, operation_alter(&operation, "{orders}.jobs", &(struct mr_alteration){.capacity = 1}),
		   &operation);
	sim_submit(i++, operation_close(&operation, "{orders}.jobs"), &operation);
	sim_submit(i++, operation_delete(&operation, "{orders}.jobs", false), &operation);
	sim_submit(i++, operation_stat(&operation, "{orders}.jobs"), &operation);
	sim_submit(i++, operation_peek(&operation, "{orders}.jobs", 1), &operation);
	sim_submit(i++, operation_rows(&operation, OP_WAITERS, "{orders}.jobs", 0), &operation);
	sim_submit(i++, operation_rows(&operation, OP_LEASES, "{orders}.jobs", 0), &operation);
	sim_submit(i++, operation_rows(&operation, OP_TAPS, "{orders}.jobs", 0), &operation);
	network_settle();
	for (int j = 0; j < i; j++)
		sim_ended(j, MR_OK);
}
END_TEST

START_TEST(a_take_with_count_goes_on_with_what_is_left)
{
	struct client_operation operation;

	sim_submit(0, operation_take_count(&operation, "jobs", 3, &(struct mr_take_options){0}, MR_FOREVER),
		   &operation);
	sim_put(1, "jobs", MR_FOREVER);
	network_settle();
	ck_assert_int_eq(requests[0].n_values, 1);
	cluster_own("default", B);
	sim_put(2, "jobs", MR_FOREVER);
	sim_put(3, "jobs", MR_FOREVER);
	sim_put(4, "jobs", MR_FOREVER);
	network_settle();
	sim_ended(0, MR_OK);
	ck_assert_int_eq(requests[0].n_values, 3);
	ck_assert_uint_eq(requests[0].left, 0);
	ck_assert_uint_eq(json_array_size(cluster_values("jobs")), 1);
}
END_TEST

START_TEST(an_address_that_leads_nowhere_is_the_requests_error)
{
	cluster_own("orders", B);
	cluster_lie(A, "http://b:1");
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	network_settle();
	sim_ended(0, MR_EMOVED);
	cluster_lie(A, "");
	sim_put(1, "{orders}.jobs", MR_FOREVER);
	network_settle();
	sim_ended(1, MR_EMOVED);
	ck_assert_uint_eq(machine.n_contacts, 1);
}
END_TEST

START_TEST(who_asks_over_tls_is_not_led_away_from_it)
{
	network_addresses[A].kind = URL_TLS;
	network_again(&network_settings);
	cluster_own("orders", B);
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	network_settle();
	sim_ended(0, MR_EMOVED);
}
END_TEST

START_TEST(daemons_that_disagree_are_asked_more_and_more_slowly)
{
	cluster_lie(A, network_urls[B]);
	cluster_lie(B, network_urls[A]);
	sim_put(0, "jobs", 10000);
	network_run_until(now_ms + 9000);
	sim_runs_still(0);
	ck_assert_int_lt(cluster_n_requests(), 100);
	cluster_lie(A, NULL);
	network_run_until(now_ms + 1000);
	sim_ended(0, MR_OK);
}
END_TEST

START_TEST(no_more_daemons_are_asked_than_there_can_be)
{
	char url[32];

	for (int i = 0; i < 300; i++) {
		snprintf(url, sizeof url, "tcp://nowhere-%d:1", i);
		cluster_lie(A, url);
		sim_put(0, "jobs", 0);
		network_run_until(now_ms + 1000);
		ck_assert_int_eq(requests[0].n_last, 1);
		memset(&requests[0], 0, sizeof requests[0]);
	}
	ck_assert_uint_le(machine.n_contacts, MACHINE_MOST_CONTACTS);
	cluster_lie(A, NULL);
	sim_put(0, "jobs", MR_FOREVER);
	network_run_until(now_ms + 5000);
	sim_ended(0, MR_OK);
}
END_TEST

START_TEST(what_is_known_of_many_groups_is_bounded)
{
	char channel[32];

	for (int i = 0; i < ROUTE_MOST + 100; i++) {
		snprintf(channel, sizeof channel, "{%d}", i);
		channel[strlen(channel) - 1] = '\0';
		cluster_own(channel + 1, B);
		strcat(channel, "}");
		sim_put(0, channel, MR_FOREVER);
		network_settle();
		sim_ended(0, MR_OK);
		memset(&requests[0], 0, sizeof requests[0]);
	}
	ck_assert_uint_eq(machine.n_routes, ROUTE_MOST);
}
END_TEST

/* -- nobody has it -- */

START_TEST(what_nobody_has_is_asked_for_again_in_the_requests_time)
{
	cluster_own("default", -1);
	sim_put(0, "jobs", MR_FOREVER);
	sim_put(1, "jobs", 1000);
	sim_put(2, "jobs", CLUSTER_RETRY_MS - 1); /* there is no time to ask once more */
	network_settle();
	sim_ended(2, MR_EUNAVAILABLE);
	sim_put(3, "jobs", 0); /* and none at all */
	network_settle();
	sim_ended(3, MR_EUNAVAILABLE);
	network_run_until(now_ms + 1000);
	sim_ended(1, MR_EUNAVAILABLE);
	sim_runs_still(0);
	cluster_own("default", C);
	network_run_until(now_ms + CLUSTER_RETRY_MS);
	sim_ended(0, MR_OK);
	ck_assert_int_le(cluster_n_requests(), 2 * 1100 / CLUSTER_RETRY_MS);
}
END_TEST

START_TEST(while_nobody_has_one_group_the_others_go_on)
{
	cluster_own("orders", -1);
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	network_settle();
	sim_put(1, "jobs", MR_FOREVER);
	network_settle();
	sim_runs_still(0);
	sim_ended(1, MR_OK);
}
END_TEST

/* -- leases, and channels that go with a connection -- */

START_TEST(an_ack_goes_to_who_has_given_the_lease)
{
	cluster_own("orders", B);
	cluster_own("others", C);
	sim_put(0, "{orders}.jobs", MR_FOREVER);
	sim_put(1, "{others}.jobs", MR_FOREVER);
	sim_take(2, "{orders}.jobs", 1000, MR_FOREVER);
	sim_take(3, "{others}.jobs", 1000, MR_FOREVER);
	network_settle();
	sim_ack(4, requests[2].lease);
	sim_ack(5, requests[3].lease);
	network_settle();
	sim_ended(4, MR_OK);
	sim_ended(5, MR_OK);
	ck_assert_ptr_null(strstr(cluster_ops(A), "ack"));
	memset(machine.lease_contacts, 0, DAEMONS_LEASES * sizeof(struct contact *));
	sim_put(6, "{others}.jobs", MR_FOREVER);
	sim_take(7, "{others}.jobs", 1000, MR_FOREVER);
	network_settle();
	memset(machine.lease_contacts, 0, DAEMONS_LEASES * sizeof(struct contact *));
	sim_ack(8, requests[7].lease); /* whose it is is not known: all are asked */
	sim_ack(9, "nobody-has-this");
	network_settle();
	sim_ended(8, MR_OK);
	sim_ended(9, MR_ENO_SUCH_LEASE);
}
END_TEST

/* How often a daemon was asked for that. */
static int count(int daemon, const char *op)
{
	int n = 0;

	for (const char *at = cluster_ops(daemon); (at = strstr(at, op)); at++)
		n++;
	return n;
}

START_TEST(ephemeral_channels_are_made_anew_where_their_group_is)
{
	cluster_own("orders", B);
	sim_create(0, "{orders}.mine");
	sim_create(1, "mine");
	network_settle();
	sim_ended(0, MR_OK);
	sim_ended(1, MR_OK);
	ck_assert_int_eq(count(A, "create"), 2); /* once to be told where the group is */
	ck_assert_int_eq(count(B, "create"), 1);
	cluster_own("orders", -1);
	network_kill_daemon(B);
	network_run_until(now_ms + 100);
	cluster_own("orders", C);
	network_run_until(now_ms + 100);
	ck_assert_int_eq(count(C, "create"), 1);
	ck_assert_uint_eq(machine.n_missing, 0);
	ck_assert_ptr_null(strstr(news, "3:")); /* MR_EVENT_CHANNEL_LOST */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client: whom to ask");
	const TTest *const tests[] = {
		a_request_goes_to_the_daemon_that_is_named,
		every_request_follows,
		a_take_with_count_goes_on_with_what_is_left,
		an_address_that_leads_nowhere_is_the_requests_error,
		who_asks_over_tls_is_not_led_away_from_it,
		daemons_that_disagree_are_asked_more_and_more_slowly,
		no_more_daemons_are_asked_than_there_can_be,
		what_is_known_of_many_groups_is_bounded,
		what_nobody_has_is_asked_for_again_in_the_requests_time,
		while_nobody_has_one_group_the_others_go_on,
		an_ack_goes_to_who_has_given_the_lease,
		ephemeral_channels_are_made_anew_where_their_group_is,
		NULL,
	};

	suite_case(suite, "machine", network_setup, network_teardown, tests);
	return suite_run(suite);
}
