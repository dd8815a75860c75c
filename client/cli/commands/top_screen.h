/* The screen of `top`: rows of channels, as many and as wide as the terminal has room for. */
#ifndef MILLRACE_CLI_COMMANDS_TOP_SCREEN_H
#define MILLRACE_CLI_COMMANDS_TOP_SCREEN_H

#include <stdbool.h>
#include <termios.h>

#include "client/cli/common/top_rows.h"

struct top_screen {
	struct termios before;
	bool is_raw; /* keys come as they are pressed */
	bool has_colours;
	int interrupt_fd;
};

/* Takes the terminal's other screen; top_screen_end() gives it back as it was, and must come before anything is told.
 */
void top_screen_begin(struct top_screen *screen);
void top_screen_end(struct top_screen *screen);

void top_screen_draw(const struct top_screen *screen, const json_t *rows, enum top_order order);

/* Waits for so long, or a key, which may change the order. False: it is to end. */
bool top_screen_wait(const struct top_screen *screen, int ms, enum top_order *order);

#endif
