/* millrace close: no more puts. */
#include <stdio.h>

#include "client/cli/common/session.h"

static int run_close(const struct call *call, mr *m)
{
	const char *channel = call->args[0];
	int status = mr_close(m, channel);

	if (status == MR_OK && call->format == FORMAT_JSON)
		printf("{\"channel\":\"%s\",\"closed\":true}\n", channel);
	else if (status == MR_OK && !call->quiet)
		puts("closed");
	return session_report(call, m, channel, status, NULL);
}

const struct command close_command = {
	.name = "close",
	.arguments = "CHANNEL",
	.summary = "close a channel to puts; what is in it can still be taken",
	.description =
		"Closes a channel: it accepts no more puts. What is in it, or waits to be put, can still be taken; "
		"then every take is told that the channel is closed. Closing it again changes nothing.",
	.examples = "  millrace close jobs\n",
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_NO_CHANNEL),
	.run_connected = run_close,
};
