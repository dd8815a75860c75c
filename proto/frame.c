/* Frames: bytes in, whole frames out; bodies in, frames out. */
#include "proto/frame.h"

static uint32_t read_length(const char *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

enum frame_result frame_next(struct slice bytes, uint32_t max_body, struct slice *body, size_t *used, size_t *wanted)
{
	if (bytes.len < FRAME_HEADER_BYTES) {
		if (wanted)
			*wanted = FRAME_HEADER_BYTES;
		return FRAME_MORE;
	}
	uint32_t len = read_length(bytes.bytes);
	if (len > max_body)
		return FRAME_TOO_LARGE;
	size_t whole = (size_t)FRAME_HEADER_BYTES + len;
	if (bytes.len < whole) {
		if (wanted)
			*wanted = whole;
		return FRAME_MORE;
	}
	*body = (struct slice){bytes.bytes + FRAME_HEADER_BYTES, len};
	*used = whole;
	return FRAME_WHOLE;
}

/* The mark is an offset into the content, which stays true when the buffer moves. */
size_t frame_begin(struct buffer *out)
{
	size_t mark = buffer_len(out);
	buffer_append(out, "\0\0\0\0", FRAME_HEADER_BYTES);
	return mark;
}

void frame_end(struct buffer *out, size_t mark)
{
	if (out->failed)
		return;
	size_t len = buffer_len(out) - mark - FRAME_HEADER_BYTES;
	if (len > UINT32_MAX) {
		out->failed = true;
		return;
	}
	unsigned char *header = (unsigned char *)out->bytes + out->start + mark;
	header[0] = (unsigned char)(len >> 24);
	header[1] = (unsigned char)(len >> 16);
	header[2] = (unsigned char)(len >> 8);
	header[3] = (unsigned char)len;
}
