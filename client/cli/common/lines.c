#include "client/cli/common/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024 };

void lines_finish(struct lines *lines)
{
	buffer_finish(&lines->bytes);
}

/* The byte order mark that some programs write before the first line is part of no line. It may come in pieces. */
static void skip_mark(struct lines *lines)
{
	static const char mark[] = "\xef\xbb\xbf";
	size_t len = buffer_len(&lines->bytes), known = len < 3 ? len : 3;
	bool may_be = memcmp(buffer_front(&lines->bytes), mark, known) == 0;

	if (may_be && known < 3 && !lines->at_end)
		return;
	lines->has_begun = true;
	if (may_be && known == 3)
		buffer_consume(&lines->bytes, 3);
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
	if (!lines->has_begun)
		skip_mark(lines);
	return 0;
}

bool lines_next(struct lines *lines, struct slice *line)
{
	const char *begin = lines->bytes.bytes + lines->bytes.start;
	size_t len = buffer_len(&lines->bytes);
	const char *end;

	if (len == 0 || !lines->has_begun)
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
