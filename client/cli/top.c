/* millrace top: channels as they are now, with rates, the ones that matter most first; again and again on a terminal,
 * or once for scripts. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "client/cli/clock.h"
#include "client/cli/interrupt.h"
#include "client/cli/output.h"
#include "client/cli/report.h"
#include "client/cli/session.h"
#include "client/cli/table.h"
#include "client/cli/top_rows.h"

enum { EVERY_MS = 1000, GAUGE_CELLS = 10, NAME_CELLS = 28 };

/* -- The screen -- */

struct screen {
	struct termios before;
	bool is_raw;
	int interrupt_fd;
};

static void screen_begin(struct screen *screen)
{
	struct termios raw;

	screen->interrupt_fd = interrupt_catch();
	screen->is_raw = tcgetattr(STDIN_FILENO, &screen->before) == 0;
	if (screen->is_raw) {
		raw = screen->before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	fputs("\033[?1049h\033[?25l", stdout);
}

static void screen_end(struct screen *screen)
{
	fputs("\033[?25h\033[?1049l", stdout);
	if (screen->is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
}

static size_t screen_lines(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 4 ? size.ws_row : 24;
}

static double number(const json_t *row, const char *key)
{
	return json_number_value(json_object_get(row, key));
}

static void draw_gauge(const json_t *row)
{
	double capacity = number(row, "capacity"), buffered = number(row, "buffered");
	int full = capacity > 0 ? (int)(buffered / capacity * GAUGE_CELLS + 0.5) : 0;
	bool is_full = capacity > 0 && buffered + number(row, "leased") >= capacity;

	full = full > GAUGE_CELLS ? GAUGE_CELLS : full;
	printf("%s%.*s\033[0m%.*s %7.0f", is_full ? "\033[33m" : "\033[36m", full, "##########", GAUGE_CELLS - full,
	       "..........", buffered);
}

static void draw_row(const json_t *row)
{
	const char *name = json_string_value(json_object_get(row, "channel"));
	const json_t *oldest = json_object_get(row, "oldest_ms");

	printf("%-*.*s %-10s ", NAME_CELLS, NAME_CELLS, name ? name : "?",
	       json_string_value(json_object_get(row, "kind")));
	draw_gauge(row);
	printf(" %9.1f %9.1f %s%8.1f\033[0m ", number(row, "in_rate"), number(row, "out_rate"),
	       number(row, "shed_rate") > 0 ? "\033[31m" : "", number(row, "shed_rate"));
	printf("%s%6.0f\033[0m %6.0f ", number(row, "parked_puts") > 0 ? "\033[33m" : "", number(row, "parked_puts"),
	       number(row, "parked_takes"));
	if (oldest)
		printf("%8.1fs\033[K\n", json_number_value(oldest) / 1e3);
	else
		printf("%9s\033[K\n", "-");
}

static void draw(const json_t *rows, enum top_order order)
{
	size_t lines = screen_lines(), i;
	const json_t *row;

	printf("\033[Hmillrace top: %zu channels, by %s    d depth  r rate  s shed  o oldest  n name  q "
	       "quit\033[K\n\033[K\n",
	       json_array_size(rows), top_order_name(order));
	printf("\033[7m%-*s %-10s %-18s %9s %9s %8s %6s %6s %9s\033[0m\033[K\n", NAME_CELLS, "CHANNEL", "KIND", "DEPTH",
	       "IN/S", "OUT/S", "SHED/S", "PUTS", "TAKES", "OLDEST");
	json_array_foreach(rows, i, row)
	{
		if (i + 4 >= lines)
			break;
		draw_row(row);
	}
	fputs("\033[J", stdout);
}

/* Waits for a second, or a key. False: it is to end. */
static bool wait_for_key(const struct screen *screen, enum top_order *order)
{
	struct pollfd fds[] = {{screen->is_raw ? STDIN_FILENO : -1, POLLIN, 0}, {screen->interrupt_fd, POLLIN, 0}};
	char key;

	if (poll(fds, 2, EVERY_MS) < 0 || interrupt_happened())
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

/* -- The command -- */

static void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

static int print_once(const struct call *call, json_t *rows)
{
	static const struct column columns[] = {
		{"CHANNEL", "channel", false},   {"KIND", "kind", false},          {"CAPACITY", "capacity", true},
		{"DEPTH", "buffered", true},     {"IN/S", "in_rate", true},        {"OUT/S", "out_rate", true},
		{"SHED/S", "shed_rate", true},   {"SHED", "shed", true},           {"PUTS", "parked_puts", true},
		{"TAKES", "parked_takes", true}, {"OLDEST_MS", "oldest_ms", true},
	};

	while (call->number && json_array_size(rows) > call->number)
		json_array_remove(rows, json_array_size(rows) - 1);
	if (table_print(call, columns, sizeof columns / sizeof *columns, rows) == 0)
		return EXIT_OK;
	report(call, NULL, "out of memory");
	return EXIT_ERROR;
}

/* The rows now, sorted, with the rates since the last ones; NULL, and told. */
static json_t *look(const struct call *call, mr *m, struct top_rows *last, enum top_order order, int *code)
{
	json_t *rows = NULL;
	int status = mr_list(m, call->n_args ? call->args[0] : NULL, &rows);

	*code = report_status(call, NULL, status, NULL);
	if (status != MR_OK)
		return NULL;
	if (top_rows_update(last, rows, clock_us()) == 0 && top_rows_sort(rows, order) == 0)
		return rows;
	json_decref(rows);
	report(call, NULL, "out of memory");
	*code = EXIT_ERROR;
	return NULL;
}

static int run_once(const struct call *call, mr *m)
{
	struct top_rows last = {NULL, 0};
	json_t *rows;
	int code;

	rows = look(call, m, &last, call->order, &code);
	if (rows) {
		json_decref(rows);
		pause_ms(EVERY_MS);
		rows = look(call, m, &last, call->order, &code);
	}
	if (rows)
		code = print_once(call, rows);
	json_decref(rows);
	top_rows_finish(&last);
	return code;
}

static int run_live(const struct call *call, mr *m)
{
	struct top_rows last = {NULL, 0};
	enum top_order order = call->order;
	struct screen screen;
	json_t *rows;
	int code = EXIT_OK;

	screen_begin(&screen);
	while ((rows = look(call, m, &last, order, &code))) {
		draw(rows, order);
		json_decref(rows);
		if (output_flush() < 0 || !wait_for_key(&screen, &order))
			break;
	}
	screen_end(&screen);
	top_rows_finish(&last);
	return code;
}

int run_top(const struct call *call)
{
	int code;
	mr *m;

	code = session_open(call, &m);
	if (code != EXIT_OK)
		return code;
	code = call->once || call->format != FORMAT_TEXT || !isatty(STDOUT_FILENO) ? run_once(call, m)
										   : run_live(call, m);
	mr_destroy(m);
	return code;
}
