/* Eight bytes of a text at a time, as a number whose lowest byte is the first of them, on every machine. Pure. */
#ifndef MILLRACE_PROTO_WORD_H
#define MILLRACE_PROTO_WORD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The eight bytes at `at`. */
static inline uint64_t word_at(const char *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

/* Writes the word's eight bytes to `to`, the lowest first. */
static inline void word_write(char *to, uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	memcpy(to, &word, sizeof(word));
}

/* Whether the word begins with a literal of one to eight bytes. Written so that every compiler makes two constants of
 * the literal: one of the bytes that count, and one of what they have to be. */
#define WORD_BEGINS(word, literal) (((word)&WORD_OF_BYTES_(sizeof(literal) - 1)) == WORD_OF_LITERAL_(literal))
#define WORD_OF_BYTES_(n)          (~UINT64_C(0) >> (64 - 8 * (n)))
#define WORD_OF_LITERAL_(l)                                                                                            \
	(WORD_BYTE_(l, 0) | WORD_BYTE_(l, 1) | WORD_BYTE_(l, 2) | WORD_BYTE_(l, 3) | WORD_BYTE_(l, 4) |                \
	 WORD_BYTE_(l, 5) | WORD_BYTE_(l, 6) | WORD_BYTE_(l, 7))
#define WORD_BYTE_(l, i)                                                                                               \
	((i) < sizeof(l) - 1 ? (uint64_t)(unsigned char)(l)[(i) < sizeof(l) ? (i) : 0] << (8 * (i)) : 0)

/* A word in which the lowest byte that equals this one has its highest bit set; zero if none does. Higher bytes may be
 * marked by mistake: subtraction borrows. */
static inline uint64_t word_marks(uint64_t word, char byte)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones * 0x80;
	uint64_t distance = word ^ ones * (unsigned char)byte;
	return (distance - ones) & ~distance & highs;
}

/* The number of the lowest byte that is marked, from 0. */
static inline unsigned word_first_mark(uint64_t marks)
{
	return (unsigned)__builtin_ctzll(marks) / 8;
}

/* How many bytes of the word, from the lowest on, are digits. */
static inline unsigned word_digits(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones * 0x80;
	uint64_t distance = word ^ ones * '0'; /* a digit is 0 to 9 there, and nothing else is */
	uint64_t others = (((distance & ~highs) + ones * (0x80 - 10)) | distance) & highs;
	return others ? word_first_mark(others) : 8;
}

/* The number that eight digits are, of which the first may be zero bytes: pairs are joined to numbers below 100, pairs
 * of these to such below 10,000, and so on. */
static inline uint64_t word_number(uint64_t word)
{
	word = (word & UINT64_C(0x0f0f0f0f0f0f0f0f)) * (10 * 256 + 1) >> 8;
	word = (word & UINT64_C(0x00ff00ff00ff00ff)) * (100 * 65536 + 1) >> 16;
	return (word & UINT64_C(0x0000ffff0000ffff)) * (10000 * UINT64_C(0x100000000) + 1) >> 32;
}

#endif
