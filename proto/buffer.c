/* A growing run of bytes. The content slides to the front when that makes room enough; else the memory doubles. */
#include "proto/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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

/* How many decimal digits it has. The number of bits says it, but for one digit more or less. */
static unsigned count_digits(uint64_t number)
{
	static const uint64_t powers[BUFFER_MAX_DIGITS] = {
		0,
		UINT64_C(10),
		UINT64_C(100),
		UINT64_C(1000),
		UINT64_C(10000),
		UINT64_C(100000),
		UINT64_C(1000000),
		UINT64_C(10000000),
		UINT64_C(100000000),
		UINT64_C(1000000000),
		UINT64_C(10000000000),
		UINT64_C(100000000000),
		UINT64_C(1000000000000),
		UINT64_C(10000000000000),
		UINT64_C(100000000000000),
		UINT64_C(1000000000000000),
		UINT64_C(10000000000000000),
		UINT64_C(100000000000000000),
		UINT64_C(1000000000000000000),
		UINT64_C(10000000000000000000),
	};
	unsigned bits = 64 - (unsigned)__builtin_clzll(number | 1), digits = bits * 1233 >> 12; /* log10(2) * 4096 */
	return digits + (number >= powers[digits]);
}

/* Two digits at a time, from the last ones on. */
char *buffer_write_uint(char *to, uint64_t number)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
				    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
				    "8081828384858687888990919293949596979899";
	char *end = to + count_digits(number), *at = end;
	for (; number >= 10; number /= 100)
		memcpy(at -= 2, pairs + 2 * (number % 100), 2);
	if (at > to)
		*to = (char)('0' + number);
	return end;
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
