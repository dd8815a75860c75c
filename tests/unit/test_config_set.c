/* The configuration: the command line's overrides. */
#include <string.h>

#include "tests/lib/config_fixture.h"
#include "tests/lib/suite.h"

START_TEST(set_simple_keys)
{
	set("limits.max_frame=2MiB");
	set("insecure=true");
	set("spin_us=50");
	ck_assert_uint_eq(config.spin_us, 50);
	set("http=[::1]:7224"); /* which YAML alone would read as a list */
	ck_assert(config.has_http);
	set("http=none");
	set("listen=[unix:///a, tcp://h:1]");
	ck_assert_uint_eq(config.limits.max_frame, 2097152);
	ck_assert(config.insecure && !config.has_http);
	ck_assert_uint_eq(config.n_listen, 2);
	ck_assert_str_eq(config.listen[0].host, "/a");
	set("http=127.0.0.1:1");
	ck_assert(config.has_http && !config.http_is_default);
	ck_assert_uint_eq(config.http.port, 1);
	set("limits={max_output: 128KiB, max_inflight: 7}");
	ck_assert_uint_eq(config.limits.max_output, 131072);
	ck_assert_uint_eq(config.limits.max_inflight, 7);
	ck_assert_uint_eq(config.limits.max_frame, 2097152);
}
END_TEST

START_TEST(set_a_channel_member_by_member)
{
	set("channels.jobs.kind=bounded");
	expect_check("channels: \"jobs\": this kind needs a capacity; expected a whole number, 1 to 100000000");
	set("channels.jobs.capacity=3");
	set("channels.jobs.max_waiters=9");
	expect_checked();
	ck_assert_uint_eq(config.n_channels, 1);
	ck_assert_str_eq(config.channels[0].name, "jobs");
	ck_assert_int_eq(config.channels[0].kind, CONFIG_BOUNDED);
	ck_assert_uint_eq(config.channels[0].capacity, 3);
	ck_assert_uint_eq(config.channels[0].max_waiters, 9);
}
END_TEST

START_TEST(set_the_capacity_before_the_kind)
{
	set("channels.jobs.capacity=3");
	expect_check("channels: \"jobs\": a channel needs a kind; expected unbuffered, bounded, dropping, sliding or "
		     "promise");
	set("channels.jobs.kind=sliding");
	expect_checked();
	ck_assert_uint_eq(config.channels[0].capacity, 3);
}
END_TEST

START_TEST(set_names_with_dots)
{
	set("channels.a.b.c.kind=promise");
	set("channels.d.e={kind: bounded, capacity: 2}");
	expect_checked();
	ck_assert_uint_eq(config.n_channels, 2);
	ck_assert_str_eq(config.channels[0].name, "a.b.c");
	ck_assert_uint_eq(config.channels[0].capacity, 1);
	ck_assert_str_eq(config.channels[1].name, "d.e");
	ck_assert_uint_eq(config.channels[1].capacity, 2);
}
END_TEST

START_TEST(set_another_kind_settles_the_capacity)
{
	set("channels={a: {kind: bounded, capacity: 5}}");
	set("channels.a.kind=dropping");
	ck_assert_uint_eq(config.channels[0].capacity, 5);
	set("channels.a.kind=promise");
	ck_assert_uint_eq(config.channels[0].capacity, 1);
	expect_checked();
	set("channels.a.kind=bounded");
	expect_check("channels: \"a\": this kind needs a capacity; expected a whole number, 1 to 100000000");
	set("channels.a.kind=unbuffered");
	expect_checked();
	set("channels.a.capacity=4");
	expect_check("channels: \"a\": an unbuffered channel has no capacity; expected none");
	set("channels.a.kind=promise");
	set("channels.a.capacity=4");
	expect_check("channels: \"a\": a promise holds one value; expected no capacity");
}
END_TEST

START_TEST(set_refuses_and_names_the_assignment)
{
	expect_refused("limits.max_fram=1",
		       "--set limits.max_fram=1: unknown key \"max_fram\"; did you mean \"max_frame\"?");
	expect_refused("limits.max_frame=1", "--set limits.max_frame=1: \"1\" is not possible; expected bytes (such as "
					     "65536, 64KiB, 16MiB, 2GiB), 64KiB to 16777215");
	expect_refused("limit.max_frame=1",
		       "--set limit.max_frame=1: unknown key \"limit.max_frame\"; expected one of listen, http, "
		       "insecure, http_hosts, log, log_level, spin_us, limits, journal, cluster, channels, taps, tls, "
		       "users, user, "
		       "users_file");
	expect_refused("insecure", "--set insecure: expected KEY=VALUE, such as limits.max_frame=2MiB");
	expect_refused("=true", "--set =true: expected KEY=VALUE, such as limits.max_frame=2MiB");
	expect_refused("insecure=", "--set insecure=: expected a value behind the =");
	expect_refused("insecure=[", "--set insecure=[: did not find expected node content; expected YAML");
	expect_refused("insecure=&a true",
		       "--set insecure=&a true: anchor \"a\"; expected a configuration without anchors");
	expect_refused("limits=3", "--set limits=3: limits is not a mapping; expected keys with values");
	expect_refused("channels.a=3", "--set channels.a=3: a is not a mapping; expected keys with values");
	expect_refused("channels.a.knd=promise",
		       "--set channels.a.knd=promise: unknown key \"knd\"; did you mean \"kind\"?");
	expect_refused("channels.a={kind: bounded}", "--set channels.a={kind: bounded}: channel \"a\": this kind needs "
						     "a capacity; expected a whole number, 1 to 100000000");
	expect_refused("channels._a.kind=promise", "--set channels._a.kind=promise: \"_a\" begins with _: such names "
						   "are the daemon's own; expected another");
	ck_assert_uint_eq(config.n_channels, 0);
	ck_assert_int_eq(config_set(&config, "a\nb=1", config_error), -1);
	ck_assert_ptr_null(strchr(config_error, '\n'));
	ck_assert_int_eq(config_set(&config, "a\nb", config_error), -1);
	ck_assert_ptr_null(strchr(config_error, '\n'));
}
END_TEST

START_TEST(the_journal_is_set_and_checked)
{
	set("journal={path: /var/lib/millrace/, segment: 2MiB, max_batch: 512KiB}");
	expect_checked();
	ck_assert_str_eq(config.journal.path, "/var/lib/millrace");
	ck_assert_uint_eq(config.journal.segment, 2 << 20);
	ck_assert_uint_eq(config.journal.max_batch, 512 << 10);
	ck_assert_uint_eq(config.journal.max_delay_us, 0);
	set("journal.max_delay_us=200");
	ck_assert_uint_eq(config.journal.max_delay_us, 200);
	set("channels.a={kind: bounded, capacity: 1, durable: true}");
	expect_checked();
	set("journal.max_batch=513KiB");
	expect_check("journal: a segment has to hold four batches; expected segment to be at least 2101248, or a "
		     "smaller max_batch");
	expect_refused("journal.path=here", "--set journal.path=here: \"here\" is no absolute path of a folder; "
					    "expected one such as /var/lib/millrace");
	expect_refused("journal.pth=/a", "--set journal.pth=/a: unknown key \"pth\"; did you mean \"path\"?");
}
END_TEST

START_TEST(a_durable_channel_needs_a_journal)
{
	set("channels.a={kind: bounded, capacity: 1, durable: true}");
	expect_check("channels: \"a\" is durable, and there is no journal; expected `journal: {path: "
		     "/var/lib/millrace}`, or a cluster");
	set("journal.path=/a");
	expect_checked();
	ck_assert_uint_eq(config.journal.segment, 64 << 20);
	ck_assert_uint_eq(config.journal.max_batch, 1 << 20);
}
END_TEST

START_TEST(listen_replaces_and_then_adds)
{
	ck_assert_int_eq(config_set(&config, "listen=[unix:///a, unix:///b]", config_error), 0);
	ck_assert_int_eq(config_set_listen(&config, "tcp://[::1]:1", true, config_error), 0);
	ck_assert_uint_eq(config.n_listen, 1);
	ck_assert_str_eq(config.listen[0].host, "::1");
	for (int i = 1; i < MAX_LISTENERS; i++)
		ck_assert_int_eq(config_set_listen(&config, "tcp://127.0.0.1:0", false, config_error), 0);
	ck_assert_uint_eq(config.n_listen, MAX_LISTENERS);
	ck_assert_int_eq(config_set_listen(&config, "tcp://127.0.0.1:0", false, config_error), -1);
	ck_assert_str_eq(config_error, "--listen: more than 16 addresses");
	ck_assert_int_eq(config_set_listen(&config, "7223", true, config_error), -1);
	ck_assert_str_eq(
		config_error,
		"--listen: \"7223\" is not an address; expected tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH");
	ck_assert_uint_eq(config.n_listen, MAX_LISTENERS);
	expect_checked();
}
END_TEST

START_TEST(http_is_set_by_the_command_line)
{
	ck_assert_int_eq(config_set_http(&config, "[::1]:0", config_error), 0);
	ck_assert(config.has_http && !config.http_is_default);
	ck_assert_str_eq(config.http.host, "::1");
	ck_assert_int_eq(config_set_http(&config, "none", config_error), 0);
	ck_assert(!config.has_http);
	ck_assert_int_eq(config_set_http(&config, "nowhere", config_error), -1);
	ck_assert_str_eq(config_error,
			 "--http: \"nowhere\" lacks a port; expected HOST:PORT with a port of 0 to 65535, or none");
	ck_assert(!config.has_http);
}
END_TEST

int main(void)
{
	const TTest *const sets[] = {set_simple_keys,
				     set_a_channel_member_by_member,
				     set_the_capacity_before_the_kind,
				     set_names_with_dots,
				     set_another_kind_settles_the_capacity,
				     set_refuses_and_names_the_assignment,
				     the_journal_is_set_and_checked,
				     a_durable_channel_needs_a_journal,
				     listen_replaces_and_then_adds,
				     http_is_set_by_the_command_line,
				     NULL};
	Suite *suite = suite_create("config from the command line");
	suite_case(suite, "set", config_setup, config_teardown, sets);
	return suite_run(suite);
}
