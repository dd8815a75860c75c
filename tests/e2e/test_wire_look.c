/* Looking at the daemon over the wire: peek, list, stat and waiters, their pages, and how long a reply may be. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "tests/lib/suite.h"
#include "tests/lib/wire.h"

enum { SMALL_FRAME = 64 * 1024, REPLY_ENVELOPE = 1024 };

static struct daemon *d;
static struct wire *w, *other;

static void setup(void)
{
	d = daemon_start((const char *[]){"--set", "limits.max_frame=64KiB", "--set",
					  "channels.jobs={kind: bounded, capacity: 1000}", "--set",
					  "channels.meet={kind: unbuffered, max_waiters: 5000}", NULL});
	w = wire_connect(d);
	other = wire_connect_unix(d);
}

static void teardown(void)
{
	wire_sync(w);
	wire_close(w);
	wire_close(other);
	daemon_stop(d);
}

static json_int_t get_int(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	ck_assert_msg(json_is_integer(value), "no integer \"%s\"", key);
	return json_integer_value(value);
}

static const char *get_text(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	ck_assert_msg(json_is_string(value), "no string \"%s\"", key);
	return json_string_value(value);
}

/* -- stat -- */

START_TEST(stat_is_one_flat_row)
{
	wire_ask_exactly(w, "{\"id\":1,\"op\":\"stat\",\"channel\":\"jobs\"}",
			 "{\"id\":1,\"status\":\"ok\",\"channel\":\"jobs\",\"kind\":\"bounded\",\"capacity\":1000,"
			 "\"ephemeral\":false,\"durable\":false,\"closed\":false,"
			 "\"buffered\":0,\"leased\":0,\"delayed\":0,\"parked_puts\":0,\"parked_takes\":0,\"bytes\":0,"
			 "\"max_waiters\":"
			 "100000,\"accepted\":0,\"taken\":0,"
			 "\"returned\":0,\"dropped\":0,\"evicted\":0,\"dead_lettered\":0,\"discarded\":0}");
	wire_ask(w, "{\"id\":2,\"op\":\"put\",\"channel\":\"jobs\",\"values\":[12345,\"abc\",[ 1 ]]}",
		 "{\"status\":\"ok\"}");
	wire_ask(w, "{\"id\":3,\"op\":\"take\",\"channel\":\"jobs\"}", "{\"value\":12345}");
	wire_ask(w, "{\"id\":4,\"op\":\"stat\",\"channel\":\"jobs\"}",
		 "{\"buffered\":2,\"bytes\":10,\"accepted\":3,\"taken\":1}");
	wire_send(other, "{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"meet\"},{\"take\":\"meet\"}]}");
	wire_sync(other);
	wire_ask(w, "{\"id\":5,\"op\":\"stat\",\"channel\":\"meet\"}",
		 "{\"kind\":\"unbuffered\",\"capacity\":0,\"parked_takes\":2,\"max_waiters\":5000}");
	wire_ask_error(w, "{\"id\":6,\"op\":\"stat\",\"channel\":\"none\"}", 6, "no_such_channel", "none");
}
END_TEST

START_TEST(stat_counts_what_was_shed)
{
	wire_ask(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"drop\",\"kind\":\"dropping\",\"capacity\":2}",
		 "{\"created\":true}");
	wire_ask(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"last\",\"kind\":\"sliding\",\"capacity\":2}",
		 "{\"created\":true}");
	wire_ask(w, "{\"id\":2,\"op\":\"put\",\"channel\":\"drop\",\"values\":[1,2,3,4,5]}",
		 "{\"status\":\"dropped\",\"accepted\":2}");
	wire_ask(w, "{\"id\":2,\"op\":\"put\",\"channel\":\"last\",\"values\":[1,2,3,4,5]}",
		 "{\"status\":\"ok\",\"evicted\":3}");
	wire_ask(w, "{\"id\":3,\"op\":\"stat\",\"channel\":\"drop\"}",
		 "{\"accepted\":2,\"buffered\":2,\"dropped\":3,\"evicted\":0}");
	wire_ask(w, "{\"id\":3,\"op\":\"stat\",\"channel\":\"last\"}",
		 "{\"accepted\":5,\"buffered\":2,\"dropped\":0,\"evicted\":3}");
	wire_ask(w, "{\"id\":4,\"op\":\"peek\",\"channel\":\"last\",\"max\":9}", "{\"values\":[4,5]}");
}
END_TEST

/* -- peek -- */

START_TEST(peek_takes_nothing)
{
	wire_ask_exactly(w, "{\"id\":1,\"op\":\"peek\",\"channel\":\"jobs\"}",
			 "{\"id\":1,\"status\":\"ok\",\"values\":[],\"more\":false}");
	wire_ask(w, "{\"id\":2,\"op\":\"put\",\"channel\":\"jobs\",\"values\":[1,2,3]}", "{\"status\":\"ok\"}");
	wire_ask_exactly(w, "{\"id\":3,\"op\":\"peek\",\"channel\":\"jobs\"}",
			 "{\"id\":3,\"status\":\"ok\",\"values\":[1],\"more\":true}");
	wire_ask_exactly(w, "{\"id\":4,\"op\":\"peek\",\"channel\":\"jobs\",\"max\":2}",
			 "{\"id\":4,\"status\":\"ok\",\"values\":[1,2],\"more\":true}");
	wire_ask_exactly(w, "{\"id\":5,\"op\":\"peek\",\"channel\":\"jobs\",\"max\":3}",
			 "{\"id\":5,\"status\":\"ok\",\"values\":[1,2,3],\"more\":false}");
	wire_ask(w, "{\"id\":6,\"op\":\"stat\",\"channel\":\"jobs\"}", "{\"buffered\":3,\"taken\":0}");
	wire_ask_error(w, "{\"id\":7,\"op\":\"peek\",\"channel\":\"none\"}", 7, "no_such_channel", "none");
	/* A parked put is not in the buffer. */
	wire_send(other, "{\"id\":1,\"op\":\"put\",\"channel\":\"meet\",\"value\":1}");
	wire_sync(other);
	wire_ask(w, "{\"id\":8,\"op\":\"peek\",\"channel\":\"meet\"}", "{\"values\":[],\"more\":false}");
}
END_TEST

/* -- how long a reply may be -- */

/* Puts `n` values of `len` bytes, one by one. */
static void put_large(int n, size_t len)
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
	put_large(4, 25000);
	wire_send(w, "{\"id\":1,\"op\":\"take\",\"channel\":\"jobs\",\"max\":1000}");
	ck_assert_uint_eq(values_of_reply("values", NULL), 2);
	wire_send(w, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\",\"max\":1000}");
	ck_assert_uint_eq(values_of_reply("values", NULL), 2);
	put_large(2, SMALL_FRAME - 100);
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
	put_large(4, 25000);
	wire_send(w, "{\"id\":1,\"op\":\"peek\",\"channel\":\"jobs\",\"max\":1000}");
	ck_assert_uint_eq(values_of_reply("values", &more), 2);
	ck_assert(more);
	wire_ask(w, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\",\"max\":4}", "{\"status\":\"ok\"}");
	wire_ask(w, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\",\"max\":4}", "{\"status\":\"ok\"}");
	put_large(1, SMALL_FRAME - 100);
	wire_send(w, "{\"id\":3,\"op\":\"peek\",\"channel\":\"jobs\",\"max\":1000}");
	ck_assert_uint_eq(values_of_reply("values", &more), 1);
	ck_assert(!more);
}
END_TEST

/* -- list -- */

START_TEST(list_is_in_order_of_name_and_in_pages)
{
	wire_ask(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"Z\",\"kind\":\"promise\"}", "{\"created\":true}");
	wire_ask(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"jobs.b\",\"kind\":\"promise\"}", "{\"created\":true}");
	wire_ask(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"jobs.a\",\"kind\":\"promise\"}", "{\"created\":true}");
	wire_ask(w, "{\"id\":2,\"op\":\"list\"}",
		 "{\"status\":\"ok\",\"more\":false,\"channels\":[{\"channel\":\"Z\"},{\"channel\":\"jobs\"},{"
		 "\"channel\":\"jobs.a\"},"
		 "{\"channel\":\"jobs.b\"},{\"channel\":\"meet\"}]}");
	wire_ask(w, "{\"id\":3,\"op\":\"list\",\"limit\":2}",
		 "{\"more\":true,\"channels\":[{\"channel\":\"Z\"},{\"channel\":\"jobs\"}]}");
	wire_ask(w, "{\"id\":4,\"op\":\"list\",\"limit\":2,\"after\":\"jobs\"}",
		 "{\"more\":true,\"channels\":[{\"channel\":\"jobs.a\"},{\"channel\":\"jobs.b\"}]}");
	wire_ask(w, "{\"id\":5,\"op\":\"list\",\"limit\":2,\"after\":\"jobs.b\"}",
		 "{\"more\":false,\"channels\":[{\"channel\":\"meet\"}]}");
	wire_ask(w, "{\"id\":6,\"op\":\"list\",\"limit\":1,\"after\":\"jobs.zzz\"}",
		 "{\"more\":false,\"channels\":[{\"channel\":\"meet\"}]}");
	wire_ask(w, "{\"id\":7,\"op\":\"list\",\"match\":\"jobs*\",\"limit\":3}",
		 "{\"more\":false,\"channels\":[{\"channel\":\"jobs\"},{\"channel\":\"jobs.a\"},{\"channel\":\"jobs."
		 "b\"}]}");
	wire_ask(w, "{\"id\":8,\"op\":\"list\",\"match\":\"jobs.?\",\"limit\":1}",
		 "{\"more\":true,\"channels\":[{\"channel\":\"jobs.a\"}]}");
	wire_ask_exactly(w, "{\"id\":9,\"op\":\"list\",\"match\":\"nobody\"}",
			 "{\"id\":9,\"status\":\"ok\",\"channels\":[],\"more\":false}");
	wire_ask_exactly(w, "{\"id\":10,\"op\":\"list\",\"match\":\"Z\"}",
			 "{\"id\":10,\"status\":\"ok\",\"more\":false,\"channels\":[{\"channel\":\"Z\",\"kind\":"
			 "\"promise\",\"capacity\":1,"
			 "\"ephemeral\":false,\"durable\":false,\"closed\":false,\"buffered\":0,\"leased\":0,"
			 "\"delayed\":0,\"parked_"
			 "puts\":0,\"parked_"
			 "takes\":0,\"bytes\":0,"
			 "\"max_waiters\":100000,\"accepted\":0,\"taken\":0,\"returned\":0,\"dropped\":0,\"evicted\":0,"
			 "\"dead_lettered\":0,"
			 "\"discarded\":0}]}");
}
END_TEST

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
			ck_assert_str_eq(get_text(json_array_get(rows, i), "channel"), after);
		}
		more = json_is_true(json_object_get(reply, "more"));
		json_decref(reply);
	}
	ck_assert_int_eq(n, N);
	ck_assert_int_gt(pages, 1);
}
END_TEST

/* -- waiters -- */

START_TEST(waiters_says_who_waits_for_what)
{
	wire_ask_exactly(w, "{\"id\":1,\"op\":\"waiters\"}",
			 "{\"id\":1,\"status\":\"ok\",\"waiters\":[],\"more\":false}");
	wire_ask(other, "{\"id\":1,\"op\":\"hello\",\"protocol\":1,\"name\":\"worker \\\"7\\\"\"}",
		 "{\"status\":\"ok\"}");
	wire_send(other, "{\"id\":5,\"op\":\"take\",\"channel\":\"jobs\",\"max\":3,\"timeout_ms\":1000000}");
	wire_sync(other);
	wire_send(w, "{\"id\":6,\"op\":\"alts\",\"arms\":[{\"take\":\"jobs\"},{\"put\":\"meet\",\"value\":1}]}");
	wire_send(w, "{\"id\":2,\"op\":\"waiters\"}");
	json_t *reply = wire_recv_json(w);
	const json_t *rows = json_object_get(reply, "waiters");
	ck_assert_uint_eq(json_array_size(rows), 2);
	const json_t *take = json_array_get(rows, 0), *alts = json_array_get(rows, 1);
	json_t *expected = json_loads(
		"{\"name\":\"worker "
		"\\\"7\\\"\",\"peer\":\"unix\",\"request\":5,\"op\":\"take\",\"arms\":[{\"take\":\"jobs\"}]}",
		0, NULL);
	ck_assert(json_has(take, expected));
	json_decref(expected);
	expected = json_loads("{\"request\":6,\"op\":\"alts\",\"arms\":[{\"take\":\"jobs\"},{\"put\":\"meet\"}]}", 0,
			      NULL);
	ck_assert(json_has(alts, expected));
	json_decref(expected);
	ck_assert_int_lt(get_int(take, "seq"), get_int(alts, "seq"));
	ck_assert_int_ne(get_int(take, "connection"), get_int(alts, "connection"));
	ck_assert_int_ge(get_int(take, "age_ms"), 0);
	ck_assert_int_gt(get_int(take, "deadline_ms"), 1000000 - WIRE_DEADLINE_MS);
	ck_assert_int_le(get_int(take, "deadline_ms"), 1000000);
	ck_assert_int_eq(strncmp(get_text(alts, "peer"), "127.0.0.1:", 10), 0);
	json_decref(reply);
	wire_ask(w, "{\"id\":3,\"op\":\"waiters\",\"channel\":\"meet\"}",
		 "{\"more\":false,\"waiters\":[{\"request\":6}]}");
	wire_ask_error(w, "{\"id\":4,\"op\":\"waiters\",\"channel\":\"none\"}", 4, "no_such_channel", "none");
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

int main(void)
{
	Suite *suite = suite_create("wire look");
	suite_case(suite, "stat, peek", setup, teardown,
		   (const TTest *const[]){stat_is_one_flat_row, stat_counts_what_was_shed, peek_takes_nothing, NULL});
	suite_case(suite, "length of replies", setup, teardown,
		   (const TTest *const[]){a_take_stops_before_a_value_that_would_not_fit,
					  a_parked_take_gets_no_more_than_fits,
					  a_peek_stops_before_a_value_that_would_not_fit, NULL});
	suite_case(suite, "list, waiters", setup, teardown,
		   (const TTest *const[]){list_is_in_order_of_name_and_in_pages,
					  a_list_longer_than_a_frame_is_had_in_pages, waiters_says_who_waits_for_what,
					  waiters_are_had_in_pages_oldest_first, NULL});
	return suite_run(suite);
}
