/* The quick ways are the general ones, only quicker: each variant of the search for the end of plain text against a
 * look at each byte, and the quick decoding of requests against the general one, over texts that were mutated. Texts
 * are in memory of exactly their length. */
#include "proto/request_quick.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/plain.h"
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

/* -- Requests -- */

static struct message_decoder decoder, other_decoder;

static void teardown(void)
{
	message_decoder_finish(&decoder);
	message_decoder_finish(&other_decoder);
}

/* The same text, at the same place of another copy of the body. */
static bool same(struct slice a, const char *a_body, struct slice b, const char *b_body)
{
	return a.len == b.len && (a.bytes ? b.bytes && a.bytes - a_body == b.bytes - b_body : !b.bytes);
}

/* Decodes both ways, and holds one against the other. Returns whether the quick way was gone. */
static bool agree(const char *text, size_t len)
{
	struct message_request quick = {.id = MESSAGE_NO_ID, .max = 1, .limit = 1000}, any;
	char *body = exact_copy(text, len), *other = exact_copy(text, len);
	bool was_quick = request_quick(&decoder, body, len, &quick);
	int result = message_decode_request_any(&other_decoder, other, len, &any);
	if (was_quick) {
		ck_assert_msg(result == 0, "only the quick way takes %.*s; the other: %s", (int)len, text, any.detail);
		ck_assert_uint_eq(quick.present, any.present);
		ck_assert_int_eq(quick.op, any.op);
		ck_assert(quick.has_id == any.has_id && quick.id == any.id);
		ck_assert(same(quick.channel, body, any.channel, other) && same(quick.value, body, any.value, other));
		ck_assert(quick.max == any.max && quick.count == any.count && quick.timeout_ms == any.timeout_ms &&
			  quick.limit == any.limit);
		ck_assert_uint_eq(quick.n_arms, any.n_arms);
		for (size_t i = 0; i < any.n_arms; i++) {
			ck_assert(quick.arms[i].is_put == any.arms[i].is_put);
			ck_assert(same(quick.arms[i].channel, body, any.arms[i].channel, other) &&
				  same(quick.arms[i].value, body, any.arms[i].value, other));
		}
	}
	free(body);
	free(other);
	return was_quick;
}

static const char *const usual[] = {
	"{\"id\":7,\"op\":\"put\",\"channel\":\"jobs\",\"value\":{\"a\": [1, null],\"b\":\"\\u00e9\"}}",
	"{\"id\":9007199254740991,\"op\":\"put\",\"channel\":\"a.b:c{d}-e_f\",\"value\":\"x\",\"timeout_ms\":"
	"2147483647}",
	"{\"op\":\"put\",\"channel\":\"jobs\",\"value\":-1.5e3}",
	"{\"id\":0,\"op\":\"take\",\"channel\":\"jobs\"}",
	"{\"id\":12,\"op\":\"take\",\"channel\":\"jobs\",\"max\":1000,\"timeout_ms\":0}",
	"{\"id\":12,\"op\":\"take\",\"channel\":\"jobs\",\"count\":1000000}",
	"{\"id\":3,\"op\":\"alts\",\"arms\":[{\"take\":\"a\"},{\"put\":\"b\",\"value\":[true]},{\"take\":\"a\"}],"
	"\"timeout_ms\":250}",
};

START_TEST(the_usual_requests_go_the_quick_way)
{
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		ck_assert_msg(agree(usual[i], strlen(usual[i])), "%s", usual[i]);
}
END_TEST

START_TEST(what_is_unusual_or_wrong_is_left_to_the_general_way)
{
	static const char *const texts[] = {
		"",
		"{}",
		"{\"id\": 1,\"op\":\"take\",\"channel\":\"c\"}",
		"{\"op\":\"take\",\"id\":1,\"channel\":\"c\"}",
		"{\"op\":\"take\",\"channel\":\"c\"}",
		"{\"op\":\"alts\",\"arms\":[{\"take\":\"c\"}]}",
		"{\"id\":01,\"op\":\"take\",\"channel\":\"c\"}",
		"{\"id\":,\"op\":\"take\",\"channel\":\"c\"}",
		"{\"id\":9007199254740992,\"op\":\"take\",\"channel\":\"c\"}",
		"{\"id\":99999999999999999999999999,\"op\":\"take\",\"channel\":\"c\"}",
		"{\"id\":1,\"op\":\"take\",\"channel\":\"\"}",
		"{\"id\":1,\"op\":\"take\",\"channel\":\"\\u0063\"}",
		"{\"id\":1,\"op\":\"take\",\"channel\":\".c\"}",
		"{\"id\":1,\"op\":\"take\",\"channel\":\"c",
		"{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"max\":0}",
		"{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"max\":1001}",
		"{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"count\":1000001}",
		"{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"max\":1,\"count\":1}",
		"{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"timeout_ms\":2147483648}",
		"{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"value\":1}",
		"{\"id\":1,\"op\":\"take\",\"channel\":\"c\"}}",
		"{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":null}",
		"{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":}",
		"{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":1",
		"{\"id\":1,\"op\":\"put\",\"channel\":\"c\"}",
		"{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":1,\"value\":2}",
		"{\"id\":1,\"op\":\"alts\",\"arms\":[]}",
		"{\"id\":1,\"op\":\"alts\",\"arms\":[{\"put\":\"c\"}]}",
		"{\"id\":1,\"op\":\"alts\",\"arms\":[{\"put\":\"c\",\"value\":null}]}",
		"{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"c\"},]}",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(!agree(texts[i], strlen(texts[i])), "%s", texts[i]);
}
END_TEST

START_TEST(sixty_four_arms_are_the_most)
{
	char text[64 * 16 + 64] = "{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"c\"}";
	for (int n = 1; n < 64; n++)
		strcat(text, ",{\"take\":\"c\"}");
	size_t len = strlen(text);
	strcpy(text + len, "]}");
	ck_assert(agree(text, strlen(text)));
	strcpy(text + len, ",{\"take\":\"c\"}]}");
	ck_assert(!agree(text, strlen(text)));
}
END_TEST

START_TEST(both_ways_agree_about_mutated_requests)
{
	enum { TEXTS = 50000, CAP = 200 };
	static const char bytes[] = "{}[]\",:\\0123456789 eE-.nutfaxio\x80\xc3";
	unsigned n_quick = 0;
	seed();
	for (int i = 0; i < TEXTS; i++) {
		char text[CAP];
		const char *one = usual[random_below(sizeof(usual) / sizeof(usual[0]))];
		size_t len = strlen(one), at = random_below((unsigned)len);
		memcpy(text, one, len);
		unsigned way = random_below(3);
		if (way == 0) {
			text[at] = bytes[random_below(sizeof(bytes) - 1)];
		} else if (way == 1) {
			memmove(text + at, text + at + 1, --len - at);
		} else {
			memmove(text + at + 1, text + at, len++ - at);
			text[at] = bytes[random_below(sizeof(bytes) - 1)];
		}
		n_quick += agree(text, len);
	}
	ck_assert_uint_gt(n_quick, TEXTS / 20);
	ck_assert_uint_lt(n_quick, TEXTS / 2);
}
END_TEST

int main(void)
{
	const TTest *const plain[] = {every_variant_finds_every_special_byte_at_every_place,
				      the_first_of_many_special_bytes_counts, NULL};
	const TTest *const requests[] = {
		the_usual_requests_go_the_quick_way,
		what_is_unusual_or_wrong_is_left_to_the_general_way,
		sixty_four_arms_are_the_most,
		both_ways_agree_about_mutated_requests,
		NULL,
	};
	Suite *suite = suite_create("proto: quick ways");
	suite_case(suite, "plain text", NULL, NULL, plain);
	suite_case(suite, "requests", NULL, teardown, requests);
	return suite_run(suite);
}
