/* millrace alter: a channel that is there gets another definition. */
#include <stdio.h>

#include "client/cli/report.h"
#include "client/cli/session.h"

static int check_alteration(const struct call *call, struct mr_alteration *alteration)
{
	*alteration = (struct mr_alteration){
		.capacity = call->capacity,
		.max_waiters = call->max_waiters,
		.max_deliveries = call->max_deliveries,
		.dead_letter = call->dead_letter,
		.no_dead_letter = call->no_dead_letter,
	};
	if (call->no_dead_letter && (call->dead_letter || call->max_deliveries))
		return report_usage(call, "--no-dead-letter is instead of --max-deliveries and --dead-letter");
	if (call->dead_letter && session_check_channel(call, call->dead_letter) != EXIT_OK)
		return EXIT_USAGE;
	if (!call->capacity && !call->max_waiters && !call->max_deliveries && !call->dead_letter &&
	    !call->no_dead_letter)
		return report_usage(
			call,
			"what is to be altered? give --capacity, --max-waiters, or --max-deliveries and --dead-letter");
	return EXIT_OK;
}

static int run_alter(const struct call *call)
{
	const char *channel = call->args[0];
	struct mr_alteration alteration;
	json_t *row = NULL;
	int code = check_alteration(call, &alteration), status;
	mr *m;

	if (code == EXIT_OK)
		code = session_open_for(call, channel, &m);
	if (code != EXIT_OK)
		return code;
	status = mr_alter(m, channel, &alteration, &row);
	code = session_report(call, m, channel, status, NULL);
	if (status == MR_OK && call->format == FORMAT_JSON) {
		json_dumpf(row, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (status == MR_OK && !call->quiet) {
		puts("altered");
	}
	json_decref(row);
	mr_destroy(m);
	return code;
}

const struct command alter_command = {
	.name = "alter",
	.arguments = "CHANNEL",
	.summary = "give a channel another capacity, or other limits",
	.description = "Alters a channel while it is in use; what is in it stays. With less --capacity nothing is shed "
		       "(but by a sliding "
		       "channel): puts wait until there is room. A channel's kind stays as it is.\n"
		       "\n"
		       "json prints the channel's numbers, as `stat` does.",
	.examples = "  millrace alter jobs --capacity 1000\n"
		    "  millrace alter jobs --max-deliveries 5 --dead-letter failed\n",
	.options = OPTION_BIT(OPTION_CAPACITY) | OPTION_BIT(OPTION_MAX_WAITERS) | OPTION_BIT(OPTION_MAX_DELIVERIES) |
		   OPTION_BIT(OPTION_DEAD_LETTER) | OPTION_BIT(OPTION_NO_DEAD_LETTER),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_NO_CHANNEL),
	.min_args = 1,
	.max_args = 1,
	.run = run_alter,
};
