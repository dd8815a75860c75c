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
	return mr_nack(m, lease, call->delay_ms);
}

static int extend(mr *m, const char *lease, const struct call *call)
{
	return mr_extend(m, lease, call->lease_ms);
}

int run_ack(const struct call *call)
{
	return each_lease(call, ack);
}

int run_nack(const struct call *call)
{
	return each_lease(call, nack);
}

int run_extend(const struct call *call)
{
	if (call->lease_ms == MR_FOREVER)
		return report_usage(call, "for how long? give --lease TIME");
	return each_lease(call, extend);
}
