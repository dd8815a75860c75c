/* millrace alter: a channel that is there gets another definition. */
#include <stdio.h>

#include "client/cli/common/report.h"
#include "client/cli/common/session.h"
#include "client/cli/common/table.h"

static int check_alter(const struct call *call)
{
	if (call->no_dead_letter && (call->dead_letter || call->max_deliveries))
		return report_usage(call, "--no-dead-letter is instead of --max-deliveries and --dead-letter");
	if (!call->capacity && !call->max_waiters && !call->max_deliveries && !call->dead_letter &&
	    !call->no_dead_letter)
		return report_usage(
			call,
			"what is to be altered? give --capacity, --max-waiters, or --max-deliveries and --dead-letter");
	return EXIT_OK;
}

static int run_alter(const struct call *call, mr *m)
{
	const struct mr_alteration alteration = {
		.capacity = call->capacity,
		.max_waiters = call->max_waiters,
		.max_deliveries = call->max_deliveries,
		.dead_letter = call->dead_letter,
		.no_dead_letter = call->no_dead_letter,
	};
	json_t *row = NULL;
	int status = mr_alter(m, call->args[0], &alteration, &row), code;

	code = session_report(call, m, call->args[0], status, NULL);
	if (status == MR_OK && call->format == FORMAT_JSON)
		code = table_print_object(call, row);
	else if (status == MR_OK && !call->quiet)
		puts("altered");
	json_decref(row);
	return code;
}

const struct command alter_command = {
	.name = "alter",
	.arguments = "CHANNEL",
	.summary = "give a channel another capacity, or other limits",
	.description = "Alters a channel while it is in use; what is in it stays. With less --capacity nothing is shed "
		       "(but by a sliding channel): puts wait until there is room. A channel's kind stays as it is.\n\n"
		       "json prints the channel's numbers, as `stat` does.",
	.examples = "  millrace alter jobs --capacity 1000\n"
		    "  millrace alter jobs --max-deliveries 5 --dead-letter failed\n",
	.options = OPTION_BIT(OPTION_CAPACITY) | OPTION_BIT(OPTION_MAX_WAITERS) | OPTION_BIT(OPTION_MAX_DELIVERIES) |
		   OPTION_BIT(OPTION_DEAD_LETTER) | OPTION_BIT(OPTION_NO_DEAD_LETTER),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_NO_CHANNEL),
	.check = check_alter,
	.run_connected = run_alter,
};
