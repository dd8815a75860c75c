/* alts: a choice among takes and puts, made by the daemon. */
#include <stdlib.h>

#include "client/blocking/call.h"
#include "client/machine/words.h"

/* What the reply says of the arm that happened; its texts go into the choice. */
static int read_choice(struct mr_request *request, const struct mr_arm *arms, size_t n_arms, int status,
		       struct mr_choice *choice)
{
	const struct mr_arm *arm = request->has_arm && request->arm < n_arms ? &arms[request->arm] : NULL;
	bool has_value = arm && status == MR_OK && !arm->put && !arm->raw;
	struct mr_result result;

	request_result(request, &result);
	if (!arm || has_value != (result.raw != NULL)) {
		mr_result_finish(&result);
		return words_fail(MR_EPROTOCOL, "the reply does not say what happened to which arm");
	}
	*choice = (struct mr_choice){
		.arm = (size_t)request->arm,
		.evicted = result.evicted,
		.raw = result.raw,
		.raw_len = result.raw_len,
		.lease = result.lease,
		.deliveries = result.deliveries,
	};
	free(result.all_deliveries);
	if (has_value) /* where jansson cannot hold it, the bytes are there still */
		choice->value = json_loadb(choice->raw, choice->raw_len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	return status;
}

int mr_alts_with(mr *m, const struct mr_arm *arms, size_t n_arms, const struct mr_alts_options *options,
		 int64_t timeout_ms, struct mr_choice *choice)
{
	struct buffer members = {0};
	struct mr_request request;
	int status = members_alts(&members, arms, n_arms, options);

	*choice = (struct mr_choice){.arm = 0};
	if (status == MR_OK)
		status = members_timeout(&members, timeout_ms);
	status = call_begin(m, &request, OP_ALTS, &members, status, timeout_ms, WANT_VALUE);
	if (status != MR_OK)
		return status;
	status = transport_wait(m, &request);
	if (status == MR_OK || status == MR_CLOSED || status == MR_DROPPED)
		status = read_choice(&request, arms, n_arms, status, choice);
	else if (status == MR_UNKNOWN && !arms_have_put(arms, n_arms)) /* a take is not a change */
		status = MR_ECONNECTION;
	request_finish(&request);
	return status;
}

int mr_alts(mr *m, const struct mr_arm *arms, size_t n_arms, bool priority, int64_t timeout_ms,
	    struct mr_choice *choice)
{
	return mr_alts_with(m, arms, n_arms, &(struct mr_alts_options){.priority = priority}, timeout_ms, choice);
}

void mr_choice_finish(struct mr_choice *choice)
{
	json_decref(choice->value);
	free(choice->raw);
	free(choice->lease);
	*choice = (struct mr_choice){.arm = 0};
}
