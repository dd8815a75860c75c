/* Lines of a descriptor, read as they come: one read() at a time, when the caller knows that there is something. */
#ifndef MILLRACE_CLI_COMMON_LINES_H
#define MILLRACE_CLI_COMMON_LINES_H

#include <stdint.h>

#include "proto/buffer.h"
#include "proto/slice.h"

struct lines {
	int fd;
	struct buffer bytes;
	size_t seen;     /* of what is in `bytes`: known to have no line's end */
	uint64_t number; /* of the line that was given last, from 1 */
	bool has_begun;  /* it is known whether a byte order mark stands before the first line; it is skipped */
	bool at_end;     /* there is nothing more to read */
};

/* Zero-initialise but for fd. */
void lines_finish(struct lines *lines);

/* Reads once. 0, or -1 with errno. EINTR and EAGAIN are no errors. */
int lines_read(struct lines *lines);

/* The next whole line, without its end; the last may have none. Valid until the next read. False: read first. */
bool lines_next(struct lines *lines, struct slice *line);

/* How long the line that is not yet whole is, so far. */
static inline size_t lines_pending(const struct lines *lines)
{
	return buffer_len(&lines->bytes);
}

#endif
