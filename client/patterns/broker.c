/* The request broker. A server is a pipeline without `to`, whose workers put each answer to the channel that came with
 * the request. */
#include <stdio.h>
#include <string.h>

#include "client/patterns/sources.h"
#include "client/machine/failure.h"

static const char REPLY_PREFIX[] = "_r."; /* of the names that the daemon makes up */

/* -- asking -- */

/* What a reply says. */
static int read_reply(json_t *message, json_t **reply)
{
	json_t *found = json_object_get(message, "reply");
	const char *error = json_string_value(json_object_get(message, "error"));

	if (found && reply)
		*reply = json_incref(found);
	if (found)
		return MR_OK;
	return fail(error ? MR_EFAILED : MR_EPROTOCOL, "%s",
		    error ? error : "the answer is no reply: it has neither `reply` nor `error`");
}

static int put_until(mr *m, const char *channel, const json_t *value, int64_t deadline_ms)
{
	int64_t left_ms;
	int status;

	do {
		left_ms = patterns_left_ms(deadline_ms);
		status = mr_put(m, channel, value, left_ms);
	} while (status == MR_TIMEOUT && left_ms > 0);
	return status;
}

static int take_until(mr *m, const char *channel, json_t **value, int64_t deadline_ms)
{
	int64_t left_ms;
	int status;

	do {
		left_ms = patterns_left_ms(deadline_ms);
		status = mr_take(m, channel, value, left_ms);
	} while (status == MR_TIMEOUT && left_ms > 0);
	return status;
}

/* Puts the request and takes what comes back to `name`. */
static int exchange(mr *m, const char *channel, const char *name, const json_t *request, int64_t deadline_ms,
		    json_t **reply)
{
	json_t *message = json_object(), *answer = NULL;
	int status = MR_OK;

	if (json_object_set_new(message, "reply_to", json_string(name)) < 0 ||
	    json_object_set(message, "request", (json_t *)request) < 0) /* which only counts the reference */
		status = fail(MR_EMEMORY, "not enough memory for the request");
	if (status == MR_OK)
		status = put_until(m, channel, message, deadline_ms);
	json_decref(message);
	if (status == MR_OK)
		status = take_until(m, name, &answer, deadline_ms);
	if (status == MR_OK)
		status = read_reply(answer, reply);
	json_decref(answer);
	return status;
}

int mr_ask(mr *m, const char *channel, const json_t *request, int64_t timeout_ms, json_t **reply)
{
	static const struct mr_definition promise = {.kind = "promise", .ephemeral = true};
	int64_t deadline_ms = patterns_deadline_ms(timeout_ms);
	char failure[512], *name = NULL;
	int status;

	if (reply)
		*reply = NULL;
	if (timeout_ms < 0 || timeout_ms > INT32_MAX)
		return fail(MR_EARGUMENT, "a request needs a time-out, of 0 to %d ms: its server may die", INT32_MAX);
	if (!request)
		return fail(MR_EARGUMENT, "the request is NULL");
	status = mr_create(m, NULL, &promise, NULL, &name);
	if (status != MR_OK)
		return status;
	status = exchange(m, channel, name, request, deadline_ms, reply);
	snprintf(failure, sizeof failure, "%s", mr_message());
	(void)mr_delete(m, name, true, NULL);
	mr_free(name);
	return status < 0 ? fail(status, "%s", failure) : status;
}

/* -- answering -- */

struct responder {
	mr *m;
	const struct mr_service *service;
	uint64_t answered, unanswered; /* atomic */
};

/* The message that tells the asker that it went wrong. */
static json_t *make_error(int status, const json_t *detail)
{
	return json_pack("{s:s}", "error", json_is_string(detail) ? json_string_value(detail) : mr_status_name(status));
}

/* Asks the service. Returns the message for the asker; NULL without memory. */
static json_t *make_reply(const struct mr_service *service, json_t *request)
{
	json_t *answer = NULL, *message;
	int status = service->answer(service->context, request, &answer);

	if (status != MR_OK)
		message = make_error(status, answer);
	else if (answer)
		message = json_pack("{s:O}", "reply", answer);
	else
		message = json_pack("{s:n}", "reply");
	json_decref(answer);
	return message;
}

/* A reply that no frame can carry is replaced by an error that says so: the asker need not wait in vain. */
static int send_reply(mr *m, const char *reply_to, const json_t *message)
{
	int status = message ? mr_offer(m, reply_to, message) : MR_EMEMORY;

	if (status == MR_EARGUMENT || status == MR_EBAD_VALUE) {
		json_t *error = json_pack("{s:s}", "error", mr_message());

		status = error ? mr_offer(m, reply_to, error) : MR_EMEMORY;
		json_decref(error);
	}
	return status;
}

/* The pipeline's work: one request. */
static int serve_one(void *context, json_t *value, json_t **result)
{
	struct responder *responder = context;
	const char *reply_to = json_string_value(json_object_get(value, "reply_to"));
	json_t *request = json_object_get(value, "request"), *message;
	int status;

	(void)result; /* the answer goes its own way */
	if (!reply_to || strncmp(reply_to, REPLY_PREFIX, strlen(REPLY_PREFIX)) != 0 || !request)
		return MR_EBAD_VALUE;
	message = make_reply(responder->service, request);
	status = send_reply(responder->m, reply_to, message);
	json_decref(message);
	__atomic_fetch_add(status == MR_OK ? &responder->answered : &responder->unanswered, 1, __ATOMIC_RELAXED);
	return MR_OK;
}

/* A value that is no request: the pipeline counts it. */
static json_t *ignore(void *context, const char *json, size_t len, int status)
{
	(void)context, (void)json, (void)len, (void)status;
	return NULL;
}

static int serve(struct responder *responder, struct mr_pipeline_counts *through)
{
	struct mr_pipeline pipeline = {
		.from = responder->service->channel,
		.n = responder->service->n,
		.work = serve_one,
		.failed = ignore,
		.context = responder,
		.unordered = true,
		.stop = responder->service->stop,
	};

	return mr_pipeline(responder->m, &pipeline, through);
}

int mr_serve(mr *m, const struct mr_service *service, struct mr_service_counts *counts)
{
	struct responder responder = {.m = m, .service = service};
	struct mr_pipeline_counts through = {.taken = 0};
	int status;

	if (!service || !service->channel || !service->answer)
		status = fail(MR_EARGUMENT, "a service needs `channel` and `answer`");
	else
		status = serve(&responder, &through);
	if (counts)
		*counts = (struct mr_service_counts){through.taken, responder.answered, responder.unanswered,
						     through.failed};
	return status;
}
