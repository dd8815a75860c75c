/* millrace stat: all numbers of a channel. */
#include <stdio.h>
#include <stdlib.h>

#include "client/cli/common/report.h"
#include "client/cli/common/session.h"
#include "client/cli/common/table.h"

/* A line for each member. 0, or -1 without memory. */
static int print_members(const struct call *call, json_t *row)
{
	const char *key;
	json_t *value;

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

static int run_stat(const struct call *call, mr *m)
{
	json_t *row = NULL;
	int status = mr_stat(m, call->args[0], &row);
	int code = session_report(call, m, call->args[0], status, NULL);

	if (status == MR_OK && call->format == FORMAT_JSON)
		code = table_print_object(call, row);
	else if (status == MR_OK && print_members(call, row) < 0)
		code = report(call, NULL, "out of memory");
	json_decref(row);
	return code;
}

const struct command stat_command = {
	.name = "stat",
	.arguments = "CHANNEL",
	.summary = "show all numbers of a channel",
	.description = "Shows what a channel is, what is in it, and its books, a line each. json prints them as one "
		       "object, raw with a tab between name and number.",
	.examples = "  millrace stat jobs\n"
		    "  millrace stat jobs -o json | jq .buffered\n",
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_NO_CHANNEL),
	.run_connected = run_stat,
};
