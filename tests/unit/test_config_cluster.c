/* The configuration of a cluster: set, compared, and what it must not lack. */
#include <string.h>

#include "tests/lib/config_fixture.h"
#include "tests/lib/suite.h"

/* A cluster that lacks nothing. */
static void set_cluster(void)
{
	set("cluster={name: a, endpoints: [http://127.0.0.1:2379, 'http://[::1]:2379'], advertise: tcp://host:7223}");
}

START_TEST(a_cluster_is_set)
{
	ck_assert(!config.cluster.is_there);
	set_cluster();
	expect_checked();
	ck_assert(config.cluster.is_there);
	ck_assert_str_eq(config.cluster.name, "a");
	ck_assert_uint_eq(config.cluster.n_endpoints, 2);
	ck_assert_str_eq(config.cluster.endpoints[1], "http://[::1]:2379");
	ck_assert_uint_eq(config.cluster.ttl_ms, 3000);
	ck_assert_str_eq(config.cluster.prefix, "/millrace");
	set("cluster.name=b-2");
	set("cluster.prefix=/x/y/");
	set("cluster.advertise_http=https://host:7224");
	set("cluster.ttl_ms=5s");
	set("cluster.groups={orders: a, default: b-2}");
	set("cluster.groups.orders=c");
	set("cluster.groups.a.b=c");
	set("cluster.user=root");
	set("cluster.password_file=/p");
	set("channels.j={kind: bounded, capacity: 1, durable: true}"); /* without a journal */
	expect_checked();
	ck_assert_str_eq(config.cluster.name, "b-2");
	ck_assert_str_eq(config.cluster.prefix, "/x/y");
	ck_assert_str_eq(config.cluster.advertise_http, "https://host:7224");
	ck_assert_uint_eq(config.cluster.ttl_ms, 5000);
	ck_assert_uint_eq(config.cluster.n_groups, 3);
	ck_assert_str_eq(config.cluster.groups[0].name, "orders");
	ck_assert_str_eq(config.cluster.groups[0].daemon, "c");
	ck_assert_str_eq(config.cluster.groups[2].name, "a.b");
}
END_TEST

START_TEST(a_cluster_is_compared)
{
	struct config same;
	ck_assert_int_eq(config_init(&same), 0);
	set_cluster();
	set("cluster.groups={g: a}");
	ck_assert(!cluster_config_equal(&config.cluster, &same.cluster));
	ck_assert_int_eq(config_set(&same,
				    "cluster={name: a, endpoints: [http://127.0.0.1:2379, 'http://[::1]:2379'], "
				    "advertise: tcp://host:7223, groups: {g: a}}",
				    config_error),
			 0);
	ck_assert(cluster_config_equal(&config.cluster, &same.cluster));
	set("cluster.groups.g=b");
	ck_assert(!cluster_config_equal(&config.cluster, &same.cluster));
	config_finish(&same);
}
END_TEST

START_TEST(a_cluster_that_lacks_something_is_refused)
{
	set("cluster={}");
	expect_check("cluster: this daemon has no name; expected `name: a`, another one for each daemon");
	set("cluster.name=a");
	expect_check("cluster: there is no etcd; expected `endpoints: [http://host:2379, ...]`");
	set("cluster.endpoints=http://host:2379");
	expect_check("cluster: the others do not know where this daemon is; expected `advertise: tcp://host:7223`");
	set("cluster.advertise=tcp://host:7223");
	expect_checked();
	set("cluster.tls={ca: /ca}");
	expect_check("cluster: only https endpoints have certificates; expected https://HOST:PORT, or no tls");
	set("cluster.endpoints=[https://h:1, http://i:1]");
	expect_check("cluster: some endpoints are https and some are not; expected all or none");
	set("cluster.endpoints=[https://h:1]");
	expect_checked();
	set("cluster.tls={ca: /ca, cert: /c}");
	expect_check("cluster: a certificate and its key belong together; expected both in tls, or none");
	set("cluster.tls={}");
	set("cluster.user=root");
	expect_check("cluster: a user of etcd has a password; expected both user and password_file, or none");
	set("cluster.password_file=/p");
	set("journal.path=/j");
	expect_check("cluster: there is a journal too, and in a cluster etcd keeps what is durable; expected one of "
		     "the two");
}
END_TEST

START_TEST(nothing_leads_from_group_to_group)
{
	set("channels.{a}dead={kind: bounded, capacity: 1}");
	set("channels.{b}jobs={kind: bounded, capacity: 1, max_deliveries: 2, dead_letter: '{a}dead'}");
	set("taps=[{from: '{a}dead', to: '{b}jobs'}]");
	expect_checked(); /* alone there are no groups */
	set_cluster();
	expect_check("channels: dead letters from \"{b}jobs\" to \"{a}dead\" leads from one group of the cluster to "
		     "another; expected both names to have the same in braces, or none");
	set("channels.{b}jobs={kind: bounded, capacity: 1}");
	expect_check("taps: a tap from \"{a}dead\" to \"{b}jobs\" leads from one group of the cluster to another; "
		     "expected both names to have the same in braces, or none");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {a_cluster_is_set, a_cluster_is_compared,
				      a_cluster_that_lacks_something_is_refused, nothing_leads_from_group_to_group,
				      NULL};
	Suite *suite = suite_create("config of a cluster");
	suite_case(suite, "cluster", config_setup, config_teardown, tests);
	return suite_run(suite);
}
