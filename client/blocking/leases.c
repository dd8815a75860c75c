/* Leases: done with, given back, prolonged. */
#include "client/blocking/call.h"
#include "client/machine/words.h"

static int run(mr *m, enum message_op op, struct buffer *members, int status)
{
	struct call_result result;

	return call_run(m, op, members, status, MR_FOREVER, WANT_NOTHING, &result);
}

int mr_ack(mr *m, const char *lease)
{
	struct buffer members = {0};

	return run(m, OP_ACK, &members, members_text(&members, "lease", lease));
}

int mr_nack(mr *m, const char *lease, int64_t delay_ms)
{
	struct buffer members = {0};

	return run(m, OP_NACK, &members, members_nack(&members, lease, delay_ms));
}

int mr_extend(mr *m, const char *lease, int64_t lease_ms)
{
	struct buffer members = {0};

	return run(m, OP_EXTEND, &members, members_extend(&members, lease, lease_ms));
}
