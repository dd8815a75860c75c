#include "client/cli/common/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { USUAL_COLUMNS = 80, USUAL_LINES = 24 };

static struct winsize size_of(int fd)
{
	struct winsize size = {0};

	if (isatty(fd)) {
		(void)ioctl(fd, TIOCGWINSZ, &size);
		size.ws_col = size.ws_col ? size.ws_col : USUAL_COLUMNS;
		size.ws_row = size.ws_row ? size.ws_row : USUAL_LINES;
	}
	return size;
}

size_t terminal_columns(int fd)
{
	return size_of(fd).ws_col;
}

size_t terminal_lines(int fd)
{
	return size_of(fd).ws_row;
}

bool terminal_has_cursor(int fd)
{
	const char *kind = getenv("TERM");

	return isatty(fd) && kind && *kind && strcmp(kind, "dumb") != 0;
}

bool terminal_has_colours(int fd)
{
	const char *refusal = getenv("NO_COLOR");

	return terminal_has_cursor(fd) && !(refusal && *refusal);
}

bool terminal_is_ours(int fd)
{
	pid_t group = isatty(fd) ? tcgetpgrp(fd) : 0;

	return group == getpgrp() ||
	       group < 0; /* one that is not this program's controlling terminal has no foreground */
}
