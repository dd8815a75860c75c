/* Frames, buffers, names and the table of statuses. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/buffer.h"
#include "proto/frame.h"
#include "proto/name.h"
#include "proto/status.h"
#include "tests/lib/suite.h"

/* -- frames -- */

static enum frame_result next(const char *bytes, size_t len, struct slice *body, size_t *used, size_t *wanted)
{
	char *copy = malloc(len ? len : 1); /* of exactly that length, for the sanitizer */
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, len);
	enum frame_result result = frame_next((struct slice){copy, len}, 300, body, used, wanted);
	if (result == FRAME_WHOLE)
		body->bytes = bytes + (body->bytes - copy);
	free(copy);
	return result;
}

START_TEST(a_frame_is_whole_at_its_last_byte)
{
	const char bytes[] = "\0\0\0\3abc\0\0\0\0rest";
	struct slice body;
	size_t used = 0, wanted = 0;
	for (size_t len = 0; len < 7; len++) {
		ck_assert_int_eq(next(bytes, len, &body, &used, &wanted), FRAME_MORE);
		ck_assert_uint_eq(wanted, len < 4 ? 4 : 7);
	}
	ck_assert_int_eq(next(bytes, 7, &body, &used, &wanted), FRAME_WHOLE);
	ck_assert(slice_equal(body, SLICE("abc")) && used == 7);
	ck_assert_int_eq(next(bytes, 15, &body, &used, NULL), FRAME_WHOLE);
	ck_assert_uint_eq(used, 7);
	ck_assert_int_eq(next(bytes + 7, 8, &body, &used, NULL), FRAME_WHOLE);
	ck_assert(body.len == 0 && used == 4);
}
END_TEST

START_TEST(a_length_over_the_limit_is_told_at_once)
{
	struct slice body;
	size_t used;
	ck_assert_int_eq(next("\0\0\1\x2c", 4, &body, &used, NULL), FRAME_MORE); /* 300 */
	ck_assert_int_eq(next("\0\0\1\x2d", 4, &body, &used, NULL), FRAME_TOO_LARGE);
	ck_assert_int_eq(next("GET ", 4, &body, &used, NULL), FRAME_TOO_LARGE);
	ck_assert_int_eq(next("\xff\xff\xff\xff", 4, &body, &used, NULL), FRAME_TOO_LARGE);
}
END_TEST

START_TEST(frames_that_were_written_are_read)
{
	struct buffer out = {0};
	char text[300];
	memset(text, 'x', sizeof(text));
	for (size_t len = 0; len <= sizeof(text); len += 50) {
		size_t mark = frame_begin(&out);
		buffer_append(&out, text, len);
		frame_end(&out, mark);
	}
	for (size_t len = 0; len <= sizeof(text); len += 50) {
		struct slice body;
		size_t used;
		ck_assert_int_eq(frame_next(buffer_slice(&out), 300, &body, &used, NULL), FRAME_WHOLE);
		ck_assert_uint_eq(body.len, len);
		buffer_consume(&out, used);
	}
	ck_assert_uint_eq(buffer_len(&out), 0);
	buffer_finish(&out);
}
END_TEST

/* -- buffers -- */

START_TEST(a_buffer_gives_back_what_it_was_given)
{
	struct buffer buffer = {0};
	unsigned written = 0, read = 0;
	for (int round = 0; round < 2000; round++) {
		for (int i = 0; i < 1 + round % 97; i++, written++)
			buffer_append(&buffer, &(char){(char)written}, 1);
		for (size_t n = buffer_len(&buffer) * (unsigned)(round % 3) / 2; n; n--, read++) {
			ck_assert_int_eq(buffer.bytes[buffer.start], (char)read);
			buffer_consume(&buffer, 1);
		}
	}
	ck_assert_uint_eq(buffer_len(&buffer), written - read);
	ck_assert_uint_lt(buffer.cap, 4096); /* it slides, and does not grow for ever */
	buffer_finish(&buffer);
	ck_assert_ptr_null(buffer.bytes);
}
END_TEST

START_TEST(numbers_are_appended_in_decimal)
{
	struct buffer buffer = {0};
	buffer_append_uint(&buffer, 0);
	buffer_append(&buffer, " ", 1);
	buffer_append_uint(&buffer, UINT64_MAX);
	ck_assert(slice_equal((struct slice){buffer.bytes, buffer_len(&buffer)}, SLICE("0 18446744073709551615")));
	for (uint64_t power = 1, i = 0; i < 20; i++, power *= 10) /* at and around each number of digits */
		for (uint64_t number = power - 1; number <= power + 1; number++) {
			char expected[32];
			int len = snprintf(expected, sizeof(expected), "%llu", (unsigned long long)number);
			buffer_clear(&buffer);
			buffer_append_uint(&buffer, number);
			ck_assert(slice_equal((struct slice){buffer.bytes, buffer_len(&buffer)},
					      (struct slice){expected, (size_t)len}));
		}
	for (uint64_t bit = 1; bit; bit <<= 1) {
		char expected[32];
		int len = snprintf(expected, sizeof(expected), "%llu", (unsigned long long)(bit * 3 / 2));
		buffer_clear(&buffer);
		buffer_append_uint(&buffer, bit * 3 / 2);
		ck_assert(slice_equal((struct slice){buffer.bytes, buffer_len(&buffer)},
				      (struct slice){expected, (size_t)len}));
	}
	buffer_finish(&buffer);
}
END_TEST

START_TEST(a_buffer_that_failed_stays_so_until_it_is_cleared)
{
	struct buffer buffer = {0};
	buffer_append(&buffer, "x", 1);
	ck_assert_ptr_null(buffer_reserve(&buffer, SIZE_MAX));
	ck_assert(buffer.failed);
	buffer_append(&buffer, "y", 1);
	ck_assert_uint_eq(buffer_len(&buffer), 1);
	buffer_clear(&buffer);
	ck_assert(!buffer.failed);
	buffer_append(&buffer, "z", 1);
	ck_assert_uint_eq(buffer_len(&buffer), 1);
	buffer_finish(&buffer);
}
END_TEST

/* -- names -- */

START_TEST(names_have_128_bytes_of_some)
{
	char longest[130];
	memset(longest, 'n', sizeof(longest));
	ck_assert(name_is_valid((struct slice){longest, 128}));
	ck_assert(!name_is_valid((struct slice){longest, 129}));
	ck_assert(!name_is_valid((struct slice){longest, 0}));
	for (int byte = 0; byte < 256; byte++) {
		char name[2] = {'a', (char)byte};
		bool allowed =
			byte && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:{}-", byte);
		ck_assert_msg(name_is_valid((struct slice){name, 2}) == allowed, "byte %d", byte);
		ck_assert_msg(name_is_valid((struct slice){name + 1, 1}) == (allowed && byte != '.' && byte != '-'),
			      "byte %d first", byte);
	}
	ck_assert(name_is_reserved(SLICE("_r.1")));
	ck_assert(!name_is_reserved(SLICE("r_")));
}
END_TEST

START_TEST(channels_belong_to_groups)
{
	static const struct {
		const char *name, *group;
	} table[] = {
		{"jobs", "default"},
		{"{orders}.jobs", "orders"},
		{"retry.{orders}", "orders"},
		{"{a}{b}", "a"},
		{"{}.{a}", "default"},
		{"{a", "default"},
		{"a}b{c}", "c"},
		{"{{a}}", "{a"},
		{"}{", "default"},
		{"{default}", "default"},
		{"x{a}y{b}", "a"},
		{"{", "default"},
		{"_r.0123", "default"},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		ck_assert_msg(slice_equal(channel_group(slice_from(table[i].name)), slice_from(table[i].group)), "%s",
			      table[i].name);
	char longest[128];
	memset(longest, 'n', sizeof(longest));
	ck_assert(group_name_is_valid((struct slice){longest, 126}));
	ck_assert(!group_name_is_valid((struct slice){longest, 127}));
	ck_assert(group_name_is_valid(SLICE("-.{")));
	ck_assert(!group_name_is_valid(SLICE("")));
	ck_assert(!group_name_is_valid(SLICE("a}")));
	ck_assert(!group_name_is_valid(SLICE("a/b")));
}
END_TEST

START_TEST(globs_match)
{
	static const struct {
		const char *name, *glob;
		bool matches;
	} table[] = {
		{"jobs", "jobs", true},   {"jobs", "job", false},     {"jobs", "jobsx", false},
		{"jobs", "*", true},      {"jobs", "j*s", true},      {"jobs", "j*b", false},
		{"jobs", "????", true},   {"jobs", "???", false},     {"jobs", "*o*b*", true},
		{"jobs", "", false},      {"jobs", "[i-k]obs", true}, {"jobs", "[!i-k]obs", false},
		{"jobs", "[xj]*", true},  {"a-b", "a[-x]b", true},    {"a.b.c", "a.*.c", true},
		{"jobs", "\\jobs", true}, {"jobs", "j[", false},      {"jobs", "**s", true},
		{"a]b", "a[]]b", true},   {"aab", "*ab", true},       {"jobs", "jobs*", true},
		{"jobs", "[", false},     {"jobs", "jobs\\", false},  {"ababac", "*abac", true},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		ck_assert_msg(name_matches(slice_from(table[i].name), slice_from(table[i].glob)) == table[i].matches,
			      "%s %s", table[i].name, table[i].glob);
}
END_TEST

START_TEST(a_nasty_glob_is_not_slow)
{
	char name[128], glob[10001];
	memset(name, 'a', sizeof(name));
	for (int i = 0; i < 10000; i++)
		glob[i] = i % 2 ? 'a' : '*';
	glob[10000] = 'b';
	ck_assert(!name_matches((struct slice){name, sizeof(name)}, (struct slice){glob, sizeof(glob)}));
}
END_TEST

/* -- statuses -- */

START_TEST(words_and_numbers_stand_for_each_other)
{
	for (int i = 0; i < STATUS_COUNT; i++) {
		const char *word = status_name((enum status)i);
		ck_assert_int_eq(status_from_name(word, strlen(word)), i);
		ck_assert_uint_gt(strlen(status_text((enum status)i)), 0);
	}
	for (int i = ERROR_NONE + 1; i < ERROR_COUNT; i++) {
		const char *word = error_name((enum error)i), *text = error_text((enum error)i);
		ck_assert_int_eq(error_from_name(word, strlen(word)), i);
		ck_assert_uint_gt(strlen(text), 0);
		ck_assert_msg(text[strlen(text) - 1] != '.', "a detail may follow: %s", text);
	}
	ck_assert_int_eq(status_from_name("perhaps", 7), STATUS_ERROR);
	ck_assert_int_eq(status_from_name("o", 1), STATUS_ERROR);
	ck_assert_int_eq(error_from_name("new_trouble", 11), ERROR_INTERNAL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_frame_is_whole_at_its_last_byte,
		a_length_over_the_limit_is_told_at_once,
		frames_that_were_written_are_read,
		a_buffer_gives_back_what_it_was_given,
		numbers_are_appended_in_decimal,
		a_buffer_that_failed_stays_so_until_it_is_cleared,
		names_have_128_bytes_of_some,
		channels_belong_to_groups,
		globs_match,
		a_nasty_glob_is_not_slow,
		words_and_numbers_stand_for_each_other,
		NULL,
	};
	Suite *suite = suite_create("proto: frames, buffers, names, statuses");
	suite_case(suite, "all", NULL, NULL, tests);
	return suite_run(suite);
}
