/* put and take, of one value and of many, as text and as jansson's. */
#include <stdlib.h>

#include "client/blocking/call.h"
#include "client/machine/arguments.h"
#include "client/machine/failure.h"

/* -- put -- */

static const struct mr_put_options one, many = {.many = true};

int mr_put_with(mr *m, const char *channel, const struct mr_put_options *options, const char *json, size_t len,
		int64_t timeout_ms, struct mr_result *result)
{
	struct client_operation operation;
	struct mr_request request;
	int status = operation_put(&operation, channel, options ? options : &one, json, len, timeout_ms);

	status = call(m, status, &operation, WANT_NOTHING, &request);
	if (result)
		*result = (struct mr_result){.accepted = (size_t)request.accepted, .evicted = request.evicted};
	request_finish(&request);
	return status;
}

int mr_put_raw(mr *m, const char *channel, const char *json, size_t len, int64_t timeout_ms)
{
	return mr_put_with(m, channel, &one, json, len, timeout_ms, NULL);
}

int mr_put_many_raw(mr *m, const char *channel, const char *json, size_t len, int64_t timeout_ms, size_t *accepted)
{
	struct mr_result result;
	int status = mr_put_with(m, channel, &many, json, len, timeout_ms, &result);

	if (accepted)
		*accepted = result.accepted;
	return status;
}

static int put_json(mr *m, const char *channel, const struct mr_put_options *options, const json_t *json,
		    int64_t timeout_ms, struct mr_result *result)
{
	size_t len = 0;
	int status = MR_OK;
	char *text = json_dump(json, &len, &status);

	*result = (struct mr_result){.accepted = 0};
	if (text)
		status = mr_put_with(m, channel, options, text, len, timeout_ms, result);
	free(text);
	return status;
}

int mr_put(mr *m, const char *channel, const json_t *value, int64_t timeout_ms)
{
	struct mr_result result;

	return put_json(m, channel, &one, value, timeout_ms, &result);
}

int mr_put_many(mr *m, const char *channel, const json_t *values, int64_t timeout_ms, size_t *accepted)
{
	struct mr_result result;
	int status = put_json(m, channel, &many, values, timeout_ms, &result);

	if (accepted)
		*accepted = result.accepted;
	return status;
}

int mr_offer(mr *m, const char *channel, const json_t *value)
{
	return mr_put(m, channel, value, 0);
}

/* -- take -- */

int mr_take_raw(mr *m, const char *channel, char **json, size_t *len, int64_t timeout_ms)
{
	struct client_operation operation;

	return call_text(m, operation_take(&operation, channel, &(struct mr_take_options){.max = 0}, timeout_ms),
			 &operation, json, len);
}

int mr_take(mr *m, const char *channel, json_t **value, int64_t timeout_ms)
{
	struct client_operation operation;

	return call_value(m, operation_take(&operation, channel, &(struct mr_take_options){.max = 0}, timeout_ms),
			  &operation, value);
}

/* max 0 would be no array. */
static int operation_take_many(struct client_operation *operation, const char *channel, size_t max, int64_t timeout_ms)
{
	if (max < 1)
		return fail(MR_EARGUMENT, "max is 1 to %d", MESSAGE_MAX_TAKE);
	return operation_take(operation, channel, &(struct mr_take_options){.max = max}, timeout_ms);
}

int mr_take_many(mr *m, const char *channel, size_t max, json_t **values, int64_t timeout_ms)
{
	struct client_operation operation;

	return call_array(m, operation_take_many(&operation, channel, max, timeout_ms), &operation, values);
}

int mr_take_many_raw(mr *m, const char *channel, size_t max, char **json, size_t *len, int64_t timeout_ms)
{
	struct client_operation operation;

	return call_text(m, operation_take_many(&operation, channel, max, timeout_ms), &operation, json, len);
}

int mr_poll(mr *m, const char *channel, json_t **value)
{
	return mr_take(m, channel, value, 0);
}

int mr_take_with(mr *m, const char *channel, const struct mr_take_options *options, int64_t timeout_ms,
		 struct mr_result *result)
{
	struct client_operation operation;
	struct mr_request request;
	int status = operation_take(&operation, channel, options, timeout_ms);

	status = call_fetch(m, status, &operation, WANT_VALUE, &request);
	call_take_result(&request, result);
	request_finish(&request);
	return status;
}

/* -- leases -- */

int mr_ack(mr *m, const char *lease)
{
	struct client_operation operation;

	return call_plain(m, operation_ack(&operation, lease), &operation);
}

int mr_nack_with(mr *m, const char *lease, const struct mr_nack_options *options)
{
	static const struct mr_nack_options plain;
	struct client_operation operation;

	return call_plain(m, operation_nack(&operation, lease, options ? options : &plain), &operation);
}

int mr_nack(mr *m, const char *lease, int64_t delay_ms)
{
	return mr_nack_with(m, lease, &(struct mr_nack_options){.delay_ms = delay_ms});
}

int mr_extend(mr *m, const char *lease, int64_t lease_ms)
{
	struct client_operation operation;

	return call_plain(m, operation_extend(&operation, lease, lease_ms), &operation);
}

/* -- requests in flight -- */

int mr_begin_put_with(mr *m, mr_request **request, const char *channel, const struct mr_put_options *options,
		      const char *json, size_t len, int64_t timeout_ms)
{
	struct client_operation operation;

	return call_begin(m, operation_put(&operation, channel, options ? options : &one, json, len, timeout_ms),
			  &operation, WANT_NOTHING, request);
}

int mr_begin_put(mr *m, mr_request **request, const char *channel, const char *json, size_t len, int64_t timeout_ms)
{
	return mr_begin_put_with(m, request, channel, &one, json, len, timeout_ms);
}

int mr_begin_put_many(mr *m, mr_request **request, const char *channel, const char *json, size_t len,
		      int64_t timeout_ms)
{
	return mr_begin_put_with(m, request, channel, &many, json, len, timeout_ms);
}

int mr_begin_take_with(mr *m, mr_request **request, const char *channel, const struct mr_take_options *options,
		       int64_t timeout_ms)
{
	struct client_operation operation;

	return call_begin(m, operation_take(&operation, channel, options, timeout_ms), &operation, WANT_VALUE, request);
}

int mr_begin_take(mr *m, mr_request **request, const char *channel, size_t max, int64_t timeout_ms)
{
	return mr_begin_take_with(m, request, channel, &(struct mr_take_options){.max = max}, timeout_ms);
}
