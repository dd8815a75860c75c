/* One request from its arguments to its reply. */
#include "client/call.h"

#include <stdlib.h>

#include "client/words.h"
#include "proto/json_scan.h"
#include "proto/utf8.h"

enum { QUOTED_BYTES = 200 }; /* of a value, in a message */

int text_check(const char *what, const char *text)
{
	const char *end = text ? text + strlen(text) : NULL;

	if (!text)
		return words_fail(MR_EARGUMENT, "%s is NULL", what);
	while (text < end) {
		size_t len = utf8_len(text, end);

		if (len == 0)
			return words_fail(MR_EARGUMENT, "%s is not valid UTF-8", what);
		text += len;
	}
	return MR_OK;
}

int members_text(struct buffer *members, const char *key, const char *text)
{
	int status = text_check(key, text);

	if (status == MR_OK)
		message_string(members, key, slice_from(text));
	return status;
}

int members_channel(struct buffer *members, const char *channel)
{
	return members_text(members, "channel", channel);
}

int timeout_check(int64_t timeout_ms)
{
	if (timeout_ms < MR_FOREVER || timeout_ms > (int64_t)MESSAGE_MAX_MS)
		return words_fail(MR_EARGUMENT, "a time-out is 0 to 2147483647 milliseconds, or MR_FOREVER");
	return MR_OK;
}

int members_timeout(struct buffer *members, int64_t timeout_ms)
{
	int status = timeout_check(timeout_ms);

	if (status == MR_OK && timeout_ms != MR_FOREVER)
		message_uint(members, "timeout_ms", (uint64_t)timeout_ms);
	return status;
}

int members_lease(struct buffer *members, int64_t lease_ms, bool sticky)
{
	if (lease_ms < 0 || lease_ms > (int64_t)MESSAGE_MAX_MS)
		return words_fail(MR_EARGUMENT, "a lease is 1 to 2147483647 milliseconds, or 0 for none");
	if (sticky && lease_ms == 0)
		return words_fail(MR_EARGUMENT, "only a lease can be sticky");
	if (lease_ms)
		message_uint(members, "lease_ms", (uint64_t)lease_ms);
	if (sticky)
		message_bool(members, "sticky", true);
	return MR_OK;
}

int call_begin(mr *m, struct mr_request *request, enum message_op op, struct buffer *members, int64_t timeout_ms, enum want want)
{
	struct slice text = {members->bytes + members->start, buffer_len(members)};
	int status;

	request_init(m, request, want);
	if (members->failed)
		status = words_fail(MR_EMEMORY, "not enough memory for the request");
	else
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
	result->deliveries = request->deliveries ? strtoull(request->deliveries + strspn(request->deliveries, "[ \t\r\n"), NULL, 10) : 0;
	result->all_deliveries = request->deliveries;
	request->text = request->lease = request->deliveries = NULL;
}

int call_cancel(mr *m, uint64_t id, int64_t timeout_ms)
{
	struct buffer members = {0};
	struct call_result result;

	message_uint(&members, "request", id);
	return call_run(m, OP_CANCEL, &members, timeout_ms, WANT_NOTHING, &result);
}

int call_run(mr *m, enum message_op op, struct buffer *members, int64_t timeout_ms, enum want want, struct call_result *result)
{
	struct mr_request request;
	int status;

	*result = (struct call_result){.text = NULL};
	status = call_begin(m, &request, op, members, timeout_ms, want);
	if (status != MR_OK)
		return status;
	status = transport_wait(m, &request);
	call_result_take(&request, result);
	request_finish(&request);
	return status;
}

int call_fetch(mr *m, enum message_op op, struct buffer *members, int64_t timeout_ms, enum want want, struct call_result *result)
{
	int status = call_run(m, op, members, timeout_ms, want, result);

	if (status == MR_OK && !result->text)
		status = words_fail(MR_EPROTOCOL, "the reply lacks what was asked for");
	return status;
}

/* -- values -- */

static int refuse_json(const struct json_scan *scan, const char *json)
{
	if (scan->too_deep)
		return words_fail(MR_EBAD_VALUE, "the value is nested deeper than %d", JSON_MAX_DEPTH);
	return words_fail(MR_EARGUMENT, "not one JSON value, at byte %zu: %s", (size_t)(scan->at - json),
			  scan->error ? scan->error : "more follows it");
}

int json_text_check(const char *json, size_t len)
{
	struct json_scan scan;
	struct slice raw;

	if (!json)
		return words_fail(MR_EARGUMENT, "the value is NULL");
	json_scan_init(&scan, json, len);
	if (json_scan_value(&scan, &raw) == JSON_TYPE_NONE || !json_scan_at_end(&scan))
		return refuse_json(&scan, json);
	return MR_OK;
}

/* One level at a time: the array itself does not count towards the depth of its values. */
int json_text_check_array(const char *json, size_t len)
{
	struct json_scan scan;
	struct slice raw;
	bool first = true, is_empty = true;

	if (!json)
		return words_fail(MR_EARGUMENT, "the values are NULL");
	json_scan_init(&scan, json, len);
	if (!json_scan_enter(&scan, '['))
		return words_fail(MR_EARGUMENT, "the values are not a JSON array");
	while (json_scan_element(&scan, &first)) {
		if (json_scan_value(&scan, &raw) == JSON_TYPE_NONE)
			return refuse_json(&scan, json);
		is_empty = false;
	}
	if (scan.error || !json_scan_at_end(&scan))
		return refuse_json(&scan, json);
	return is_empty ? words_fail(MR_EARGUMENT, "there is no value in the array") : MR_OK;
}

char *json_text_from(const json_t *value, size_t *len, int *status)
{
	char *text;

	if (!value) {
		*status = words_fail(MR_EARGUMENT, "the value is NULL");
		return NULL;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	if (!text) {
		*status = words_fail(MR_EARGUMENT, "jansson cannot write the value as JSON");
		return NULL;
	}
	*len = strlen(text);
	return text;
}

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
		status = words_fail(MR_EJSON, "jansson cannot hold the value (%s): %.*s", error.text, quoted_len(text, len), text);
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
