#include "client/cli/follow.h"

#include "client/cli/follow_pipe.h"
#include "client/cli/output.h"
#include "client/millrace_stream.h"

enum { FOLLOW_CREDIT = 16 }; /* on a terminal, or into a file */

/* Prints what has come by now, or comes in time, until there is reason to stop. */
static int follow_values(const struct call *call, mr *m, mr_consumer *consumer, struct take_watch *watch)
{
	uint64_t credit = call->batch ? call->batch : FOLLOW_CREDIT, n = 0;
	struct mr_result result;
	bool is_late = false;
	int status = MR_OK;

	while (watch->reason == TAKE_GOES_ON) {
		status = mr_consumer_next(consumer, &result, 0);
		if (status == MR_OK) {
			output_taken(call, call->args[0], &result);
			take_watch_count(watch);
		}
		mr_result_finish(&result);
		if (status != MR_OK || ++n % credit == 0) {
			if (output_flush() < 0)
				return MR_OK; /* the program's end tells why */
			if (output_is_orphaned())
				watch->reason = TAKE_ORPHANED;
		}
		if ((status != MR_OK && status != MR_TIMEOUT) || (status == MR_TIMEOUT && is_late))
			break;
		is_late = false;
		if (status == MR_TIMEOUT && watch->reason == TAKE_GOES_ON)
			is_late = take_watch_wait(watch, m, call->timeout_ms);
		else
			take_watch_look(watch);
	}
	return status;
}

/* What has come since somebody wanted no more: it is printed, or, if nobody reads that and it is leased, given back. */
static void take_rest(const struct call *call, mr *m, mr_consumer *consumer, const struct take_watch *watch)
{
	struct mr_result result;

	if (mr_consumer_cancel(consumer, MR_FOREVER) != MR_OK)
		return;
	while (mr_consumer_next(consumer, &result, MR_FOREVER) == MR_OK) {
		if (watch->reason == TAKE_INTERRUPTED)
			output_taken(call, call->args[0], &result);
		else if (result.lease)
			(void)mr_nack_with(m, result.lease, &(struct mr_nack_options){.uncounted = true});
		mr_result_finish(&result);
	}
}

/* One consumer, from its beginning to its end, or that of its connection. */
static int follow_once(const struct call *call, mr *m, struct take_watch *watch)
{
	const struct mr_consumer_options options = {.credit = call->batch ? call->batch : FOLLOW_CREDIT,
						    .lease_ms = take_lease_ms(call),
						    .sticky = take_lease_ms(call) > 0};
	mr_consumer *consumer;
	int status = mr_consumer_create(&consumer, m, watch->channel, &options);

	if (status != MR_OK)
		return status;
	status = follow_values(call, m, consumer, watch);
	if (watch->reason != TAKE_GOES_ON)
		take_rest(call, m, consumer, watch);
	mr_consumer_destroy(consumer);
	return status;
}

int follow(const struct call *call, mr *m, struct take_watch *watch, struct recovery *recovery)
{
	if (output_is_pipe() && !call->batch)
		return follow_pipe(call, m, watch, recovery);
	return follow_once(call, m, watch);
}
