/* A growing run of bytes. The content slides to the front when that makes room enough; else the memory doubles. */
#include "proto/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/word.h"

enum { BUFFER_MIN_BYTES = 256 };

void buffer_finish(struct buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct buffer){0};
}

/* Sliding only when at least half of the memory is free keeps the cost of an append constant on average. */
static bool slide(struct buffer *buffer, size_t len)
{
	size_t content = buffer_len(buffer);
	if (len > buffer->cap - content || content > buffer->cap / 2)
		return false;
	memmove(buffer->bytes, buffer->bytes + buffer->start, content);
	buffer->start = 0;
	buffer->end = content;
	return true;
}

static bool grow(struct buffer *buffer, size_t len)
{
	size_t content = buffer_len(buffer);
	if (len > SIZE_MAX / 2 - content)
		return false;
	size_t cap = buffer->cap > BUFFER_MIN_BYTES ? buffer->cap : BUFFER_MIN_BYTES;
	while (cap < content + len)
		cap *= 2;
	char *bytes = malloc(cap);
	if (!bytes)
		return false;
	if (content)
		memcpy(bytes, buffer->bytes + buffer->start, content);
	free(buffer->bytes);
	*buffer = (struct buffer){.bytes = bytes, .end = content, .cap = cap};
	return true;
}

char *buffer_make_room(struct buffer *buffer, size_t len)
{
	if (buffer->failed)
		return NULL;
	bool fits = buffer->bytes && len <= buffer->cap - buffer->end;
	if (!fits && !(buffer->bytes && slide(buffer, len)) && !grow(buffer, len)) {
		buffer->failed = true;
		return NULL;
	}
	return buffer->bytes + buffer->end;
}

static const uint64_t zeros = UINT64_C(0x3030303030303030); /* "00000000" */

/* The eight digits of a number below 100,000,000, a byte each, the first one lowest. It is split into halves of four
 * digits, each of these into pairs, and each pair into digits, all at once. */
static uint64_t digits_of(uint32_t number)
{
	uint64_t word = number / 10000 | (uint64_t)(number % 10000) << 32;
	uint64_t hundreds = (word * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
	word = hundreds | (word - 100 * hundreds) << 16;
	uint64_t tens = (word * 103 >> 10) & UINT64_C(0x000f000f000f000f);
	return tens | (word - 10 * tens) << 8;
}

char *buffer_write_uint(char *to, uint64_t number)
{
	const uint64_t limit = 100000000;
	if (number < 10) {
		*to = (char)('0' + number);
		return to + 1;
	}
	uint64_t digits = digits_of((uint32_t)(number % limit));
	unsigned n_leading = 0; /* zeros that nobody writes, but for the last digit */
	if (number < limit)
		n_leading = word_first_mark(digits | UINT64_C(1) << 56);
	else
		to = buffer_write_uint(to, number / limit);
	word_write(to, (digits | zeros) >> (8 * n_leading));
	return to + 8 - n_leading;
}

void buffer_append_uint(struct buffer *buffer, uint64_t number)
{
	char *to = buffer_reserve(buffer, BUFFER_MAX_DIGITS);
	if (to)
		buffer_commit(buffer, (size_t)(buffer_write_uint(to, number) - to));
}

void buffer_consume(struct buffer *buffer, size_t len)
{
	assert(len <= buffer_len(buffer));
	buffer->start += len;
	if (buffer->start == buffer->end)
		buffer->start = buffer->end = 0;
}

void buffer_clear(struct buffer *buffer)
{
	buffer->start = buffer->end = 0;
	buffer->failed = false;
}
