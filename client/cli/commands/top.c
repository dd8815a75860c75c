/* millrace top: channels as they are now, with rates, the ones that matter most first; again and again on a terminal,
 * or once for scripts. */
#include <poll.h>
#include <unistd.h>

#include "client/cli/common/output.h"
#include "client/cli/common/report.h"
#include "client/cli/common/table.h"
#include "client/cli/common/terminal.h"
#include "client/cli/common/top_rows.h"
#include "client/cli/commands/top_screen.h"
#include "client/net/clock.h"

enum { EVERY_MS = 1000 };

static int print_once(const struct call *call, json_t *rows)
{
	static const struct column columns[] = {
		{"CHANNEL", "channel", false, 0},    {"KIND", "kind", false, 7},
		{"CAPACITY", "capacity", true, 6},   {"DEPTH", "buffered", true, 1},
		{"IN/S", "in_rate", true, 3},        {"OUT/S", "out_rate", true, 3},
		{"SHED/S", "shed_rate", true, 2},    {"SHED", "shed", true, 6},
		{"PUTS", "parked_puts", true, 5},    {"TAKES", "parked_takes", true, 5},
		{"OLDEST_MS", "oldest_ms", true, 4}, {NULL},
	};

	while (call->number && json_array_size(rows) > call->number)
		json_array_remove(rows, json_array_size(rows) - 1);
	return table_print(call, columns, rows);
}

/* The rows now, sorted, with the rates since the last ones. A status of the library, and *rows to be freed if it is
 * MR_OK; the command's own lack of memory is MR_EMEMORY. */
static int fetch(const struct call *call, mr *m, struct top_rows *last, enum top_order order, json_t **rows)
{
	int status = mr_list(m, call->n_args ? call->args[0] : NULL, rows);

	if (status == MR_OK && (top_rows_update(last, *rows, clock_now_us()) < 0 || top_rows_sort(*rows, order) < 0)) {
		json_decref(*rows);
		*rows = NULL;
		return MR_EMEMORY;
	}
	return status;
}

static int run_once(const struct call *call, mr *m)
{
	struct top_rows last = {NULL, 0};
	json_t *rows = NULL;
	int status = fetch(call, m, &last, call->order, &rows), code;

	if (status == MR_OK) {
		json_decref(rows);
		(void)poll(NULL, 0, EVERY_MS);
		status = fetch(call, m, &last, call->order, &rows);
	}
	code = report_status(call, NULL, status, NULL);
	if (status == MR_OK)
		code = print_once(call, rows);
	json_decref(rows);
	top_rows_finish(&last);
	return code;
}

static int run_live(const struct call *call, mr *m)
{
	struct top_rows last = {NULL, 0};
	enum top_order order = call->order;
	struct top_screen screen;
	json_t *rows = NULL;
	int status;

	top_screen_begin(&screen);
	while ((status = fetch(call, m, &last, order, &rows)) == MR_OK) {
		top_screen_draw(&screen, rows, order);
		json_decref(rows);
		if (output_flush() < 0 || !top_screen_wait(&screen, EVERY_MS, &order))
			break;
	}
	top_screen_end(&screen);
	top_rows_finish(&last);
	return report_status(call, NULL, status, NULL);
}

static int run_top(const struct call *call, mr *m)
{
	bool is_live = !call->once && call->format == FORMAT_TEXT && terminal_has_cursor(STDOUT_FILENO);

	return is_live ? run_live(call, m) : run_once(call, m);
}

const struct command top_command = {
	.name = "top",
	.arguments = "[GLOB]",
	.summary = "watch channels: depth, rates, what is shed, who waits",
	.description =
		"Shows the channels whose names match GLOB, or all, once a second, the deepest first. Keys: d by "
		"depth, r by rate, s by what is shed, o by the oldest waiter, n by name, q ends it. Rates are "
		"values a second. With --once, or where its output is no terminal (or TERM=dumb), it looks for one "
		"second and prints a table, with -n its first N rows; json prints one object a line, raw the same "
		"columns with tabs between them and no heading. Where the terminal is narrow, columns give way and "
		"names are cut. NO_COLOR takes the colours away.",
	.examples = "  millrace top\n"
		    "  millrace top --once --sort shed -n 5\n"
		    "  millrace top --once -o json | jq -r 'select(.shed_rate > 0).channel'\n",
	.options = OPTION_BIT(OPTION_ONCE) | OPTION_BIT(OPTION_SORT) | OPTION_BIT(OPTION_NUMBER),
	.exits = COMMON_EXITS,
	.run_connected = run_top,
};
