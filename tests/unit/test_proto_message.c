/* Messages written and replies decoded; and that no bytes upset the decoders, those of requests among them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "proto/frame.h"
#include "proto/json_scan.h"
#include "tests/lib/message_fixture.h"
#include "tests/lib/suite.h"

/* -- writing -- */

static void written(const struct buffer *out, const char *expected)
{
	struct slice frame;
	size_t used;
	ck_assert(!out->failed);
	ck_assert_int_eq(frame_next(buffer_slice(out), 1 << 20, &frame, &used, NULL), FRAME_WHOLE);
	ck_assert_uint_eq(used, buffer_len(out));
	equals(frame, expected);
}

START_TEST(messages_are_one_object_in_a_frame)
{
	struct buffer out = {0};
	size_t mark = message_begin_reply(&out, true, 9007199254740991, STATUS_OK);
	message_uint(&out, "evicted", 1);
	message_bool(&out, "created", true);
	message_bool(&out, "more", false);
	message_raw(&out, "value", SLICE("[1, 2]"));
	message_string(&out, "channel", SLICE("c"));
	message_end(&out, mark);
	written(&out, "{\"id\":9007199254740991,\"status\":\"ok\",\"evicted\":1,\"created\":true,\"more\":false,"
		      "\"value\":[1, 2],\"channel\":\"c\"}");
	buffer_clear(&out);
	mark = message_begin_request(&out, 0, OP_TAKE);
	message_end(&out, mark);
	written(&out, "{\"id\":0,\"op\":\"take\"}");
	buffer_clear(&out);
	message_error(&out, false, 0, ERROR_BAD_JSON, NULL);
	char expected[300];
	snprintf(expected, sizeof(expected),
		 "{\"id\":null,\"status\":\"error\",\"error\":\"bad_json\",\"message\":\"%s\"}",
		 error_text(ERROR_BAD_JSON));
	written(&out, expected);
	buffer_finish(&out);
}
END_TEST

START_TEST(strings_are_escaped_and_made_valid)
{
	struct buffer out = {0};
	message_text(&out, (struct slice){"a\"\\\n\r\t\x01\x1f\x7f/\xc3\xa9\0z\xff\xe2\x82", 17});
	struct slice text = buffer_slice(&out);
	equals(text, "\"a\\\"\\\\\\n\\r\\t\\u0001\\u001f\x7f/\xc3\xa9\\u0000z\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	json_t *tree = json_loadb(text.bytes, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	ck_assert_ptr_nonnull(tree);
	json_decref(tree);
	buffer_clear(&out);
	message_text(&out, (struct slice){NULL, 0});
	equals(buffer_slice(&out), "\"\"");
	buffer_finish(&out);
}
END_TEST

START_TEST(the_detail_of_an_error_is_escaped)
{
	struct buffer out = {0};
	message_error(&out, true, 3, ERROR_UNKNOWN_OP, "\"x\ny\"");
	ck_assert_int_eq(message_decode_reply(out.bytes + out.start + FRAME_HEADER_BYTES,
					      buffer_len(&out) - FRAME_HEADER_BYTES, &reply),
			 0);
	ck_assert(reply.has_id && reply.id == 3);
	ck_assert_int_eq(reply.status, STATUS_ERROR);
	ck_assert_int_eq(reply.error, ERROR_UNKNOWN_OP);
	const char tail[] = ": \"x\ny\"";
	ck_assert_uint_gt(reply.message.len, sizeof(tail));
	ck_assert_mem_eq(reply.message.bytes + reply.message.len - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
	buffer_finish(&out);
}
END_TEST

/* -- replies that are written in one piece -- */

START_TEST(a_reply_in_one_piece_is_the_one_in_many)
{
	static const uint64_t ids[] = {0, 7, 123456, MESSAGE_MAX_ID};
	static const char *const values[] = {"1", "{\"a\":[1,2]}",
					     "\"a longer text, which is longer than a word or two\""};
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct buffer one = {0}, many = {0};
		message_ok(&one, ids[i]);
		message_end(&many, message_begin_reply(&many, true, ids[i], STATUS_OK));
		for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
			message_ok_value(&one, ids[i], slice_from(values[j]));
			size_t mark = message_begin_reply(&many, true, ids[i], STATUS_OK);
			message_raw(&many, "value", slice_from(values[j]));
			message_end(&many, mark);
			message_ok_counted(&one, ids[i], slice_from(values[j]), (uint32_t)ids[i]);
			mark = message_begin_reply(&many, true, ids[i], STATUS_OK);
			message_raw(&many, "value", slice_from(values[j]));
			message_uint(&many, "left", (uint32_t)ids[i]);
			message_end(&many, mark);
		}
		ck_assert(slice_equal((struct slice){one.bytes, buffer_len(&one)},
				      (struct slice){many.bytes, buffer_len(&many)}));
		buffer_finish(&one);
		buffer_finish(&many);
	}
}
END_TEST

/* -- replies -- */

/* Most replies are read by a short way. It must know where it ends. */
START_TEST(a_reply_in_the_usual_order_is_read_as_any_other)
{
	static const char *const usual[] = {
		"{\"id\":7,\"status\":\"ok\",\"value\":%s}", "{ \"id\":7,\"status\":\"ok\",\"value\":%s}",
		"{\"id\":7,\"status\":\"ok\",\"value\":%s }", "{\"id\":7,\"status\":\"ok\",\"value\":%s,\"left\":0}",
		"{\"status\":\"ok\",\"id\":7,\"value\":%s}"};
	static const char *const values[] = {"1", "\"}\"", "{\"a\": [1, {}]}", "\"\\u00e9\"", "[]"};
	static const char *const wrong[] = {"{\"id\":7,\"status\":\"ok\"",
					    "{\"id\":7,\"status\":\"ok\"}}",
					    "{\"id\":7,\"status\":\"ok\",}",
					    "{\"id\":7,\"status\":\"ok\",\"value\":}",
					    "{\"id\":7,\"status\":\"ok\",\"value\":1}x",
					    "{\"id\":7,\"status\":\"ok\",\"value\":1",
					    "{\"id\":7,\"status\":\"ok\",\"value\":nul}",
					    "{\"id\":99999999999999999999,\"status\":\"ok\"}",
					    "{\"id\":07,\"status\":\"ok\"}",
					    "{\"id\":,\"status\":\"ok\"}"};
	char text[128];

	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++) {
		for (size_t j = 0; j < sizeof(values) / sizeof(*values); j++) {
			snprintf(text, sizeof(text), usual[i], values[j]);
			ck_assert_int_eq(decode_reply(text), 0);
			ck_assert(reply.has_id && reply.id == 7 && reply.status == STATUS_OK &&
				  reply.error == ERROR_NONE);
			equals(reply.value, values[j]);
			ck_assert_uint_eq(reply.body.len, strlen(text));
			ck_assert(reply.has_left == (i == 3));
		}
	}
	ck_assert_int_eq(decode_reply("{\"id\":7,\"status\":\"ok\"}"), 0);
	ck_assert_uint_eq(reply.value.len, 0);
	ck_assert_int_eq(decode_reply("{\"id\":7,\"status\":\"okay\"}"), 0);
	ck_assert_int_eq(reply.status, STATUS_ERROR);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		ck_assert_msg(decode_reply(wrong[i]) < 0, "%s", wrong[i]);
}
END_TEST

START_TEST(a_reply_has_its_parts)
{
	ck_assert_int_eq(decode_reply("{\"id\":4,\"status\":\"ok\",\"arm\":2,\"channel\":\"c\\u0061\",\"value\":"
				      "\"\\u00e9\",\"values\":[1],\"evicted\":3,\"accepted\":0}"),
			 0);
	ck_assert(reply.has_id && reply.has_arm && reply.has_accepted);
	ck_assert_uint_eq(reply.id, 4);
	ck_assert_uint_eq(reply.arm, 2);
	ck_assert_uint_eq(reply.evicted, 3);
	ck_assert_uint_eq(reply.accepted, 0);
	equals(reply.channel, "ca");
	equals(reply.value, "\"\\u00e9\"");
	equals(reply.values, "[1]");
	ck_assert_uint_eq(reply.address.len, 0);
	ck_assert_int_eq(
		decode_reply("{\"id\":4,\"status\":\"error\",\"error\":\"moved\",\"address\":\"tcp:\\/\\/b:1\"}"), 0);
	ck_assert_int_eq(reply.error, ERROR_MOVED);
	equals(reply.address, "tcp://b:1");
	ck_assert_int_eq(decode_reply("{\"id\":4,\"status\":\"error\",\"error\":\"unavailable\",\"retry_ms\":50}"), 0);
	ck_assert_int_eq(reply.error, ERROR_UNAVAILABLE);
	ck_assert_uint_eq(reply.retry_ms, 50);
}
END_TEST

START_TEST(a_reply_may_say_more_than_we_know)
{
	ck_assert_int_eq(decode_reply("{\"future\":[{}],\"status\":\"perhaps\",\"id\":null}"), 0);
	ck_assert(!reply.has_id);
	ck_assert_int_eq(reply.status, STATUS_ERROR);
	ck_assert_int_eq(reply.error, ERROR_INTERNAL);
	ck_assert_int_eq(
		decode_reply("{\"status\":\"error\",\"error\":\"new_trouble\",\"message\":\"x\",\"status\":\"error\"}"),
		0);
	ck_assert_int_eq(reply.error, ERROR_INTERNAL);
	equals(reply.message, "x");
}
END_TEST

START_TEST(what_is_no_reply_is_refused)
{
	const char *bad[] = {
		"",
		"[]",
		"{}",
		"{\"id\":1}",
		"{\"id\":1,\"status\":1}",
		"{\"id\":\"1\",\"status\":\"ok\"}",
		"{\"id\":-1,\"status\":\"ok\"}",
		"{\"id\":1,\"status\":\"ok\"",
		"{\"id\":1,\"status\":\"ok\"}x",
		"{\"id\":1,\"status\":\"ok\",\"arm\":\"x\"}",
		"{\"id\":1,\"status\":\"ok\",\"values\":1}",
		"{\"id\":1,\"status\":\"ok\",\"channel\":1}",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(decode_reply(bad[i]) < 0, "%s", bad[i]);
}
END_TEST

START_TEST(values_may_be_as_deep_in_an_array_as_alone)
{
	char deep[2 * JSON_MAX_DEPTH + 1] = "", text[sizeof(deep) + 64];
	memset(deep, '[', JSON_MAX_DEPTH);
	memset(deep + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	snprintf(text, sizeof(text), "{\"id\":1,\"status\":\"ok\",\"value\": %s }", deep);
	ck_assert_int_eq(decode_reply(text), 0);
	equals(reply.value, deep);
	snprintf(text, sizeof(text), "{\"id\":1,\"status\":\"ok\",\"values\": [%s, 1 ] }", deep);
	ck_assert_int_eq(decode_reply(text), 0);
	ck_assert_uint_eq(reply.values.len, sizeof(deep) - 1 + strlen("[, 1 ]"));
	snprintf(text, sizeof(text), "{\"id\":1,\"status\":\"ok\",\"values\":[[%s]]}", deep);
	ck_assert_int_lt(decode_reply(text), 0);
}
END_TEST

/* -- any bytes at all -- */

START_TEST(no_bytes_upset_the_decoders)
{
	static const char *const starts[] = {
		"{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"values\":[1,\"\\u0041\",[null]],\"timeout_ms\":5}",
		"{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"a\\u0062\"},{\"put\":\"b\",\"value\":{\"x\":1}}],"
		"\"priority\":true}",
		"{\"id\":1,\"status\":\"error\",\"error\":\"bad_json\",\"message\":\"\\u00e9\",\"arm\":1,\"values\":[]"
		"}",
	};
	unsigned seed = getenv("MILLRACE_SEED") ? (unsigned)strtoul(getenv("MILLRACE_SEED"), NULL, 10) : 4711;
	printf("seed %u\n", seed);
	srandom(seed);
	for (int i = 0; i < 100000; i++) {
		char text[200];
		size_t len = (size_t)snprintf(text, sizeof(text), "%s", starts[i % 3]);
		for (int n = 0; n < 1 + i % 3; n++)
			text[(size_t)random() % len] = "{}[]\",:\\u0159tfnaebx\xc3\xff"[random() % 22];
		len -= (size_t)random() % 4 == 0 ? (size_t)random() % len : 0;
		if (decode_bytes(text, len) < 0)
			ck_assert_int_ne(request.error, ERROR_NONE);
		else
			ck_assert(request.op > OP_NONE && request.op < OP_COUNT);
		memcpy(body, text, len);
		message_decode_reply(body, len, &reply);
	}
}
END_TEST

static void expect_peek(const char *text, const char *channel)
{
	struct slice peeked = message_peek_channel(slice_from(text));
	ck_assert(slice_equal(peeked, slice_from(channel)));
}

START_TEST(the_channel_is_seen_at_a_glance)
{
	expect_peek("{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"value\":1}", "jobs");
	expect_peek("{\"op\": \"take\", \"channel\": \"jobs\", \"id\": 1}", "jobs");
	expect_peek("{\"op\":\"ping\",\"id\":1}", "");
	expect_peek("{\"channel\":7}", "");
	expect_peek("{\"channel\":", "");
	expect_peek("{\"channel\": ", "");
	expect_peek("{\"channel\":\"", "");
	expect_peek("{\"channel\":\"job", "job");
	expect_peek("", "");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		messages_are_one_object_in_a_frame,
		strings_are_escaped_and_made_valid,
		the_detail_of_an_error_is_escaped,
		a_reply_in_one_piece_is_the_one_in_many,
		a_reply_in_the_usual_order_is_read_as_any_other,
		a_reply_has_its_parts,
		a_reply_may_say_more_than_we_know,
		what_is_no_reply_is_refused,
		values_may_be_as_deep_in_an_array_as_alone,
		no_bytes_upset_the_decoders,
		the_channel_is_seen_at_a_glance,
		NULL,
	};
	Suite *suite = suite_create("proto: messages");
	suite_case(suite, "all", NULL, message_teardown, tests);
	return suite_run(suite);
}
