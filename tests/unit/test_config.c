/* The configuration: texts that are accepted, what they mean, and how far each limit goes. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/config_fixture.h"
#include "tests/lib/suite.h"

static void expect_channel(size_t i, const char *name, enum config_kind kind, uint64_t capacity, uint32_t max_waiters)
{
	ck_assert_uint_lt(i, config.n_channels);
	ck_assert_str_eq(config.channels[i].name, name);
	ck_assert_int_eq(config.channels[i].kind, kind);
	ck_assert_uint_eq(config.channels[i].capacity, capacity);
	ck_assert_uint_eq(config.channels[i].max_waiters, max_waiters);
}

static void expect_address(const struct address *address, enum address_scheme scheme, const char *host, unsigned port)
{
	ck_assert_int_eq(address->scheme, scheme);
	ck_assert_str_eq(address->host, host);
	ck_assert_uint_eq(address->port, port);
}

/* -- Good texts -- */

START_TEST(defaults)
{
	ck_assert_uint_eq(config.n_listen, 1);
	expect_address(&config.listen[0], ADDRESS_TCP, "127.0.0.1", 7223);
	ck_assert(config.has_http && config.http_is_default && !config.insecure);
	expect_address(&config.http, ADDRESS_TCP, "127.0.0.1", 7224);
	ck_assert_uint_eq(config.limits.max_frame, 1048576);
	ck_assert_uint_eq(config.limits.max_memory, 536870912);
	ck_assert_uint_eq(config.limits.max_park_ms, 0);
	ck_assert_uint_eq(config.limits.max_idle_ms, 0);
	ck_assert_uint_eq(config.limits.max_buffers, 268435456);
	ck_assert_uint_eq(config.limits.tcp_timeout_ms, 120000);
	ck_assert_uint_eq(config.n_channels, 0);
	ck_assert_int_eq(config_check(&config, config_error), 0);
}
END_TEST

START_TEST(nothing_written_is_the_defaults)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"# a comment\n",
		"---\n",
		"---\n...\n",
		"\xef\xbb\xbf",
		"{}",
		"limits:\nchannels:\n",
		"limits: {}\nchannels: {}\n",
	};
	struct config fresh;
	ck_assert_int_eq(config_init(&fresh), 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		expect_good(texts[i]);
		expect_same(&config, &fresh);
		ck_assert(config.http_is_default);
	}
	config_finish(&fresh);
}
END_TEST

START_TEST(a_text_replaces_the_one_before)
{
	expect_good("listen: unix:///a\nhttp: none\ninsecure: true\nlimits: {max_frame: 2MiB}\nchannels: {a: {kind: "
		    "promise}}\n");
	expect_good("channels: {b: {kind: unbuffered}}");
	ck_assert_uint_eq(config.n_channels, 1);
	expect_channel(0, "b", CONFIG_UNBUFFERED, 0, 0);
	expect_address(&config.listen[0], ADDRESS_TCP, "127.0.0.1", 7223);
	ck_assert(config.has_http && !config.insecure);
	ck_assert_uint_eq(config.limits.max_frame, 1048576);
}
END_TEST

START_TEST(the_example_of_the_specification)
{
	expect_good("listen: [tcp://127.0.0.1:7223, unix:///run/millrace/millrace.sock]\n"
		    "http: 127.0.0.1:7224\n"
		    "limits: {max_connections: 10000, max_memory: 512MiB, max_frame: 1MiB}\n"
		    "channels:\n"
		    "  jobs:      {kind: bounded,  capacity: 32}\n"
		    "  telemetry: {kind: dropping, capacity: 100}\n"
		    "  latest:    {kind: sliding,  capacity: 1}\n"
		    "  requests:  {kind: unbuffered}\n");
	ck_assert_uint_eq(config.n_listen, 2);
	expect_address(&config.listen[1], ADDRESS_UNIX, "/run/millrace/millrace.sock", 0);
	ck_assert(config.has_http && !config.http_is_default);
	ck_assert_uint_eq(config.n_channels, 4);
	expect_channel(0, "jobs", CONFIG_BOUNDED, 32, 0);
	expect_channel(1, "telemetry", CONFIG_DROPPING, 100, 0);
	expect_channel(2, "latest", CONFIG_SLIDING, 1, 0);
	expect_channel(3, "requests", CONFIG_UNBUFFERED, 0, 0);
	ck_assert_int_eq(config_check(&config, config_error), 0);
}
END_TEST

START_TEST(definitions_of_channels)
{
	expect_good("channels:\n"
		    "  p: {kind: promise}\n"
		    "  \"a.b:c{1}-_\": {capacity: 100000000, max_waiters: 10000000, kind: bounded}\n"
		    "  7: {kind: unbuffered, max_waiters: 1}\n");
	ck_assert_uint_eq(config.n_channels, 3);
	expect_channel(0, "p", CONFIG_PROMISE, 1, 0);
	expect_channel(1, "a.b:c{1}-_", CONFIG_BOUNDED, 100000000, 10000000);
	expect_channel(2, "7", CONFIG_UNBUFFERED, 0, 1);
}
END_TEST

START_TEST(addresses)
{
	expect_good("listen: tcp://[::1]:0\nhttp: '[fe80::2]:65535'\n");
	expect_address(&config.listen[0], ADDRESS_TCP, "::1", 0);
	expect_address(&config.http, ADDRESS_TCP, "fe80::2", 65535);
	expect_good("listen: tcp://localhost:1\nhttp: none\n");
	expect_address(&config.listen[0], ADDRESS_TCP, "localhost", 1);
	ck_assert(!config.has_http && !config.http_is_default);
}
END_TEST

START_TEST(what_is_local)
{
	static const struct {
		const char *url;
		bool local;
	} rows[] = {
		{"unix:///a", true},
		{"tcp://127.0.0.1:1", true},
		{"tcp://127.255.255.255:1", true},
		{"tcp://localhost:1", true},
		{"tcp://[::1]:1", true},
		{"tcp://0.0.0.0:1", false},
		{"tcp://[::]:1", false},
		{"tcp://128.0.0.1:1", false},
		{"tcp://localhost.x:1", false},
		{"tcp://127.0.0.1.example.org:1", false},
		{"tcp://[::2]:1", false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address address;
		ck_assert_msg(address_parse(&address, rows[i].url, config_error) == 0, "%s: %s", rows[i].url,
			      config_error);
		ck_assert_msg(address_is_local(&address) == rows[i].local, "%s", rows[i].url);
		address_finish(&address);
	}
}
END_TEST

/* -- Limits -- */

static const struct limit_row {
	const char *name;
	size_t offset;
	uint64_t fallback, lowest, highest;
} limit_rows[] = {
#define LIMIT(field, unit, fallback, lowest, highest)                                                                  \
	{#field, offsetof(struct limits, field), fallback, lowest, highest},
	LIMITS(LIMIT)
#undef LIMIT
};

enum { N_LIMIT_ROWS = sizeof(limit_rows) / sizeof(limit_rows[0]) };

static int parse_limit(const struct limit_row *row, uint64_t value)
{
	char text[100];
	snprintf(text, sizeof(text), "limits: {%s: %llu}", row->name, (unsigned long long)value);
	return parse(text);
}

static uint64_t limit_of(const struct config *of, const struct limit_row *row)
{
	return *(const uint64_t *)((const char *)&of->limits + row->offset);
}

START_TEST(a_limit_goes_from_its_lowest_to_its_highest)
{
	const struct limit_row *row = &limit_rows[_i];
	ck_assert_uint_eq(limit_of(&config, row), row->fallback);
	ck_assert_uint_ge(row->fallback, row->lowest);
	ck_assert_uint_le(row->fallback, row->highest);
	ck_assert_int_eq(parse_limit(row, row->lowest), 0);
	ck_assert_uint_eq(limit_of(&config, row), row->lowest);
	ck_assert_int_eq(parse_limit(row, row->highest), 0);
	ck_assert_uint_eq(limit_of(&config, row), row->highest);
	ck_assert_int_eq(parse_limit(row, row->highest + 1), -1);
	if (row->lowest > 0)
		ck_assert_int_eq(parse_limit(row, row->lowest - 1), -1);
	ck_assert_uint_eq(limit_of(&config, row), row->highest);
}
END_TEST

START_TEST(sizes_and_times)
{
	expect_good("limits: {max_output: 65536, max_memory: 3MiB, max_frame: 64KiB}");
	ck_assert_uint_eq(config.limits.max_output, 65536);
	ck_assert_uint_eq(config.limits.max_memory, 3145728);
	ck_assert_uint_eq(config.limits.max_frame, 65536);
	expect_good("limits: {max_memory: 2GiB}");
	ck_assert_uint_eq(config.limits.max_memory, UINT64_C(2147483648));
	static const struct {
		const char *text;
		uint64_t ms;
	} times[] = {{"7", 7},        {"250ms", 250}, {"5s", 5000},  {"10m", 600000},
		     {"1h", 3600000}, {"0", 0},       {"007s", 7000}};
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		char text[64];
		snprintf(text, sizeof(text), "limits: {max_park_ms: %s}", times[i].text);
		expect_good(text);
		ck_assert_uint_eq(config.limits.max_park_ms, times[i].ms);
	}
}
END_TEST

int main(void)
{
	const TTest *const good[] = {defaults,
				     nothing_written_is_the_defaults,
				     a_text_replaces_the_one_before,
				     the_example_of_the_specification,
				     definitions_of_channels,
				     addresses,
				     what_is_local,
				     sizes_and_times,
				     NULL};
	Suite *suite = suite_create("config");
	suite_case(suite, "good texts", config_setup, config_teardown, good);
	suite_rows(suite, config_setup, config_teardown, a_limit_goes_from_its_lowest_to_its_highest, N_LIMIT_ROWS);
	return suite_run(suite);
}
