/* What takes more than a conversation (tests/conversations/): many values, large ones, those of any bytes, pages, and
 * what becomes of values whose replies are unsent, or half sent, when their connection ends. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "tests/lib/suite.h"
#include "tests/lib/wire.h"

enum {
	SMALL_FRAME = 64 * 1024,
	REPLY_ENVELOPE = 1024,
	LARGE = 700 * 1024, /* bytes of a value: several do not fit into the sockets' buffers */
};

static struct daemon *d;
static struct wire *w, *other;

static void start(const char *channels, const char *more)
{
	d = daemon_start((const char *[]){"--set", channels, more ? "--set" : NULL, more, NULL});
	w = wire_connect(d);
	other = wire_connect_unix(d);
}

static void setup(void)
{
	start("channels.jobs={kind: bounded, capacity: 2}", NULL);
}

static void setup_small(void)
{
	start("channels={jobs: {kind: bounded, capacity: 1000}, meet: {kind: unbuffered, max_waiters: 5000}}",
	      "limits.max_frame=64KiB");
}

static void setup_leases(void)
{
	start("channels={jobs: {kind: bounded, capacity: 99, max_deliveries: 2, dead_letter: dead}, "
	      "dead: {kind: bounded, capacity: 1}}",
	      NULL);
}

static void teardown(void)
{
	wire_sync(w);
	wire_close(w);
	wire_close(other);
	daemon_stop(d);
}

/* -- values, names, arms -- */

START_TEST(names_may_be_of_128_bytes)
{
	char name[130];
	memset(name, 'n', 129);
	name[129] = '\0';
	wire_sendf(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"%s\",\"kind\":\"unbuffered\"}", name);
	wire_expect_error(w, 1, "bad_channel", "");
	wire_sendf(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"%s\",\"kind\":\"unbuffered\"}", name + 1);
	wire_expectf(w, "{\"id\":1,\"status\":\"ok\",\"channel\":\"%s\"}", name + 1);
}
END_TEST

START_TEST(an_alts_has_at_most_64_arms)
{
	char arms[65 * 16] = "{\"take\":\"jobs\"}";
	for (int i = 1; i < 64; i++)
		strcat(arms, ",{\"take\":\"jobs\"}");
	wire_sendf(w, "{\"id\":1,\"op\":\"alts\",\"timeout_ms\":0,\"arms\":[%s]}", arms);
	wire_expect_exactly(w, "{\"id\":1,\"status\":\"timeout\"}");
	wire_sendf(w, "{\"id\":2,\"op\":\"alts\",\"timeout_ms\":0,\"arms\":[%s,{\"take\":\"jobs\"}]}", arms);
	wire_expect_error(w, 2, "bad_request", "arms");
}
END_TEST

START_TEST(more_than_a_turn_gives_comes_in_the_next_ones)
{
	enum { N = 1000 };
	wire_ask(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"many\",\"kind\":\"bounded\",\"capacity\":1000}",
		 "{\"created\":true}");
	for (int i = 0; i < N; i++)
		wire_sendf(w, "{\"op\":\"put\",\"channel\":\"many\",\"value\":%d}", i);
	wire_sync(w);
	wire_sendf(other, "{\"id\":1,\"op\":\"take\",\"channel\":\"many\",\"count\":%d}", N);
	for (int i = 0; i < N; i++)
		wire_expectf(other, "{\"id\":1,\"status\":\"ok\",\"value\":%d,\"left\":%d}", i, N - 1 - i);
}
END_TEST

START_TEST(a_value_keeps_its_bytes)
{
	static const char *const values[] = {
		"{\"a\": 1.0,  \"b\":\"\\u00e9\"}",
		"1e400",
		"-0",
		"-0.00",
		"123456789012345678901234567890",
		"\"\\u0000\\ud83d\\ude00\\/\"",
		"\"\xc3\xa9\"",
		"{\"x\":1,\"x\":2}",
		"[ ]",
		"{\t\"a\"\r\n: [1 ,2]}",
		"true",
		"\"\"",
		"\"\\\"value\\\":null\"",
	};
	char expected[256];
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		snprintf(expected, sizeof(expected), "\"value\":%s}", values[i]);
		wire_sendf(w, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"value\":  %s }", values[i]);
		wire_expect(w, "{\"status\":\"ok\"}");
		wire_send(w, "{\"id\":2,\"op\":\"peek\",\"channel\":\"jobs\"}");
		wire_expect_bytes(w, values[i]);
		wire_send(w, "{\"id\":3,\"op\":\"take\",\"channel\":\"jobs\"}");
		wire_expect_bytes(w, expected);
		wire_sendf(w, "{\"id\":4,\"op\":\"alts\",\"arms\":[{\"put\":\"jobs\",\"value\":%s}]}", values[i]);
		wire_expect(w, "{\"status\":\"ok\"}");
		wire_send(w, "{\"id\":5,\"op\":\"take\",\"channel\":\"jobs\",\"max\":2}");
		snprintf(expected, sizeof(expected), "\"values\":[%s]}", values[i]);
		wire_expect_bytes(w, expected);
	}
}
END_TEST

/* `depth` arrays in one another. */
static char *nested(int depth)
{
	char *text = malloc((size_t)depth * 2 + 1);
	memset(text, '[', (size_t)depth);
	memset(text + depth, ']', (size_t)depth);
	text[depth * 2] = '\0';
	return text;
}

START_TEST(a_value_may_be_nested_128_deep_and_no_deeper)
{
	char *deep = nested(128), *deeper = nested(129);
	wire_sendf(w, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"value\":%s}", deep);
	wire_expect(w, "{\"status\":\"ok\"}");
	wire_sendf(w, "{\"id\":2,\"op\":\"put\",\"channel\":\"jobs\",\"values\":[%s]}", deep);
	wire_expect(w, "{\"status\":\"ok\"}");
	wire_sendf(w, "{\"id\":3,\"op\":\"take\",\"channel\":\"jobs\",\"max\":2}");
	wire_expect_bytes(w, deep);
	wire_sendf(w, "{\"id\":4,\"op\":\"alts\",\"arms\":[{\"put\":\"jobs\",\"value\":%s}]}", deep);
	wire_expect(w, "{\"status\":\"ok\"}");
	wire_sendf(w, "{\"id\":5,\"op\":\"put\",\"channel\":\"jobs\",\"value\":%s}", deeper);
	wire_expect_error(w, 5, "bad_value", "");
	wire_sendf(w, "{\"id\":6,\"op\":\"put\",\"channel\":\"jobs\",\"values\":[1,%s]}", deeper);
	wire_expect_error(w, 6, "bad_value", "");
	wire_sendf(w, "{\"id\":7,\"op\":\"alts\",\"arms\":[{\"put\":\"jobs\",\"value\":%s}]}", deeper);
	wire_expect_error(w, 7, "bad_value", "");
	wire_ask(w, "{\"id\":8,\"op\":\"stat\",\"channel\":\"jobs\"}", "{\"accepted\":3,\"buffered\":1}");
	free(deep);
	free(deeper);
}
END_TEST

/* -- how long a reply may be -- */

/* Puts `n` values of `len` bytes, one by one. */
static void put_values(int n, size_t len)
{
	char *text = malloc(len);
	memset(text, 'x', len);
	text[len - 1] = '\0';
	text[0] = '"';
	text[len - 2] = '"';
	for (int i = 0; i < n; i++) {
		wire_sendf(other, "{\"id\":%d,\"op\":\"put\",\"channel\":\"jobs\",\"value\":%s}", i, text);
		wire_expect(other, "{\"status\":\"ok\"}");
	}
	free(text);
}

static size_t values_of_reply(const char *member, bool *more)
{
	const char *text = wire_recv(w);
	ck_assert_uint_le(strlen(text), SMALL_FRAME + REPLY_ENVELOPE);
	json_t *reply = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(reply);
	size_t n = json_array_size(json_object_get(reply, member));
	if (more)
		*more = json_is_true(json_object_get(reply, "more"));
	json_decref(reply);
	return n;
}

START_TEST(a_take_stops_before_a_value_that_would_not_fit)
{
	put_values(4, 25000);
	wire_send(w, "{\"id\":1,\"op\":\"take\",\"channel\":\"jobs\",\"max\":1000}");
	ck_assert_uint_eq(values_of_reply("values", NULL), 2);
	wire_send(w, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\",\"max\":1000}");
	ck_assert_uint_eq(values_of_reply("values", NULL), 2);
	put_values(2, SMALL_FRAME - 100);
	wire_send(w, "{\"id\":3,\"op\":\"take\",\"channel\":\"jobs\",\"max\":1000}");
	ck_assert_uint_eq(values_of_reply("values", NULL), 1);
}
END_TEST

START_TEST(a_parked_take_gets_no_more_than_fits)
{
	wire_send(w, "{\"id\":1,\"op\":\"take\",\"channel\":\"jobs\",\"max\":1000}");
	wire_sync(w);
	char batch[20000 * 3 + 10] = "[";
	for (int i = 0; i < 29990; i++)
		strcpy(batch + 1 + 2 * i, "1,");
	strcpy(batch + 1 + 2 * 29990, "1]");
	wire_ask(other, "{\"id\":7,\"op\":\"create\",\"channel\":\"wide\",\"kind\":\"bounded\",\"capacity\":100000}",
		 "{\"created\":true}");
	wire_sendf(other, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"values\":%s,\"timeout_ms\":0}", batch);
	wire_expect(other, "{\"status\":\"timeout\",\"accepted\":2000}");
	ck_assert_uint_eq(values_of_reply("values", NULL), 1000);
}
END_TEST

START_TEST(a_peek_stops_before_a_value_that_would_not_fit)
{
	bool more;
	put_values(4, 25000);
	wire_send(w, "{\"id\":1,\"op\":\"peek\",\"channel\":\"jobs\",\"max\":1000}");
	ck_assert_uint_eq(values_of_reply("values", &more), 2);
	ck_assert(more);
	wire_ask(w, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\",\"max\":4}", "{\"status\":\"ok\"}");
	wire_ask(w, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\",\"max\":4}", "{\"status\":\"ok\"}");
	put_values(1, SMALL_FRAME - 100);
	wire_send(w, "{\"id\":3,\"op\":\"peek\",\"channel\":\"jobs\",\"max\":1000}");
	ck_assert_uint_eq(values_of_reply("values", &more), 1);
	ck_assert(!more);
}
END_TEST

/* -- pages -- */

static json_int_t get_int(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	ck_assert_msg(json_is_integer(value), "no integer \"%s\"", key);
	return json_integer_value(value);
}

START_TEST(a_list_longer_than_a_frame_is_had_in_pages)
{
	enum { N = 700 };
	for (int i = 0; i < N; i++)
		wire_sendf(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"many.%04d\",\"kind\":\"unbuffered\"}", i);
	for (int i = 0; i < N; i++)
		wire_expectf(w, "{\"channel\":\"many.%04d\",\"created\":true}", i);
	char after[64] = "many";
	int n = 0, pages = 0;
	for (bool more = true; more; pages++) {
		wire_sendf(w, "{\"id\":2,\"op\":\"list\",\"match\":\"many.*\",\"after\":\"%s\"}", after);
		const char *text = wire_recv(w);
		ck_assert_uint_le(strlen(text), SMALL_FRAME + REPLY_ENVELOPE);
		json_t *reply = json_loads(text, 0, NULL);
		const json_t *rows = json_object_get(reply, "channels");
		ck_assert_uint_gt(json_array_size(rows), 0);
		for (size_t i = 0; i < json_array_size(rows); i++) {
			snprintf(after, sizeof(after), "many.%04d", n++);
			ck_assert_str_eq(json_string_value(json_object_get(json_array_get(rows, i), "channel")), after);
		}
		more = json_is_true(json_object_get(reply, "more"));
		json_decref(reply);
	}
	ck_assert_int_eq(n, N);
	ck_assert_int_gt(pages, 1);
}
END_TEST

/* All waiters, by pages of at most `limit`; each has to be the next that was parked. */
static void page_through(const char *channel, int limit, int n, int first, int step)
{
	json_int_t after = 0;
	int seen = 0;
	for (bool more = true; more;) {
		wire_sendf(w, "{\"id\":1,\"op\":\"waiters\"%s,\"after\":%lld,\"limit\":%d}", channel, (long long)after,
			   limit);
		const char *text = wire_recv(w);
		ck_assert_uint_le(strlen(text), SMALL_FRAME + REPLY_ENVELOPE);
		json_t *reply = json_loads(text, 0, NULL);
		const json_t *rows = json_object_get(reply, "waiters");
		ck_assert_uint_gt(json_array_size(rows), 0);
		ck_assert_uint_le(json_array_size(rows), (size_t)limit);
		for (size_t i = 0; i < json_array_size(rows); i++) {
			const json_t *row = json_array_get(rows, i);
			ck_assert_int_gt(get_int(row, "seq"), after);
			after = get_int(row, "seq");
			ck_assert_int_eq(get_int(row, "request"), first + step * seen++);
		}
		more = json_is_true(json_object_get(reply, "more"));
		json_decref(reply);
	}
	ck_assert_int_eq(seen, n);
}

START_TEST(waiters_are_had_in_pages_oldest_first)
{
	enum { N = 1000 };
	for (int i = 0; i < N; i++)
		wire_sendf(other, "{\"id\":%d,\"op\":\"take\",\"channel\":\"%s\"}", i, i % 2 ? "jobs" : "meet");
	wire_sync(other);
	page_through("", 7, N, 0, 1);
	page_through("", 1000, N, 0, 1); /* more than a frame holds */
	page_through(",\"channel\":\"meet\"", 99, N / 2, 0, 2);
	page_through(",\"channel\":\"jobs\"", 99, N / 2, 1, 2);
}
END_TEST

/* -- unsent -- */

/* Waits until the channel's row has these members. */
static void wait_stat(const char *channel, const char *members)
{
	json_t *wanted = json_loads(members, 0, NULL);
	uint64_t deadline = test_now_ms() + WIRE_DEADLINE_MS;
	for (bool has = false; !has;) {
		wire_sendf(w, "{\"id\":99,\"op\":\"stat\",\"channel\":\"%s\"}", channel);
		json_t *row = wire_recv_json(w);
		has = json_has(row, wanted);
		if (!has && test_now_ms() > deadline) {
			char *text = json_dumps(row, 0);
			ck_abort_msg("never %s, but %s", members, text);
		}
		json_decref(row);
	}
	json_decref(wanted);
}

static void put_large(int n)
{
	static char value[LARGE + 1];
	memset(value, 'x', LARGE);
	for (int i = 0; i < n; i++)
		wire_sendf(w, "{\"op\":\"put\",\"channel\":\"jobs\",\"value\":[%d,\"%s\"]}", i, value);
	wire_sync(w);
}

/* Its end can be seen: with it goes a channel. */
static struct wire *connect_slow(void)
{
	struct wire *slow = wire_connect_slow(d);
	wire_ask(slow, "{\"id\":1,\"op\":\"create\",\"channel\":\"witness\",\"kind\":\"promise\",\"ephemeral\":true}",
		 "{\"created\":true}");
	return slow;
}

static void reset_slow(struct wire *slow)
{
	uint64_t deadline = test_now_ms() + WIRE_DEADLINE_MS;
	wire_reset(slow);
	for (bool is_there = true; is_there;) {
		wire_send(w, "{\"id\":98,\"op\":\"stat\",\"channel\":\"witness\"}");
		json_t *reply = wire_recv_json(w);
		is_there = strcmp(json_string_value(json_object_get(reply, "status")), "ok") == 0;
		json_decref(reply);
		ck_assert_uint_lt(test_now_ms(), deadline);
	}
}

/* Of these, what is known to have been read is gone; what the daemon still had is back, in order, as if it had never
 * been taken. */
static void expect_back(int n)
{
	wire_send(w, "{\"id\":1,\"op\":\"stat\",\"channel\":\"jobs\"}");
	json_t *row = wire_recv_json(w);
	int back = (int)json_integer_value(json_object_get(row, "buffered"));
	json_decref(row);
	ck_assert_int_gt(back, 0);
	ck_assert_int_lt(back, n);
	for (int i = n - back; i < n; i++) {
		wire_send(w, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\",\"lease_ms\":60000,\"sticky\":true}");
		json_t *reply = wire_recv_json(w);
		ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(reply, "value"), 0)), i);
		ck_assert_int_eq(json_integer_value(json_object_get(reply, "deliveries")), 1);
		json_decref(reply);
	}
}

START_TEST(plain_takes_that_were_not_sent_go_back)
{
	enum { N = 30 };
	struct wire *slow = connect_slow();
	put_large(N);
	for (int i = 0; i < N; i++)
		wire_sendf(slow, "{\"id\":%d,\"op\":\"take\",\"channel\":\"jobs\"}", i);
	wire_sync(w);
	reset_slow(slow);
	expect_back(N);
}
END_TEST

START_TEST(a_consumer_that_dies_with_unsent_values_loses_none_of_them)
{
	enum { N = 30 };
	struct wire *slow = connect_slow();
	wire_send(slow, "{\"id\":1,\"op\":\"take\",\"channel\":\"jobs\",\"count\":1000}");
	wait_stat("jobs", "{\"parked_takes\":1}");
	put_large(N);
	reset_slow(slow);
	expect_back(N);
	wire_send(w, "{\"id\":4,\"op\":\"stat\",\"channel\":\"jobs\"}");
	json_t *row = wire_recv_json(w);
	ck_assert_int_ge(json_integer_value(json_object_get(row, "returned")), 1);
	json_decref(row);
}
END_TEST

START_TEST(leased_values_that_were_not_sent_go_back_undelivered)
{
	enum { N = 30 };
	struct wire *slow = connect_slow();
	wire_send(slow,
		  "{\"id\":1,\"op\":\"take\",\"channel\":\"jobs\",\"count\":1000,\"lease_ms\":60000,\"sticky\":true}");
	wait_stat("jobs", "{\"parked_takes\":1}");
	put_large(N);
	reset_slow(slow);
	wire_ask(w, "{\"id\":3,\"op\":\"waiters\"}", "{\"waiters\":[]}");
	wait_stat("jobs", "{\"parked_takes\":0,\"returned\":0,\"dead_lettered\":0}");
	expect_back(N);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire: large and many");
	suite_case(suite, "values, names, arms", setup, teardown,
		   (const TTest *const[]){names_may_be_of_128_bytes, an_alts_has_at_most_64_arms,
					  more_than_a_turn_gives_comes_in_the_next_ones, a_value_keeps_its_bytes,
					  a_value_may_be_nested_128_deep_and_no_deeper, NULL});
	suite_case(suite, "length of replies, pages", setup_small, teardown,
		   (const TTest *const[]){
			   a_take_stops_before_a_value_that_would_not_fit, a_parked_take_gets_no_more_than_fits,
			   a_peek_stops_before_a_value_that_would_not_fit, a_list_longer_than_a_frame_is_had_in_pages,
			   waiters_are_had_in_pages_oldest_first, NULL});
	suite_case(suite, "unsent", setup_leases, teardown,
		   (const TTest *const[]){plain_takes_that_were_not_sent_go_back,
					  a_consumer_that_dies_with_unsent_values_loses_none_of_them,
					  leased_values_that_were_not_sent_go_back_undelivered, NULL});
	return suite_run(suite);
}
