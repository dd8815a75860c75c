/* alts: a choice among takes and puts, made by the daemon. */
#include <stdlib.h>

#include "client/blocking/call.h"
#include "client/machine/failure.h"

/* What the reply says of the arm that happened; its texts go into the choice. */
static int read_choice(struct mr_request *request, const struct mr_arm *arms, size_t n_arms, int status,
		       struct mr_choice *choice)
{
	const struct mr_arm *arm = request->has_arm && request->arm < n_arms ? &arms[request->arm] : NULL;
	bool has_value = arm && status == MR_OK && !arm->put && !arm->raw;
	struct mr_result result;

	if (!arm || has_value != (request->text != NULL))
		return fail(MR_EPROTOCOL, "the reply does not say what happened to which arm");
	call_take_result(request, &result);
	*choice = (struct mr_choice){
		.arm = (size_t)request->arm,
		.evicted = result.evicted,
		.raw = result.raw,
		.raw_len = result.raw_len,
		.lease = result.lease,
		.deliveries = result.deliveries,
		.origin = result.origin,
	};
	free(result.all_deliveries);
	if (has_value) /* where jansson cannot hold it, the bytes are there still */
		choice->value = json_loadb(choice->raw, choice->raw_len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	return status;
}

int mr_alts_with(mr *m, const struct mr_arm *arms, size_t n_arms, const struct mr_alts_options *options,
		 int64_t timeout_ms, struct mr_choice *choice)
{
	struct client_operation operation;
	struct mr_request request;
	int status = operation_alts(&operation, arms, n_arms, options, timeout_ms);

	*choice = (struct mr_choice){.arm = 0};
	status = call(m, status, &operation, WANT_VALUE, &request);
	if (status == MR_OK || status == MR_CLOSED || status == MR_DROPPED)
		status = read_choice(&request, arms, n_arms, status, choice);
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
	free(choice->origin);
	*choice = (struct mr_choice){.arm = 0};
}
