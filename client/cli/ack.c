/* millrace ack, nack, extend: what becomes of leases. */
#include "client/cli/report.h"

typedef int lease_function(mr *m, const char *lease, const struct call *call);

/* All of them, whatever becomes of one; the first that fails is the exit code. */
static int each_lease(const struct call *call, mr *m, lease_function *function)
{
	int code = EXIT_OK;

	for (int i = 0; i < call->n_args; i++) {
		int own = report_status(call, call->args[i], function(m, call->args[i], call), NULL);

		if (code == EXIT_OK)
			code = own;
	}
	return code;
}

static int ack(mr *m, const char *lease, const struct call *call)
{
	(void)call;
	return mr_ack(m, lease);
}

static int nack(mr *m, const char *lease, const struct call *call)
{
	return mr_nack_with(m, lease,
			    &(struct mr_nack_options){.delay_ms = call->delay_ms, .uncounted = call->uncounted});
}

static int extend(mr *m, const char *lease, const struct call *call)
{
	return mr_extend(m, lease, call->lease_ms);
}

static int run_ack(const struct call *call, mr *m)
{
	return each_lease(call, m, ack);
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
	.run_connected = run_ack,
};

static int run_nack(const struct call *call, mr *m)
{
	return each_lease(call, m, nack);
}

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
	.run_connected = run_nack,
};

static int check_extend(const struct call *call)
{
	return call->lease_ms == MR_FOREVER ? report_usage(call, "for how long? give --lease TIME") : EXIT_OK;
}

static int run_extend(const struct call *call, mr *m)
{
	return each_lease(call, m, extend);
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
	.run_connected = run_extend,
};
