/* The vectors judge UTF-8 as John Keiser and Daniel Lemire do ("Validating UTF-8 in less than one instruction per
 * byte", 2020). Whether two bytes may follow each other is looked up by three of their halves in tables of 16 bytes:
 * each bit of an entry is one way to be wrong, and a pair is wrong if the three entries have a bit in common. What is
 * left to see is whether a third or a fourth byte is a continuation exactly where the lead before it asks for one.
 *
 * Vectors only tell that something is wrong. Where, is then found byte by byte, once for a text. */
#include "proto/text_end.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "proto/utf8.h"

static inline bool is_special(char byte)
{
	return (unsigned char)byte < 0x20 || byte == '"' || byte == '\\';
}

static const char *end_portable(const char *at, const char *end)
{
	while (at < end && !is_special(*at)) {
		size_t len = utf8_len(at, end);
		if (len == 0)
			break;
		at += len;
	}
	return at;
}

#if defined(__x86_64__)

enum {                          /* ways to be wrong, of a byte and the one behind it */
       TOO_SHORT = 1 << 0,      /* a lead, and no continuation behind it */
       TOO_LONG = 1 << 1,       /* ASCII, and a continuation behind it */
       OVERLONG_3 = 1 << 2,     /* e0 80..9f */
       TOO_LARGE = 1 << 3,      /* f4 90 and more */
       SURROGATE = 1 << 4,      /* ed a0..bf */
       OVERLONG_2 = 1 << 5,     /* c0, c1 */
       TOO_LARGE_1000 = 1 << 6, /* f5 and more, 80..8f */
       OVERLONG_4 = 1 << 6,     /* f0 80..8f: it never meets the one before */
       TWO_CONTINUATIONS = 1 << 7,
       CARRY = TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS, /* these do not depend on the first byte's lower half */
};

#define FIRST_HIGH                                                                                                     \
	TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, (char)TWO_CONTINUATIONS,       \
		(char)TWO_CONTINUATIONS, (char)TWO_CONTINUATIONS, (char)TWO_CONTINUATIONS, TOO_SHORT | OVERLONG_2,     \
		TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE, TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4
#define FIRST_LOW                                                                                                      \
	(char)(CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4), (char)(CARRY | OVERLONG_2), (char)CARRY, (char)CARRY,    \
		(char)(CARRY | TOO_LARGE), LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE,                     \
		(char)(CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE), LARGE, LARGE
#define LARGE (char)(CARRY | TOO_LARGE | TOO_LARGE_1000)
#define SECOND_HIGH                                                                                                    \
	TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,                        \
		(char)(CONTINUATION | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4),                                       \
		(char)(CONTINUATION | OVERLONG_3 | TOO_LARGE), (char)(CONTINUATION | SURROGATE | TOO_LARGE),           \
		(char)(CONTINUATION | SURROGATE | TOO_LARGE), TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT
#define CONTINUATION (TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS)

/* Bytes of ones, then of zeros: from the middle less n on, n of the first are ones. */
static const char first_bytes[64] = {
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
};

/* -- 16 bytes at a time -- */

/* A bit for each byte that ends the text. */
__attribute__((target("ssse3"))) static inline unsigned specials_16(__m128i bytes)
{
	__m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
		backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')),
		controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, backslashes), controls));
}

/* Bytes that are not zero where the bytes, behind those of the vector before, are no UTF-8. */
__attribute__((target("ssse3"))) static inline __m128i wrong_16(__m128i bytes, __m128i before)
{
	const __m128i halves = _mm_set1_epi8(0x0f);
	__m128i first = _mm_alignr_epi8(bytes, before, 15), second = _mm_alignr_epi8(bytes, before, 14),
		third = _mm_alignr_epi8(bytes, before, 13);
	__m128i first_high =
			_mm_shuffle_epi8(_mm_setr_epi8(FIRST_HIGH), _mm_and_si128(_mm_srli_epi16(first, 4), halves)),
		first_low = _mm_shuffle_epi8(_mm_setr_epi8(FIRST_LOW), _mm_and_si128(first, halves)),
		second_high =
			_mm_shuffle_epi8(_mm_setr_epi8(SECOND_HIGH), _mm_and_si128(_mm_srli_epi16(bytes, 4), halves));
	__m128i pairs = _mm_and_si128(_mm_and_si128(first_high, first_low), second_high);
	/* Where a lead of three or four bytes asks for it, the highest bit is set. */
	__m128i asked = _mm_or_si128(_mm_subs_epu8(second, _mm_set1_epi8((char)(0xe0 - 0x80))),
				     _mm_subs_epu8(third, _mm_set1_epi8((char)(0xf0 - 0x80))));
	return _mm_xor_si128(_mm_and_si128(asked, _mm_set1_epi8((char)0x80)), pairs);
}

/* The last bytes, and zeros, which end the text. */
__attribute__((target("ssse3"), noinline)) static __m128i rest_16(const char *at, size_t n)
{
	char rest[16] = "";
	memcpy(rest, at, n);
	return _mm_loadu_si128((const __m128i *)rest);
}

__attribute__((target("ssse3"))) static const char *end_ssse3(const char *at, const char *end)
{
	__m128i before = _mm_setzero_si128(), wrong = before, bytes;
	for (const char *begin = at;; at += 16, before = bytes) {
		size_t n = (size_t)(end - at);
		bytes = n < 16 ? rest_16(at, n) : _mm_loadu_si128((const __m128i *)at);
		unsigned specials = specials_16(bytes);
		if (specials) {
			n = (unsigned)__builtin_ctz(specials);
			bytes = _mm_and_si128(bytes, _mm_loadu_si128((const __m128i *)(first_bytes + 32 - n)));
		}
		wrong = _mm_or_si128(wrong, wrong_16(bytes, before));
		if (specials) {
			bool is_good = _mm_movemask_epi8(_mm_cmpeq_epi8(wrong, _mm_setzero_si128())) == 0xffff;
			return is_good ? at + n : end_portable(begin, end);
		}
	}
}

/* -- 32 bytes at a time -- */

__attribute__((target("avx2"))) static inline unsigned specials_32(__m256i bytes)
{
	__m256i quotes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"')),
		backslashes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\')),
		controls = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes);
	return (unsigned)_mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(quotes, backslashes), controls));
}

__attribute__((target("avx2"))) static inline __m256i wrong_32(__m256i bytes, __m256i before)
{
	const __m256i halves = _mm256_set1_epi8(0x0f), middle = _mm256_permute2x128_si256(before, bytes, 0x21);
	__m256i first = _mm256_alignr_epi8(bytes, middle, 15), second = _mm256_alignr_epi8(bytes, middle, 14),
		third = _mm256_alignr_epi8(bytes, middle, 13);
	__m256i first_high = _mm256_shuffle_epi8(_mm256_setr_epi8(FIRST_HIGH, FIRST_HIGH),
						 _mm256_and_si256(_mm256_srli_epi16(first, 4), halves)),
		first_low =
			_mm256_shuffle_epi8(_mm256_setr_epi8(FIRST_LOW, FIRST_LOW), _mm256_and_si256(first, halves)),
		second_high = _mm256_shuffle_epi8(_mm256_setr_epi8(SECOND_HIGH, SECOND_HIGH),
						  _mm256_and_si256(_mm256_srli_epi16(bytes, 4), halves));
	__m256i pairs = _mm256_and_si256(_mm256_and_si256(first_high, first_low), second_high);
	__m256i asked = _mm256_or_si256(_mm256_subs_epu8(second, _mm256_set1_epi8((char)(0xe0 - 0x80))),
					_mm256_subs_epu8(third, _mm256_set1_epi8((char)(0xf0 - 0x80))));
	return _mm256_xor_si256(_mm256_and_si256(asked, _mm256_set1_epi8((char)0x80)), pairs);
}

/* The last bytes, and zeros, which end the text. */
__attribute__((target("avx2"), noinline)) static __m256i rest_32(const char *at, size_t n)
{
	char rest[32] = "";
	memcpy(rest, at, n);
	return _mm256_loadu_si256((const __m256i *)rest);
}

__attribute__((target("avx2"))) static const char *end_avx2(const char *at, const char *end)
{
	__m256i before = _mm256_setzero_si256(), wrong = before, bytes;
	for (const char *begin = at;; at += 32, before = bytes) {
		size_t n = (size_t)(end - at);
		bytes = n < 32 ? rest_32(at, n) : _mm256_loadu_si256((const __m256i *)at);
		unsigned specials = specials_32(bytes);
		if (specials) {
			n = (unsigned)__builtin_ctz(specials);
			bytes = _mm256_and_si256(bytes, _mm256_loadu_si256((const __m256i *)(first_bytes + 32 - n)));
		}
		wrong = _mm256_or_si256(wrong, wrong_32(bytes, before));
		if (specials)
			return _mm256_testz_si256(wrong, wrong) ? at + n : end_portable(begin, end);
	}
}

/* -- 64 bytes at a time -- */

#define TARGET_64 __attribute__((target("avx512f,avx512bw")))

TARGET_64 static inline uint64_t specials_64(__m512i bytes)
{
	return _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"')) |
	       _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\')) |
	       _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(0x20));
}

TARGET_64 static inline __m512i look_up_64(__m128i table, __m512i halves)
{
	return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), _mm512_and_si512(halves, _mm512_set1_epi8(0x0f)));
}

TARGET_64 static inline __m512i wrong_64(__m512i bytes, __m512i before)
{
	const __m512i middle = _mm512_alignr_epi64(bytes, before, 6);
	__m512i first = _mm512_alignr_epi8(bytes, middle, 15), second = _mm512_alignr_epi8(bytes, middle, 14),
		third = _mm512_alignr_epi8(bytes, middle, 13);
	__m512i first_high = look_up_64(_mm_setr_epi8(FIRST_HIGH), _mm512_srli_epi16(first, 4)),
		first_low = look_up_64(_mm_setr_epi8(FIRST_LOW), first),
		second_high = look_up_64(_mm_setr_epi8(SECOND_HIGH), _mm512_srli_epi16(bytes, 4));
	__m512i pairs = _mm512_and_si512(_mm512_and_si512(first_high, first_low), second_high);
	__m512i asked = _mm512_or_si512(_mm512_subs_epu8(second, _mm512_set1_epi8((char)(0xe0 - 0x80))),
					_mm512_subs_epu8(third, _mm512_set1_epi8((char)(0xf0 - 0x80))));
	return _mm512_xor_si512(_mm512_and_si512(asked, _mm512_set1_epi8((char)0x80)), pairs);
}

/* Bits for the first n bytes, which are not all. */
static inline uint64_t first_bits(size_t n)
{
	return (UINT64_C(1) << n) - 1;
}

TARGET_64 static const char *end_avx512(const char *at, const char *end)
{
	__m512i before = _mm512_setzero_si512(), wrong = before, bytes;
	for (const char *begin = at;; at += 64, before = bytes) {
		size_t n = (size_t)(end - at);
		bytes = n < 64 ? _mm512_maskz_loadu_epi8(first_bits(n), at) : _mm512_loadu_si512(at);
		uint64_t specials = specials_64(bytes);
		if (specials) {
			n = (size_t)__builtin_ctzll(specials);
			bytes = _mm512_maskz_mov_epi8(first_bits(n), bytes);
		}
		wrong = _mm512_or_si512(wrong, wrong_64(bytes, before));
		if (specials)
			return _mm512_test_epi64_mask(wrong, wrong) ? end_portable(begin, end) : at + n;
	}
}

#endif

static text_end_fn *all[5] = {end_portable};

text_end_fn *text_end = end_portable;

text_end_fn *const *text_end_all(void)
{
	return all;
}

/* Before main(), and so before any thread. */
__attribute__((constructor)) static void choose(void)
{
#if defined(__x86_64__)
	int n = 1;
	__builtin_cpu_init();
	if (__builtin_cpu_supports("ssse3"))
		text_end = all[n++] = end_ssse3;
	if (__builtin_cpu_supports("avx2"))
		text_end = all[n++] = end_avx2;
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
		text_end = all[n++] = end_avx512;
#endif
}
