/* millrace peek: the values of a buffer, which stay there. */
#include "client/cli/output.h"
#include "client/cli/session.h"

static int run_peek(const struct call *call)
{
	char *values = NULL;
	int code, status;
	size_t len;
	mr *m;

	code = session_open_for(call, call->args[0], &m);
	if (code != EXIT_OK)
		return code;
	status = mr_peek_raw(m, call->args[0], call->number ? call->number : 1, &values, &len);
	code = session_report(call, m, call->args[0], status, NULL);
	if (status == MR_OK)
		output_values(call, call->args[0], (struct slice){values, len}, NULL);
	mr_free(values);
	mr_destroy(m);
	return code;
}

const struct command peek_command = {
	.name = "peek",
	.arguments = "CHANNEL",
	.summary = "look at the values in a channel without taking them",
	.description = "Prints the oldest value in a channel's buffer, or with -n up to N, as `take` would, "
		       "and takes nothing. It never waits.",
	.examples = "  millrace peek jobs -n 5\n",
	.options = OPTION_BIT(OPTION_NUMBER),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_NO_CHANNEL),
	.min_args = 1,
	.max_args = 1,
	.run = run_peek,
};
