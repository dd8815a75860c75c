/* The configuration: what only the whole can tell, and the order of channels. */
#include <stdlib.h>

#include "tests/lib/config_fixture.h"
#include "tests/lib/suite.h"

#define OPEN_BY(scheme)                                                                                                \
	" can be reached from other machines, without TLS and without login; expected " scheme ":// and users, or "    \
	"127.0.0.1, [::1] or a Unix socket, or "                                                                       \
	"`insecure: true` (--set insecure=true) if that is meant"
#define OPEN OPEN_BY("tls")

START_TEST(beyond_loopback_only_if_insecure)
{
	set("listen=[tcp://127.0.0.1:1, 'tcp://[::]:7223']");
	expect_check("listen: tcp://[::]:7223" OPEN);
	set("listen=tcp://0.0.0.0:7223");
	expect_check("listen: tcp://0.0.0.0:7223" OPEN);
	set("insecure=true");
	expect_checked();
	set("insecure=false");
	set("listen=unix:///a");
	expect_checked();
	set("http=192.0.2.1:80");
	expect_check("http: 192.0.2.1:80" OPEN_BY("https"));
	set("insecure=true");
	expect_checked();
}
END_TEST

START_TEST(an_address_only_once)
{
	set("listen=[tcp://localhost:1, unix:///a, tcp://localhost:1]");
	expect_check("listen: tcp://localhost:1 is there twice; expected it once");
	set("listen=[unix:///a, unix:///a]");
	expect_check("listen: unix:///a is there twice; expected it once");
	set("listen=[tcp://127.0.0.1:0, tcp://127.0.0.1:0]");
	expect_checked();
	set("listen=tcp://127.0.0.1:7224");
	expect_checked(); /* nobody asked for HTTP there: it gives way */
	set("http=127.0.0.1:7224");
	expect_check("http: 127.0.0.1:7224 is listened on already; expected another port, or none");
}
END_TEST

START_TEST(limits_against_one_another)
{
	set("limits={max_memory: 1MiB, max_frame: 1MiB}");
	expect_checked();
	set("limits.max_frame=1048577");
	expect_check("limits: max_memory is less than max_frame; expected room for one frame at least");
	set("limits.max_frame=1MiB");
	set("limits.max_channels=1");
	set("channels.a.kind=promise");
	expect_checked();
	set("channels.b.kind=promise");
	expect_check("channels: 2 of them; expected at most limits.max_channels, which is 1");
}
END_TEST

START_TEST(dead_letters_go_to_a_bounded_channel_that_is_there)
{
	set("channels.jobs.kind=bounded");
	set("channels.jobs.capacity=2");
	set("channels.jobs.max_deliveries=3");
	expect_check("channels: \"jobs\": max_deliveries and dead_letter come together; expected both, or none");
	set("channels.jobs.dead_letter=failed");
	expect_check(
		"channels: \"jobs\": dead_letter: \"failed\" is not there; expected a channel of this configuration");
	set("channels.failed={kind: sliding, capacity: 2}");
	expect_check("channels: \"jobs\": dead_letter: \"failed\" is not bounded; expected a bounded channel");
	set("channels.failed={kind: bounded, capacity: 9}");
	expect_checked();
	ck_assert_uint_eq(config.channels[0].max_deliveries, 3);
	ck_assert_str_eq(config.channels[0].dead_letter, "failed");
	set("channels.failed={kind: bounded, capacity: 9, max_deliveries: 1, dead_letter: jobs}");
	expect_check("channels: \"jobs\": dead_letter: \"jobs\" leads back, or too far; expected an end after at most "
		     "16 channels");
	expect_refused("channels.jobs={kind: promise, max_deliveries: 1, dead_letter: failed}",
		       "--set channels.jobs={kind: promise, max_deliveries: 1, dead_letter: failed}: channel \"jobs\": "
		       "a promise is never leased; "
		       "expected no max_deliveries");
}
END_TEST

START_TEST(channels_are_created_after_those_of_their_dead_letters)
{
	set("channels={a: {kind: bounded, capacity: 1, max_deliveries: 1, dead_letter: b}, b: {kind: bounded, "
	    "capacity: 1, max_deliveries: 1, dead_letter: c}, "
	    "c: {kind: bounded, capacity: 1}, d: {kind: promise}}");
	size_t *order = config_channel_order(&config, config_error);
	ck_assert_ptr_nonnull(order);
	const size_t expected[] = {2, 3, 1, 0};
	ck_assert_mem_eq(order, expected, sizeof(expected));
	free(order);
}
END_TEST

int main(void)
{
	const TTest *const checks[] = {beyond_loopback_only_if_insecure,
				       an_address_only_once,
				       limits_against_one_another,
				       dead_letters_go_to_a_bounded_channel_that_is_there,
				       channels_are_created_after_those_of_their_dead_letters,
				       NULL};
	Suite *suite = suite_create("config as a whole");
	suite_case(suite, "check", config_setup, config_teardown, checks);
	return suite_run(suite);
}
