/* Base64 (RFC 4648, with padding), by OpenSSL. */
#ifndef MILLRACE_PROTO_BASE64_H
#define MILLRACE_PROTO_BASE64_H

#include "proto/buffer.h"
#include "proto/slice.h"

/* What a text decodes to is at most as long. */
static inline size_t base64_room(struct slice text)
{
	return text.len / 4 * 3;
}

/* Decodes a text to `to`, which has base64_room() bytes and may be where the text is. Strictly: the alphabet alone, in
 * whole groups of four, with at most two '=' at the end. Returns the length; -1: it is no base64. */
long base64_decode(struct slice text, char *to);

/* Appends `len` bytes, encoded, in one line. */
void base64_append(struct buffer *buffer, const void *bytes, size_t len);

#endif
