/* millrace peek: the values of a buffer, which stay there. */
#include "client/cli/common/output.h"
#include "client/cli/common/session.h"

static int run_peek(const struct call *call, mr *m)
{
	char *values = NULL;
	size_t len;
	int status = mr_peek_raw(m, call->args[0], call->number ? call->number : 1, &values, &len);

	if (status == MR_OK)
		output_values(call, call->args[0], (struct slice){values, len}, NULL);
	mr_free(values);
	return session_report(call, m, call->args[0], status, NULL);
}

const struct command peek_command = {
	.name = "peek",
	.arguments = "CHANNEL",
	.summary = "look at the values in a channel without taking them",
	.description = "Prints the oldest value in a channel's buffer, or with -n up to N, as `take` would, and takes "
		       "nothing. It never waits.",
	.examples = "  millrace peek jobs -n 5\n",
	.options = OPTION_BIT(OPTION_NUMBER),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_NO_CHANNEL),
	.run_connected = run_peek,
};
