/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
#ifndef MILLRACE_PROTO_UTF8_H
#define MILLRACE_PROTO_UTF8_H

#include <stdbool.h>
#include <stddef.h>

static inline bool utf8_is_tail(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The length of the one character at `at`, 1 to 4; 0 if none that is valid stands there. at < end. */
static inline size_t utf8_len(const char *at, const char *end)
{
	unsigned char lead = (unsigned char)at[0];
	size_t room = (size_t)(end - at);
	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4 || room < 2 || !utf8_is_tail(at[1]))
		return 0;
	if (lead < 0xe0)
		return 2;
	unsigned char second = (unsigned char)at[1];
	if (room < 3 || !utf8_is_tail(at[2]))
		return 0;
	if (lead < 0xf0)
		return (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ? 0 : 3;
	if (room < 4 || !utf8_is_tail(at[3]))
		return 0;
	return (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f) ? 0 : 4;
}

/* Writes the character `code` (no surrogate, at most U+10FFFF) to `to`, which has room for 4 bytes; returns how many it
 * has. */
static inline size_t utf8_write(char *to, unsigned code)
{
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (char)(0xc0 | code >> 6);
		to[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		to[0] = (char)(0xe0 | code >> 12);
		to[1] = (char)(0x80 | (code >> 6 & 0x3f));
		to[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | code >> 18);
	to[1] = (char)(0x80 | (code >> 12 & 0x3f));
	to[2] = (char)(0x80 | (code >> 6 & 0x3f));
	to[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

#endif
