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

/* Looks at the front of `bytes`. On FRAME_WHOLE sets *body (a slice of `bytes`) and *used (header and body). On FRAME_MORE sets *wanted, if not
 * NULL, to how many bytes the whole frame has, header included (FRAME_HEADER_BYTES while even the length is not known). */
enum frame_result frame_next(struct slice bytes, uint32_t max_body, struct slice *body, size_t *used, size_t *wanted);

/* Writing: begin, append the body to `out`, end. begin returns a mark for end, which patches the length in. */
size_t frame_begin(struct buffer *out);
void frame_end(struct buffer *out, size_t mark);

#endif
