#include "client/cli/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024 };

void lines_finish(struct lines *lines)
{
	buffer_finish(&lines->bytes);
}

int lines_read(struct lines *lines)
{
	char *room = buffer_reserve(&lines->bytes, READ_BYTES);
	ssize_t n;

	if (!room) {
		errno = ENOMEM;
		return -1;
	}
	n = read(lines->fd, room, READ_BYTES);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -1;
	lines->at_end = n == 0;
	buffer_commit(&lines->bytes, (size_t)n);
	return 0;
}

bool lines_next(struct lines *lines, struct slice *line)
{
	const char *begin = lines->bytes.bytes + lines->bytes.start;
	size_t len = buffer_len(&lines->bytes);
	const char *end;

	if (len == 0)
		return false;
	end = memchr(begin + lines->seen, '\n', len - lines->seen);
	if (!end && !lines->at_end) {
		lines->seen = len;
		return false;
	}
	*line = (struct slice){begin, end ? (size_t)(end - begin) : len};
	buffer_consume(&lines->bytes, end ? line->len + 1 : len);
	lines->seen = 0;
	lines->number++;
	return true;
}
