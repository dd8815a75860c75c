/* put and take, of one value and of many, as text and as jansson's. */
#include <stdlib.h>

#include "client/blocking/call.h"
#include "client/machine/words.h"

/* -- put -- */

static int put_members(struct buffer *members, const char *channel, bool many, const char *json, size_t len,
		       int64_t timeout_ms)
{
	int status = members_put(members, channel, many, json, len);

	return status == MR_OK ? members_timeout(members, timeout_ms) : status;
}

static int put(mr *m, const char *channel, bool many, const char *json, size_t len, int64_t timeout_ms,
	       size_t *accepted)
{
	struct buffer members = {0};
	struct call_result result;
	int status = put_members(&members, channel, many, json, len, timeout_ms);

	status = call_run(m, OP_PUT, &members, status, timeout_ms, WANT_NOTHING, &result);
	if (accepted)
		*accepted = (size_t)result.accepted;
	return status;
}

static int put_json(mr *m, const char *channel, bool many, const json_t *value, int64_t timeout_ms, size_t *accepted)
{
	size_t len = 0;
	int status = MR_OK;
	char *text = json_text_from(value, &len, &status);

	if (accepted)
		*accepted = 0;
	if (text)
		status = put(m, channel, many, text, len, timeout_ms, accepted);
	free(text);
	return status;
}

int mr_put(mr *m, const char *channel, const json_t *value, int64_t timeout_ms)
{
	return put_json(m, channel, false, value, timeout_ms, NULL);
}

int mr_put_raw(mr *m, const char *channel, const char *json, size_t len, int64_t timeout_ms)
{
	return put(m, channel, false, json, len, timeout_ms, NULL);
}

int mr_put_many(mr *m, const char *channel, const json_t *values, int64_t timeout_ms, size_t *accepted)
{
	return put_json(m, channel, true, values, timeout_ms, accepted);
}

int mr_put_many_raw(mr *m, const char *channel, const char *json, size_t len, int64_t timeout_ms, size_t *accepted)
{
	return put(m, channel, true, json, len, timeout_ms, accepted);
}

int mr_offer(mr *m, const char *channel, const json_t *value)
{
	return mr_put(m, channel, value, 0);
}

/* -- take -- */

enum { ONE_VALUE = 0 }; /* as `max`: not an array */

static int take_members(struct buffer *members, const char *channel, const struct mr_take_options *options,
			int64_t timeout_ms)
{
	int status = members_take(members, channel, options);

	return status == MR_OK ? members_timeout(members, timeout_ms) : status;
}

static int take(mr *m, const char *channel, size_t max, int64_t timeout_ms, struct call_result *result)
{
	struct buffer members = {0};
	int status = take_members(&members, channel, &(struct mr_take_options){.max = max}, timeout_ms);

	return call_fetch(m, OP_TAKE, &members, status, timeout_ms, WANT_VALUE, result);
}

static int take_raw(mr *m, const char *channel, size_t max, int64_t timeout_ms, char **json, size_t *len)
{
	struct call_result result;
	int status = take(m, channel, max, timeout_ms, &result);

	if (len)
		*len = result.text_len;
	if (json)
		*json = result.text;
	else
		free(result.text);
	return status;
}

static int take_json(mr *m, const char *channel, size_t max, int64_t timeout_ms, json_t **value)
{
	struct call_result result;
	json_t *taken = NULL;
	int status = take(m, channel, max, timeout_ms, &result);

	if (status == MR_OK)
		status = json_text_into(result.text, result.text_len, &taken);
	if (value)
		*value = taken;
	else
		json_decref(taken);
	return status;
}

int mr_take(mr *m, const char *channel, json_t **value, int64_t timeout_ms)
{
	return take_json(m, channel, ONE_VALUE, timeout_ms, value);
}

int mr_take_raw(mr *m, const char *channel, char **json, size_t *len, int64_t timeout_ms)
{
	return take_raw(m, channel, ONE_VALUE, timeout_ms, json, len);
}

static int refuse_max(void)
{
	return words_fail(MR_EARGUMENT, "max is 1 to %d", MESSAGE_MAX_TAKE);
}

int mr_take_many(mr *m, const char *channel, size_t max, json_t **values, int64_t timeout_ms)
{
	if (max >= 1)
		return take_json(m, channel, max, timeout_ms, values);
	if (values)
		*values = NULL;
	return refuse_max();
}

int mr_take_many_raw(mr *m, const char *channel, size_t max, char **json, size_t *len, int64_t timeout_ms)
{
	if (max >= 1)
		return take_raw(m, channel, max, timeout_ms, json, len);
	if (json)
		*json = NULL;
	if (len)
		*len = 0;
	return refuse_max();
}

int mr_poll(mr *m, const char *channel, json_t **value)
{
	return mr_take(m, channel, value, 0);
}

int mr_take_with(mr *m, const char *channel, const struct mr_take_options *options, int64_t timeout_ms,
		 struct mr_result *result)
{
	mr_request *request;
	int status = mr_begin_take_with(m, &request, channel, options, timeout_ms);

	*result = (struct mr_result){.raw = NULL};
	return status == MR_OK ? mr_wait(m, request, result) : status;
}

/* -- requests in flight -- */

static int begin_put(mr *m, mr_request **request, const char *channel, bool many, const char *json, size_t len,
		     int64_t timeout_ms)
{
	struct buffer members = {0};
	int status = put_members(&members, channel, many, json, len, timeout_ms);

	return call_begin_kept(m, request, OP_PUT, &members, status, timeout_ms, WANT_NOTHING);
}

int mr_begin_put(mr *m, mr_request **request, const char *channel, const char *json, size_t len, int64_t timeout_ms)
{
	return begin_put(m, request, channel, false, json, len, timeout_ms);
}

int mr_begin_put_many(mr *m, mr_request **request, const char *channel, const char *json, size_t len,
		      int64_t timeout_ms)
{
	return begin_put(m, request, channel, true, json, len, timeout_ms);
}

int mr_begin_take_with(mr *m, mr_request **request, const char *channel, const struct mr_take_options *options,
		       int64_t timeout_ms)
{
	struct buffer members = {0};
	int status = take_members(&members, channel, options, timeout_ms);

	return call_begin_kept(m, request, OP_TAKE, &members, status, timeout_ms, WANT_VALUE);
}

int mr_begin_take(mr *m, mr_request **request, const char *channel, size_t max, int64_t timeout_ms)
{
	return mr_begin_take_with(m, request, channel, &(struct mr_take_options){.max = max}, timeout_ms);
}

int mr_wait(mr *m, mr_request *request, struct mr_result *result)
{
	struct mr_result came;
	int status;

	transport_unkeep(m, request);
	status = transport_wait(m, request);
	request_result(request, &came);
	if (status == MR_OK && request->want == WANT_VALUE && !came.raw)
		status = words_fail(MR_EPROTOCOL, "the reply lacks what was asked for");
	if (result)
		*result = came;
	else
		mr_result_finish(&came);
	request_finish(request);
	free(request);
	return status;
}

void mr_result_finish(struct mr_result *result)
{
	free(result->raw);
	free(result->lease);
	free(result->all_deliveries);
	*result = (struct mr_result){.raw = NULL};
}

bool mr_is_done(mr *m, mr_request *request)
{
	return transport_poll(m, request);
}

int mr_cancel(mr *m, mr_request *request)
{
	if (transport_poll(m, request)) /* the connection may be another by now */
		return words_fail(MR_ENO_SUCH_REQUEST, "the request has ended by itself");
	return call_cancel(m, request->pending.id, MR_FOREVER);
}
