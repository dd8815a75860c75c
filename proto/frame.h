/* Frames: a 4-byte unsigned big-endian length, then that many bytes. Fed and asked; it never reads. Pure. */
#ifndef MILLRACE_PROTO_FRAME_H
#define MILLRACE_PROTO_FRAME_H

#include <stdint.h>

#include "proto/buffer.h"
#include "proto/slice.h"

enum { FRAME_HEADER_BYTES = 4 };

enum frame_result {
	FRAME_MORE,      /* not whole yet: feed more */
	FRAME_WHOLE,     /* *body is one frame's body (it may be empty) */
	FRAME_TOO_LARGE, /* its length is over the limit: the stream cannot go on */
};

/* Looks at the front of `bytes`. On FRAME_WHOLE sets *body (a slice of `bytes`) and *used (header and body). On
 * FRAME_MORE sets *wanted, if not NULL, to how many bytes the whole frame has, header included (FRAME_HEADER_BYTES
 * while even the length is not known). */
static inline enum frame_result frame_next(struct slice bytes, uint32_t max_body, struct slice *body, size_t *used,
					   size_t *wanted);

/* Writing: begin, append the body to `out`, end. begin returns a mark for end, which patches the length in. */
static inline size_t frame_begin(struct buffer *out);
static inline void frame_end(struct buffer *out, size_t mark);

/* So many bytes of the frame, which is ended, are sent from elsewhere. */
static inline void frame_lengthen(struct buffer *out, size_t mark, size_t more);

/* -- Inline: a few moves each, for every frame -- */

static inline uint32_t frame_length(const char *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline void frame_write_length(char *header, size_t len)
{
	unsigned char *bytes = (unsigned char *)header;
	bytes[0] = (unsigned char)(len >> 24);
	bytes[1] = (unsigned char)(len >> 16);
	bytes[2] = (unsigned char)(len >> 8);
	bytes[3] = (unsigned char)len;
}

static inline enum frame_result frame_next(struct slice bytes, uint32_t max_body, struct slice *body, size_t *used,
					   size_t *wanted)
{
	size_t whole = FRAME_HEADER_BYTES;
	if (bytes.len >= FRAME_HEADER_BYTES) {
		uint32_t len = frame_length(bytes.bytes);
		if (len > max_body)
			return FRAME_TOO_LARGE;
		whole += len;
		*body = (struct slice){bytes.bytes + FRAME_HEADER_BYTES, len};
		*used = whole;
		if (bytes.len >= whole)
			return FRAME_WHOLE;
	}
	if (wanted)
		*wanted = whole;
	return FRAME_MORE;
}

/* The mark is an offset into the content, which stays true when the buffer moves. */
static inline size_t frame_begin(struct buffer *out)
{
	size_t mark = buffer_len(out);
	buffer_append(out, "\0\0\0\0", FRAME_HEADER_BYTES);
	return mark;
}

static inline void frame_end(struct buffer *out, size_t mark)
{
	if (out->failed)
		return;
	size_t len = buffer_len(out) - mark - FRAME_HEADER_BYTES;
	if (len > UINT32_MAX) {
		out->failed = true;
		return;
	}
	frame_write_length(out->bytes + out->start + mark, len);
}

static inline void frame_lengthen(struct buffer *out, size_t mark, size_t more)
{
	if (out->failed)
		return;
	char *header = out->bytes + out->start + mark;
	frame_write_length(header, frame_length(header) + more);
}

#endif
