/* millrace ls, stat, peek, waiters: looking, and changing nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "client/cli/output.h"
#include "client/cli/report.h"
#include "client/cli/session.h"
#include "client/cli/table.h"

/* Prints the rows that a library call gave, or says how it failed, and ends the session. */
static int end_with_rows(const struct call *call, mr *m, int status, const struct column *columns, size_t n_columns,
			 json_t *rows)
{
	int code = report_status(call, call->n_args ? call->args[0] : NULL, status, NULL);

	if (status == MR_OK && table_print(call, columns, n_columns, rows) < 0) {
		report(call, NULL, "out of memory");
		code = EXIT_ERROR;
	}
	json_decref(rows);
	mr_destroy(m);
	return code;
}

int run_ls(const struct call *call)
{
	static const struct column columns[] = {
		{"NAME", "channel", false},     {"KIND", "kind", false},       {"CAPACITY", "capacity", true},
		{"BUFFERED", "buffered", true}, {"PUTS", "parked_puts", true}, {"TAKES", "parked_takes", true},
		{"ACCEPTED", "accepted", true}, {"TAKEN", "taken", true},      {"DROPPED", "dropped", true},
		{"EVICTED", "evicted", true},   {"CLOSED", "closed", false},
	};
	json_t *rows = NULL;
	int code, status;
	mr *m;

	code = session_open(call, &m);
	if (code != EXIT_OK)
		return code;
	status = mr_list(m, call->n_args ? call->args[0] : NULL, &rows);
	return end_with_rows(call, m, status, columns, sizeof columns / sizeof *columns, rows);
}

int run_waiters(const struct call *call)
{
	static const struct column columns[] = {
		{"SEQ", "seq", true},
		{"NAME", "name", false},
		{"PEER", "peer", false},
		{"CONNECTION", "connection", true},
		{"REQUEST", "request", true},
		{"OP", "op", false},
		{"ARMS", "arms", false},
		{"AGE_MS", "age_ms", true},
		{"DEADLINE_MS", "deadline_ms", true},
	};
	const char *channel = call->n_args ? call->args[0] : NULL;
	json_t *rows = NULL;
	int code, status;
	mr *m;

	code = channel ? session_open_for(call, channel, &m) : session_open(call, &m);
	if (code != EXIT_OK)
		return code;
	status = mr_waiters(m, channel, &rows);
	return end_with_rows(call, m, status, columns, sizeof columns / sizeof *columns, rows);
}

static int print_stat(const struct call *call, json_t *row)
{
	const char *key;
	json_t *value;

	if (call->format == FORMAT_JSON) {
		json_dumpf(row, stdout, JSON_COMPACT);
		putchar('\n');
		return 0;
	}
	json_object_foreach(row, key, value)
	{
		char *cell = table_cell(value);

		if (!cell)
			return -1;
		printf("%s%s%s\n", key, call->format == FORMAT_RAW ? "\t" : ": ", cell);
		free(cell);
	}
	return 0;
}

int run_stat(const struct call *call)
{
	json_t *row = NULL;
	int code, status;
	mr *m;

	code = session_open_for(call, call->args[0], &m);
	if (code != EXIT_OK)
		return code;
	status = mr_stat(m, call->args[0], &row);
	code = report_status(call, call->args[0], status, NULL);
	if (status == MR_OK && print_stat(call, row) < 0) {
		report(call, NULL, "out of memory");
		code = EXIT_ERROR;
	}
	json_decref(row);
	mr_destroy(m);
	return code;
}

int run_peek(const struct call *call)
{
	char *values = NULL;
	int code, status;
	size_t len;
	mr *m;

	code = session_open_for(call, call->args[0], &m);
	if (code != EXIT_OK)
		return code;
	status = mr_peek_raw(m, call->args[0], call->number ? call->number : 1, &values, &len);
	code = report_status(call, call->args[0], status, NULL);
	if (status == MR_OK)
		output_values(call, call->args[0], (struct slice){values, len});
	mr_free(values);
	mr_destroy(m);
	return code;
}
