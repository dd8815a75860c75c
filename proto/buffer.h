/* Bytes that grow at the end and are consumed at the front; the output of encoders and of sockets. An allocation that
 * fails marks the buffer `failed`, later appends do nothing, and whoever owns it looks once at the end.
 * Zero-initialised is a valid empty buffer. */
#ifndef MILLRACE_PROTO_BUFFER_H
#define MILLRACE_PROTO_BUFFER_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/slice.h"

struct buffer {
	char *bytes;
	size_t start; /* bytes[start .. end) are the content */
	size_t end;
	size_t cap : 63; /* the two share a word: every connection has three of these */
	size_t failed : 1;
};

void buffer_finish(struct buffer *buffer);

static inline size_t buffer_len(const struct buffer *buffer)
{
	return buffer->end - buffer->start;
}

/* The first byte of the content; NULL while the buffer has no memory. */
static inline char *buffer_front(const struct buffer *buffer)
{
	return buffer->bytes ? buffer->bytes + buffer->start : NULL;
}

/* The content, until the buffer changes. */
static inline struct slice buffer_slice(const struct buffer *buffer)
{
	return (struct slice){buffer_front(buffer), buffer_len(buffer)};
}

/* Makes room for `len` more bytes and returns where they go, or NULL (failed). What is written there counts after
 * buffer_commit(). */
static inline char *buffer_reserve(struct buffer *buffer, size_t len);
static inline void buffer_commit(struct buffer *buffer, size_t len);

static inline void buffer_append(struct buffer *buffer, const void *bytes, size_t len);
void buffer_append_uint(struct buffer *buffer, uint64_t number); /* decimal digits */

/* Writes the decimal digits of a number to `to`, which has room for BUFFER_MAX_DIGITS (some of it may be written over
 * behind them), and returns where they end. */
enum { BUFFER_MAX_DIGITS = 20 };
char *buffer_write_uint(char *to, uint64_t number);

/* Drops `len` bytes at the front. */
void buffer_consume(struct buffer *buffer, size_t len);

/* Forgets the content and keeps the memory. */
void buffer_clear(struct buffer *buffer);

/* -- Inline: nearly every append finds room -- */

char *buffer_make_room(struct buffer *buffer, size_t len); /* the rest of buffer_reserve() */

static inline char *buffer_reserve(struct buffer *buffer, size_t len)
{
	if (buffer->bytes && len <= buffer->cap - buffer->end && !buffer->failed)
		return buffer->bytes + buffer->end;
	return buffer_make_room(buffer, len);
}

static inline void buffer_commit(struct buffer *buffer, size_t len)
{
	assert(len <= buffer->cap - buffer->end);
	buffer->end += len;
}

static inline void buffer_append(struct buffer *buffer, const void *bytes, size_t len)
{
	char *to = len ? buffer_reserve(buffer, len) : NULL;
	if (!to)
		return;
	memcpy(to, bytes, len);
	buffer->end += len;
}

#endif
