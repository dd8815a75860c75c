/* millrace ack, nack, extend: what becomes of leases. */
#include "client/cli/common/report.h"

/* What the command says of a lease. */
static int apply(const struct call *call, mr *m, const char *lease)
{
	if (call->command == &nack_command)
		return mr_nack_with(
			m, lease, &(struct mr_nack_options){.delay_ms = call->delay_ms, .uncounted = call->uncounted});
	return call->command == &extend_command ? mr_extend(m, lease, call->lease_ms) : mr_ack(m, lease);
}

/* To all of them, whatever becomes of one; the first that fails is the exit code. */
static int apply_to_each(const struct call *call, mr *m)
{
	int code = EXIT_OK;

	for (int i = 0; i < call->n_args; i++) {
		int own = report_status(call, call->args[i], apply(call, m, call->args[i]), NULL);

		if (code == EXIT_OK)
			code = own;
	}
	return code;
}

const struct command ack_command = {
	.name = "ack",
	.arguments = "LEASE...",
	.summary = "a leased value is done, and gone",
	.description =
		"Says that what was taken with these leases is done: it is gone from the daemon. A lease that has "
		"ended is an error: its value is, or will be, somebody else's.",
	.examples = "  millrace ack \"$lease\"\n",
	.exits = COMMON_EXITS,
	.run_connected = apply_to_each,
};

const struct command nack_command = {
	.name = "nack",
	.arguments = "LEASE...",
	.summary = "a leased value is not done, and goes back",
	.description =
		"Says that what was taken with these leases is not done: it goes back to its place in its channel, "
		"at once or after --delay, and is delivered once more; or to the channel's dead-letter channel, if "
		"it was delivered too often. With --uncounted this delivery does not count: who took it did no work "
		"on it.",
	.examples = "  millrace nack \"$lease\" --delay 30s\n",
	.options = OPTION_BIT(OPTION_DELAY) | OPTION_BIT(OPTION_UNCOUNTED),
	.exits = COMMON_EXITS,
	.run_connected = apply_to_each,
};

static int check_extend(const struct call *call)
{
	return call->lease_ms == MR_FOREVER ? report_usage(call, "for how long? give --lease TIME") : EXIT_OK;
}

const struct command extend_command = {
	.name = "extend",
	.arguments = "LEASE... --lease TIME",
	.summary = "a leased value needs more time",
	.description = "Gives these leases so much time, from now on.",
	.examples = "  millrace extend \"$lease\" --lease 5m\n",
	.options = OPTION_BIT(OPTION_EXTENSION),
	.exits = COMMON_EXITS,
	.check = check_extend,
	.run_connected = apply_to_each,
};
