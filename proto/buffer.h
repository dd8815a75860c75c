/* Bytes that grow at the end and are consumed at the front; the output of encoders and of sockets. An allocation that fails marks the
 * buffer `failed`, later appends do nothing, and whoever owns it looks once at the end. Zero-initialised is a valid empty buffer. */
#ifndef MILLRACE_PROTO_BUFFER_H
#define MILLRACE_PROTO_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
	char *bytes;
	size_t start; /* bytes[start .. end) are the content */
	size_t end;
	size_t cap;
	bool failed;
};

void buffer_finish(struct buffer *buffer);

static inline size_t buffer_len(const struct buffer *buffer)
{
	return buffer->end - buffer->start;
}

/* Makes room for `len` more bytes and returns where they go, or NULL (failed). What is written there counts after buffer_commit(). */
char *buffer_reserve(struct buffer *buffer, size_t len);
void buffer_commit(struct buffer *buffer, size_t len);

void buffer_append(struct buffer *buffer, const void *bytes, size_t len);
void buffer_append_uint(struct buffer *buffer, uint64_t number); /* decimal digits */

/* Drops `len` bytes at the front. */
void buffer_consume(struct buffer *buffer, size_t len);

/* Forgets the content and keeps the memory. */
void buffer_clear(struct buffer *buffer);

#endif
