/* The requests that a program can make: arguments into members. */
#include "client/parking/parking.h"

#include <stdlib.h>
#include <string.h>

#include "client/machine/members.h"
#include "client/machine/words.h"

enum { MAX_COUNT = 1000000 };

/* -- put, take, alts -- */

/* members_channel(), which is quick for the channel of the last request. */
static int channel_member(mr_parking *p, const char *channel)
{
	size_t before = buffer_len(&p->scratch), len;
	int status;

	if (channel && p->last_member_len && strcmp(channel, p->last_channel) == 0) {
		buffer_append(&p->scratch, p->last_member, p->last_member_len);
		return MR_OK;
	}
	status = members_channel(&p->scratch, channel);
	len = buffer_len(&p->scratch) - before;
	if (status == MR_OK && !p->scratch.failed && strlen(channel) < sizeof p->last_channel &&
	    len <= sizeof p->last_member) {
		strcpy(p->last_channel, channel);
		memcpy(p->last_member, p->scratch.bytes + p->scratch.start + before, len);
		p->last_member_len = len;
	}
	return status;
}

static int put(mr_parking *p, const char *channel, bool many, const char *json, size_t len, int64_t timeout_ms,
	       mr_parked_cb *done, void *argument, mr_parked **request)
{
	int status = timeout_check(timeout_ms);
	struct request_form form = {
		.op = OP_PUT,
		.kind = PARKED_CHANGE,
		.timeout_ms = timeout_ms,
		.has_timeout_member = true,
		.is_silent = !done,
		.channel = done ? NULL : channel,
		.done = done,
		.argument = argument,
	};

	if (status == MR_OK)
		status = channel_member(p, channel);
	if (status == MR_OK)
		status = members_values(&p->scratch, many, json, len);
	return request_make(p, status, &form, request);
}

int mr_park_put(mr_parking *p, const char *channel, const char *json, size_t len, int64_t timeout_ms,
		mr_parked_cb *done, void *argument, mr_parked **request)
{
	return put(p, channel, false, json, len, timeout_ms, done, argument, request);
}

int mr_park_put_many(mr_parking *p, const char *channel, const char *json, size_t len, int64_t timeout_ms,
		     mr_parked_cb *done, void *argument, mr_parked **request)
{
	return put(p, channel, true, json, len, timeout_ms, done, argument, request);
}

static int take(mr_parking *p, const char *channel, uint64_t count, const struct mr_take_options *options,
		int64_t timeout_ms, mr_parked_cb *done, void *argument, mr_parked **request)
{
	static const struct mr_take_options plain;
	int status = timeout_check(timeout_ms);
	struct request_form form = {
		.op = OP_TAKE,
		.kind = options && options->lease_ms ? PARKED_REPEATS : PARKED_TAKE,
		.count = count,
		.timeout_ms = timeout_ms,
		.has_timeout_member = true,
		.done = done,
		.argument = argument,
	};

	if (status == MR_OK)
		status = channel_member(p, channel);
	if (status == MR_OK)
		status = members_take_options(&p->scratch, options ? options : &plain);
	return request_make(p, status, &form, request);
}

int mr_park_take(mr_parking *p, const char *channel, const struct mr_take_options *options, int64_t timeout_ms,
		 mr_parked_cb *done, void *argument, mr_parked **request)
{
	return take(p, channel, 1, options, timeout_ms, done, argument, request);
}

int mr_park_take_count(mr_parking *p, const char *channel, uint64_t count, const struct mr_take_options *options,
		       int64_t timeout_ms, mr_parked_cb *done, void *argument, mr_parked **request)
{
	if (request)
		*request = NULL;
	if (count < 1 || count > MAX_COUNT)
		return words_fail(MR_EARGUMENT, "count is 1 to %d", MAX_COUNT);
	if (options && options->max)
		return words_fail(MR_EARGUMENT, "a take has count or max, not both");
	return take(p, channel, count, options, timeout_ms, done, argument, request);
}

int mr_park_alts(mr_parking *p, const struct mr_arm *arms, size_t n_arms, const struct mr_alts_options *options,
		 int64_t timeout_ms, mr_parked_cb *done, void *argument, mr_parked **request)
{
	static const struct mr_alts_options plain;
	int status = timeout_check(timeout_ms);
	struct request_form form = {
		.op = OP_ALTS,
		.kind = arms_have_put(arms, n_arms)    ? PARKED_CHANGE
			: options && options->lease_ms ? PARKED_REPEATS
						       : PARKED_TAKE,
		.timeout_ms = timeout_ms,
		.has_timeout_member = true,
		.done = done,
		.argument = argument,
	};

	if (status == MR_OK)
		status = members_alts(&p->scratch, arms, n_arms, options ? options : &plain);
	return request_make(p, status, &form, request);
}

/* -- leases -- */

/* It never parks, and must not wait behind what does: that may wait for just this. */
static int lease_request(mr_parking *p, enum message_op op, int status, mr_parked_cb *done, void *argument,
			 mr_parked **request)
{
	struct request_form form = {.op = op,
				    .kind = PARKED_CHANGE,
				    .timeout_ms = MR_FOREVER,
				    .is_urgent = true,
				    .done = done,
				    .argument = argument};

	return request_make(p, status, &form, request);
}

int mr_park_ack(mr_parking *p, const char *lease, mr_parked_cb *done, void *argument, mr_parked **request)
{
	return lease_request(p, OP_ACK, members_text(&p->scratch, "lease", lease), done, argument, request);
}

int mr_park_nack(mr_parking *p, const char *lease, int64_t delay_ms, mr_parked_cb *done, void *argument,
		 mr_parked **request)
{
	return lease_request(p, OP_NACK, members_nack(&p->scratch, lease, delay_ms), done, argument, request);
}

int mr_park_extend(mr_parking *p, const char *lease, int64_t lease_ms, mr_parked_cb *done, void *argument,
		   mr_parked **request)
{
	return lease_request(p, OP_EXTEND, members_extend(&p->scratch, lease, lease_ms), done, argument, request);
}

/* -- channels -- */

/* A request of an op without a time-out, with what p->scratch has. */
static int plain_request(mr_parking *p, enum message_op op, enum parked_kind kind, int status, mr_parked_cb *done,
			 void *argument, mr_parked **request)
{
	struct request_form form = {
		.op = op, .kind = kind, .timeout_ms = MR_FOREVER, .done = done, .argument = argument};

	return request_make(p, status, &form, request);
}

/* What creates the channel anew, with each connection. */
static struct ephemeral *ephemeral_create(const char *channel, const struct buffer *members)
{
	struct ephemeral *ephemeral = calloc(1, sizeof(*ephemeral) + strlen(channel) + 1);

	if (!ephemeral)
		return NULL;
	strcpy(ephemeral->channel, channel);
	buffer_append(&ephemeral->members, members->bytes + members->start, buffer_len(members));
	if (ephemeral->members.failed) {
		ephemeral_destroy(ephemeral);
		return NULL;
	}
	return ephemeral;
}

int mr_park_create(mr_parking *p, const char *channel, const struct mr_definition *definition, mr_parked_cb *done,
		   void *argument, mr_parked **request)
{
	int status = members_definition(&p->scratch, channel, definition);
	struct request_form form = {
		.op = OP_CREATE, .kind = PARKED_CHANGE, .timeout_ms = MR_FOREVER, .done = done, .argument = argument};

	if (status == MR_OK && channel && definition->ephemeral) {
		form.ephemeral = ephemeral_create(channel, &p->scratch);
		if (!form.ephemeral)
			status = words_fail(MR_EMEMORY, "not enough memory for the request");
	}
	return request_make(p, status, &form, request);
}

int mr_park_close(mr_parking *p, const char *channel, mr_parked_cb *done, void *argument, mr_parked **request)
{
	return plain_request(p, OP_CLOSE, PARKED_CHANGE, members_channel(&p->scratch, channel), done, argument,
			     request);
}

int mr_park_delete(mr_parking *p, const char *channel, bool force, mr_parked_cb *done, void *argument,
		   mr_parked **request)
{
	int status = members_channel(&p->scratch, channel);
	struct request_form form = {.op = OP_DELETE,
				    .kind = PARKED_CHANGE,
				    .timeout_ms = MR_FOREVER,
				    .channel = channel,
				    .done = done,
				    .argument = argument};

	if (force)
		message_bool(&p->scratch, "force", true);
	return request_make(p, status, &form, request);
}

/* -- looking -- */

int mr_park_stat(mr_parking *p, const char *channel, mr_parked_cb *done, void *argument, mr_parked **request)
{
	return plain_request(p, OP_STAT, PARKED_REPEATS, members_channel(&p->scratch, channel), done, argument,
			     request);
}

int mr_park_list(mr_parking *p, const char *glob, const char *after, mr_parked_cb *done, void *argument,
		 mr_parked **request)
{
	int status = glob ? members_text(&p->scratch, "match", glob) : MR_OK;

	if (status == MR_OK && after)
		status = members_text(&p->scratch, "after", after);
	return plain_request(p, OP_LIST, PARKED_REPEATS, status, done, argument, request);
}

int mr_park_peek(mr_parking *p, const char *channel, size_t max, mr_parked_cb *done, void *argument,
		 mr_parked **request)
{
	int status = members_channel(&p->scratch, channel);

	if (max < 1 || max > MESSAGE_MAX_ROWS)
		status = words_fail(MR_EARGUMENT, "max is 1 to %d", MESSAGE_MAX_ROWS);
	message_uint(&p->scratch, "max", max);
	return plain_request(p, OP_PEEK, PARKED_REPEATS, status, done, argument, request);
}

int mr_park_waiters(mr_parking *p, const char *channel, uint64_t after, mr_parked_cb *done, void *argument,
		    mr_parked **request)
{
	int status = channel ? members_channel(&p->scratch, channel) : MR_OK;

	if (after)
		message_uint(&p->scratch, "after", after);
	return plain_request(p, OP_WAITERS, PARKED_REPEATS, status, done, argument, request);
}

int mr_park_ping(mr_parking *p, int64_t timeout_ms, mr_parked_cb *done, void *argument, mr_parked **request)
{
	struct request_form form = {
		.op = OP_PING, .kind = PARKED_REPEATS, .timeout_ms = timeout_ms, .done = done, .argument = argument};

	return request_make(p, timeout_check(timeout_ms), &form, request);
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
