/* millrace delete: a channel goes, and says what went with it. */
#include <inttypes.h>
#include <stdio.h>

#include "client/cli/common/session.h"

static int run_delete(const struct call *call, mr *m)
{
	const char *channel = call->args[0];
	uint64_t discarded;
	int status = mr_delete(m, channel, call->force, &discarded);

	if (status == MR_OK && call->format == FORMAT_JSON)
		printf("{\"channel\":\"%s\",\"discarded\":%" PRIu64 "}\n", channel, discarded);
	else if (status == MR_OK && !call->quiet && discarded)
		printf("deleted, and %" PRIu64 " value%s discarded\n", discarded, discarded == 1 ? "" : "s");
	else if (status == MR_OK && !call->quiet)
		puts("deleted");
	return session_report(call, m, channel, status, NULL);
}

const struct command delete_command = {
	.name = "delete",
	.arguments = "CHANNEL",
	.summary = "delete a channel",
	.description =
		"Deletes a channel. While there are values in it, or waiting to be put, only with --force: they are "
		"discarded, and it says how many. Whoever waits on it is told that it is closed.",
	.examples = "  millrace delete jobs\n"
		    "  millrace delete jobs --force\n",
	.options = OPTION_BIT(OPTION_FORCE),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_NO_CHANNEL),
	.run_connected = run_delete,
};
