/* Requests decoded, replies decoded, and both written. Bodies are copied to memory of exactly their length. */
#include "proto/message.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "proto/frame.h"
#include "tests/lib/suite.h"

static struct message_decoder decoder;
static struct message_request request;
static char *body;

static int decode_bytes(const char *text, size_t len)
{
	free(body);
	body = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(body);
	memcpy(body, text, len);
	return message_decode_request(&decoder, body, len, &request);
}

static void decodes(const char *text)
{
	ck_assert_msg(decode_bytes(text, strlen(text)) == 0, "%s: %s: %s", text, error_name(request.error),
		      request.detail);
}

/* id -1: none could be read. */
static void refuses(const char *text, int64_t id, enum error error, const char *needle)
{
	ck_assert_msg(decode_bytes(text, strlen(text)) < 0, "%s is taken", text);
	ck_assert_msg(request.error == error, "%s: %s, not %s", text, error_name(request.error), error_name(error));
	ck_assert_msg(strstr(request.detail, needle) != NULL, "%s: \"%s\" lacks \"%s\"", text, request.detail, needle);
	ck_assert_msg(request.has_id == (id >= 0), "%s: id", text);
	if (id >= 0)
		ck_assert_uint_eq(request.id, (uint64_t)id);
}

static void equals(struct slice slice, const char *text)
{
	ck_assert_msg(slice_equal(slice, slice_from(text)), "\"%.*s\" is not \"%s\"", (int)slice.len, slice.bytes,
		      text);
}

static void teardown(void)
{
	message_decoder_finish(&decoder);
	free(body);
}

/* -- requests that are good -- */

START_TEST(a_put_has_its_parts)
{
	decodes("{\"id\":7,\"op\":\"put\",\"channel\":\"jobs\",\"value\":{\"a\": 1.0,  "
		"\"b\":\"\\u00e9\"},\"timeout_ms\":250}");
	ck_assert_uint_eq(request.id, 7);
	ck_assert_int_eq(request.op, OP_PUT);
	equals(request.channel, "jobs");
	equals(request.value, "{\"a\": 1.0,  \"b\":\"\\u00e9\"}");
	ck_assert(message_has(&request, MEMBER_TIMEOUT_MS));
	ck_assert_uint_eq(request.timeout_ms, 250);
	ck_assert(!message_has(&request, MEMBER_VALUES));
}
END_TEST

START_TEST(members_may_come_in_any_order)
{
	decodes(" { \"value\" : [ 1 ] , \"timeout_ms\" : 0 , \"channel\" : \"c\" , \"op\" : \"put\" , \"id\" : 0 } ");
	ck_assert_int_eq(request.op, OP_PUT);
	ck_assert(request.has_id && request.id == 0);
	equals(request.value, "[ 1 ]");
	ck_assert(message_has(&request, MEMBER_TIMEOUT_MS) && request.timeout_ms == 0);
}
END_TEST

START_TEST(names_are_compared_after_unescaping)
{
	decodes("{\"\\u0069d\":1,\"\\u006fp\":\"p\\u0075t\",\"ch\\u0061nnel\":\"j\\u006fbs\",\"value\":\"\\u006f\"}");
	ck_assert_int_eq(request.op, OP_PUT);
	equals(request.channel, "jobs");
	equals(request.value, "\"\\u006f\"");
}
END_TEST

START_TEST(a_batch_is_split)
{
	decodes("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"values\":[1, \"two\",[3 ,3],{\"f\":4} ]}");
	ck_assert_uint_eq(request.n_values, 4);
	equals(request.values[0], "1");
	equals(request.values[1], "\"two\"");
	equals(request.values[2], "[3 ,3]");
	equals(request.values[3], "{\"f\":4}");
}
END_TEST

START_TEST(a_large_batch_gives_its_memory_back)
{
	enum { N = 100000 };
	char *text = malloc(3 * N + 100);
	ck_assert_ptr_nonnull(text);
	strcpy(text, "{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"values\":[7");
	size_t len = strlen(text);
	for (int i = 1; i < N; i++, len += 2)
		memcpy(text + len, ",7", 2);
	strcpy(text + len, "]}");
	decodes(text);
	ck_assert_uint_eq(request.n_values, N);
	equals(request.values[N - 1], "7");
	decodes("{\"id\":1,\"op\":\"ping\"}");
	ck_assert_uint_lt(decoder.values_cap, N / 10);
	free(text);
}
END_TEST

START_TEST(arms_are_takes_and_puts)
{
	decodes("{\"id\":1,\"op\":\"alts\",\"priority\":true,\"arms\":[{\"take\":\"a\"},{\"value\":[1],\"put\":\"b\"},{"
		"\"take\":\"a\"}],\"timeout_ms\":5}");
	ck_assert_uint_eq(request.n_arms, 3);
	ck_assert(request.priority);
	ck_assert(!request.arms[0].is_put && request.arms[1].is_put && !request.arms[2].is_put);
	equals(request.arms[0].channel, "a");
	equals(request.arms[1].channel, "b");
	equals(request.arms[1].value, "[1]");
}
END_TEST

START_TEST(every_op_is_known_with_all_its_members)
{
	static const struct {
		const char *text;
		enum message_op op;
	} good[] = {
		{"{\"id\":1,\"op\":\"hello\",\"protocol\":1,\"name\":\"n\",\"token\":\"t\"}", OP_HELLO},
		{"{\"id\":1,\"op\":\"ping\"}", OP_PING},
		{"{\"id\":1,\"op\":\"create\",\"channel\":\"c\",\"kind\":\"bounded\",\"capacity\":3,\"ephemeral\":true,"
		 "\"max_waiters\":9}",
		 OP_CREATE},
		{"{\"id\":1,\"op\":\"create\",\"kind\":\"promise\",\"ephemeral\":false}", OP_CREATE},
		{"{\"id\":1,\"op\":\"close\",\"channel\":\"c\"}", OP_CLOSE},
		{"{\"id\":1,\"op\":\"delete\",\"channel\":\"c\",\"force\":true}", OP_DELETE},
		{"{\"id\":1,\"op\":\"put\",\"channel\":\"_r.1\",\"value\":0}", OP_PUT},
		{"{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"max\":1000,\"timeout_ms\":2147483647}", OP_TAKE},
		{"{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"count\":1000000}", OP_TAKE},
		{"{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"lease_ms\":1,\"sticky\":true}", OP_TAKE},
		{"{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"c\"}],\"lease_ms\":1,\"sticky\":true}", OP_ALTS},
		{"{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":0,\"timeout_ms\":0,\"delay_ms\":2147483647,"
		 "\"producer\":\"p\",\"seq\":9007199254740991}",
		 OP_PUT},
		{"{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"values\":[0],\"producer\":\"p\",\"seq\":0}", OP_PUT},
		{"{\"id\":1,\"op\":\"alter\",\"channel\":\"c\"}", OP_ALTER},
		{"{\"id\":1,\"op\":\"alter\",\"channel\":\"c\",\"capacity\":3,\"max_waiters\":4,\"max_deliveries\":5,"
		 "\"dead_letter\":\"bad\"}",
		 OP_ALTER},
		{"{\"id\":1,\"op\":\"alter\",\"channel\":\"c\",\"max_deliveries\":0,\"dead_letter\":null}", OP_ALTER},
		{"{\"id\":1,\"op\":\"nack\",\"lease\":\"t\",\"counted\":false}", OP_NACK},
		{"{\"id\":1,\"op\":\"leases\"}", OP_LEASES},
		{"{\"id\":1,\"op\":\"leases\",\"channel\":\"c\",\"after\":7,\"limit\":1}", OP_LEASES},
		{"{\"id\":1,\"op\":\"move\",\"from\":\"c\"}", OP_MOVE},
		{"{\"id\":1,\"op\":\"move\",\"from\":\"c\",\"to\":\"d\",\"max\":10000}", OP_MOVE},
		{"{\"id\":1,\"op\":\"ack\",\"lease\":\"t\"}", OP_ACK},
		{"{\"id\":1,\"op\":\"nack\",\"lease\":\"t\",\"delay_ms\":0}", OP_NACK},
		{"{\"id\":1,\"op\":\"extend\",\"lease\":\"t\",\"lease_ms\":1}", OP_EXTEND},
		{"{\"id\":1,\"op\":\"create\",\"channel\":\"c\",\"kind\":\"bounded\",\"capacity\":3,\"max_deliveries\":"
		 "3,\"dead_letter\":\"d\"}",
		 OP_CREATE},
		{"{\"id\":1,\"op\":\"cancel\",\"request\":9007199254740991}", OP_CANCEL},
		{"{\"id\":1,\"op\":\"peek\",\"channel\":\"c\",\"max\":1000000}", OP_PEEK},
		{"{\"id\":1,\"op\":\"list\",\"match\":\"a*\",\"after\":\"b\",\"limit\":2}", OP_LIST},
		{"{\"id\":1,\"op\":\"stat\",\"channel\":\"c\"}", OP_STAT},
		{"{\"id\":1,\"op\":\"waiters\",\"channel\":\"c\",\"after\":12,\"limit\":1}", OP_WAITERS},
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		decodes(good[i].text);
		ck_assert_int_eq(request.op, good[i].op);
	}
	ck_assert_uint_eq(request.after_seq, 12);
	decodes("{\"id\":1,\"op\":\"list\"}");
	ck_assert_uint_eq(request.limit, 1000);
	decodes("{\"id\":1,\"op\":\"peek\",\"channel\":\"c\"}");
	ck_assert_uint_eq(request.max, 1);
}
END_TEST

START_TEST(hello_alone_ignores_what_it_does_not_know)
{
	decodes("{\"id\":1,\"op\":\"hello\",\"protocol\":1,\"future\":{\"x\":[1]},\"value\":null,\"future\":2,\"arms\":"
		"7}");
	refuses("{\"id\":1,\"op\":\"hello\",\"protocol\":1,\"protocol\":1}", 1, ERROR_BAD_REQUEST,
		"\"protocol\" is there twice");
	refuses("{\"id\":1,\"op\":\"hello\"}", 1, ERROR_BAD_REQUEST, "\"protocol\" is missing");
	refuses("{\"id\":1,\"op\":\"ping\",\"future\":1}", 1, ERROR_BAD_REQUEST, "\"future\" is no member of ping");
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

/* -- requests that are wrong -- */

START_TEST(bad_json_is_told_with_its_place_before_everything_else)
{
	refuses("", -1, ERROR_BAD_JSON, "at byte 0");
	refuses("[]", -1, ERROR_BAD_JSON, "an object is expected");
	refuses("{\"id\":1,\"op\":\"ping\"", 1, ERROR_BAD_JSON, "at byte 19");
	refuses("{\"id\":1,\"op\":\"nonsense\",\"timeout_ms\":-5}x", 1, ERROR_BAD_JSON, "behind the object");
	refuses("{\"op\":\"put\",\"channel\":\"c\",\"value\":nul,\"id\":1}", -1, ERROR_BAD_JSON, "a value is expected");
	refuses("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"values\":[1,]}", 1, ERROR_BAD_JSON,
		"a value is expected");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"c\",}]}", 1, ERROR_BAD_JSON, "in quotes is expected");
	refuses("{\"id\":1,\"op\":\"ping\",\"\xff\":1}", 1, ERROR_BAD_JSON, "not UTF-8");
}
END_TEST

START_TEST(an_id_is_plain_digits)
{
	refuses("{\"op\":\"ping\"}", -1, ERROR_BAD_REQUEST, "\"id\" is missing");
	refuses("{\"id\":null,\"op\":\"put\",\"channel\":\"c\",\"value\":1}", -1, ERROR_BAD_REQUEST, "\"id\" is");
	refuses("{\"id\":null,\"op\":\"ping\"}", -1, ERROR_BAD_REQUEST, "\"id\" is");
	refuses("{\"id\":\"1\",\"op\":\"ping\"}", -1, ERROR_BAD_REQUEST, "\"id\" is");
	refuses("{\"id\":-1,\"op\":\"ping\"}", -1, ERROR_BAD_REQUEST, "plain digits");
	refuses("{\"id\":1.0,\"op\":\"ping\"}", -1, ERROR_BAD_REQUEST, "plain digits");
	refuses("{\"id\":1e2,\"op\":\"ping\"}", -1, ERROR_BAD_REQUEST, "plain digits");
	refuses("{\"id\":9007199254740992,\"op\":\"ping\"}", -1, ERROR_BAD_REQUEST, "plain digits");
	refuses("{\"id\":1,\"op\":\"ping\",\"id\":2}", 1, ERROR_BAD_REQUEST, "\"id\" is there twice");
	decodes("{\"id\":9007199254740991,\"op\":\"ping\"}");
}
END_TEST

START_TEST(a_put_may_lack_its_id)
{
	decodes("{\"op\":\"put\",\"channel\":\"c\",\"value\":1}");
	ck_assert(!request.has_id);
	ck_assert_uint_eq(request.id, MESSAGE_NO_ID);
	/* What is wrong with it is told by its channel, wherever that stands. */
	refuses("{\"op\":\"put\",\"value\":null,\"channel\":\"j\\u006fbs\"}", -1, ERROR_BAD_VALUE, "null");
	equals(request.channel, "jobs");
	refuses("{\"op\":\"put\",\"channel\":\"c\",\"value\":1,\"nonsense\":1}", -1, ERROR_BAD_REQUEST, "nonsense");
	equals(request.channel, "c");
	refuses("{\"op\":\"put\",\"channel\":\"-c\",\"value\":1}", -1, ERROR_BAD_CHANNEL, "-c");
	equals(request.channel, "");
	refuses("{\"op\":\"put\",\"channel\":\"-c\",\"value\":1,\"nonsense\":1}", -1, ERROR_BAD_REQUEST, "nonsense");
	equals(request.channel, "");
}
END_TEST

START_TEST(an_op_is_one_of_those_there_are)
{
	refuses("{\"id\":1}", 1, ERROR_BAD_REQUEST, "\"op\" is missing");
	refuses("{\"id\":1,\"op\":3}", 1, ERROR_BAD_REQUEST, "\"op\" is a string");
	const char *unknown[] = {"acks", "nac", "extends", "PUT", "", "puts"};
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		char text[64], quoted[32];
		snprintf(text, sizeof(text), "{\"id\":1,\"op\":\"%s\"}", unknown[i]);
		snprintf(quoted, sizeof(quoted), "\"%s\"", unknown[i]);
		refuses(text, 1, ERROR_UNKNOWN_OP, quoted);
	}
}
END_TEST

START_TEST(what_was_perhaps_meant_is_named)
{
	char text[400], name[200];
	refuses("{\"id\":1,\"op\":\"tkae\"}", 1, ERROR_UNKNOWN_OP, "\"tkae\"; did you mean \"take\"?");
	refuses("{\"id\":1,\"op\":\"lst\"}", 1, ERROR_UNKNOWN_OP, "did you mean \"list\"?");
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"timout_ms\":1}", 1, ERROR_BAD_REQUEST,
		"\"timout_ms\" is no member of take; did you mean \"timeout_ms\"?");
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"timeout\":1}", 1, ERROR_BAD_REQUEST,
		"did you mean \"timeout_ms\"?");
	refuses("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"vlaue\":1}", 1, ERROR_BAD_REQUEST,
		"did you mean \"value\"?");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(text, sizeof(text), "{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"%s\":1}", name);
	refuses(text, 1, ERROR_BAD_REQUEST, "...\" is no member of take");
	ck_assert_ptr_null(strstr(request.detail, "did you mean"));
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"frobnicate\":1}", 1, ERROR_BAD_REQUEST, "frobnicate");
	ck_assert_ptr_null(strstr(request.detail, "did you mean"));
}
END_TEST

START_TEST(members_that_are_strange_missing_double_or_mistyped_are_named)
{
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"timeout\":1}", 1, ERROR_BAD_REQUEST,
		"\"timeout\" is no member of take");
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"lease_msx\":1}", 1, ERROR_BAD_REQUEST,
		"\"lease_msx\" is no member of take");
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"lease_ms\":0}", 1, ERROR_BAD_REQUEST, "1 to 2147483647");
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"sticky\":true}", 1, ERROR_BAD_REQUEST,
		"needs \"lease_ms\"");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"c\"}],\"sticky\":false}", 1, ERROR_BAD_REQUEST,
		"needs \"lease_ms\"");
	refuses("{\"id\":1,\"op\":\"ack\"}", 1, ERROR_BAD_REQUEST, "\"lease\" is missing");
	refuses("{\"id\":1,\"op\":\"ack\",\"lease\":1}", 1, ERROR_BAD_REQUEST, "\"lease\" is a string");
	refuses("{\"id\":1,\"op\":\"extend\",\"lease\":\"x\"}", 1, ERROR_BAD_REQUEST, "\"lease_ms\" is missing");
	refuses("{\"id\":1,\"op\":\"create\",\"channel\":\"c\",\"kind\":\"bounded\",\"capacity\":1,\"max_deliveries\":"
		"2}",
		1, ERROR_BAD_REQUEST, "come together");
	refuses("{\"id\":1,\"op\":\"create\",\"channel\":\"c\",\"kind\":\"bounded\",\"capacity\":1,\"max_deliveries\":"
		"2,\"dead_letter\":\".\"}",
		1, ERROR_BAD_CHANNEL, "");

	refuses("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":1,\"producer\":\"p\"}", 1, ERROR_BAD_REQUEST,
		"\"producer\" and \"seq\" come together");
	refuses("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":1,\"seq\":1}", 1, ERROR_BAD_REQUEST,
		"\"producer\" and \"seq\" come together");
	refuses("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":1,\"producer\":\"\",\"seq\":1}", 1,
		ERROR_BAD_REQUEST, "\"producer\" has 1 to 64 bytes");
	refuses("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":1,\"producer\":"
		"\"ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp\",\"seq\":1}",
		1, ERROR_BAD_REQUEST, "\"producer\" has 1 to 64 bytes");
	refuses("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":1,\"producer\":7,\"seq\":1}", 1,
		ERROR_BAD_REQUEST, "\"producer\" is a string");
	refuses("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":1,\"producer\":\"p\",\"seq\":9007199254740992}",
		1, ERROR_BAD_REQUEST, "\"seq\" is a whole number in plain digits, 0 to 9007199254740991");
	refuses("{\"id\":1,\"op\":\"nack\",\"lease\":\"t\",\"counted\":0}", 1, ERROR_BAD_REQUEST,
		"\"counted\" is true or false");
	refuses("{\"id\":1,\"op\":\"ack\",\"lease\":\"t\",\"counted\":true}", 1, ERROR_BAD_REQUEST,
		"\"counted\" is no member of ack");
	refuses("{\"id\":1,\"op\":\"alter\",\"channel\":\"c\",\"kind\":\"bounded\"}", 1, ERROR_BAD_REQUEST,
		"\"kind\" is no member of alter");
	refuses("{\"id\":1,\"op\":\"create\",\"channel\":\"c\",\"kind\":\"bounded\",\"max_deliveries\":1,\"dead_"
		"letter\":null}",
		1, ERROR_BAD_REQUEST, "\"dead_letter\" is a string");
	refuses("{\"id\":1,\"op\":\"leases\",\"after\":\"c\"}", 1, ERROR_BAD_REQUEST, "\"after\" is a whole number");
	refuses("{\"id\":1,\"op\":\"move\",\"to\":\"c\"}", 1, ERROR_BAD_REQUEST, "\"from\" is missing");
	refuses("{\"id\":1,\"op\":\"move\",\"from\":\"c\",\"to\":\"-\"}", 1, ERROR_BAD_CHANNEL, "");
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"value\":1}", 1, ERROR_BAD_REQUEST,
		"\"value\" is no member of take");
	refuses("{\"id\":1,\"op\":\"take\"}", 1, ERROR_BAD_REQUEST, "\"channel\" is missing");
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"channel\":\"c\"}", 1, ERROR_BAD_REQUEST,
		"\"channel\" is there twice");
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":7}", 1, ERROR_BAD_REQUEST, "\"channel\" is a string");
	refuses("{\"id\":1,\"op\":\"delete\",\"channel\":\"c\",\"force\":1}", 1, ERROR_BAD_REQUEST,
		"\"force\" is true or false");
	refuses("{\"id\":1,\"op\":\"list\",\"after\":3}", 1, ERROR_BAD_REQUEST, "\"after\" is a string");
	refuses("{\"id\":1,\"op\":\"waiters\",\"after\":\"x\"}", 1, ERROR_BAD_REQUEST, "\"after\" is a whole number");
	refuses("{\"id\":1,\"op\":\"create\",\"channel\":\"c\"}", 1, ERROR_BAD_REQUEST, "\"kind\" is missing");
	refuses("{\"id\":1,\"op\":\"cancel\"}", 1, ERROR_BAD_REQUEST, "\"request\" is missing");
}
END_TEST

START_TEST(numbers_have_their_ranges)
{
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"timeout_ms\":2147483648}", 1, ERROR_BAD_REQUEST,
		"\"timeout_ms\" is a whole number in plain digits, 0 to 2147483647");
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"timeout_ms\":-1}", 1, ERROR_BAD_REQUEST,
		"\"timeout_ms\"");
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"timeout_ms\":1.0}", 1, ERROR_BAD_REQUEST,
		"\"timeout_ms\"");
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"timeout_ms\":null}", 1, ERROR_BAD_REQUEST,
		"\"timeout_ms\"");
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"max\":0}", 1, ERROR_BAD_REQUEST, "1 to 1000");
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"max\":1001}", 1, ERROR_BAD_REQUEST, "1 to 1000");
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"count\":0}", 1, ERROR_BAD_REQUEST, "1 to 1000000");
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"count\":1000001}", 1, ERROR_BAD_REQUEST, "1 to 1000000");
	refuses("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"count\":2,\"max\":2}", 1, ERROR_BAD_REQUEST, "not both");
	refuses("{\"id\":1,\"op\":\"peek\",\"channel\":\"c\",\"count\":2}", 1, ERROR_BAD_REQUEST,
		"\"count\" is no member of peek");
	refuses("{\"id\":1,\"op\":\"list\",\"limit\":0}", 1, ERROR_BAD_REQUEST, "\"limit\"");
}
END_TEST

START_TEST(a_channels_name_has_its_form)
{
	char text[400], name[200];
	const char *bad[] = {"", ".a", "-a", "a b", "a/b", "\xc3\xa9", "a\\u0000b", "a\\nb"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "{\"id\":1,\"op\":\"stat\",\"channel\":\"%s\"}", bad[i]);
		refuses(text, 1, ERROR_BAD_CHANNEL, "a name is 1 to 128");
	}
	memset(name, 'n', sizeof(name));
	name[129] = '\0';
	snprintf(text, sizeof(text), "{\"id\":1,\"op\":\"stat\",\"channel\":\"%s\"}", name);
	refuses(text, 1, ERROR_BAD_CHANNEL, "nnn...\"");
	ck_assert_uint_lt(strlen(request.detail), 64 + 100);
	name[128] = '\0';
	snprintf(text, sizeof(text), "{\"id\":1,\"op\":\"stat\",\"channel\":\"%s\"}", name);
	decodes(text);
	ck_assert_uint_eq(request.channel.len, 128);
}
END_TEST

START_TEST(a_pattern_has_its_limit)
{
	char text[400], glob[300];
	memset(glob, '*', sizeof(glob));
	glob[257] = '\0';
	snprintf(text, sizeof(text), "{\"id\":1,\"op\":\"list\",\"match\":\"%s\"}", glob);
	refuses(text, 1, ERROR_BAD_REQUEST, "\"match\" has at most 256 bytes");
	glob[256] = '\0';
	snprintf(text, sizeof(text), "{\"id\":1,\"op\":\"list\",\"match\":\"%s\"}", glob);
	decodes(text);
}
END_TEST

START_TEST(null_and_what_is_nested_too_deep_cannot_be_put)
{
	refuses("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":null}", 1, ERROR_BAD_VALUE, "it is null");
	refuses("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"values\":[1,null,null]}", 1, ERROR_BAD_VALUE, "number 1");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"a\"},{\"put\":\"b\",\"value\":null}]}", 1,
		ERROR_BAD_VALUE, "arm 1");
	decodes("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":[null]}");
	char text[600], deep[129];
	memset(deep, '[', 128);
	deep[128] = '\0';
	int len = snprintf(text, sizeof(text), "{\"op\":\"put\",\"channel\":\"c\",\"value\":%s[", deep);
	memset(text + len, ']', 129);
	strcpy(text + len + 129, ",\"id\":5}");
	refuses(text, 5, ERROR_BAD_VALUE, "deeper than 128"); /* the id behind it is found */
}
END_TEST

START_TEST(a_put_has_either_a_value_or_values)
{
	refuses("{\"id\":1,\"op\":\"put\",\"channel\":\"c\"}", 1, ERROR_BAD_REQUEST, "either");
	refuses("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":1,\"values\":[1]}", 1, ERROR_BAD_REQUEST,
		"either");
	refuses("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"values\":[]}", 1, ERROR_BAD_REQUEST,
		"at least one value");
	refuses("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"values\":{}}", 1, ERROR_BAD_REQUEST,
		"at least one value");
	refuses("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"values\":[1],\"values\":[2]}", 1, ERROR_BAD_REQUEST,
		"twice");
}
END_TEST

START_TEST(bad_arms_are_told_by_number)
{
	refuses("{\"id\":1,\"op\":\"alts\"}", 1, ERROR_BAD_REQUEST, "\"arms\" is missing");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[]}", 1, ERROR_BAD_REQUEST, "1 to 64 arms");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":{\"take\":\"a\"}}", 1, ERROR_BAD_REQUEST, "1 to 64 arms");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"a\"},7]}", 1, ERROR_BAD_REQUEST,
		"arm 1 is not an object");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[{}]}", 1, ERROR_BAD_REQUEST, "arm 0 is neither");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"a\",\"put\":\"b\"}]}", 1, ERROR_BAD_REQUEST,
		"arm 0 is neither one take nor one put");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"a\",\"take\":\"a\"}]}", 1, ERROR_BAD_REQUEST, "arm 0");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"a\",\"value\":1}]}", 1, ERROR_BAD_REQUEST,
		"a take with a value");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"put\":\"a\"}]}", 1, ERROR_BAD_REQUEST, "a put without a value");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"put\":\"a\",\"value\":1,\"value\":1}]}", 1, ERROR_BAD_REQUEST,
		"two values");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":3}]}", 1, ERROR_BAD_REQUEST, "name as a string");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"a\",\"lease_ms\":3}]}", 1, ERROR_BAD_REQUEST,
		"arm 0 has a member");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"put\":\"a\",\"value\":1,\"delay_ms\":3}]}", 1,
		ERROR_BAD_REQUEST, "arm 0 has a \"delay_ms\", which only the op put knows");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"put\":\"a\",\"value\":1,\"producer\":\"p\",\"seq\":3}]}", 1,
		ERROR_BAD_REQUEST, "arm 0 has a \"producer\" or \"seq\", which only the op put knows");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"put\":\"a\",\"value\":1}],\"delay_ms\":3}", 1,
		ERROR_BAD_REQUEST, "\"delay_ms\" is no member of alts");
	refuses("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"a\"},{\"take\":\"-b\"}]}", 1, ERROR_BAD_CHANNEL,
		"arm 1: \"-b\"");
	for (int n = 64; n <= 65; n++) {
		char text[2000] = "{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"a\"}";
		for (int i = 1; i < n; i++)
			strcat(text, ",{\"take\":\"a\"}");
		strcat(text, "]}");
		if (n == 64)
			decodes(text);
		else
			refuses(text, 1, ERROR_BAD_REQUEST, "1 to 64 arms");
	}
}
END_TEST

START_TEST(a_quotation_ends_at_a_whole_character)
{
	char text[400] = "{\"id\":1,\"op\":\"x";
	for (int i = 0; i < 50; i++)
		strcat(text, "\xe2\x82\xac");
	strcat(text, "\"}");
	refuses(text, 1, ERROR_UNKNOWN_OP, "\xe2\x82\xac...\"");
	ck_assert_uint_le(strlen(request.detail), 64 + 5);
}
END_TEST

/* -- writing -- */

static void written(const struct buffer *out, const char *expected)
{
	struct slice frame;
	size_t used;
	ck_assert(!out->failed);
	ck_assert_int_eq(
		frame_next((struct slice){out->bytes + out->start, buffer_len(out)}, 1 << 20, &frame, &used, NULL),
		FRAME_WHOLE);
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
	struct slice text = {out.bytes + out.start, buffer_len(&out)};
	equals(text, "\"a\\\"\\\\\\n\\r\\t\\u0001\\u001f\x7f/\xc3\xa9\\u0000z\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	json_t *tree = json_loadb(text.bytes, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	ck_assert_ptr_nonnull(tree);
	json_decref(tree);
	buffer_clear(&out);
	message_text(&out, (struct slice){NULL, 0});
	equals((struct slice){out.bytes + out.start, buffer_len(&out)}, "\"\"");
	buffer_finish(&out);
}
END_TEST

START_TEST(the_detail_of_an_error_is_escaped)
{
	struct buffer out = {0};
	struct message_reply reply;
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

/* -- replies -- */

static struct message_reply reply;

static int decode_reply(const char *text)
{
	size_t len = strlen(text);
	free(body);
	body = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(body);
	memcpy(body, text, len);
	return message_decode_reply(body, len, &reply);
}

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

int main(void)
{
	const TTest *const tests[] = {
		a_put_has_its_parts,
		members_may_come_in_any_order,
		names_are_compared_after_unescaping,
		a_batch_is_split,
		a_large_batch_gives_its_memory_back,
		arms_are_takes_and_puts,
		every_op_is_known_with_all_its_members,
		a_reply_in_one_piece_is_the_one_in_many,
		hello_alone_ignores_what_it_does_not_know,
		bad_json_is_told_with_its_place_before_everything_else,
		an_id_is_plain_digits,
		a_put_may_lack_its_id,
		an_op_is_one_of_those_there_are,
		what_was_perhaps_meant_is_named,
		members_that_are_strange_missing_double_or_mistyped_are_named,
		numbers_have_their_ranges,
		a_channels_name_has_its_form,
		a_pattern_has_its_limit,
		null_and_what_is_nested_too_deep_cannot_be_put,
		a_put_has_either_a_value_or_values,
		bad_arms_are_told_by_number,
		a_quotation_ends_at_a_whole_character,
		messages_are_one_object_in_a_frame,
		strings_are_escaped_and_made_valid,
		the_detail_of_an_error_is_escaped,
		a_reply_in_the_usual_order_is_read_as_any_other,
		a_reply_has_its_parts,
		a_reply_may_say_more_than_we_know,
		what_is_no_reply_is_refused,
		no_bytes_upset_the_decoders,
		NULL,
	};
	Suite *suite = suite_create("proto: messages");
	suite_case(suite, "all", NULL, teardown, tests);
	return suite_run(suite);
}
