/* Each op on the wire: what it is asked, and exactly what it replies. What kinds, order, alts and time mean is tested
 * on the core; here stand the words in which it is told. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "tests/lib/suite.h"
#include "tests/lib/wire.h"

static struct daemon *d;
static struct wire *w, *other;

static void setup(void)
{
	d = daemon_start(NULL);
	w = wire_connect(d);
	other = wire_connect_unix(d);
	wire_ask(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"meet\",\"kind\":\"unbuffered\"}", "{\"created\":true}");
	wire_ask(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"jobs\",\"kind\":\"bounded\",\"capacity\":2}",
		 "{\"created\":true}");
	wire_ask(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"drop\",\"kind\":\"dropping\",\"capacity\":1}",
		 "{\"created\":true}");
	wire_ask(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"last\",\"kind\":\"sliding\",\"capacity\":1}",
		 "{\"created\":true}");
	wire_ask(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"word\",\"kind\":\"promise\"}", "{\"created\":true}");
}

static void teardown(void)
{
	wire_sync(w);
	wire_sync(other);
	wire_close(w);
	wire_close(other);
	daemon_stop(d);
}

/* -- hello, ping -- */

START_TEST(hello_says_who_speaks)
{
	wire_send(w, "{\"id\":1,\"op\":\"hello\",\"protocol\":1,\"name\":\"t\\u00e9st\"}");
	json_t *reply = wire_recv_json(w);
	ck_assert_uint_eq(json_object_size(reply), 8);
	json_t *expected = json_loads("{\"id\":1,\"status\":\"ok\",\"protocol\":1,\"protocols\":[1],\"max_frame_"
				      "bytes\":1048576,\"max_inflight\":1024}",
				      0, NULL);
	ck_assert(json_has(reply, expected));
	ck_assert(json_is_string(json_object_get(reply, "server")));
	const json_t *features = json_object_get(reply, "features");
	ck_assert(json_is_array(features));
	for (size_t i = 0; i < json_array_size(features); i++) {
		ck_assert(json_is_string(json_array_get(features, i)));
		if (i > 0)
			ck_assert_str_lt(json_string_value(json_array_get(features, i - 1)),
					 json_string_value(json_array_get(features, i)));
	}
	json_decref(expected);
	json_decref(reply);
}
END_TEST

START_TEST(hello_ignores_members_that_it_does_not_know)
{
	wire_ask(w, "{\"id\":1,\"op\":\"hello\",\"protocol\":1,\"future\":{\"x\":[1]},\"value\":null}",
		 "{\"id\":1,\"status\":\"ok\",\"protocol\":1}");
}
END_TEST

START_TEST(hello_refuses_another_protocol)
{
	wire_ask_error(w, "{\"id\":1,\"op\":\"hello\",\"protocol\":2}", 1, "unsupported_protocol", "");
	wire_ask_error(w, "{\"id\":2,\"op\":\"hello\",\"protocol\":0}", 2, "unsupported_protocol", "");
	wire_ask_error(w, "{\"id\":3,\"op\":\"hello\"}", 3, "bad_request", "protocol");
}
END_TEST

START_TEST(ping_says_ok)
{
	wire_ask_exactly(w, "{\"id\":0,\"op\":\"ping\"}", "{\"id\":0,\"status\":\"ok\"}");
	wire_ask_exactly(w, " { \"op\" : \"ping\" , \"id\" : 9007199254740991 } ",
			 "{\"id\":9007199254740991,\"status\":\"ok\"}");
	wire_ask_exactly(w, "{\"i\\u0064\":3,\"op\":\"p\\u0069ng\"}", "{\"id\":3,\"status\":\"ok\"}");
}
END_TEST

/* -- create, close, delete -- */

START_TEST(create_says_whether_it_did)
{
	const char *request = "{\"id\":1,\"op\":\"create\",\"channel\":\"new\",\"kind\":\"bounded\",\"capacity\":3}";
	wire_ask_exactly(w, request, "{\"id\":1,\"status\":\"ok\",\"channel\":\"new\",\"created\":true}");
	wire_ask_exactly(w, request, "{\"id\":1,\"status\":\"ok\",\"channel\":\"new\",\"created\":false}");
	wire_ask_exactly(other, request, "{\"id\":1,\"status\":\"ok\",\"channel\":\"new\",\"created\":false}");
	wire_ask_error(w, "{\"id\":2,\"op\":\"create\",\"channel\":\"new\",\"kind\":\"bounded\",\"capacity\":4}", 2,
		       "channel_exists", "new");
	wire_ask_error(w, "{\"id\":3,\"op\":\"create\",\"channel\":\"new\",\"kind\":\"sliding\",\"capacity\":3}", 3,
		       "channel_exists", "new");
	wire_ask_error(w,
		       "{\"id\":4,\"op\":\"create\",\"channel\":\"new\",\"kind\":\"bounded\",\"capacity\":3,\"max_"
		       "waiters\":7}",
		       4, "channel_exists", "new");
	wire_ask_error(w,
		       "{\"id\":5,\"op\":\"create\",\"channel\":\"new\",\"kind\":\"bounded\",\"capacity\":3,"
		       "\"ephemeral\":true}",
		       5, "channel_exists", "new");
}
END_TEST

START_TEST(create_without_a_name_makes_one_up)
{
	char names[2][64];
	for (int i = 0; i < 2; i++) {
		wire_send(w, "{\"id\":1,\"op\":\"create\",\"kind\":\"unbuffered\",\"ephemeral\":true}");
		json_t *reply = wire_recv_json(w);
		const char *name = json_string_value(json_object_get(reply, "channel"));
		ck_assert_ptr_nonnull(name);
		ck_assert(json_is_true(json_object_get(reply, "created")));
		ck_assert_msg(strncmp(name, "_r.", 3) == 0 && strlen(name) == 3 + 32 &&
				      strspn(name + 3, "0123456789abcdef") == 32,
			      "%s", name);
		snprintf(names[i], sizeof(names[i]), "%s", name);
		json_decref(reply);
	}
	ck_assert_str_ne(names[0], names[1]);
	/* Who knows it uses it: a reply. */
	wire_sendf(w, "{\"id\":2,\"op\":\"take\",\"channel\":\"%s\"}", names[0]);
	wire_sync(w);
	wire_sendf(other, "{\"id\":3,\"op\":\"put\",\"channel\":\"%s\",\"value\":\"answer\"}", names[0]);
	wire_expect(other, "{\"id\":3,\"status\":\"ok\"}");
	wire_expect_exactly(w, "{\"id\":2,\"status\":\"ok\",\"value\":\"answer\"}");
}
END_TEST

START_TEST(an_ephemeral_channel_goes_with_its_connection)
{
	struct wire *owner = wire_connect(d);
	wire_ask(owner,
		 "{\"id\":1,\"op\":\"create\",\"channel\":\"brief\",\"kind\":\"bounded\",\"capacity\":1,\"ephemeral\":"
		 "true}",
		 "{\"created\":true}");
	wire_ask(owner,
		 "{\"id\":1,\"op\":\"create\",\"channel\":\"brief\",\"kind\":\"bounded\",\"capacity\":1,\"ephemeral\":"
		 "true}",
		 "{\"created\":false}");
	wire_ask_error(w,
		       "{\"id\":1,\"op\":\"create\",\"channel\":\"brief\",\"kind\":\"bounded\",\"capacity\":1,"
		       "\"ephemeral\":true}",
		       1, "channel_exists", "brief");
	wire_ask(w, "{\"id\":1,\"op\":\"stat\",\"channel\":\"brief\"}", "{\"ephemeral\":true}");
	wire_ask(w, "{\"id\":2,\"op\":\"put\",\"channel\":\"brief\",\"value\":1}", "{\"id\":2,\"status\":\"ok\"}");
	wire_send(w, "{\"id\":3,\"op\":\"put\",\"channel\":\"brief\",\"value\":2}");
	wire_sync(w);
	wire_close(owner);
	wire_expect_exactly(w, "{\"id\":3,\"status\":\"closed\"}"); /* deleted as with force */
	wire_ask_error(w, "{\"id\":4,\"op\":\"put\",\"channel\":\"brief\",\"value\":2}", 4, "no_such_channel", "brief");
}
END_TEST

START_TEST(create_refuses_what_is_no_definition)
{
	wire_ask_error(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"x\"}", 1, "bad_request", "kind");
	static const char *const bad[] = {
		"\"channel\":\"x\",\"kind\":\"unlimited\"",
		"\"channel\":\"x\",\"kind\":\"bounded\"",
		"\"channel\":\"x\",\"kind\":\"bounded\",\"capacity\":0",
		"\"channel\":\"x\",\"kind\":\"unbuffered\",\"capacity\":3",
		"\"channel\":\"_x\",\"kind\":\"unbuffered\"",
		"\"channel\":\"_r.0123456789abcdef0123456789abcdef\",\"kind\":\"unbuffered\"",
		"\"channel\":\"\",\"kind\":\"unbuffered\"",
		"\"channel\":\".x\",\"kind\":\"unbuffered\"",
		"\"channel\":\"-x\",\"kind\":\"unbuffered\"",
		"\"channel\":\"a b\",\"kind\":\"unbuffered\"",
		"\"channel\":\"a/b\",\"kind\":\"unbuffered\"",
		"\"channel\":\"caf\\u00e9\",\"kind\":\"unbuffered\"",
		"\"channel\":\"a\\u0000\",\"kind\":\"unbuffered\"",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		wire_sendf(w, "{\"id\":%zu,\"op\":\"create\",%s}", i, bad[i]);
		const char *text = wire_recv(w);
		ck_assert_msg(strstr(text, "\"bad_channel\""), "%s: %s", bad[i], text);
	}
	wire_ask(w, "{\"id\":1,\"op\":\"list\",\"match\":\"*x*\"}", "{\"channels\":[]}");
}
END_TEST

START_TEST(names_may_be_of_128_bytes_and_every_kind_that_is_allowed)
{
	char name[130];
	memset(name, 'n', 129);
	name[129] = '\0';
	wire_sendf(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"%s\",\"kind\":\"unbuffered\"}", name);
	wire_expect_error(w, 1, "bad_channel", "");
	wire_sendf(w, "{\"id\":1,\"op\":\"create\",\"channel\":\"%s\",\"kind\":\"unbuffered\"}", name + 1);
	wire_expectf(w, "{\"id\":1,\"status\":\"ok\",\"channel\":\"%s\"}", name + 1);
	wire_ask(w, "{\"id\":2,\"op\":\"create\",\"channel\":\"AZaz09._:{}-\",\"kind\":\"unbuffered\"}",
		 "{\"id\":2,\"created\":true}");
	/* Compared after unescaping. */
	wire_ask(w, "{\"id\":3,\"op\":\"stat\",\"channel\":\"\\u0041Zaz09._:{}-\"}",
		 "{\"id\":3,\"channel\":\"AZaz09._:{}-\"}");
}
END_TEST

START_TEST(close_is_idempotent_and_ends_takes)
{
	wire_send(other, "{\"id\":5,\"op\":\"take\",\"channel\":\"meet\"}");
	wire_send(other, "{\"id\":6,\"op\":\"take\",\"channel\":\"meet\",\"max\":3}");
	wire_sync(other);
	wire_ask_exactly(w, "{\"id\":1,\"op\":\"close\",\"channel\":\"meet\"}", "{\"id\":1,\"status\":\"ok\"}");
	wire_expect_exactly(other, "{\"id\":5,\"status\":\"closed\"}");
	wire_expect_exactly(other, "{\"id\":6,\"status\":\"closed\"}");
	wire_ask_exactly(w, "{\"id\":2,\"op\":\"close\",\"channel\":\"meet\"}", "{\"id\":2,\"status\":\"ok\"}");
	wire_ask_exactly(w, "{\"id\":3,\"op\":\"take\",\"channel\":\"meet\"}", "{\"id\":3,\"status\":\"closed\"}");
	wire_ask_exactly(w, "{\"id\":4,\"op\":\"put\",\"channel\":\"meet\",\"value\":1}",
			 "{\"id\":4,\"status\":\"closed\"}");
	wire_ask_exactly(w, "{\"id\":5,\"op\":\"put\",\"channel\":\"meet\",\"values\":[1]}",
			 "{\"id\":5,\"status\":\"closed\",\"accepted\":0}");
	wire_ask(w, "{\"id\":6,\"op\":\"stat\",\"channel\":\"meet\"}", "{\"closed\":true}");
}
END_TEST

START_TEST(delete_says_what_it_threw_away)
{
	wire_ask(w, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"values\":[1,2]}",
		 "{\"status\":\"ok\",\"accepted\":2}");
	wire_send(other, "{\"id\":5,\"op\":\"put\",\"channel\":\"jobs\",\"value\":3}");
	wire_sync(other);
	wire_ask_error(w, "{\"id\":2,\"op\":\"delete\",\"channel\":\"jobs\"}", 2, "not_empty", "jobs");
	wire_ask_error(w, "{\"id\":2,\"op\":\"delete\",\"channel\":\"jobs\",\"force\":false}", 2, "not_empty", "jobs");
	wire_ask_exactly(w, "{\"id\":3,\"op\":\"delete\",\"channel\":\"jobs\",\"force\":true}",
			 "{\"id\":3,\"status\":\"ok\",\"discarded\":2}");
	wire_expect_exactly(other, "{\"id\":5,\"status\":\"closed\"}");
	wire_ask_error(w, "{\"id\":4,\"op\":\"delete\",\"channel\":\"jobs\"}", 4, "no_such_channel", "jobs");
	wire_ask_exactly(w, "{\"id\":5,\"op\":\"delete\",\"channel\":\"drop\"}",
			 "{\"id\":5,\"status\":\"ok\",\"discarded\":0}");
	wire_ask(w, "{\"id\":6,\"op\":\"put\",\"channel\":\"word\",\"value\":1}", "{\"status\":\"ok\"}");
	wire_ask_error(w, "{\"id\":7,\"op\":\"delete\",\"channel\":\"word\"}", 7, "not_empty", "word");
	wire_ask_exactly(w, "{\"id\":8,\"op\":\"delete\",\"channel\":\"word\",\"force\":true}",
			 "{\"id\":8,\"status\":\"ok\",\"discarded\":1}");
}
END_TEST

/* -- put and take -- */

START_TEST(put_tells_what_became_of_the_value)
{
	wire_ask_exactly(w, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"value\":1}",
			 "{\"id\":1,\"status\":\"ok\"}");
	wire_ask_exactly(w, "{\"id\":2,\"op\":\"put\",\"channel\":\"meet\",\"value\":1,\"timeout_ms\":0}",
			 "{\"id\":2,\"status\":\"timeout\"}");
	wire_ask_exactly(w, "{\"id\":3,\"op\":\"put\",\"channel\":\"meet\",\"value\":1,\"timeout_ms\":1}",
			 "{\"id\":3,\"status\":\"timeout\"}");
	wire_ask(w, "{\"id\":4,\"op\":\"put\",\"channel\":\"drop\",\"value\":1}", "{\"id\":4,\"status\":\"ok\"}");
	wire_ask_exactly(w, "{\"id\":5,\"op\":\"put\",\"channel\":\"drop\",\"value\":2}",
			 "{\"id\":5,\"status\":\"dropped\"}");
	wire_ask(w, "{\"id\":6,\"op\":\"put\",\"channel\":\"last\",\"value\":1}", "{\"id\":6,\"status\":\"ok\"}");
	wire_ask_exactly(w, "{\"id\":7,\"op\":\"put\",\"channel\":\"last\",\"value\":2}",
			 "{\"id\":7,\"status\":\"ok\",\"evicted\":1}");
	wire_ask_exactly(w, "{\"id\":8,\"op\":\"put\",\"channel\":\"word\",\"value\":1}",
			 "{\"id\":8,\"status\":\"ok\"}");
	wire_ask_exactly(w, "{\"id\":9,\"op\":\"put\",\"channel\":\"word\",\"value\":2}",
			 "{\"id\":9,\"status\":\"dropped\"}");
}
END_TEST

START_TEST(a_batch_tells_how_many_were_accepted)
{
	wire_ask_exactly(w, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"values\":[1,2,3],\"timeout_ms\":0}",
			 "{\"id\":1,\"status\":\"timeout\",\"accepted\":2}");
	wire_ask_exactly(w, "{\"id\":2,\"op\":\"put\",\"channel\":\"drop\",\"values\":[1,2,3]}",
			 "{\"id\":2,\"status\":\"dropped\",\"accepted\":1}");
	wire_ask_exactly(w, "{\"id\":3,\"op\":\"put\",\"channel\":\"last\",\"values\":[1,2,3]}",
			 "{\"id\":3,\"status\":\"ok\",\"accepted\":3,\"evicted\":2}");
	wire_send(w, "{\"id\":4,\"op\":\"put\",\"channel\":\"jobs\",\"values\":[4,5]}");
	wire_nothing(w);
	wire_ask(other, "{\"id\":1,\"op\":\"take\",\"channel\":\"jobs\"}", "{\"value\":1}");
	wire_nothing(w);
	wire_ask(other, "{\"id\":1,\"op\":\"take\",\"channel\":\"jobs\"}", "{\"value\":2}");
	wire_expect_exactly(w, "{\"id\":4,\"status\":\"ok\",\"accepted\":2}");
	wire_send(w, "{\"id\":5,\"op\":\"put\",\"channel\":\"jobs\",\"values\":[6,7]}");
	wire_ask_exactly(other, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\",\"max\":1}",
			 "{\"id\":2,\"status\":\"ok\",\"values\":[4]}");
	wire_ask(w, "{\"id\":6,\"op\":\"cancel\",\"request\":5}", "{\"id\":5,\"status\":\"cancelled\"}");
	wire_expect_exactly(w, "{\"id\":6,\"status\":\"ok\"}");
}
END_TEST

START_TEST(take_gives_a_value_or_an_array)
{
	wire_ask(w, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"values\":[[],\"x\"]}", "{\"status\":\"ok\"}");
	wire_send(w, "{\"id\":2,\"op\":\"put\",\"channel\":\"jobs\",\"values\":[false,{}]}");
	wire_sync(w);
	wire_ask_exactly(other, "{\"id\":1,\"op\":\"take\",\"channel\":\"jobs\"}",
			 "{\"id\":1,\"status\":\"ok\",\"value\":[]}");
	wire_ask_exactly(other, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\",\"max\":1000}",
			 "{\"id\":2,\"status\":\"ok\",\"values\":[\"x\",false,{}]}");
	wire_expect_exactly(w, "{\"id\":2,\"status\":\"ok\",\"accepted\":2}");
	wire_ask_exactly(w, "{\"id\":3,\"op\":\"take\",\"channel\":\"jobs\",\"timeout_ms\":0}",
			 "{\"id\":3,\"status\":\"timeout\"}");
	wire_ask_exactly(w, "{\"id\":4,\"op\":\"take\",\"channel\":\"jobs\",\"max\":7,\"timeout_ms\":1}",
			 "{\"id\":4,\"status\":\"timeout\"}");
	wire_ask(w, "{\"id\":5,\"op\":\"put\",\"channel\":\"word\",\"value\":7}", "{\"status\":\"ok\"}");
	wire_ask_exactly(w, "{\"id\":6,\"op\":\"take\",\"channel\":\"word\",\"max\":9}",
			 "{\"id\":6,\"status\":\"ok\",\"values\":[7]}");
	wire_ask_exactly(w, "{\"id\":7,\"op\":\"take\",\"channel\":\"word\"}",
			 "{\"id\":7,\"status\":\"ok\",\"value\":7}");
}
END_TEST

START_TEST(a_parked_take_with_max_gets_a_batch)
{
	wire_send(w, "{\"id\":1,\"op\":\"take\",\"channel\":\"jobs\",\"max\":3}");
	wire_sync(w);
	wire_ask_exactly(other, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"values\":[1,2,3,4]}",
			 "{\"id\":1,\"status\":\"ok\",\"accepted\":4}");
	wire_expect_exactly(w, "{\"id\":1,\"status\":\"ok\",\"values\":[1,2,3]}");
}
END_TEST

START_TEST(a_take_with_a_count_has_a_reply_a_value)
{
	wire_ask(w, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"values\":[1,2]}", "{\"accepted\":2}");
	wire_send(w, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\",\"count\":4}");
	wire_expect_exactly(w, "{\"id\":2,\"status\":\"ok\",\"value\":1,\"left\":3}");
	wire_expect_exactly(w, "{\"id\":2,\"status\":\"ok\",\"value\":2,\"left\":2}");
	wire_ask_error(w, "{\"id\":2,\"op\":\"ping\"}", 2, "duplicate_id", "");
	wire_ask(other, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"value\":3}", "{\"status\":\"ok\"}");
	wire_expect_exactly(w, "{\"id\":2,\"status\":\"ok\",\"value\":3,\"left\":1}");
	wire_send(w, "{\"id\":3,\"op\":\"cancel\",\"request\":2}");
	wire_expect_exactly(w, "{\"id\":2,\"status\":\"cancelled\",\"left\":1}");
	wire_expect_exactly(w, "{\"id\":3,\"status\":\"ok\"}");
	wire_ask_error(w, "{\"id\":4,\"op\":\"take\",\"channel\":\"word\",\"count\":2}", 4, "bad_request", "a promise");
	wire_ask_exactly(w, "{\"id\":5,\"op\":\"take\",\"channel\":\"jobs\",\"count\":2,\"timeout_ms\":5}",
			 "{\"id\":5,\"status\":\"timeout\",\"left\":2}");
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

/* -- alts, cancel -- */

START_TEST(alts_tells_which_arm_happened)
{
	wire_ask_exactly(
		w, "{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"meet\"},{\"take\":\"jobs\"}],\"timeout_ms\":0}",
		"{\"id\":1,\"status\":\"timeout\"}");
	wire_ask_exactly(
		w, "{\"id\":2,\"op\":\"alts\",\"arms\":[{\"take\":\"meet\"},{\"put\":\"jobs\",\"value\":{\"n\":1}}]}",
		"{\"id\":2,\"status\":\"ok\",\"arm\":1,\"channel\":\"jobs\"}");
	wire_ask_exactly(w, "{\"id\":3,\"op\":\"alts\",\"arms\":[{\"take\":\"jobs\"}],\"priority\":true}",
			 "{\"id\":3,\"status\":\"ok\",\"arm\":0,\"channel\":\"jobs\",\"value\":{\"n\":1}}");
	wire_ask(w, "{\"id\":4,\"op\":\"put\",\"channel\":\"drop\",\"value\":0}", "{\"status\":\"ok\"}");
	wire_ask_exactly(w, "{\"id\":5,\"op\":\"alts\",\"arms\":[{\"put\":\"drop\",\"value\":1}]}",
			 "{\"id\":5,\"status\":\"dropped\",\"arm\":0,\"channel\":\"drop\"}");
	wire_ask(w, "{\"id\":6,\"op\":\"put\",\"channel\":\"last\",\"value\":0}", "{\"status\":\"ok\"}");
	wire_ask_exactly(w, "{\"id\":7,\"op\":\"alts\",\"arms\":[{\"put\":\"last\",\"value\":1}]}",
			 "{\"id\":7,\"status\":\"ok\",\"arm\":0,\"channel\":\"last\",\"evicted\":1}");
	wire_ask(w, "{\"id\":8,\"op\":\"close\",\"channel\":\"meet\"}", "{\"status\":\"ok\"}");
	wire_ask_exactly(w, "{\"id\":9,\"op\":\"alts\",\"arms\":[{\"take\":\"jobs\"},{\"take\":\"meet\"}]}",
			 "{\"id\":9,\"status\":\"closed\",\"arm\":1,\"channel\":\"meet\"}");
	wire_ask_exactly(w, "{\"id\":10,\"op\":\"alts\",\"arms\":[{\"put\":\"meet\",\"value\":1}]}",
			 "{\"id\":10,\"status\":\"closed\",\"arm\":0,\"channel\":\"meet\"}");
	wire_ask_exactly(w, "{\"id\":11,\"op\":\"alts\",\"arms\":[{\"take\":\"jobs\"}],\"timeout_ms\":1}",
			 "{\"id\":11,\"status\":\"timeout\"}");
}
END_TEST

START_TEST(a_parked_alts_is_told_the_same_way)
{
	wire_send(w, "{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"jobs\"},{\"put\":\"meet\",\"value\":\"mine\"}]}");
	wire_sync(w);
	wire_ask_exactly(other, "{\"id\":1,\"op\":\"take\",\"channel\":\"meet\"}",
			 "{\"id\":1,\"status\":\"ok\",\"value\":\"mine\"}");
	wire_expect_exactly(w, "{\"id\":1,\"status\":\"ok\",\"arm\":1,\"channel\":\"meet\"}");
	wire_send(w, "{\"id\":2,\"op\":\"alts\",\"arms\":[{\"take\":\"jobs\"},{\"take\":\"jobs\"},{\"put\":\"meet\","
		     "\"value\":1}]}");
	wire_sync(w);
	wire_ask(other, "{\"id\":2,\"op\":\"put\",\"channel\":\"jobs\",\"value\":\"yours\"}", "{\"status\":\"ok\"}");
	wire_expect(w, "{\"id\":2,\"status\":\"ok\",\"channel\":\"jobs\",\"value\":\"yours\"}");
	wire_send(w, "{\"id\":3,\"op\":\"alts\",\"arms\":[{\"take\":\"jobs\"},{\"take\":\"meet\"}]}");
	wire_sync(w);
	wire_ask(other, "{\"id\":3,\"op\":\"delete\",\"channel\":\"meet\"}", "{\"status\":\"ok\"}");
	wire_expect_exactly(w, "{\"id\":3,\"status\":\"closed\",\"arm\":1,\"channel\":\"meet\"}");
}
END_TEST

START_TEST(a_bad_arm_refuses_the_whole)
{
	wire_ask_error(w, "{\"id\":1,\"op\":\"alts\",\"arms\":[{\"put\":\"jobs\",\"value\":1},{\"take\":\"none\"}]}", 1,
		       "no_such_channel", "none");
	wire_ask_error(w,
		       "{\"id\":2,\"op\":\"alts\",\"arms\":[{\"put\":\"jobs\",\"value\":1},{\"put\":\"meet\",\"value\":"
		       "null}]}",
		       2, "bad_value", "");
	wire_ask_error(w, "{\"id\":3,\"op\":\"alts\",\"arms\":[{\"put\":\"jobs\",\"value\":1},{\"take\":\"a b\"}]}", 3,
		       "bad_channel", "a b");
	wire_ask(w, "{\"id\":4,\"op\":\"stat\",\"channel\":\"jobs\"}", "{\"accepted\":0,\"parked_puts\":0}");
	wire_ask(w, "{\"id\":5,\"op\":\"stat\",\"channel\":\"meet\"}", "{\"parked_puts\":0,\"parked_takes\":0}");
}
END_TEST

START_TEST(arms_have_one_form)
{
	static const char *const bad[] = {
		"[]",
		"{}",
		"1",
		"[1]",
		"[[]]",
		"[{}]",
		"[{\"take\":\"jobs\",\"put\":\"jobs\",\"value\":1}]",
		"[{\"put\":\"jobs\"}]",
		"[{\"take\":\"jobs\",\"value\":1}]",
		"[{\"value\":1}]",
		"[{\"take\":1}]",
		"[{\"take\":\"jobs\",\"take\":\"meet\"}]",
		"[{\"take\":\"jobs\",\"timeout_ms\":1}]",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		wire_sendf(w, "{\"id\":%zu,\"op\":\"alts\",\"timeout_ms\":0,\"arms\":%s}", i, bad[i]);
		const char *text = wire_recv(w);
		ck_assert_msg(strstr(text, "\"bad_request\""), "%s: %s", bad[i], text);
	}
	char arms[65 * 16] = "{\"take\":\"jobs\"}";
	for (int i = 1; i < 64; i++)
		strcat(arms, ",{\"take\":\"jobs\"}");
	wire_sendf(w, "{\"id\":1,\"op\":\"alts\",\"timeout_ms\":0,\"arms\":[%s]}", arms);
	wire_expect_exactly(w, "{\"id\":1,\"status\":\"timeout\"}");
	wire_sendf(w, "{\"id\":2,\"op\":\"alts\",\"timeout_ms\":0,\"arms\":[%s,{\"take\":\"jobs\"}]}", arms);
	wire_expect_error(w, 2, "bad_request", "arms");
}
END_TEST

START_TEST(cancel_replies_after_what_it_cancelled)
{
	wire_send(w, "{\"id\":1,\"op\":\"take\",\"channel\":\"meet\"}");
	wire_send(w, "{\"id\":2,\"op\":\"alts\",\"arms\":[{\"take\":\"meet\"},{\"take\":\"jobs\"}]}");
	wire_send(w, "{\"id\":4,\"op\":\"cancel\",\"request\":2}");
	wire_expect_exactly(w, "{\"id\":2,\"status\":\"cancelled\"}");
	wire_expect_exactly(w, "{\"id\":4,\"status\":\"ok\"}");
	wire_send(w, "{\"id\":5,\"op\":\"cancel\",\"request\":1}");
	wire_expect_exactly(w, "{\"id\":1,\"status\":\"cancelled\"}");
	wire_expect_exactly(w, "{\"id\":5,\"status\":\"ok\"}");
	wire_ask(w, "{\"id\":6,\"op\":\"put\",\"channel\":\"jobs\",\"values\":[1,2]}", "{\"status\":\"ok\"}");
	wire_send(w, "{\"id\":7,\"op\":\"put\",\"channel\":\"jobs\",\"values\":[3,4]}");
	wire_ask(other, "{\"id\":1,\"op\":\"take\",\"channel\":\"jobs\"}", "{\"value\":1}");
	wire_send(w, "{\"id\":8,\"op\":\"cancel\",\"request\":7}");
	wire_expect(w, "{\"id\":7,\"status\":\"cancelled\"}");
	wire_expect_exactly(w, "{\"id\":8,\"status\":\"ok\"}");
	wire_ask_error(w, "{\"id\":9,\"op\":\"cancel\",\"request\":7}", 9, "no_such_request", "7");
	wire_ask_error(w, "{\"id\":10,\"op\":\"cancel\",\"request\":10}", 10, "no_such_request", "10");
}
END_TEST

START_TEST(nobody_cancels_the_requests_of_another_connection)
{
	wire_send(w, "{\"id\":1,\"op\":\"take\",\"channel\":\"meet\"}");
	wire_sync(w);
	wire_ask_error(other, "{\"id\":2,\"op\":\"cancel\",\"request\":1}", 2, "no_such_request", "");
	wire_ask(other, "{\"id\":3,\"op\":\"put\",\"channel\":\"meet\",\"value\":1}", "{\"status\":\"ok\"}");
	wire_expect(w, "{\"id\":1,\"value\":1}");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire ops");
	suite_case(suite, "hello, ping", setup, teardown,
		   (const TTest *const[]){hello_says_who_speaks, hello_ignores_members_that_it_does_not_know,
					  hello_refuses_another_protocol, ping_says_ok, NULL});
	suite_case(suite, "create, close, delete", setup, teardown,
		   (const TTest *const[]){create_says_whether_it_did, create_without_a_name_makes_one_up,
					  an_ephemeral_channel_goes_with_its_connection,
					  create_refuses_what_is_no_definition,
					  names_may_be_of_128_bytes_and_every_kind_that_is_allowed,
					  close_is_idempotent_and_ends_takes, delete_says_what_it_threw_away, NULL});
	suite_case(suite, "put, take", setup, teardown,
		   (const TTest *const[]){put_tells_what_became_of_the_value, a_batch_tells_how_many_were_accepted,
					  take_gives_a_value_or_an_array, a_parked_take_with_max_gets_a_batch,
					  a_take_with_a_count_has_a_reply_a_value,
					  more_than_a_turn_gives_comes_in_the_next_ones, a_value_keeps_its_bytes,
					  a_value_may_be_nested_128_deep_and_no_deeper, NULL});
	suite_case(suite, "alts, cancel", setup, teardown,
		   (const TTest *const[]){alts_tells_which_arm_happened, a_parked_alts_is_told_the_same_way,
					  a_bad_arm_refuses_the_whole, arms_have_one_form,
					  cancel_replies_after_what_it_cancelled,
					  nobody_cancels_the_requests_of_another_connection, NULL});
	return suite_run(suite);
}
