#include "client/cli/commands/top_screen.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/common/characters.h"
#include "client/cli/common/interrupt.h"
#include "client/cli/common/table.h"
#include "client/cli/common/terminal.h"

enum { GAUGE_CELLS = 10, LEAST_NAME = 12, MOST_NAME = 40 };

enum colour { PLAIN, RED, YELLOW, CYAN, REVERSED };

static const char *const colours[] = {
	[PLAIN] = "\033[0m", [RED] = "\033[31m", [YELLOW] = "\033[33m", [CYAN] = "\033[36m", [REVERSED] = "\033[7m"};

static void paint(const struct top_screen *screen, enum colour colour)
{
	if (screen->has_colours)
		fputs(colours[colour], stdout);
}

/* -- Its columns -- */

static double number(const json_t *row, const char *key)
{
	return json_number_value(json_object_get(row, key));
}

static void draw_kind(const struct top_screen *screen, const json_t *row, int width)
{
	const char *kind = json_string_value(json_object_get(row, "kind"));

	(void)screen;
	table_write_cut(stdout, kind ? kind : "?", (size_t)width);
}

static void draw_gauge(const struct top_screen *screen, const json_t *row, int width)
{
	double capacity = number(row, "capacity"), buffered = number(row, "buffered");
	int full = capacity > 0 ? (int)(buffered / capacity * width + 0.5) : 0;
	bool is_full = capacity > 0 && buffered + number(row, "leased") >= capacity;

	full = full > width ? width : full;
	paint(screen, is_full ? YELLOW : CYAN);
	printf("%.*s", full, "##########");
	paint(screen, PLAIN);
	printf("%.*s", width - full, "..........");
}

static void draw_oldest(const struct top_screen *screen, const json_t *row, int width)
{
	const json_t *oldest = json_object_get(row, "oldest_ms");

	(void)screen;
	if (oldest)
		printf("%*.1fs", width - 1, json_number_value(oldest) / 1e3);
	else
		printf("%*s", width, "-");
}

/* Beside the name, which comes first and gets what is left. Those of the highest rank give way first. */
static const struct top_column {
	const char *title;
	int width, rank;
	const char *key; /* of the row's number that is drawn; NULL: draw() draws the cell */
	int digits;      /* behind its point */
	enum colour colour;
	void (*draw)(const struct top_screen *screen, const json_t *row, int width);
} columns[] = {
	{"KIND", 10, 7, .draw = draw_kind},
	{"", GAUGE_CELLS, 6, .draw = draw_gauge},
	{"DEPTH", 7, 0, .key = "buffered"},
	{"IN/S", 9, 2, .key = "in_rate", .digits = 1},
	{"OUT/S", 9, 2, .key = "out_rate", .digits = 1},
	{"SHED/S", 8, 1, .key = "shed_rate", .digits = 1, .colour = RED},
	{"PUTS", 6, 4, .key = "parked_puts", .colour = YELLOW},
	{"TAKES", 6, 5, .key = "parked_takes"},
	{"OLDEST", 9, 3, .draw = draw_oldest},
};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

static void draw_cell(const struct top_screen *screen, const struct top_column *column, const json_t *row)
{
	double value = column->key ? number(row, column->key) : 0;

	if (column->draw) {
		column->draw(screen, row, column->width);
		return;
	}
	if (value > 0)
		paint(screen, column->colour);
	printf("%*.*f", column->width, column->digits, value);
	if (value > 0)
		paint(screen, PLAIN);
}

/* The highest rank that has room in so many cells, and what is left for the name. */
static int choose_rank(size_t width, size_t *name_width)
{
	for (int most = 9; most >= 0; most--) {
		size_t others = 0;

		for (size_t i = 0; i < N_COLUMNS; i++)
			others += columns[i].rank <= most ? (size_t)columns[i].width + 1 : 0;
		if (others + LEAST_NAME > width)
			continue;
		*name_width = width - others < MOST_NAME ? width - others : MOST_NAME;
		return most;
	}
	*name_width = width;
	return -1;
}

static void draw_titles(const struct top_screen *screen, int rank, size_t name_width)
{
	paint(screen, REVERSED);
	table_write_cut(stdout, "CHANNEL", name_width);
	for (size_t i = 0; i < N_COLUMNS; i++) {
		if (columns[i].rank <= rank)
			printf(columns[i].draw == draw_kind ? " %-*s" : " %*s", columns[i].width, columns[i].title);
	}
	paint(screen, PLAIN);
	fputs("\033[K\n", stdout);
}

/* -- The whole -- */

void top_screen_begin(struct top_screen *screen)
{
	struct termios raw;

	screen->has_colours = terminal_has_colours(STDOUT_FILENO);
	screen->interrupt_fd = interrupt_catch();
	screen->is_raw = tcgetattr(STDIN_FILENO, &screen->before) == 0;
	if (screen->is_raw) {
		raw = screen->before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	fputs("\033[?1049h\033[?25l", stdout);
}

void top_screen_end(struct top_screen *screen)
{
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (screen->is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
}

void top_screen_draw(const struct top_screen *screen, const json_t *rows, enum top_order order)
{
	size_t lines = terminal_lines(STDOUT_FILENO), width = terminal_columns(STDOUT_FILENO) - 1, name_width, i;
	int rank = choose_rank(
		width,
		&name_width); /* the last column stays free: what stands there goes when a line's rest is erased */
	char head[160];
	size_t cells;
	const json_t *row;

	snprintf(head, sizeof head,
		 "millrace top: %zu channels, by %s    d depth  r rate  s shed  o oldest  n name  q quit",
		 json_array_size(rows), top_order_name(order));
	printf("\033[H%.*s\033[K\n", (int)characters_fit(head, width, &cells), head);
	if (lines > 3)
		fputs("\033[K\n", stdout);
	if (lines > 2)
		draw_titles(screen, rank, name_width);
	json_array_foreach(rows, i, row)
	{
		const char *name = json_string_value(json_object_get(row, "channel"));

		if (i + 4 >= lines)
			break;
		table_write_cut(stdout, name ? name : "?", name_width);
		for (size_t j = 0; j < N_COLUMNS; j++) {
			if (columns[j].rank > rank)
				continue;
			putchar(' ');
			draw_cell(screen, &columns[j], row);
		}
		fputs("\033[K\n", stdout);
	}
	fputs("\033[J", stdout);
}

bool top_screen_wait(const struct top_screen *screen, int ms, enum top_order *order)
{
	struct pollfd fds[] = {{screen->is_raw ? STDIN_FILENO : -1, POLLIN, 0}, {screen->interrupt_fd, POLLIN, 0}};
	char key;

	if (poll(fds, 2, ms) < 0 || interrupt_happened())
		return !interrupt_happened();
	if (!fds[0].revents)
		return true;
	if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q')
		return false;
	for (int i = 0; i < N_TOP_ORDERS; i++) {
		if (top_order_name((enum top_order)i)[0] == key)
			*order = (enum top_order)i;
	}
	return true;
}
