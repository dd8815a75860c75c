/* Which values a match accepts: JSON pointers (RFC 6901), each with what has to be there. Random ones are held against
 * a tree of jansson's. */
#include "proto/match.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/suite.h"

static struct slice text_of(const char *text)
{
	return (struct slice){text, strlen(text)};
}

/* In memory of exactly its length, so that what reads behind it is found. */
static bool accepts(const char *match_text, const char *value)
{
	bool lacks_memory;
	char why[MATCH_DETAIL_BYTES] = "";
	struct match *match = match_compile(text_of(match_text), &lacks_memory, why);
	ck_assert_msg(match != NULL, "%s: %s", match_text, why);
	size_t len = strlen(value);
	char *copy = malloc(len);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, value, len);
	bool is_accepted = match_accepts(match, (struct slice){copy, len});
	free(copy);
	match_destroy(match);
	return is_accepted;
}

static void refuses(const char *match_text, const char *part)
{
	bool lacks_memory = true;
	char why[MATCH_DETAIL_BYTES] = "";
	ck_assert_ptr_null(match_compile(text_of(match_text), &lacks_memory, why));
	ck_assert(!lacks_memory);
	ck_assert_msg(strstr(why, part), "%s: %s", match_text, why);
}

START_TEST(all_pointers_have_to_be_equal)
{
	const char *match = "{\"/type\": \"order\", \"/customer/vip\": true}";
	ck_assert(accepts(match, "{\"type\":\"order\",\"customer\":{\"name\":\"x\",\"vip\":true}}"));
	ck_assert(accepts(match, " { \"customer\" : { \"vip\" : true } , \"type\" : \"order\" } "));
	ck_assert(!accepts(match, "{\"type\":\"order\",\"customer\":{\"vip\":false}}"));
	ck_assert(!accepts(match, "{\"type\":\"order\"}"));
	ck_assert(!accepts(match, "{\"type\":\"orders\",\"customer\":{\"vip\":true}}"));
	ck_assert(!accepts(match, "7"));
	ck_assert(!accepts(match, "[]"));
}
END_TEST

START_TEST(an_empty_object_matches_all)
{
	ck_assert(accepts("{}", "1"));
	ck_assert(accepts(" { } ", "{\"a\":[]}"));
}
END_TEST

START_TEST(the_empty_pointer_is_the_whole_value)
{
	ck_assert(accepts("{\"\": 1}", "1"));
	ck_assert(accepts("{\"\": 1}", " 1 "));
	ck_assert(!accepts("{\"\": 1}", "{\"\":1}"));
	ck_assert(accepts("{\"/\": 1}", "{\"\":1}"));
}
END_TEST

START_TEST(strings_are_equal_after_unescaping)
{
	ck_assert(accepts("{\"/a\": \"\\u00e9\\ud83d\\ude00/\"}", "{\"a\":\"\xc3\xa9\xf0\x9f\x98\x80\\/\"}"));
	ck_assert(accepts("{\"/a\": \"\xc3\xa9\"}", "{\"\\u0061\":\"\\u00E9\"}"));
	ck_assert(accepts("{\"/a\": \"\\u0000\"}", "{\"a\":\"\\u0000\"}"));
	ck_assert(!accepts("{\"/a\": \"\\u0000\"}", "{\"a\":\"\"}"));
	ck_assert(accepts("{\"/a\": \"\\n\\t\\\"\\\\\"}", "{\"a\":\"\\u000a\\u0009\\u0022\\u005c\"}"));
}
END_TEST

START_TEST(steps_are_escaped_as_rfc_6901_says)
{
	ck_assert(accepts("{\"/a~1b\": 1}", "{\"a/b\":1}"));
	ck_assert(accepts("{\"/m~0n\": 1}", "{\"m~n\":1}"));
	ck_assert(accepts("{\"/~01\": 1}", "{\"~1\":1}"));
	ck_assert(accepts("{\"/ \": 1}", "{\" \":1}"));
	ck_assert(accepts("{\"\\u002fa\": 1}", "{\"a\":1}"));
	ck_assert(accepts("{\"/a/\": 1}", "{\"a\":{\"\":1}}"));
}
END_TEST

START_TEST(elements_have_plain_indexes)
{
	ck_assert(accepts("{\"/0\": 1, \"/2/x\": null}", "[1,2,{\"x\":null},4]"));
	ck_assert(!accepts("{\"/00\": 1}", "[1]"));
	ck_assert(!accepts("{\"/-\": 1}", "[1]"));
	ck_assert(!accepts("{\"/1\": 1}", "[1]"));
	ck_assert(accepts("{\"/00\": 1}", "{\"00\":1}"));
}
END_TEST

START_TEST(numbers_are_equal_by_value_exactly)
{
	const char *match = "{\"\": 100}";
	ck_assert(accepts(match, "100"));
	ck_assert(accepts(match, "100.00"));
	ck_assert(accepts(match, "1e2"));
	ck_assert(accepts(match, "1E+02"));
	ck_assert(accepts(match, "0.1e3"));
	ck_assert(accepts(match, "10000e-2"));
	ck_assert(!accepts(match, "-100"));
	ck_assert(!accepts(match, "100.00000000000000000000000000000000000001"));
	ck_assert(!accepts(match, "1e99999999999999999999"));
	ck_assert(accepts("{\"\": 0}", "-0.0e99999999999999999999"));
	ck_assert(accepts("{\"\": -1.50}", "-15e-1"));
	ck_assert(accepts("{\"\": 9007199254740993}", "9007199254740993"));
	ck_assert(!accepts("{\"\": 9007199254740993}", "9007199254740992"));
	ck_assert(accepts("{\"\": 0.001}", "1e-3"));
	ck_assert(accepts("{\"\": 1020.30}", "10203e-1"));
	ck_assert(!accepts("{\"\": 1}", "\"1\""));
}
END_TEST

START_TEST(of_duplicate_members_the_last_counts)
{
	ck_assert(accepts("{\"/a\": 2}", "{\"a\":1,\"a\":2}"));
	ck_assert(!accepts("{\"/a\": 1}", "{\"a\":1,\"a\":2}"));
	ck_assert(!accepts("{\"/a/b\": 1}", "{\"a\":{\"b\":1},\"a\":{}}"));
	ck_assert(!accepts("{\"/a/b\": 1}", "{\"a\":{\"b\":1},\"\\u0061\":5}"));
	ck_assert(accepts("{\"/a/b\": 1, \"/c\": 3}", "{\"a\":5,\"c\":3,\"a\":{\"b\":1}}"));
}
END_TEST

START_TEST(what_is_no_match_is_refused)
{
	char many[4096] = "{\"/0\":1";
	refuses("[]", "object");
	refuses("1", "object");
	refuses("{\"a\": 1}", "begins with '/'");
	refuses("{\"/a~\": 1}", "followed by 0 or 1");
	refuses("{\"/a~2\": 1}", "followed by 0 or 1");
	refuses("{\"/a\": 1", "is no JSON");
	refuses("{\"/a\": ,", "is no JSON");
	refuses("{\"/a\"", "is no JSON");
	refuses("{\"/a\": []}", "a string, a number");
	refuses("{\"/a\": {}}", "a string, a number");
	refuses("{\"/a\": 1, \"/\\u0061\": 2}", "twice");
	refuses("{\"/a\": 1e1000000000}", "exponent");
	for (int i = 1; i <= MATCH_MAX_POINTERS; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), ",\"/%d\":1", i);
	strcat(many, "}");
	refuses(many, "at most 32 pointers");
	char *large = malloc(MATCH_MAX_BYTES + 2);
	ck_assert_ptr_nonnull(large);
	memset(large, ' ', MATCH_MAX_BYTES + 1);
	memcpy(large, "{}", 2);
	large[MATCH_MAX_BYTES + 1] = '\0';
	refuses(large, "at most 4096 bytes");
	large[MATCH_MAX_BYTES] = '\0';
	ck_assert(accepts(large, "1"));
	free(large);
}
END_TEST

/* -- Random ones -- */

static uint64_t random_state;

static unsigned below(unsigned n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(random_state >> 33) % n;
}

static const char *const scalars[] = {"1", "1.0", "10e-1", "2", "\"x\"", "\"\\u0078\"", "true", "false", "null"};
static const char *const names[] = {"a", "b", "0", "1"};

/* Appends a random value without duplicate members, for which jansson is no judge. */
static void random_value(char *out, unsigned depth)
{
	unsigned kind = depth ? below(4) : 0, n = below(4);
	if (kind < 2) {
		strcat(out, scalars[below(sizeof(scalars) / sizeof(scalars[0]))]);
		return;
	}
	strcat(out, kind == 2 ? "{" : "[");
	for (unsigned i = 0; i < n; i++) {
		if (i)
			strcat(out, ", ");
		if (kind == 2)
			sprintf(out + strlen(out), "\"%s\": ", names[i]);
		random_value(out, depth - 1);
	}
	strcat(out, kind == 2 ? "}" : "]");
}

static bool tree_has(const json_t *at, const char *pointer, const char *scalar)
{
	char step[8];
	while (*pointer == '/') {
		size_t len = strcspn(pointer + 1, "/");
		snprintf(step, sizeof(step), "%.*s", (int)len, pointer + 1);
		pointer += 1 + len;
		bool is_index = step[0] >= '0' && step[0] <= '9';
		at = json_is_object(at)              ? json_object_get(at, step)
		     : json_is_array(at) && is_index ? json_array_get(at, (size_t)atoi(step))
						     : NULL;
		if (!at)
			return false;
	}
	json_t *wanted = json_loads(scalar, JSON_DECODE_ANY, NULL);
	bool is_equal = json_is_number(wanted) && json_is_number(at)
				? json_number_value(wanted) == json_number_value(at)
				: json_equal(wanted, at);
	json_decref(wanted);
	return is_equal;
}

START_TEST(random_matches_are_judged_as_by_a_tree)
{
	random_state = getenv("MILLRACE_SEED") ? strtoull(getenv("MILLRACE_SEED"), NULL, 10) : 20260301;
	printf("seed %llu\n", (unsigned long long)random_state);
	unsigned n_accepted = 0, n = 100000;
	for (unsigned i = 0; i < n; i++) {
		char value[4096] = "", pointers[2][32] = {"", ""}, match[128];
		const char *wanted[2];
		random_value(value, 4);
		for (int k = 0; k < 2; k++) {
			for (unsigned steps = below(4); steps; steps--)
				sprintf(pointers[k] + strlen(pointers[k]), "/%s", names[below(4)]);
			wanted[k] = scalars[below(sizeof(scalars) / sizeof(scalars[0]))];
		}
		bool is_one = strcmp(pointers[0], pointers[1]) == 0;
		snprintf(match, sizeof(match), is_one ? "{\"%s\": %s}" : "{\"%s\": %s, \"%s\": %s}", pointers[0],
			 wanted[0], pointers[1], wanted[1]);
		json_t *tree = json_loads(value, JSON_DECODE_ANY, NULL);
		bool expected =
			tree_has(tree, pointers[0], wanted[0]) && (is_one || tree_has(tree, pointers[1], wanted[1]));
		json_decref(tree);
		ck_assert_msg(accepts(match, value) == expected, "%s of %s", match, value);
		n_accepted += expected;
	}
	ck_assert_uint_gt(n_accepted, n / 1000);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {all_pointers_have_to_be_equal,
				      an_empty_object_matches_all,
				      the_empty_pointer_is_the_whole_value,
				      strings_are_equal_after_unescaping,
				      steps_are_escaped_as_rfc_6901_says,
				      elements_have_plain_indexes,
				      numbers_are_equal_by_value_exactly,
				      of_duplicate_members_the_last_counts,
				      what_is_no_match_is_refused,
				      random_matches_are_judged_as_by_a_tree,
				      NULL};
	Suite *suite = suite_create("proto: match");
	suite_case(suite, "match", NULL, NULL, tests);
	return suite_run(suite);
}
