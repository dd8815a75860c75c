/* The configuration: the command line's overrides, what only the whole can tell, and files, the sample among them. */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/suite.h"

static struct config config;
static char error[CONFIG_ERROR_BYTES];

static void setup(void)
{
	ck_assert_int_eq(config_init(&config), 0);
	strcpy(error, "no error");
}

static void teardown(void)
{
	config_finish(&config);
}

static void set(const char *assignment)
{
	if (config_set(&config, assignment, error) < 0)
		ck_abort_msg("%s was refused: %s", assignment, error);
}

static void expect_refused(const char *assignment, const char *expected)
{
	ck_assert_msg(config_set(&config, assignment, error) == -1, "%s was accepted; expected %s", assignment,
		      expected);
	ck_assert_str_eq(error, expected);
}

static void expect_check(const char *expected)
{
	ck_assert_msg(config_check(&config, error) == -1, "was accepted; expected %s", expected);
	ck_assert_str_eq(error, expected);
}

static void expect_checked(void)
{
	ck_assert_msg(config_check(&config, error) == 0, "was refused: %s", error);
}

/* -- set -- */

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
	ck_assert_int_eq(config_set(&config, "a\nb=1", error), -1);
	ck_assert_ptr_null(strchr(error, '\n'));
	ck_assert_int_eq(config_set(&config, "a\nb", error), -1);
	ck_assert_ptr_null(strchr(error, '\n'));
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
				    error),
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

START_TEST(listen_replaces_and_then_adds)
{
	ck_assert_int_eq(config_set(&config, "listen=[unix:///a, unix:///b]", error), 0);
	ck_assert_int_eq(config_set_listen(&config, "tcp://[::1]:1", true, error), 0);
	ck_assert_uint_eq(config.n_listen, 1);
	ck_assert_str_eq(config.listen[0].host, "::1");
	for (int i = 1; i < MAX_LISTENERS; i++)
		ck_assert_int_eq(config_set_listen(&config, "tcp://127.0.0.1:0", false, error), 0);
	ck_assert_uint_eq(config.n_listen, MAX_LISTENERS);
	ck_assert_int_eq(config_set_listen(&config, "tcp://127.0.0.1:0", false, error), -1);
	ck_assert_str_eq(error, "--listen: more than 16 addresses");
	ck_assert_int_eq(config_set_listen(&config, "7223", true, error), -1);
	ck_assert_str_eq(
		error,
		"--listen: \"7223\" is not an address; expected tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH");
	ck_assert_uint_eq(config.n_listen, MAX_LISTENERS);
	expect_checked();
}
END_TEST

START_TEST(http_is_set_by_the_command_line)
{
	ck_assert_int_eq(config_set_http(&config, "[::1]:0", error), 0);
	ck_assert(config.has_http && !config.http_is_default);
	ck_assert_str_eq(config.http.host, "::1");
	ck_assert_int_eq(config_set_http(&config, "none", error), 0);
	ck_assert(!config.has_http);
	ck_assert_int_eq(config_set_http(&config, "nowhere", error), -1);
	ck_assert_str_eq(error,
			 "--http: \"nowhere\" lacks a port; expected HOST:PORT with a port of 0 to 65535, or none");
	ck_assert(!config.has_http);
}
END_TEST

/* -- check -- */

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

/* -- Files -- */

/* Tests run from the top of the tree. */
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
	size_t *order = config_channel_order(&config, error);
	ck_assert_ptr_nonnull(order);
	const size_t expected[] = {2, 3, 1, 0};
	ck_assert_mem_eq(order, expected, sizeof(expected));
	free(order);
}
END_TEST

START_TEST(the_sample_is_good_and_says_the_defaults)
{
	struct config fresh;
	ck_assert_int_eq(config_init(&fresh), 0);
	ck_assert_msg(config_load(&config, "config/millraced.yaml", error) == 0, "%s", error);
	expect_checked();
	ck_assert_mem_eq(&config.limits, &fresh.limits, sizeof(fresh.limits));
	ck_assert_uint_eq(config.n_listen, 1);
	ck_assert_str_eq(config.listen[0].host, fresh.listen[0].host);
	ck_assert_uint_eq(config.listen[0].port, fresh.listen[0].port);
	ck_assert(config.has_http);
	ck_assert_str_eq(config.http.host, fresh.http.host);
	ck_assert_uint_eq(config.http.port, fresh.http.port);
	ck_assert_int_eq(config.insecure, fresh.insecure);
	ck_assert_uint_eq(config.n_channels, 5);
	config_finish(&fresh);
}
END_TEST

START_TEST(the_sample_names_every_limit)
{
	static const char *const names[] = {
#define LIMIT(field, unit, fallback, lowest, highest) "\n  " #field ": ",
		LIMITS(LIMIT)
#undef LIMIT
	};
	static char text[64 * 1024];
	FILE *file = fopen("config/millraced.yaml", "r");
	ck_assert_ptr_nonnull(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(strstr(text, names[i]) != NULL, "the sample lacks%s", names[i]);
}
END_TEST

START_TEST(the_containers_file_is_good)
{
	ck_assert_msg(config_load(&config, "docker/millraced.yaml", error) == 0, "%s", error);
	expect_checked();
	ck_assert(config.insecure && config.has_http && config.n_http_hosts == 1);
	ck_assert_str_eq(config.listen[0].host, "0.0.0.0");
}
END_TEST

START_TEST(files_that_cannot_be_read)
{
	ck_assert_int_eq(config_load(&config, "/nonexistent/f.yaml", error), -1);
	ck_assert_str_eq(error, "/nonexistent/f.yaml: cannot be read: No such file or directory");
	ck_assert_int_eq(config_load(&config, "/", error), -1);
	ck_assert_str_eq(error, "/: cannot be read: Is a directory");
}
END_TEST

START_TEST(a_file_is_named_in_its_errors)
{
	char path[] = "/tmp/millrace-config-XXXXXX", expected[100];
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "\nhtpp: none\n", 12), 12);
	close(fd);
	ck_assert_int_eq(config_load(&config, path, error), -1);
	snprintf(expected, sizeof(expected), "%s:2:1: unknown key \"htpp\"; did you mean \"http\"?", path);
	unlink(path);
	ck_assert_str_eq(error, expected);
}
END_TEST

int main(void)
{
	const TTest *const sets[] = {
		set_simple_keys,
		set_a_channel_member_by_member,
		set_the_capacity_before_the_kind,
		set_names_with_dots,
		set_another_kind_settles_the_capacity,
		set_refuses_and_names_the_assignment,
		the_journal_is_set_and_checked,
		a_durable_channel_needs_a_journal,
		a_cluster_is_set,
		a_cluster_is_compared,
		a_cluster_that_lacks_something_is_refused,
		nothing_leads_from_group_to_group,
		listen_replaces_and_then_adds,
		http_is_set_by_the_command_line,
		NULL,
	};
	const TTest *const checks[] = {beyond_loopback_only_if_insecure,
				       an_address_only_once,
				       limits_against_one_another,
				       dead_letters_go_to_a_bounded_channel_that_is_there,
				       channels_are_created_after_those_of_their_dead_letters,
				       NULL};
	const TTest *const files[] = {
		the_sample_is_good_and_says_the_defaults,
		the_sample_names_every_limit,
		the_containers_file_is_good,
		files_that_cannot_be_read,
		a_file_is_named_in_its_errors,
		NULL,
	};
	Suite *suite = suite_create("config from the command line and from files");
	suite_case(suite, "set", setup, teardown, sets);
	suite_case(suite, "check", setup, teardown, checks);
	suite_case(suite, "files", setup, teardown, files);
	return suite_run(suite);
}
