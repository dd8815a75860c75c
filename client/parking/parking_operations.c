/* The requests that a program can make. */
#include <stdlib.h>

#include "client/machine/failure.h"
#include "client/net/process.h"
#include "client/parking/submit.h"

enum { RUN = 64 }; /* of puts without an answer, at most so many go without an id in a row */

/* The same again for each: an operation made and handed in. */
#define SUBMIT(made)                                                                                                   \
	struct client_operation operation;                                                                             \
	int status = (made);                                                                                           \
	return submit(p, status, &operation, done, argument, request)

int mr_park_put_with(mr_parking *p, const char *channel, const struct mr_put_options *options, const char *json,
		     size_t len, int64_t timeout_ms, mr_parked_cb *done, void *argument, mr_parked **request)
{
	static const struct mr_put_options plain;
	const struct mr_put_options *chosen = options ? options : &plain;

	SUBMIT(done ? operation_put(&operation, channel, chosen, json, len, timeout_ms)
		    : operation_put_unanswered(&operation, channel, chosen, json, len, timeout_ms, RUN));
}

int mr_park_put(mr_parking *p, const char *channel, const char *json, size_t len, int64_t timeout_ms,
		mr_parked_cb *done, void *argument, mr_parked **request)
{
	return mr_park_put_with(p, channel, NULL, json, len, timeout_ms, done, argument, request);
}

int mr_park_put_many(mr_parking *p, const char *channel, const char *json, size_t len, int64_t timeout_ms,
		     mr_parked_cb *done, void *argument, mr_parked **request)
{
	return mr_park_put_with(p, channel, &(struct mr_put_options){.many = true}, json, len, timeout_ms, done,
				argument, request);
}

static const struct mr_take_options plain_take;

int mr_park_take(mr_parking *p, const char *channel, const struct mr_take_options *options, int64_t timeout_ms,
		 mr_parked_cb *done, void *argument, mr_parked **request)
{
	SUBMIT(operation_take(&operation, channel, options ? options : &plain_take, timeout_ms));
}

int mr_park_take_count(mr_parking *p, const char *channel, uint64_t count, const struct mr_take_options *options,
		       int64_t timeout_ms, mr_parked_cb *done, void *argument, mr_parked **request)
{
	SUBMIT(operation_take_count(&operation, channel, count, options ? options : &plain_take, timeout_ms));
}

int mr_park_alts(mr_parking *p, const struct mr_arm *arms, size_t n_arms, const struct mr_alts_options *options,
		 int64_t timeout_ms, mr_parked_cb *done, void *argument, mr_parked **request)
{
	static const struct mr_alts_options plain;

	SUBMIT(operation_alts(&operation, arms, n_arms, options ? options : &plain, timeout_ms));
}

int mr_park_ack(mr_parking *p, const char *lease, mr_parked_cb *done, void *argument, mr_parked **request)
{
	SUBMIT(operation_ack(&operation, lease));
}

int mr_park_nack_with(mr_parking *p, const char *lease, const struct mr_nack_options *options, mr_parked_cb *done,
		      void *argument, mr_parked **request)
{
	static const struct mr_nack_options plain;

	SUBMIT(operation_nack(&operation, lease, options ? options : &plain));
}

int mr_park_nack(mr_parking *p, const char *lease, int64_t delay_ms, mr_parked_cb *done, void *argument,
		 mr_parked **request)
{
	return mr_park_nack_with(p, lease, &(struct mr_nack_options){.delay_ms = delay_ms}, done, argument, request);
}

int mr_park_extend(mr_parking *p, const char *lease, int64_t lease_ms, mr_parked_cb *done, void *argument,
		   mr_parked **request)
{
	SUBMIT(operation_extend(&operation, lease, lease_ms));
}

int mr_park_create(mr_parking *p, const char *channel, const struct mr_definition *definition, mr_parked_cb *done,
		   void *argument, mr_parked **request)
{
	SUBMIT(operation_create(&operation, channel, definition));
}

int mr_park_alter(mr_parking *p, const char *channel, const struct mr_alteration *alteration, mr_parked_cb *done,
		  void *argument, mr_parked **request)
{
	SUBMIT(operation_alter(&operation, channel, alteration));
}

int mr_park_close(mr_parking *p, const char *channel, mr_parked_cb *done, void *argument, mr_parked **request)
{
	SUBMIT(operation_close(&operation, channel));
}

int mr_park_delete(mr_parking *p, const char *channel, bool force, mr_parked_cb *done, void *argument,
		   mr_parked **request)
{
	SUBMIT(operation_delete(&operation, channel, force));
}

int mr_park_move(mr_parking *p, const char *from, const char *to, size_t max, mr_parked_cb *done, void *argument,
		 mr_parked **request)
{
	SUBMIT(operation_move(&operation, from, to, max));
}

int mr_park_tap(mr_parking *p, const char *from, const char *to, const struct mr_tap_options *options,
		mr_parked_cb *done, void *argument, mr_parked **request)
{
	SUBMIT(operation_tap(&operation, from, to, options));
}

int mr_park_untap(mr_parking *p, const char *from, const char *to, mr_parked_cb *done, void *argument,
		  mr_parked **request)
{
	SUBMIT(operation_untap(&operation, from, to));
}

int mr_park_stat(mr_parking *p, const char *channel, mr_parked_cb *done, void *argument, mr_parked **request)
{
	SUBMIT(operation_stat(&operation, channel));
}

int mr_park_list(mr_parking *p, const char *glob, const char *after, mr_parked_cb *done, void *argument,
		 mr_parked **request)
{
	SUBMIT(operation_list(&operation, glob, after));
}

int mr_park_peek(mr_parking *p, const char *channel, size_t max, mr_parked_cb *done, void *argument,
		 mr_parked **request)
{
	SUBMIT(operation_peek(&operation, channel, max));
}

int mr_park_waiters(mr_parking *p, const char *channel, uint64_t after, mr_parked_cb *done, void *argument,
		    mr_parked **request)
{
	SUBMIT(operation_rows(&operation, OP_WAITERS, channel, after));
}

int mr_park_leases(mr_parking *p, const char *channel, uint64_t after, mr_parked_cb *done, void *argument,
		   mr_parked **request)
{
	SUBMIT(operation_rows(&operation, OP_LEASES, channel, after));
}

int mr_park_taps(mr_parking *p, const char *channel, uint64_t after, mr_parked_cb *done, void *argument,
		 mr_parked **request)
{
	SUBMIT(operation_rows(&operation, OP_TAPS, channel, after));
}

int mr_park_cluster(mr_parking *p, const char *after, mr_parked_cb *done, void *argument, mr_parked **request)
{
	SUBMIT(operation_cluster(&operation, after));
}

int mr_park_cluster_move(mr_parking *p, const char *group, const char *daemon, mr_parked_cb *done, void *argument,
			 mr_parked **request)
{
	SUBMIT(operation_cluster_move(&operation, group, daemon));
}

int mr_park_ping(mr_parking *p, int64_t timeout_ms, mr_parked_cb *done, void *argument, mr_parked **request)
{
	SUBMIT(operation_ping(&operation, timeout_ms));
}

int mr_parking_cancel(mr_parking *p, mr_parked *request)
{
	int status =
		p->process == process_number() ? requests_cancel(&request->base) : fail(MR_EARGUMENT, PROCESS_FORKED);

	if (status == MR_OK)
		submit_run_soon(p);
	return status;
}

/* -- what came, for jansson -- */

static int read_json(const char *text, size_t len, json_t **tree)
{
	return mr_result_json(&(struct mr_result){.raw = (char *)text, .raw_len = len}, tree);
}

int mr_outcome_value(const struct mr_outcome *outcome, json_t **value)
{
	return read_json(outcome->raw, outcome->raw_len, value);
}

int mr_outcome_body(const struct mr_outcome *outcome, json_t **body)
{
	return read_json(outcome->body, outcome->body_len, body);
}
