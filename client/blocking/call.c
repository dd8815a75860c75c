/* One request from its arguments to its reply. */
#include "client/blocking/call.h"

#include <stdlib.h>

#include "client/machine/reply.h"
#include "client/machine/words.h"
#include "proto/utf8.h"

enum { QUOTED_BYTES = 200 }; /* of a value, in a message */

int call_begin(mr *m, struct mr_request *request, enum message_op op, struct buffer *members, int status,
	       int64_t timeout_ms, enum want want)
{
	struct slice text = {members->bytes + members->start, buffer_len(members)};

	request_init(m, request, want);
	if (status == MR_OK && members->failed)
		status = words_fail(MR_EMEMORY, "not enough memory for the request");
	if (status == MR_OK)
		status = transport_begin(m, request, op, text, timeout_ms);
	buffer_finish(members);
	if (status != MR_OK)
		request_finish(request);
	return status;
}

void call_result_take(struct mr_request *request, struct call_result *result)
{
	*result = (struct call_result){
		.arm = request->arm,
		.has_arm = request->has_arm,
		.accepted = request->accepted,
		.evicted = request->evicted,
	};
	if (request->status < 0) /* its text is the message, which has been said */
		return;
	result->text = request->text;
	result->text_len = request->text_len;
	request->text = NULL;
}

void request_result(struct mr_request *request, struct mr_result *result)
{
	*result = (struct mr_result){.accepted = (size_t)request->accepted, .evicted = request->evicted};
	if (request->status < 0)
		return;
	result->raw = request->text;
	result->raw_len = request->text_len;
	result->lease = request->lease;
	result->deliveries = request->deliveries ? reply_deliveries(slice_from(request->deliveries)) : 0;
	result->all_deliveries = request->deliveries;
	request->text = request->lease = request->deliveries = NULL;
}

int call_cancel(mr *m, uint64_t id, int64_t timeout_ms)
{
	struct buffer members = {0};
	struct call_result result;

	message_uint(&members, "request", id);
	return call_run(m, OP_CANCEL, &members, MR_OK, timeout_ms, WANT_NOTHING, &result);
}

int call_begin_kept(mr *m, mr_request **request, enum message_op op, struct buffer *members, int status,
		    int64_t timeout_ms, enum want want)
{
	mr_request *begun = malloc(sizeof(*begun));

	*request = NULL;
	if (!begun) {
		buffer_finish(members);
		return words_fail(MR_EMEMORY, "not enough memory for the request");
	}
	status = call_begin(m, begun, op, members, status, timeout_ms, want);
	if (status != MR_OK) {
		free(begun);
		return status;
	}
	transport_keep(m, begun);
	*request = begun;
	return MR_OK;
}

int call_run(mr *m, enum message_op op, struct buffer *members, int status, int64_t timeout_ms, enum want want,
	     struct call_result *result)
{
	struct mr_request request;

	*result = (struct call_result){.text = NULL};
	status = call_begin(m, &request, op, members, status, timeout_ms, want);
	if (status != MR_OK)
		return status;
	status = transport_wait(m, &request);
	call_result_take(&request, result);
	request_finish(&request);
	return status;
}

int call_fetch(mr *m, enum message_op op, struct buffer *members, int status, int64_t timeout_ms, enum want want,
	       struct call_result *result)
{
	status = call_run(m, op, members, status, timeout_ms, want, result);
	if (status == MR_OK && !result->text)
		status = words_fail(MR_EPROTOCOL, "the reply lacks what was asked for");
	return status;
}

/* -- values -- */

/* How much of a valid text is quoted: whole characters. */
static int quoted_len(const char *text, size_t len)
{
	if (len <= QUOTED_BYTES)
		return (int)len;
	for (len = QUOTED_BYTES; utf8_is_tail(text[len]);)
		len--;
	return (int)len;
}

int mr_result_json(const struct mr_result *result, json_t **value)
{
	json_error_t error;
	const char *text = result->raw;
	size_t len = result->raw_len;
	int status = MR_OK;

	*value = NULL;
	if (!text)
		return words_fail(MR_EARGUMENT, "the result has no value");
	*value = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (!*value && json_error_code(&error) == json_error_out_of_memory)
		status = words_fail(MR_EMEMORY, "not enough memory for the value");
	else if (!*value)
		status = words_fail(MR_EJSON, "jansson cannot hold the value (%s): %.*s", error.text,
				    quoted_len(text, len), text);
	return status;
}

int json_text_into(char *text, size_t len, json_t **value)
{
	int status = MR_EPROTOCOL;

	*value = NULL;
	if (text)
		status = mr_result_json(&(struct mr_result){.raw = text, .raw_len = len}, value);
	else
		words_fail(status, "the reply lacks what was asked for");
	free(text);
	return status;
}
