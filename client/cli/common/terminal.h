/* The terminal that a descriptor is, if it is one. */
#ifndef MILLRACE_CLI_COMMON_TERMINAL_H
#define MILLRACE_CLI_COMMON_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* How wide and how high it is; 80 and 24 if it does not say, 0 if the descriptor is no terminal. */
size_t terminal_columns(int fd);
size_t terminal_lines(int fd);

/* Whether people want colours there: it is a terminal, no dumb one, and NO_COLOR is not set. */
bool terminal_has_colours(int fd);

/* Whether it is a terminal on which the cursor can be moved: any but TERM=dumb. */
bool terminal_has_cursor(int fd);

/* Whether this program is in the terminal's foreground process group: only then it may draw over what stands there. */
bool terminal_is_ours(int fd);

#endif
