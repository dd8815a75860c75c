/* The search for the end of plain text: each variant against a look at each byte. Texts are in memory of exactly their
 * length. */
#include "proto/plain.h"

#include <stdio.h>
#include <stdlib.h>

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
	ck_assert_ptr_nonnull(copy);
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

int main(void)
{
	const TTest *const plain[] = {every_variant_finds_every_special_byte_at_every_place,
				      the_first_of_many_special_bytes_counts, NULL};
	Suite *suite = suite_create("proto: plain text");
	suite_case(suite, "plain text", NULL, NULL, plain);
	return suite_run(suite);
}
