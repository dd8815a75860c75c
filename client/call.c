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

int members_timeout(struct buffer *members, int64_t timeout_ms)
{
	if (timeout_ms == MR_FOREVER)
		return MR_OK;
	if (timeout_ms < 0 || (uint64_t)timeout_ms > MESSAGE_MAX_MS)
		return words_fail(MR_EARGUMENT, "a time-out is 0 to 2147483647 milliseconds, or MR_FOREVER");
	message_uint(members, "timeout_ms", (uint64_t)timeout_ms);
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

int json_text_into(char *text, size_t len, json_t **value)
{
	json_error_t error;
	int status = MR_OK;

	*value = NULL;
	if (!text)
		return words_fail(MR_EPROTOCOL, "the reply lacks what was asked for");
	*value = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (!*value && json_error_code(&error) == json_error_out_of_memory)
		status = words_fail(MR_EMEMORY, "not enough memory for the value");
	else if (!*value)
		status = words_fail(MR_EJSON, "jansson cannot hold the value (%s): %.*s", error.text, quoted_len(text, len), text);
	free(text);
	return status;
}
