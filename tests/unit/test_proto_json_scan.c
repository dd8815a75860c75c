/* The scanner against RFC 8259: tables of what is and is not JSON, and jansson as an oracle over mutated texts. Texts
 * are copied to memory of exactly their length, so that a sanitizer sees a read beyond the end. */
#include "proto/json_scan.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "tests/lib/suite.h"

static char *exact_copy(const char *bytes, size_t len)
{
	char *copy = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, len);
	return copy;
}

/* Whether the bytes are one JSON text; *too_deep says why not. */
static bool is_json(const char *bytes, size_t len, bool *too_deep)
{
	char *copy = exact_copy(bytes, len);
	struct json_scan scan;
	struct slice raw;
	json_scan_init(&scan, copy, len);
	bool good = json_scan_value(&scan, &raw) != JSON_TYPE_NONE && json_scan_at_end(&scan);
	ck_assert(scan.at >= copy && scan.at <= copy + len);
	if (too_deep)
		*too_deep = scan.too_deep;
	free(copy);
	return good;
}

static void accepts(const char *text, enum json_type type)
{
	size_t len = strlen(text);
	char *copy = exact_copy(text, len);
	struct json_scan scan;
	struct slice raw;
	json_scan_init(&scan, copy, len);
	ck_assert_msg(json_scan_value(&scan, &raw) == type, "%s: %s", text, scan.error ? scan.error : "another type");
	ck_assert_msg(json_scan_at_end(&scan), "%s: more than one value", text);
	size_t space = strspn(text, " \n\r\t");
	ck_assert_ptr_eq(raw.bytes, copy + space);
	ck_assert_uint_eq(strspn(text + space + raw.len, " \n\r\t"), len - space - raw.len);
	free(copy);
}

/* Refuses it, at the byte with this number. */
static void refuses(const char *text, size_t at)
{
	size_t len = strlen(text);
	char *copy = exact_copy(text, len);
	struct json_scan scan;
	struct slice raw;
	json_scan_init(&scan, copy, len);
	ck_assert_msg(json_scan_value(&scan, &raw) == JSON_TYPE_NONE, "%s is accepted", text);
	ck_assert_ptr_nonnull(scan.error);
	ck_assert_msg((size_t)(scan.at - copy) == at, "%s: at %zu, not %zu: %s", text, (size_t)(scan.at - copy), at,
		      scan.error);
	free(copy);
}

START_TEST(every_type_is_told)
{
	accepts("null", JSON_TYPE_NULL);
	accepts("true", JSON_TYPE_TRUE);
	accepts("false", JSON_TYPE_FALSE);
	accepts("0", JSON_TYPE_NUMBER);
	accepts("\"\"", JSON_TYPE_STRING);
	accepts("[]", JSON_TYPE_ARRAY);
	accepts("{}", JSON_TYPE_OBJECT);
}
END_TEST

START_TEST(numbers_are_judged_by_grammar_and_may_have_any_size)
{
	const char *good[] = {"0",       "-0",  "7",    "10",    "-12",    "0.5",
			      "1.0",     "1e5", "1E+5", "1e-05", "-0.0e0", "123456789012345678901234567890",
			      "1e999999"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		accepts(good[i], JSON_TYPE_NUMBER);
	refuses("-", 1);
	refuses("01", 1);
	refuses("-01", 2);
	refuses("1.", 2);
	refuses(".5", 0);
	refuses("+1", 0);
	refuses("1e", 2);
	refuses("1e+", 3);
	refuses("1.e1", 2);
	refuses("NaN", 0);
	refuses("Infinity", 0);
}
END_TEST

START_TEST(strings_know_their_escapes)
{
	accepts("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e9\\uFFFF\"", JSON_TYPE_STRING);
	refuses("\"", 1);
	refuses("\"abc", 4);
	refuses("\"\\", 1);
	refuses("\"\\x41\"", 1);
	refuses("\"\\u12g4\"", 3);
	refuses("\"\\u12", 3);
	refuses("\"a\nb\"", 2);
	refuses("\"0123456789abcdef\x1f\"", 17);
	refuses("'a'", 0);
}
END_TEST

START_TEST(surrogates_come_in_pairs_alone)
{
	accepts("\"\\ud83d\\ude00\"", JSON_TYPE_STRING);
	accepts("\"\\uDBFF\\uDFFF\"", JSON_TYPE_STRING);
	refuses("\"\\ud83d\"", 7);
	refuses("\"\\ud83dx\"", 7);
	refuses("\"\\ud83d\\n\"", 7);
	refuses("\"\\ud83d\\u0041\"", 7);
	refuses("\"\\ud83d\\ud83d\"", 7);
	refuses("\"\\ude00\"", 3);
}
END_TEST

START_TEST(strings_are_valid_utf_8)
{
	accepts("\"\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf \xf0\x90\x80\x80 "
		"\xf4\x8f\xbf\xbf\"",
		JSON_TYPE_STRING);
	refuses("\"\x80\"", 1);
	refuses("\"\xc1\xbf\"", 1);         /* overlong */
	refuses("\"\xe0\x9f\xbf\"", 1);     /* overlong */
	refuses("\"\xed\xa0\x80\"", 1);     /* a surrogate */
	refuses("\"\xf0\x8f\xbf\xbf\"", 1); /* overlong */
	refuses("\"\xf4\x90\x80\x80\"", 1); /* beyond U+10FFFF */
	refuses("\"\xf5\x80\x80\x80\"", 1);
	refuses("\"\xff\"", 1);
	refuses("\"\xe2\x82\"", 1); /* cut off */
	refuses("\"\xf0\x9f\x98", 1);
	refuses("\xef\xbb\xbf{}", 0); /* a byte order mark */
}
END_TEST

START_TEST(a_special_byte_is_found_at_every_place_of_a_string)
{
	for (size_t len = 0; len < 70; len++) {
		for (size_t at = 0; at <= len; at++) {
			char text[80], expected = at == len ? '"' : '\x01';
			memset(text, 'x', sizeof(text));
			text[0] = '"';
			text[1 + at] = expected;
			text[1 + len] = '"';
			text[2 + len] = '\0';
			if (at == len)
				accepts(text, JSON_TYPE_STRING);
			else
				refuses(text, 1 + at);
		}
	}
}
END_TEST

START_TEST(arrays_and_objects_have_their_commas)
{
	accepts(" [ 1 , [ ] , { } , \"x\" ] ", JSON_TYPE_ARRAY);
	accepts("{\"a\":1,\"b\":{\"c\":[1,{\"d\":null}]},\"a\":2}", JSON_TYPE_OBJECT);
	accepts("\t{ \"\" : [ ] }\r\n", JSON_TYPE_OBJECT);
	refuses("[1,]", 3);
	refuses("[,1]", 1);
	refuses("[1 2]", 3);
	refuses("[1", 2);
	refuses("[", 1);
	refuses("[1}", 2);
	refuses("{\"a\"}", 4);
	refuses("{\"a\":}", 5);
	refuses("{\"a\":1,}", 7);
	refuses("{,}", 1);
	refuses("{a:1}", 1);
	refuses("{1:1}", 1);
	refuses("{\"a\":1]", 6);
	refuses("{\"a\" 1}", 5);
	refuses("]", 0);
	refuses("", 0);
	refuses("  ", 2);
	refuses("tru", 0);
	refuses("[nul]", 1);
}
END_TEST

/* `depth` times "[" or "{"a":", then what closes them. */
static char *nested(unsigned depth, bool objects)
{
	char *text = calloc(depth * 6 + 2, 1);
	ck_assert_ptr_nonnull(text);
	for (unsigned i = 0; i < depth; i++)
		strcat(text, !objects ? "[" : i + 1 < depth ? "{\"a\":" : "{");
	for (unsigned i = 0; i < depth; i++)
		strcat(text, objects ? "}" : "]");
	return text;
}

START_TEST(nesting_ends_at_128)
{
	for (int objects = 0; objects < 2; objects++) {
		char *deepest = nested(128, objects), *too_deep = nested(129, objects);
		bool deep;
		ck_assert(is_json(deepest, strlen(deepest), &deep));
		ck_assert(!is_json(too_deep, strlen(too_deep), &deep));
		ck_assert(deep);
		/* Cut off, it is bad JSON before anything else. */
		ck_assert(!is_json(too_deep, strlen(too_deep) - 1, &deep));
		ck_assert(!deep);
		free(deepest);
		free(too_deep);
	}
}
END_TEST

START_TEST(a_value_too_deep_is_gone_over)
{
	char *deep = nested(100000, false), *text = malloc(strlen(deep) + 32);
	ck_assert_ptr_nonnull(text);
	struct json_scan scan;
	struct slice raw;
	sprintf(text, "%s , 7", deep);
	json_scan_init(&scan, text, strlen(text));
	ck_assert_int_eq(json_scan_value(&scan, &raw), JSON_TYPE_NONE);
	ck_assert(scan.too_deep);
	ck_assert_ptr_eq(scan.at, text + strlen(deep));
	free(deep);
	free(text);
}
END_TEST

START_TEST(a_raw_value_is_the_text_without_the_space_around_it)
{
	const char *text = "  {\"a\": 1.0,  \"b\":\"\\u00e9\"} ";
	struct json_scan scan;
	struct slice raw;
	json_scan_init(&scan, text, strlen(text));
	ck_assert_int_eq(json_scan_value(&scan, &raw), JSON_TYPE_OBJECT);
	ck_assert_uint_eq(raw.len, strlen(text) - 3);
	ck_assert_ptr_eq(raw.bytes, text + 2);
	ck_assert(json_scan_at_end(&scan));
}
END_TEST

START_TEST(objects_and_arrays_are_walked_one_level_at_a_time)
{
	const char *text = "{ \"a\" : [1, \"x\" ,[]] , \"b\":2 }";
	struct json_scan scan;
	struct slice key, raw;
	bool first = true, first_element = true;
	json_scan_init(&scan, text, strlen(text));
	ck_assert(!json_scan_enter(&scan, '['));
	ck_assert(json_scan_enter(&scan, '{'));
	ck_assert(json_scan_member(&scan, &first, &key));
	ck_assert(slice_equal(key, SLICE("\"a\"")));
	ck_assert(json_scan_enter(&scan, '['));
	int n = 0;
	for (; json_scan_element(&scan, &first_element); n++)
		ck_assert_int_ne(json_scan_value(&scan, &raw), JSON_TYPE_NONE);
	ck_assert_int_eq(n, 3);
	ck_assert(json_scan_member(&scan, &first, &key));
	ck_assert_int_eq(json_scan_value(&scan, &raw), JSON_TYPE_NUMBER);
	ck_assert(!json_scan_member(&scan, &first, &key));
	ck_assert_ptr_null(scan.error);
	ck_assert(json_scan_at_end(&scan));
}
END_TEST

static void unescapes(const char *raw, const char *expected, size_t len)
{
	char *copy = exact_copy(raw, strlen(raw));
	struct slice text = json_scan_text((struct slice){copy, strlen(raw)}, copy);
	ck_assert_uint_eq(text.len, len);
	ck_assert_mem_eq(text.bytes, expected, len);
	free(copy);
}

START_TEST(strings_are_unescaped_in_their_place)
{
	unescapes("\"\"", "", 0);
	unescapes("\"plain\"", "plain", 5);
	unescapes("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
	unescapes("\"a\\u0000b\"", "a\0b", 3);
	unescapes("\"\\u00e9\\u20AC\\ud83d\\ude00!\"", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80!", 10);
}
END_TEST

START_TEST(plain_digits_are_read_up_to_their_limit)
{
	unsigned long long number = 5;
	ck_assert_int_eq(json_scan_uint(SLICE("0"), 0, &number), 0);
	ck_assert_uint_eq(number, 0);
	ck_assert_int_eq(json_scan_uint(SLICE("9007199254740991"), 9007199254740991ull, &number), 0);
	ck_assert_uint_eq(number, 9007199254740991ull);
	ck_assert_int_lt(json_scan_uint(SLICE("9007199254740992"), 9007199254740991ull, &number), 0);
	ck_assert_int_eq(json_scan_uint(SLICE("18446744073709551615"), UINT64_MAX, &number), 0);
	ck_assert_uint_eq(number, UINT64_MAX);
	const char *bad[] = {"", "-0", "-1", "1.0", "1e3", "18446744073709551616", "99999999999999999999999999"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_lt(json_scan_uint(slice_from(bad[i]), UINT64_MAX, &number), 0);
	ck_assert_int_lt(json_scan_uint(SLICE("5"), 3, &number), 0);
	ck_assert_uint_eq(number, UINT64_MAX);
}
END_TEST

/* -- jansson as an oracle -- */

static uint64_t random_state;

static unsigned random_below(unsigned n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(random_state >> 33) % n;
}

static const char *const seeds[] = {
	"{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"value\":{\"a\": 1.0,  \"b\":\"\\u00e9\"}}",
	"[1,-2.5e+10,true,false,null,\"x\\n\\ud83d\\ude00\",[[]],{\"k\":{}}]",
	"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 and enough plain text to fill a vector or two\"",
	" [ \"a\" , 0.0 , -0 , 1E5 , { \"\" : \"\" } ] ",
};

static size_t mutate(char *text, size_t len, size_t cap)
{
	static const char bytes[] = "{}[]\",:\\u0019eE+-. \ntfn\x80\xc3\xed\xa0\xf0\x9f\xff\x01"
				    "d8c";
	for (unsigned n = 1 + random_below(3); n; n--) {
		size_t at = random_below((unsigned)len + 1);
		char byte = bytes[random_below(sizeof(bytes) - 1)];
		unsigned way = random_below(4);
		if (way == 0 && at < len) {
			text[at] = byte;
		} else if (way == 1 && len < cap) {
			memmove(text + at + 1, text + at, len - at);
			text[at] = byte;
			len++;
		} else if (way == 2 && at < len) {
			memmove(text + at, text + at + 1, len - at - 1);
			len--;
		} else if (len > 1) { /* a piece of it, again */
			size_t from = random_below((unsigned)len), n_bytes = 1 + random_below(8);
			if (n_bytes > len - from)
				n_bytes = len - from;
			if (at + n_bytes <= len)
				memmove(text + at, text + from, n_bytes);
		}
	}
	return len;
}

/* What jansson refuses though it is JSON: only its numbers' range. */
static bool oracle_excused(const json_error_t *error)
{
	enum json_error_code code = json_error_code(error);
	return code == json_error_numeric_overflow;
}

START_TEST(jansson_agrees_about_mutated_texts)
{
	enum { TEXTS = 200000, CAP = 200 };
	unsigned agreed_good = 0;
	random_state = getenv("MILLRACE_SEED") ? strtoull(getenv("MILLRACE_SEED"), NULL, 10) : 20250101;
	printf("seed %llu\n", (unsigned long long)random_state);
	for (int i = 0; i < TEXTS; i++) {
		char text[CAP];
		const char *seed = seeds[random_below(sizeof(seeds) / sizeof(seeds[0]))];
		size_t len = strlen(seed);
		memcpy(text, seed, len);
		len = mutate(text, len, CAP);
		json_error_t error;
		json_t *tree = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
		bool ours = is_json(text, len, NULL);
		ck_assert_msg(ours == (tree != NULL) || (ours && oracle_excused(&error)),
			      "text %d, \"%.*s\": we say %d, jansson: %s", i, (int)len, text, ours,
			      tree ? "good" : error.text);
		agreed_good += ours;
		json_decref(tree);
	}
	ck_assert_uint_gt(agreed_good, TEXTS / 20);
	ck_assert_uint_lt(agreed_good, TEXTS - TEXTS / 20);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_type_is_told,
		numbers_are_judged_by_grammar_and_may_have_any_size,
		strings_know_their_escapes,
		surrogates_come_in_pairs_alone,
		strings_are_valid_utf_8,
		a_special_byte_is_found_at_every_place_of_a_string,
		arrays_and_objects_have_their_commas,
		nesting_ends_at_128,
		a_value_too_deep_is_gone_over,
		a_raw_value_is_the_text_without_the_space_around_it,
		objects_and_arrays_are_walked_one_level_at_a_time,
		strings_are_unescaped_in_their_place,
		plain_digits_are_read_up_to_their_limit,
		jansson_agrees_about_mutated_texts,
		NULL,
	};
	Suite *suite = suite_create("proto: JSON scanner");
	suite_case(suite, "all", NULL, NULL, tests);
	return suite_run(suite);
}
