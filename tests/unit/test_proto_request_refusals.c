/* Requests that are wrong: which error each is, and the words that say where. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/message_fixture.h"
#include "tests/lib/suite.h"

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
	is_bad("{\"id\":1,\"op\":\"ping\",\"id\":2}", "\"id\" is there twice");
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
	is_bad("{\"id\":1}", "\"op\" is missing");
	is_bad("{\"id\":1,\"op\":3}", "\"op\" is a string");
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
	refuses("{\"id\":1,\"op\":\"ping\\u0000\"}", 1, ERROR_UNKNOWN_OP, "ping");
	refuses("{\"id\":1,\"op\":\"put\\u0000\\u0000\",\"channel\":\"c\",\"value\":1}", 1, ERROR_UNKNOWN_OP, "put");
	refuses("{\"id\":1,\"op\":\"lst\"}", 1, ERROR_UNKNOWN_OP, "did you mean \"list\"?");
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"timout_ms\":1}",
	       "\"timout_ms\" is no member of take; did you mean \"timeout_ms\"?");
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"timeout\":1}", "did you mean \"timeout_ms\"?");
	is_bad("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"vlaue\":1}", "did you mean \"value\"?");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(text, sizeof(text), "{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"%s\":1}", name);
	is_bad(text, "...\" is no member of take");
	ck_assert_ptr_null(strstr(request.detail, "did you mean"));
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"frobnicate\":1}", "frobnicate");
	ck_assert_ptr_null(strstr(request.detail, "did you mean"));
}
END_TEST

START_TEST(members_that_are_strange_missing_double_or_mistyped_are_named)
{
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"timeout\":1}", "\"timeout\" is no member of take");
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"lease_msx\":1}", "\"lease_msx\" is no member of take");
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"lease_ms\":0}", "1 to 2147483647");
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"sticky\":true}", "needs \"lease_ms\"");
	is_bad("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"c\"}],\"sticky\":false}", "needs \"lease_ms\"");
	is_bad("{\"id\":1,\"op\":\"ack\"}", "\"lease\" is missing");
	is_bad("{\"id\":1,\"op\":\"ack\",\"lease\":1}", "\"lease\" is a string");
	is_bad("{\"id\":1,\"op\":\"extend\",\"lease\":\"x\"}", "\"lease_ms\" is missing");
	is_bad("{\"id\":1,\"op\":\"create\",\"channel\":\"c\",\"kind\":\"bounded\",\"capacity\":1,\"max_deliveries\":"
	       "2}",
	       "come together");
	refuses("{\"id\":1,\"op\":\"create\",\"channel\":\"c\",\"kind\":\"bounded\",\"capacity\":1,\"max_deliveries\":"
		"2,\"dead_letter\":\".\"}",
		1, ERROR_BAD_CHANNEL, "");

	is_bad("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":1,\"producer\":\"p\"}",
	       "\"producer\" and \"seq\" come together");
	is_bad("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":1,\"seq\":1}",
	       "\"producer\" and \"seq\" come together");
	is_bad("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":1,\"producer\":\"\",\"seq\":1}",
	       "\"producer\" has 1 to 64 bytes");
	is_bad("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":1,\"producer\":"
	       "\"ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp\",\"seq\":1}",
	       "\"producer\" has 1 to 64 bytes");
	is_bad("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":1,\"producer\":7,\"seq\":1}",
	       "\"producer\" is a string");
	is_bad("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":1,\"producer\":\"p\",\"seq\":9007199254740992}",
	       "\"seq\" is a whole number in plain digits, 0 to 9007199254740991");
	is_bad("{\"id\":1,\"op\":\"nack\",\"lease\":\"t\",\"counted\":0}", "\"counted\" is true or false");
	is_bad("{\"id\":1,\"op\":\"ack\",\"lease\":\"t\",\"counted\":true}", "\"counted\" is no member of ack");
	is_bad("{\"id\":1,\"op\":\"alter\",\"channel\":\"c\",\"kind\":\"bounded\"}", "\"kind\" is no member of alter");
	is_bad("{\"id\":1,\"op\":\"create\",\"channel\":\"c\",\"kind\":\"bounded\",\"max_deliveries\":1,\"dead_"
	       "letter\":null}",
	       "\"dead_letter\" is a string");
	is_bad("{\"id\":1,\"op\":\"leases\",\"after\":\"c\"}", "\"after\" is a whole number");
	is_bad("{\"id\":1,\"op\":\"move\",\"to\":\"c\"}", "\"from\" is missing");
	refuses("{\"id\":1,\"op\":\"move\",\"from\":\"c\",\"to\":\"-\"}", 1, ERROR_BAD_CHANNEL, "");
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"value\":1}", "\"value\" is no member of take");
	is_bad("{\"id\":1,\"op\":\"take\"}", "\"channel\" is missing");
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"channel\":\"c\"}", "\"channel\" is there twice");
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":7}", "\"channel\" is a string");
	is_bad("{\"id\":1,\"op\":\"delete\",\"channel\":\"c\",\"force\":1}", "\"force\" is true or false");
	is_bad("{\"id\":1,\"op\":\"list\",\"after\":3}", "\"after\" is a string");
	is_bad("{\"id\":1,\"op\":\"waiters\",\"after\":\"x\"}", "\"after\" is a whole number");
	is_bad("{\"id\":1,\"op\":\"create\",\"channel\":\"c\"}", "\"kind\" is missing");
	is_bad("{\"id\":1,\"op\":\"cancel\"}", "\"request\" is missing");
}
END_TEST

START_TEST(numbers_have_their_ranges)
{
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"timeout_ms\":2147483648}",
	       "\"timeout_ms\" is a whole number in plain digits, 0 to 2147483647");
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"timeout_ms\":-1}", "\"timeout_ms\"");
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"timeout_ms\":1.0}", "\"timeout_ms\"");
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"timeout_ms\":null}", "\"timeout_ms\"");
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"max\":0}", "1 to 1000");
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"max\":1001}", "1 to 1000");
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"count\":0}", "1 to 1000000");
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"count\":1000001}", "1 to 1000000");
	is_bad("{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"count\":2,\"max\":2}", "not both");
	is_bad("{\"id\":1,\"op\":\"peek\",\"channel\":\"c\",\"count\":2}", "\"count\" is no member of peek");
	is_bad("{\"id\":1,\"op\":\"list\",\"limit\":0}", "\"limit\"");
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
	is_bad(text, "\"match\" has at most 256 bytes");
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
	is_bad("{\"id\":1,\"op\":\"put\",\"channel\":\"c\"}", "either");
	is_bad("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":1,\"values\":[1]}", "either");
	is_bad("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"values\":[]}", "at least one value");
	is_bad("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"values\":{}}", "at least one value");
	is_bad("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"values\":[1],\"values\":[2]}", "twice");
}
END_TEST

START_TEST(bad_arms_are_told_by_number)
{
	is_bad("{\"id\":1,\"op\":\"alts\"}", "\"arms\" is missing");
	is_bad("{\"id\":1,\"op\":\"alts\",\"arms\":[]}", "1 to 64 arms");
	is_bad("{\"id\":1,\"op\":\"alts\",\"arms\":{\"take\":\"a\"}}", "1 to 64 arms");
	is_bad("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"a\"},7]}", "arm 1 is not an object");
	is_bad("{\"id\":1,\"op\":\"alts\",\"arms\":[{}]}", "arm 0 is neither");
	is_bad("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"a\",\"put\":\"b\"}]}",
	       "arm 0 is neither one take nor one put");
	is_bad("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"a\",\"take\":\"a\"}]}", "arm 0");
	is_bad("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"a\",\"value\":1}]}", "a take with a value");
	is_bad("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"put\":\"a\"}]}", "a put without a value");
	is_bad("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"put\":\"a\",\"value\":1,\"value\":1}]}", "two values");
	is_bad("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":3}]}", "name as a string");
	is_bad("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"a\",\"lease_ms\":3}]}", "arm 0 has a member");
	is_bad("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"put\":\"a\",\"value\":1,\"delay_ms\":3}]}",
	       "arm 0 has a \"delay_ms\", which only the op put knows");
	is_bad("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"put\":\"a\",\"value\":1,\"producer\":\"p\",\"seq\":3}]}",
	       "arm 0 has a \"producer\" or \"seq\", which only the op put knows");
	is_bad("{\"id\":1,\"op\":\"alts\",\"arms\":[{\"put\":\"a\",\"value\":1}],\"delay_ms\":3}",
	       "\"delay_ms\" is no member of alts");
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
			is_bad(text, "1 to 64 arms");
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

int main(void)
{
	const TTest *const tests[] = {
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
		NULL,
	};
	Suite *suite = suite_create("proto: requests that are refused");
	suite_case(suite, "all", NULL, message_teardown, tests);
	return suite_run(suite);
}
