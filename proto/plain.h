/* The inner loop of the JSON scanner: where does a run of plain string bytes end? Plain is ASCII that stands for
 * itself: no quote, no backslash, no control character. Nothing at or after `end` is read. Pure.
 *
 * There is one for every machine, eight bytes at a time, and vectors where the processor has them: which one is best is
 * found out once, at the start of the program.
 */
#ifndef MILLRACE_PROTO_PLAIN_H
#define MILLRACE_PROTO_PLAIN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/word.h"

/* The first byte at or behind `at` that is not plain, or `end`. */
typedef const char *plain_end_fn(const char *at, const char *end);

extern plain_end_fn *plain_end_long; /* the best one here, for runs that may be long */

/* All that this processor can run, the portable one first; for tests. NULL behind the last. */
plain_end_fn *const *plain_end_all(void);

/* A word in which the lowest byte that is not plain has its highest bit set; zero if all are plain. Higher bytes may be
 * marked by mistake. Subtraction borrows, so only what is below the first mark is sure; what is not ASCII has that bit
 * anyway. */
static inline uint64_t plain_marks(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones * 0x80;
	uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
	return (((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | word) &
	       highs;
}

/* Names and short strings end within eight bytes, or sixteen: for them no function is called. */
static inline const char *plain_end(const char *at, const char *end)
{
	for (int i = 0; i < 2; i++, at += 8) {
		if (end - at < 8)
			break;
		uint64_t marks = plain_marks(word_at(at));
		if (marks)
			return at + word_first_mark(marks);
	}
	return plain_end_long(at, end);
}

#endif
