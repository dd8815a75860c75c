/* The configuration: texts that are refused, in which words at which place, and that they change nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/config_fixture.h"
#include "tests/lib/suite.h"

static const struct {
	const char *text, *error;
} bad_rows[] = {
	/* Not YAML, or not this YAML. */
	{"a: [1\n", "f:2:1: did not find expected ',' or ']'; expected YAML"},
	{"# h\xc3\xa9 \x01", "f:1:6: control characters are not allowed; expected YAML in UTF-8"},
	{"http: none\nlisten: \xff", "f:2:9: invalid leading UTF-8 octet; expected YAML in UTF-8"},
	{"--- {}\n--- {}\n", "f:2:1: a second document; expected one"},
	{"limits: &a {}\n", "f:1:9: anchor \"a\"; expected a configuration without anchors"},
	{"limits: *a\n", "f:1:9: alias \"a\"; expected a configuration without aliases"},
	{"http: !!str none\n", "f:1:7: tag \"tag:yaml.org,2002:str\"; expected a configuration without tags"},
	{"[[[[[[[[[]]]]]]]]]", "f:1:9: nested too deep; expected at most 8 levels"},
	{"3", "f:1:1: a configuration is not a mapping; expected keys with values"},
	{"- listen\n", "f:1:1: a configuration is not a mapping; expected keys with values"},
	{"[a]: 1", "f:1:1: a list is not possible here; expected a key"},
	{"\"http\\0\": none", "f:1:1: a text with a NUL in it; expected a key"},
	/* Keys. */
	{"http: none\nlimit: {}\n", "f:2:1: unknown key \"limit\"; did you mean \"limits\"?"},
	{"colour: red\n", "f:1:1: unknown key \"colour\"; expected one of listen, http, insecure, http_hosts, log, "
			  "log_level, spin_us, limits, journal, cluster, channels, taps, tls, users, user, users_file"},
	{"\"a\\nb and more\": 1\n",
	 "f:1:1: unknown key \"a?b and more\"; expected one of listen, http, insecure, http_hosts, log, log_level, "
	 "spin_us, limits, journal, cluster, channels, taps, tls, users, user, users_file"},
	{"http: none\nhttp: none\n", "f:2:1: \"http\" is there twice; expected it once"},
	{"limits:\n  max_fram: 1MiB\n", "f:2:3: unknown key \"max_fram\"; did you mean \"max_frame\"?"},
	{"limits: {max_memroy: 1MiB}", "f:1:10: unknown key \"max_memroy\"; did you mean \"max_memory\"?"},
	{"limits: {max_inflight: 1, max_inflight: 2}", "f:1:27: \"max_inflight\" is there twice; expected it once"},
	{"limits: 3\n", "f:1:9: limits is not a mapping; expected keys with values"},
	{"limits: ''\n", "f:1:9: limits is not a mapping; expected keys with values"},
	/* Values. */
	{"spin_us: 1001\n", "f:1:10: \"1001\" is not possible; expected a whole number, 0 to 1000"},
	{"insecure: yes\n", "f:1:11: \"yes\" is not possible; expected true or false"},
	{"insecure: \"true\"\n", "f:1:11: \"true\" is not possible; expected true or false"},
	{"insecure: [true]\n", "f:1:11: a list is not possible here; expected true or false"},
	{"limits: {max_connections: 1KiB}", "f:1:27: \"1KiB\" is not possible; expected a whole number, 1 to 1000000"},
	{"limits: {max_connections: -1}", "f:1:27: \"-1\" is not possible; expected a whole number, 1 to 1000000"},
	{"limits: {max_connections: 1.0}", "f:1:27: \"1.0\" is not possible; expected a whole number, 1 to 1000000"},
	{"limits: {max_connections: }", "f:1:27: \"\" is not possible; expected a whole number, 1 to 1000000"},
	{"limits: {max_connections: '1'}", "f:1:27: \"1\" is quoted, which makes it a text; expected a whole number"},
	{"limits: {max_connections: {}}", "f:1:27: a mapping is not possible here; expected a whole number"},
	{"limits: {max_output: 18446744073709551616}", "f:1:22: \"18446744073709551616\" is not possible; expected "
						       "bytes (such as 65536, 64KiB, 16MiB, 2GiB), 64KiB to 1GiB"},
	{"limits: {max_output: 17179869185GiB}", "f:1:22: \"17179869185GiB\" is not possible; expected bytes (such as "
						 "65536, 64KiB, 16MiB, 2GiB), 64KiB to 1GiB"},
	{"limits: {max_output: 1 MiB}",
	 "f:1:22: \"1 MiB\" is not possible; expected bytes (such as 65536, 64KiB, 16MiB, 2GiB), 64KiB to 1GiB"},
	{"limits: {max_output: 1MB}",
	 "f:1:22: \"1MB\" is not possible; expected bytes (such as 65536, 64KiB, 16MiB, 2GiB), 64KiB to 1GiB"},
	/* Addresses. */
	{"listen: []", "f:1:9: 0 addresses to listen on; expected 1 to 16"},
	{"listen: [a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a]", "f:1:9: 17 addresses to listen on; expected 1 to 16"},
	{"listen: {}", "f:1:9: a listener without an address; expected {address: tls://HOST:PORT, ...}"},
	{"listen: 127.0.0.1:7223",
	 "f:1:9: \"127.0.0.1:7223\" is not an address; expected tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH"},
	{"listen:\n- unix:///a\n- tcp://h\n",
	 "f:3:3: \"tcp://h\" lacks a port; expected HOST:PORT with a port of 0 to 65535"},
	{"listen: tcp://h:65536",
	 "f:1:9: \"tcp://h:65536\" lacks a port; expected HOST:PORT with a port of 0 to 65535"},
	{"listen: 'tcp://h:'", "f:1:9: \"tcp://h:\" lacks a port; expected HOST:PORT with a port of 0 to 65535"},
	{"listen: tcp://:1", "f:1:9: \"tcp://:1\" lacks a host; expected 127.0.0.1, or 0.0.0.0 for every interface"},
	{"listen: tcp://::1:1", "f:1:9: \"tcp://::1:1\" has an IPv6 address without brackets; expected [IPV6]:PORT"},
	{"listen: tcp://[::1:1", "f:1:9: \"tcp://[::1:1\" has no ']' before the port; expected [IPV6]:PORT"},
	{"listen: unix://a",
	 "f:1:9: \"unix://a\" is not a Unix socket's address; expected unix:///PATH with an absolute path"},
	{"listen: \"unix:///a\\nb\"",
	 "f:1:9: \"unix:///a?b\" has a control character; expected tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH"},
	{"http: tcp://h:1",
	 "f:1:7: \"tcp://h:1\" has a scheme that is not HTTP's; expected HOST:PORT or https://HOST:PORT, or none"},
	{"http: 7224", "f:1:7: \"7224\" lacks a port; expected HOST:PORT with a port of 0 to 65535, or none"},
	/* TLS and users. */
	{"listen: {address: tls://h:1, crt: a}", "f:1:30: unknown key \"crt\"; did you mean \"cert\"?"},
	{"listen: {address: tls://h:1, cert: ''}", "f:1:36: there is no file; expected a path"},
	{"listen: {cert: a}", "f:1:9: a listener without an address; expected {address: tls://HOST:PORT, ...}"},
	{"tls: {client_certificates: maybe}", "f:1:28: \"maybe\" is not possible; expected none, optional or required"},
	{"users: {a: {put: x}}", "f:1:9: user \"a\" could never log in; expected a token, a certificate or a uid"},
	{"users: {-a: {uid: 1}}",
	 "f:1:9: \"-a\" is not a user's name; expected 1 to 128 of A-Z a-z 0-9 . _ : { } - with neither . nor - first"},
	{"users: {a: {uid: -1}}", "f:1:18: \"-1\" is not possible; expected a whole number, 0 to 4294967294"},
	{"users: {a: {token: mrt_12}}",
	 "f:1:20: a token itself; expected sha256:SALT:HASH, as `millrace token` prints it"},
	{"users: {a: {token: "
	 "'sha256:00000000000000000000000000000000:111111111111111111111111111111111111111111111111111111111111111'}}",
	 "f:1:20: not a token's hash; expected sha256:SALT:HASH, as `millrace token` prints it"},
	{"users: {a: {token: "
	 "'sha256:00000000000000000000000000000000:111111111111111111111111111111111111111111111111111111111111111g'}}",
	 "f:1:20: not a token's hash; expected sha256:SALT:HASH, as `millrace token` prints it"},
	{"users: {a: {token: "
	 "'SHA256:00000000000000000000000000000000:1111111111111111111111111111111111111111111111111111111111111111'}}",
	 "f:1:20: not a token's hash; expected sha256:SALT:HASH, as `millrace token` prints it"},
	{"users: {a: {certificate: worker}}", "f:1:26: \"worker\" names no certificate; expected a whole subject "
					      "(CN=worker,O=Example), or DNS:, URI: or email: with a name"},
	{"users: {a: {uid: 1, take: ['']}}",
	 "f:1:28: \"\" is no pattern; expected 1 to 256 bytes, such as jobs, \"jobs.*\" or \"*\""},
	{"users: {a: {uid: 1, takes: x}}", "f:1:21: unknown key \"takes\"; did you mean \"take\"?"},
	{"users: {a: {uid: 1, max_memory: 0}}",
	 "f:1:33: \"0\" is not possible; expected bytes (such as 65536, 64KiB, 16MiB, 2GiB), 1 to 1024GiB"},
	{"user: ''", "f:1:7: there is nothing; expected a text"},
	/* The journal. */
	{"journal: here", "f:1:10: journal is not a mapping; expected keys with values"},
	{"journal: {path: here}",
	 "f:1:17: \"here\" is no absolute path of a folder; expected one such as /var/lib/millrace"},
	{"journal: {path: //}",
	 "f:1:17: \"//\" is no absolute path of a folder; expected one such as /var/lib/millrace"},
	{"journal: {paths: /a}", "f:1:11: unknown key \"paths\"; did you mean \"path\"?"},
	{"journal: {fsync: no}",
	 "f:1:11: unknown key \"fsync\"; expected one of path, segment, max_batch, max_delay_us"},
	{"journal: {segment: 1023KiB}", "f:1:20: \"1023KiB\" is not possible; expected bytes (such as 65536, 64KiB, "
					"16MiB, 2GiB), 1MiB to 1GiB"},
	{"journal: {max_batch: 1KiB}", "f:1:22: \"1KiB\" is not possible; expected bytes (such as 65536, 64KiB, "
				       "16MiB, 2GiB), 4KiB to 64MiB"},
	{"journal: {max_delay_us: 1ms}", "f:1:25: \"1ms\" is not possible; expected a whole number, 0 to 1000000"},
	/* The cluster. */
	{"cluster: here", "f:1:10: cluster is not a mapping; expected keys with values"},
	{"cluster: {nam: a}", "f:1:11: unknown key \"nam\"; did you mean \"name\"?"},
	{"cluster: {name: a/b}", "f:1:17: \"a/b\" is not a daemon's name; expected 1 to 64 of A-Z a-z 0-9 . _ -"},
	{"cluster: {endpoints: []}", "f:1:22: 0 addresses of etcd; expected 1 to 16"},
	{"cluster: {endpoints: host:2379}",
	 "f:1:22: \"host:2379\" is not an address that others can ask; expected one such as http://host:2379 or "
	 "https://host:2379"},
	{"cluster: {endpoints: [http://h:1, http://h:1]}", "f:1:35: http://h:1 is there twice; expected it once"},
	{"cluster: {prefix: millrace}",
	 "f:1:19: \"millrace\" is not a prefix of keys; expected one such as /millrace, of A-Z a-z 0-9 . _ - and /"},
	{"cluster: {prefix: /}",
	 "f:1:19: \"/\" is not a prefix of keys; expected one such as /millrace, of A-Z a-z 0-9 . _ - and /"},
	{"cluster: {prefix: /a//b}",
	 "f:1:19: \"/a//b\" is not a prefix of keys; expected one such as /millrace, of A-Z a-z 0-9 . _ - and /"},
	{"cluster: {advertise: host:7223}", "f:1:22: \"host:7223\" is not an address; expected tcp://HOST:PORT, "
					    "tls://HOST:PORT or unix:///PATH"},
	{"cluster: {advertise: tcp://0.0.0.0:7223}", "f:1:22: \"tcp://0.0.0.0:7223\" is not an address that others can "
						     "ask; expected one such as tcp://host:7223 or "
						     "tls://host:7225"},
	{"cluster: {advertise: 'tcp://[::]:7223'}",
	 "f:1:22: \"tcp://[::]:7223\" is not an address that others can ask; expected one such as tcp://host:7223 or "
	 "tls://host:7225"},
	{"cluster: {advertise: tcp://host:0}",
	 "f:1:22: \"tcp://host:0\" is not an address that others can ask; expected one such as tcp://host:7223 or "
	 "tls://host:7225"},
	{"cluster: {advertise: unix:///a}",
	 "f:1:22: \"unix:///a\" is not an address that others can ask; expected one such as tcp://host:7223 or "
	 "tls://host:7225"},
	{"cluster: {advertise_http: tcp://host:1}",
	 "f:1:27: \"tcp://host:1\" has a scheme that is not HTTP's; expected HOST:PORT or https://HOST:PORT"},
	{"cluster: {ttl_ms: 900}",
	 "f:1:19: \"900\" is not possible; expected a time (such as 250ms, 5s, 10m, 1h), 1s to 10m"},
	{"cluster: {ttl_ms: 1500ms}", "f:1:19: 1500 ms is not possible; expected whole seconds, such as 3s"},
	{"cluster: {groups: [a]}", "f:1:19: groups is not a mapping; expected keys with values"},
	{"cluster: {groups: {a/b: a}}", "f:1:25: \"a/b\" is not a group's name; expected what channels have between "
					"their braces, or default"},
	{"cluster: {groups: {a: b, a: c}}", "f:1:26: \"a\" is there twice; expected it once"},
	{"cluster: {tls: {cer: x}}", "f:1:17: unknown key \"cer\"; did you mean \"cert\"?"},
	{"cluster: {user: ''}", "f:1:17: there is nothing; expected a text"},
	/* Channels. */
	{"channels: [jobs]", "f:1:11: channels is not a mapping; expected keys with values"},
	{"channels:\n  jobs: bounded\n", "f:2:9: jobs is not a mapping; expected keys with values"},
	{"channels:\n  jobs:\n",
	 "f:2:8: channel \"jobs\": a channel needs a kind; expected unbuffered, bounded, dropping, sliding or promise"},
	{"channels: {jobs: {capacity: 3}}", "f:1:18: channel \"jobs\": a channel needs a kind; expected unbuffered, "
					    "bounded, dropping, sliding or promise"},
	{"channels: {jobs: {kind: bounded}}",
	 "f:1:18: channel \"jobs\": this kind needs a capacity; expected a whole number, 1 to 100000000"},
	{"channels: {jobs: {kind: dropping}}",
	 "f:1:18: channel \"jobs\": this kind needs a capacity; expected a whole number, 1 to 100000000"},
	{"channels: {jobs: {kind: sliding}}",
	 "f:1:18: channel \"jobs\": this kind needs a capacity; expected a whole number, 1 to 100000000"},
	{"channels: {jobs: {kind: unbuffered, capacity: 1}}",
	 "f:1:18: channel \"jobs\": an unbuffered channel has no capacity; expected none"},
	{"channels: {jobs: {kind: promise, capacity: 1}}",
	 "f:1:18: channel \"jobs\": a promise holds one value; expected no capacity"},
	{"channels: {jobs: {kind: Bounded, capacity: 1}}",
	 "f:1:25: \"Bounded\" is not a kind; expected unbuffered, bounded, dropping, sliding or promise"},
	{"channels: {jobs: {kind: bounded, capacity: 0}}",
	 "f:1:44: \"0\" is not possible; expected a whole number, 1 to 100000000"},
	{"channels: {jobs: {kind: bounded, capacity: 100000001}}",
	 "f:1:44: \"100000001\" is not possible; expected a whole number, 1 to 100000000"},
	{"channels: {jobs: {kind: unbuffered, max_waiters: 0}}",
	 "f:1:50: \"0\" is not possible; expected a whole number, 1 to 10000000"},
	{"channels: {jobs: {kind: unbuffered, max_waiters: 10000001}}",
	 "f:1:50: \"10000001\" is not possible; expected a whole number, 1 to 10000000"},
	{"channels: {jobs: {kind: unbuffered, ephemeral: true}}",
	 "f:1:37: unknown key \"ephemeral\"; expected one of kind, capacity, max_waiters, durable, max_deliveries, "
	 "dead_letter"},
	{"channels: {a: {kind: promise}, b: {kind: promise}, a: {kind: promise}}",
	 "f:1:52: \"a\" is there twice; expected it once"},
	{"channels: {_a: {kind: promise}}",
	 "f:1:12: \"_a\" begins with _: such names are the daemon's own; expected another"},
	{"channels: {a b: {kind: promise}}", "f:1:12: \"a b\" is not a channel's name; expected 1 to 128 of A-Z a-z "
					     "0-9 . _ : { } - with neither . nor - first"},
	{"channels: {.a: {kind: promise}}", "f:1:12: \".a\" is not a channel's name; expected 1 to 128 of A-Z a-z 0-9 "
					    ". _ : { } - with neither . nor - first"},
	{"channels: {'': {kind: promise}}", "f:1:12: \"\" is not a channel's name; expected 1 to 128 of A-Z a-z 0-9 . "
					    "_ : { } - with neither . nor - first"},
	{"channels: {\"a\\0b\": {kind: promise}}", "f:1:12: a text with a NUL in it; expected a channel's name"},
};

START_TEST(a_bad_text_is_refused_with_place_and_words)
{
	expect_bad(bad_rows[_i].text, bad_rows[_i].error);
}
END_TEST

START_TEST(a_failure_changes_nothing)
{
	static const char good[] = "listen: unix:///a\nhttp: none\ninsecure: true\nlimits: {max_frame: "
				   "2MiB}\nchannels: {a: {kind: promise}}\n";
	struct config before;
	ck_assert_int_eq(config_init(&before), 0);
	ck_assert_int_eq(config_parse(&before, good, strlen(good), "f", config_error), 0);
	expect_good(good);
	for (size_t i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
		ck_assert_int_eq(parse(bad_rows[i].text), -1);
		expect_same(&config, &before);
	}
	ck_assert_int_eq(parse("listen: unix:///b\nhttp: h:1\ninsecure: false\nlimits: {max_frame: 3MiB}\nchannels: "
			       "{b: {kind: promise}, c: {}}\n"),
			 -1);
	expect_same(&config, &before);
	ck_assert_int_eq(config_set(&config, "limits={max_frame: 3MiB, max_output: 1}", config_error), -1);
	ck_assert_int_eq(config_set(&config, "listen=[unix:///c, x]", config_error), -1);
	ck_assert_int_eq(config_set(&config, "channels.c.kind=x", config_error), -1);
	ck_assert_int_eq(config_set(&config, "channels={b: {kind: promise}, c: {}}", config_error), -1);
	ck_assert_int_eq(config_set_listen(&config, "x", true, config_error), -1);
	ck_assert_int_eq(config_set_http(&config, "x", config_error), -1);
	expect_same(&config, &before);
	config_finish(&before);
}
END_TEST

START_TEST(bytes_that_are_no_text)
{
	ck_assert_int_eq(config_parse(&config, "http: none\n# \0", 14, "f", config_error), -1);
	ck_assert_str_eq(config_error, "f:2:3: control characters are not allowed; expected YAML in UTF-8");
}
END_TEST

START_TEST(a_text_has_at_most_4_mib)
{
	enum { MOST = 4 * 1024 * 1024 };
	char *text = malloc(MOST + 1);
	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i <= MOST; i++)
		text[i] = i % 64 ? '#' : '\n';
	ck_assert_msg(config_parse(&config, text, MOST, "f", config_error) == 0, "%s", config_error);
	ck_assert_int_eq(config_parse(&config, text, MOST + 1, "f", config_error), -1);
	ck_assert_str_eq(config_error, "f:1:1: the text is too long; expected at most 4 MiB");
	free(text);
}
END_TEST

START_TEST(names_have_at_most_128_bytes)
{
	char text[256], name[130] = "";
	memset(name, 'n', 128);
	snprintf(text, sizeof(text), "channels: {%s: {kind: promise}}", name);
	expect_good(text);
	name[128] = 'n';
	snprintf(text, sizeof(text), "channels: {%s: {kind: promise}}", name);
	ck_assert_int_eq(parse(text), -1);
	ck_assert_msg(strstr(config_error, "is not a channel's name"), "%s", config_error);
}
END_TEST

int main(void)
{
	const TTest *const bad[] = {a_failure_changes_nothing, bytes_that_are_no_text, a_text_has_at_most_4_mib,
				    names_have_at_most_128_bytes, NULL};
	Suite *suite = suite_create("config: refusals");
	suite_case(suite, "bad texts", config_setup, config_teardown, bad);
	suite_rows(suite, config_setup, config_teardown, a_bad_text_is_refused_with_place_and_words,
		   sizeof(bad_rows) / sizeof(bad_rows[0]));
	return suite_run(suite);
}
