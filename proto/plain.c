#include "proto/plain.h"

#include <stdbool.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

static inline bool is_plain(char byte)
{
	unsigned char b = (unsigned char)byte;
	return b >= 0x20 && b < 0x80 && b != '"' && b != '\\';
}

static const char *end_by_bytes(const char *at, const char *end)
{
	while (at < end && is_plain(*at))
		at++;
	return at;
}

static const char *end_portable(const char *at, const char *end)
{
	for (; end - at >= 8; at += 8) {
		uint64_t word;
		memcpy(&word, at, 8);
		if (plain_marks(word)) /* the bytes tell which one */
			break;
	}
	return end_by_bytes(at, end);
}

#if defined(__x86_64__)

/* A bit for each of 16 bytes that is not plain. The comparison is signed: what is not ASCII is less than a space, too.
 */
static inline unsigned marks_sse2(const char *at)
{
	__m128i bytes = _mm_loadu_si128((const __m128i *)at);
	__m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
		backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
	__m128i special = _mm_or_si128(_mm_or_si128(quotes, backslashes), _mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')));
	return (unsigned)_mm_movemask_epi8(special);
}

/* The rest, shorter than a vector, is looked at in the last whole vector before the end, if there is one: what lies
 * before `at` in it is known to be plain. */
static const char *end_sse2(const char *at, const char *end)
{
	unsigned marks;
	if (end - at < 16)
		return end_by_bytes(at, end);
	for (; end - at >= 16; at += 16)
		if ((marks = marks_sse2(at)))
			return at + __builtin_ctz(marks);
	if (at == end || !(marks = marks_sse2(end - 16)))
		return end;
	return end - 16 + __builtin_ctz(marks);
}

__attribute__((target("avx2"))) static inline unsigned marks_avx2(const char *at)
{
	__m256i bytes = _mm256_loadu_si256((const __m256i *)at);
	__m256i quotes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"')),
		backslashes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
	__m256i special =
		_mm256_or_si256(_mm256_or_si256(quotes, backslashes), _mm256_cmpgt_epi8(_mm256_set1_epi8(' '), bytes));
	return (unsigned)_mm256_movemask_epi8(special);
}

__attribute__((target("avx2"))) static const char *end_avx2(const char *at, const char *end)
{
	unsigned marks;
	if (end - at < 32)
		return end_sse2(at, end);
	for (; end - at >= 32; at += 32)
		if ((marks = marks_avx2(at)))
			return at + __builtin_ctz(marks);
	if (at == end || !(marks = marks_avx2(end - 32)))
		return end;
	return end - 32 + __builtin_ctz(marks);
}

#endif

static plain_end_fn *all[4] = {end_portable};

plain_end_fn *plain_end_long = end_portable;

plain_end_fn *const *plain_end_all(void)
{
	return all;
}

/* Before main(), and so before any thread. */
__attribute__((constructor)) static void choose(void)
{
#if defined(__x86_64__)
	plain_end_long = all[1] = end_sse2;
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2"))
		plain_end_long = all[2] = end_avx2;
#endif
}
