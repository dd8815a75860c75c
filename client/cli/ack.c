/* millrace ack, nack, extend: what becomes of leases. */
#include "client/cli/report.h"
#include "client/cli/session.h"

typedef int lease_function(mr *m, const char *lease, const struct call *call);

/* All of them, whatever becomes of one; the first that fails is the exit code. */
static int each_lease(const struct call *call, lease_function *function)
{
	mr *m;
	int code = session_open(call, &m);

	if (code != EXIT_OK)
		return code;
	for (int i = 0; i < call->n_args; i++) {
		int own = report_status(call, call->args[i], function(m, call->args[i], call), NULL);

		if (code == EXIT_OK)
			code = own;
	}
	mr_destroy(m);
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

static int run_ack(const struct call *call)
{
	return each_lease(call, ack);
}

const struct command ack_command = {
	.name = "ack",
	.arguments = "LEASE...",
	.summary = "a leased value is done, and gone",
	.description = "Says that what was taken with these leases is done: it is gone from the daemon. A "
		       "lease that has ended is an error: its value is, or\n"
		       "will be, somebody else's.",
	.examples = "  millrace ack \"$lease\"\n",
	.exits = COMMON_EXITS,
	.min_args = 1,
	.max_args = -1,
	.run = run_ack,
};

static int run_nack(const struct call *call)
{
	return each_lease(call, nack);
}

const struct command nack_command = {
	.name = "nack",
	.arguments = "LEASE...",
	.summary = "a leased value is not done, and goes back",
	.description = "Says that what was taken with these leases is not done: it goes back to its place in its "
		       "channel, at once or after --delay, and is delivered once more; or to the channel's "
		       "dead-letter channel, if it was delivered too often. With --uncounted this delivery does not "
		       "count: who took it did no work on it.",
	.examples = "  millrace nack \"$lease\" --delay 30s\n",
	.options = OPTION_BIT(OPTION_DELAY) | OPTION_BIT(OPTION_UNCOUNTED),
	.exits = COMMON_EXITS,
	.min_args = 1,
	.max_args = -1,
	.run = run_nack,
};

static int run_extend(const struct call *call)
{
	if (call->lease_ms == MR_FOREVER)
		return report_usage(call, "for how long? give --lease TIME");
	return each_lease(call, extend);
}

const struct command extend_command = {
	.name = "extend",
	.arguments = "LEASE... --lease TIME",
	.summary = "a leased value needs more time",
	.description = "Gives these leases so much time, from now on.",
	.examples = "  millrace extend \"$lease\" --lease 5m\n",
	.options = OPTION_BIT(OPTION_EXTENSION),
	.exits = COMMON_EXITS,
	.min_args = 1,
	.max_args = -1,
	.run = run_extend,
};
