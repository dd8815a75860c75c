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

int mr_put(mr *m, const char *channel, const json_t *value, int64_t timeout_ms)
{
	size_t len = 0;
	int status = MR_OK;
	char *text = json_dump(value, &len, &status);

	if (text)
		status = mr_put_raw(m, channel, text, len, timeout_ms);
	free(text);
	return status;
}

int mr_put_many(mr *m, const char *channel, const json_t *values, int64_t timeout_ms, size_t *accepted)
{
	size_t len = 0;
	int status = MR_OK;
	char *text = json_dump(values, &len, &status);

	if (accepted)
		*accepted = 0;
	if (text)
		status = mr_put_many_raw(m, channel, text, len, timeout_ms, accepted);
	free(text);
	return status;
}

int mr_offer(mr *m, const char *channel, const json_t *value)
{
	return mr_put(m, channel, value, 0);
}

/* -- take -- */

/* max 0: one value, not an array. */
static int take(mr *m, const char *channel, size_t max, int64_t timeout_ms, struct mr_request *request)
{
	struct client_operation operation;
	int status = operation_take(&operation, channel, &(struct mr_take_options){.max = max}, timeout_ms);

	return call_fetch(m, status, &operation, WANT_VALUE, request);
}

int mr_take_raw(mr *m, const char *channel, char **json, size_t *len, int64_t timeout_ms)
{
	struct mr_request request;
	int status = take(m, channel, 0, timeout_ms, &request);

	return call_give_text(&request, status, json, len);
}

int mr_take(mr *m, const char *channel, json_t **value, int64_t timeout_ms)
{
	struct mr_request request;
	json_t *taken = NULL;
	int status = take(m, channel, 0, timeout_ms, &request);

	if (status == MR_OK)
		status = call_give_json(request.text, request.text_len, &taken);
	request_finish(&request);
	return call_give_tree(status, taken, value);
}

/* max 0 is no array. */
static int check_max(size_t max)
{
	return max >= 1 ? MR_OK : fail(MR_EARGUMENT, "max is 1 to %d", MESSAGE_MAX_TAKE);
}

int mr_take_many(mr *m, const char *channel, size_t max, json_t **values, int64_t timeout_ms)
{
	struct mr_request request = {.text = NULL};
	json_t *taken = NULL;
	int status = check_max(max);

	if (status == MR_OK)
		status = take(m, channel, max, timeout_ms, &request);
	if (status == MR_OK)
		status = call_give_array(request.text, request.text_len, &taken);
	request_finish(&request);
	return call_give_tree(status, taken, values);
}

int mr_take_many_raw(mr *m, const char *channel, size_t max, char **json, size_t *len, int64_t timeout_ms)
{
	struct mr_request request = {.text = NULL};
	int status = check_max(max);

	if (status == MR_OK)
		status = take(m, channel, max, timeout_ms, &request);
	return call_give_text(&request, status, json, len);
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

int mr_begin_put(mr *m, mr_request **request, const char *channel, const char *json, size_t len, int64_t timeout_ms)
{
	struct client_operation operation;

	return call_begin(m, operation_put(&operation, channel, &one, json, len, timeout_ms), &operation, WANT_NOTHING,
			  request);
}

int mr_begin_put_many(mr *m, mr_request **request, const char *channel, const char *json, size_t len,
		      int64_t timeout_ms)
{
	struct client_operation operation;

	return call_begin(m, operation_put(&operation, channel, &many, json, len, timeout_ms), &operation, WANT_NOTHING,
			  request);
}

int mr_begin_put_with(mr *m, mr_request **request, const char *channel, const struct mr_put_options *options,
		      const char *json, size_t len, int64_t timeout_ms)
{
	struct client_operation operation;

	return call_begin(m, operation_put(&operation, channel, options ? options : &one, json, len, timeout_ms),
			  &operation, WANT_NOTHING, request);
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
