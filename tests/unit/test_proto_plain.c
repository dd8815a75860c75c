/* The searches for the end of plain text, and of text in UTF-8: each variant against a look at each byte. Texts are in
 * memory of exactly their length. */
#include "proto/plain.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/text_end.h"
#include "tests/lib/suite.h"

static uint64_t random_state;

static unsigned random_below(unsigned n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(random_state >> 33) % n;
}

static void seed(void)
{
	random_state = getenv("MILLRACE_SEED") ? strtoull(getenv("MILLRACE_SEED"), NULL, 10) : 20260301;
	printf("seed %llu\n", (unsigned long long)random_state);
}

static char *exact_copy(const char *bytes, size_t len)
{
	char *copy = malloc(len ? len : 1);
	if (!copy)
		ck_abort_msg("no memory");
	memcpy(copy, bytes, len);
	return copy;
}

/* -- Plain text -- */

static void ends_at(const char *text, size_t len, size_t at)
{
	char *copy = exact_copy(text, len);
	ck_assert_ptr_eq(plain_end(copy, copy + len), copy + at);
	for (plain_end_fn *const *one = plain_end_all(); *one; one++)
		ck_assert_msg((*one)(copy, copy + len) == copy + at,
			      "number %d of the variants: %zu bytes, one special at %zu", (int)(one - plain_end_all()),
			      len, at);
	free(copy);
}

START_TEST(every_variant_finds_every_special_byte_at_every_place)
{
	static const char specials[] = {'"', '\\', '\0', '\x1f', '\n', '\x80', '\xff', '\xc3'};
	for (size_t len = 0; len < 100; len++) {
		char text[100] = "";
		for (size_t i = 0; i < len; i++) /* all that is plain, at the edges of what is not, too */
			text[i] = " !#[]~\x7f"
				  "a0"[(i * 7 + len) % 9];
		ends_at(text, len, len);
		for (size_t at = 0; at < len; at++) {
			char was = text[at];
			for (size_t i = 0; i < sizeof(specials); i++) {
				text[at] = specials[i];
				ends_at(text, len, at);
			}
			text[at] = was;
		}
	}
}
END_TEST

START_TEST(the_first_of_many_special_bytes_counts)
{
	seed();
	for (int round = 0; round < 5000; round++) {
		char text[80] = "";
		size_t len = random_below(sizeof(text)), first = len;
		for (size_t i = len; i-- > 0;) {
			text[i] = (char)random_below(random_below(2) ? 256 : 128);
			unsigned char byte = (unsigned char)text[i];
			if (byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\')
				first = i;
		}
		ends_at(text, len, first);
	}
}
END_TEST

/* -- Text in UTF-8 -- */

/* By the definition of RFC 3629 alone: a character's code is put together, and has to need its length. */
static size_t reference_len(const unsigned char *at, size_t room)
{
	size_t len = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t code = len == 1 ? at[0] : at[0] & (0x7fu >> len);
	if ((at[0] & 0xc0) == 0x80 || at[0] >= 0xf8 || room < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3f);
	}
	return code < least[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : len;
}

static void ends_like_the_reference(const char *text, size_t len)
{
	size_t at = 0, n;
	while (at < len && (unsigned char)text[at] >= 0x20 && text[at] != '"' && text[at] != '\\' &&
	       (n = reference_len((const unsigned char *)text + at, len - at)))
		at += n;
	char *copy = exact_copy(text, len);
	for (text_end_fn *const *one = text_end_all(); *one; one++)
		if ((*one)(copy, copy + len) != copy + at) /* an assertion costs more than what it looks at here */
			ck_abort_msg("number %d of the variants: %zu bytes, to %zu, not %zu",
				     (int)(one - text_end_all()), len, (size_t)((*one)(copy, copy + len) - copy), at);
	free(copy);
}

START_TEST(every_pair_of_bytes_is_judged_at_every_place)
{
	static const size_t places[] = {0, 13, 14, 15, 31, 47, 63};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		for (unsigned pair = 0; pair < 65536; pair++) {
			char text[128];
			memset(text, 'a', sizeof(text));
			text[places[i]] = (char)(pair >> 8);
			text[places[i] + 1] = (char)pair;
			/* What makes a whole character of most leads, so that the pair alone decides. */
			for (size_t j = 2; j < 4 && (pair >> 8) >= 0xe0 + 16 * (j - 2); j++)
				text[places[i] + j] = (char)0x80;
			ends_like_the_reference(text, places[i] + 2 + pair % 5);
		}
	}
}
END_TEST

START_TEST(four_bytes_at_the_edges_of_what_they_may_be_are_judged)
{
	static const unsigned char edges[] = {0x1f, 0x22, 0x7f, 0x80, 0x90, 0xa0, 0xbf, 0xc1,
					      0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5};
	enum { N = sizeof(edges) };
	for (unsigned i = 0; i < N * N * N * N; i++) {
		char text[40];
		size_t at = 12 + i % 7;
		memset(text, 'a', sizeof(text));
		for (unsigned j = 0, left = i; j < 4; j++, left /= N)
			text[at + j] = (char)edges[left % N];
		ends_like_the_reference(text, sizeof(text));
	}
}
END_TEST

START_TEST(random_text_is_judged_alike)
{
	static const char *const characters[] = {
		"a", "\xd0\xb6", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};
	seed();
	for (int round = 0; round < 30000; round++) {
		char text[160] = "";
		size_t len = 0, most = random_below(150);
		while (len < most) {
			const char *one = characters[random_below(6)];
			memcpy(text + len, one, strlen(one));
			len += strlen(one);
		}
		if (len && random_below(2))
			text[random_below((unsigned)len)] = (char)random_below(256);
		ends_like_the_reference(text, len - (len ? random_below(2) : 0));
	}
}
END_TEST

int main(void)
{
	const TTest *const plain[] = {every_variant_finds_every_special_byte_at_every_place,
				      the_first_of_many_special_bytes_counts, NULL};
	const TTest *const utf8[] = {every_pair_of_bytes_is_judged_at_every_place,
				     four_bytes_at_the_edges_of_what_they_may_be_are_judged,
				     random_text_is_judged_alike, NULL};
	Suite *suite = suite_create("proto: ends of text");
	suite_case(suite, "plain text", NULL, NULL, plain);
	suite_case(suite, "text in UTF-8", NULL, NULL, utf8);
	return suite_run(suite);
}
