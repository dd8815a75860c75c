/* One request from its operation to its reply. */
#include "client/blocking/call.h"

#include <stdlib.h>
#include <string.h>

#include "client/machine/failure.h"
#include "client/machine/reply.h"

/* The status of a request that is done, with its message if it is an error. */
static int status_of(const struct mr_request *request)
{
	int status = request->status;

	if (status < 0)
		fail(status, "%s%s", request->text && request->text[0] ? request->text : mr_status_name(status),
		     status == MR_UNKNOWN ? "; whether it happened cannot be known" : "");
	return status;
}

int call(mr *m, int status, struct client_operation *operation, enum want want, struct mr_request *request)
{
	struct waiter waiter = {.request = request};

	*request = (struct mr_request){.want = want};
	if (status != MR_OK)
		return status;
	status = driver_lock(m);
	if (status != MR_OK) {
		operation_finish(operation);
		return status;
	}
	status = driver_submit(m, request, operation, false);
	if (status == MR_OK) {
		driver_wait(m, &waiter, MACHINE_NEVER);
		status = status_of(request);
	}
	driver_unlock(m);
	return status;
}

int call_fetch(mr *m, int status, struct client_operation *operation, enum want want, struct mr_request *request)
{
	status = call(m, status, operation, want, request);
	if (status == MR_OK && !request->text)
		status = fail(MR_EPROTOCOL, "the reply lacks what was asked for");
	return status;
}

int call_plain(mr *m, int status, struct client_operation *operation)
{
	struct mr_request request;

	status = call(m, status, operation, WANT_NOTHING, &request);
	request_finish(&request);
	return status;
}

int call_tree(mr *m, int status, struct client_operation *operation, json_t **reply)
{
	struct mr_request request;

	*reply = NULL;
	status = call_fetch(m, status, operation, WANT_BODY, &request);
	if (status == MR_OK)
		status = call_read_json(request.text, request.text_len, reply);
	request_finish(&request);
	return status;
}

int call_text(mr *m, int status, struct client_operation *operation, char **json, size_t *len)
{
	struct mr_request request;
	bool is_there;

	status = call_fetch(m, status, operation, WANT_VALUE, &request);
	is_there = status == MR_OK;
	if (len)
		*len = is_there ? request.text_len : 0;
	if (json) {
		*json = is_there ? request.text : NULL;
		if (is_there)
			request.text = NULL;
	}
	request_finish(&request);
	return status;
}

/* `give` makes a tree of the text. */
static int call_json(mr *m, int status, struct client_operation *operation,
		     int give(const char *text, size_t len, json_t **tree), json_t **out)
{
	struct mr_request request;
	json_t *tree = NULL;

	status = call_fetch(m, status, operation, WANT_VALUE, &request);
	if (status == MR_OK)
		status = give(request.text, request.text_len, &tree);
	request_finish(&request);
	return call_give_tree(status, tree, out);
}

int call_value(mr *m, int status, struct client_operation *operation, json_t **value)
{
	return call_json(m, status, operation, call_give_json, value);
}

int call_array(mr *m, int status, struct client_operation *operation, json_t **values)
{
	return call_json(m, status, operation, call_give_array, values);
}

int call_begin(mr *m, int status, struct client_operation *operation, enum want want, mr_request **request)
{
	mr_request *begun = status == MR_OK ? calloc(1, sizeof(*begun)) : NULL;
	struct waiter waiter = {.request = begun, .waits_sent = true};

	*request = NULL;
	if (status != MR_OK)
		return status;
	status = begun ? driver_lock(m) : fail(MR_EMEMORY, "not enough memory for the request");
	if (status != MR_OK) {
		operation_finish(operation);
		free(begun);
		return status;
	}
	begun->want = want;
	status = driver_submit(m, begun, operation, false);
	if (status == MR_OK) {
		driver_wait(m, &waiter, MACHINE_NEVER);
		TAILQ_INSERT_TAIL(&m->begun, begun, begun);
		*request = begun;
	}
	driver_unlock(m);
	if (status != MR_OK)
		free(begun);
	return status;
}

int call_cancel(mr *m, struct contact *contact, uint64_t id)
{
	struct client_operation operation;

	return call_plain(m, operation_cancel(&operation, contact, id), &operation);
}

/* -- requests in flight -- */

int mr_wait(mr *m, mr_request *request, struct mr_result *result)
{
	struct waiter waiter = {.request = request};
	struct mr_result came;
	int status = driver_lock(m);

	if (result)
		*result = (struct mr_result){.raw = NULL};
	if (status != MR_OK)
		return status;
	driver_wait(m, &waiter, MACHINE_NEVER);
	TAILQ_REMOVE(&m->begun, request, begun);
	status = status_of(request);
	driver_unlock(m);
	call_take_result(request, &came);
	if (status == MR_OK && request->want == WANT_VALUE && !came.raw)
		status = fail(MR_EPROTOCOL, "the reply lacks what was asked for");
	if (result)
		*result = came;
	else
		mr_result_finish(&came);
	request_finish(request);
	free(request);
	return status;
}

bool mr_is_done(mr *m, mr_request *request)
{
	bool is_done;

	if (driver_lock(m) != MR_OK)
		return true;
	driver_look(m);
	is_done = request->is_done;
	driver_unlock(m);
	return is_done;
}

int mr_cancel(mr *m, mr_request *request)
{
	int status = driver_lock(m);
	struct contact *contact = NULL; /* of whom it was asked */
	uint64_t id = 0;

	if (status != MR_OK)
		return status;
	driver_look(m);
	if (request->is_done) {
		status = fail(MR_ENO_SUCH_REQUEST, "the request has ended by itself");
	} else if (request->base.place == PLACE_WAITING) {
		status = requests_cancel(&request->base);
		driver_look(m);
	} else {
		request->base.is_cancelled = true;
		contact = request->base.contact;
		id = request->base.pending.id;
	}
	driver_unlock(m);
	return contact ? call_cancel(m, contact, id) : status;
}

/* -- results -- */

int call_give_tree(int status, json_t *tree, json_t **out)
{
	if (out)
		*out = tree;
	else
		json_decref(tree);
	return status;
}

void call_take_result(struct mr_request *request, struct mr_result *result)
{
	*result = (struct mr_result){.accepted = (size_t)request->accepted, .evicted = request->evicted};
	if (request->status < 0) /* its text is the message, which has been said */
		return;
	result->raw = request->text;
	result->raw_len = request->text_len;
	result->lease = request->lease;
	result->deliveries = request->deliveries ? reply_deliveries(slice_from(request->deliveries)) : 0;
	result->all_deliveries = request->deliveries;
	result->origin = request->origin;
	request->text = request->lease = request->deliveries = request->origin = NULL;
}

void mr_result_finish(struct mr_result *result)
{
	free(result->raw);
	free(result->lease);
	free(result->all_deliveries);
	free(result->origin);
	*result = (struct mr_result){.raw = NULL};
}

int mr_result_json(const struct mr_result *result, json_t **value)
{
	*value = NULL;
	if (!result->raw)
		return fail(MR_EARGUMENT, "the result has no value");
	return call_read_json(result->raw, result->raw_len, value);
}
