/* Consumers: takes with `count`, so many that at most `credit` values are promised or here. When half of the credit is
 * used up, another request asks for that half: the daemon never waits for us between two values. Few requests are open
 * at a time, since each asks for half the credit or more.
 *
 * What comes is handed to the thread that has waited longest, or queued. Everything is guarded by the handle's lock. */
#include <stdlib.h>
#include <string.h>

#include "client/blocking/call.h"
#include "client/blocking/waiter.h"
#include "client/machine/arguments.h"
#include "client/machine/failure.h"
#include "client/millrace_stream.h"

enum { DEFAULT_CREDIT = 64, MAX_CREDIT = 1000000 };

struct grant {                     /* one open request */
	struct mr_request request; /* first */
	LIST_ENTRY(grant) entry;
	mr_consumer *consumer;
	uint64_t left; /* how many values it may still bring */
};

struct arrival { /* a value that nobody waited for */
	STAILQ_ENTRY(arrival) entry;
	struct mr_result result;
};

struct demand { /* a thread that waits for a value */
	struct waiter waiter;
	TAILQ_ENTRY(demand) entry;
	struct mr_result result;
};

struct mr_consumer {
	mr *m;
	char *channel;
	struct mr_take_options options;
	size_t credit;
	size_t promised; /* that open requests may still bring */
	size_t n_here;
	LIST_HEAD(, grant) grants;
	STAILQ_HEAD(, arrival) here;
	TAILQ_HEAD(, demand) demands;
	int end; /* MR_OK, or why no more is asked for */
	char *end_message;
};

static void consumer_end(mr_consumer *consumer, int status, const char *message)
{
	if (consumer->end != MR_OK)
		return;
	consumer->end = status;
	consumer->end_message = message && message[0] ? strdup(message) : NULL;
}

/* Whoever has waited longest goes on, with this result; without a value he looks again. */
static bool satisfy(mr_consumer *consumer, const struct mr_result *result)
{
	struct demand *demand = TAILQ_FIRST(&consumer->demands);

	if (!demand)
		return false;
	TAILQ_REMOVE(&consumer->demands, demand, entry);
	demand->result = *result;
	waiter_wake(consumer->m, &demand->waiter);
	return true;
}

/* Once no more can come, those who wait are told. */
static void tell_end(mr_consumer *consumer)
{
	if (consumer->end == MR_OK || !LIST_EMPTY(&consumer->grants))
		return;
	while (satisfy(consumer, &(struct mr_result){.raw = NULL}))
		;
}

/* A value for whoever has waited longest, or to be kept. */
static void give(mr_consumer *consumer, struct mr_result *result)
{
	struct arrival *arrival;

	if (satisfy(consumer, result))
		return;
	arrival = malloc(sizeof(*arrival));
	if (!arrival) { /* as with a take whose value there is no memory for */
		mr_result_finish(result);
		consumer_end(consumer, MR_EMEMORY, NULL);
		return;
	}
	arrival->result = *result;
	STAILQ_INSERT_TAIL(&consumer->here, arrival, entry);
	consumer->n_here++;
}

static void grant_destroy(struct grant *grant)
{
	LIST_REMOVE(grant, entry);
	grant->consumer->promised -= grant->left;
	request_finish(&grant->request);
	free(grant);
}

/* A value of a grant, or its end. */
static void on_grant(struct mr *m, struct mr_request *request, const struct machine_event *event)
{
	struct grant *grant = (struct grant *)request;
	mr_consumer *consumer = grant->consumer;
	struct mr_result result;

	(void)m;
	request_keep(request, event);
	if (event->status == MR_OK) {
		grant->left--;
		consumer->promised--;
	}
	if (request->status == MR_OK && !request->text)
		request->status = MR_EPROTOCOL;
	if (request->status == MR_OK) {
		call_take_result(request, &result);
		give(consumer, &result);
	} else if (request->status ==
		   MR_TIMEOUT) { /* that is only the daemon's max_park_ms: whoever waits asks again */
		satisfy(consumer, &(struct mr_result){.raw = NULL});
	} else {
		consumer_end(consumer, request->status, request->text);
	}
	request_finish(request);
	if (event->is_last)
		grant_destroy(grant);
	tell_end(consumer);
}

/* Asks for so many. MR_OK, or an error with its message. */
static int ask(mr_consumer *consumer, uint64_t count)
{
	struct grant *grant = calloc(1, sizeof(*grant));
	struct client_operation operation;
	int status;

	if (!grant)
		return fail(MR_EMEMORY, "not enough memory for the request");
	grant->request.want = WANT_VALUE;
	grant->request.on_outcome = on_grant;
	grant->consumer = consumer;
	grant->left = count;
	status = operation_take_count(&operation, consumer->channel, count, &consumer->options, MR_FOREVER);
	operation.kind = OPERATION_TAKE; /* a consumer ends with its connection, leased or not */
	consumer->promised += count;
	LIST_INSERT_HEAD(&consumer->grants, grant, entry);
	if (status == MR_OK)
		status = driver_submit(consumer->m, &grant->request, &operation, false);
	if (status != MR_OK)
		grant_destroy(grant);
	return status;
}

/* Asks for more if half of the credit is used up. */
static void top_up(mr_consumer *consumer)
{
	size_t count = consumer->credit - consumer->promised - consumer->n_here;
	int status;

	if (consumer->end != MR_OK || count == 0 || count < consumer->credit / 2)
		return;
	status = ask(consumer, count);
	if (status != MR_OK) {
		consumer_end(consumer, status, mr_message());
		tell_end(consumer);
	}
}

/* -- the API -- */

/* Whether such takes are possible, by making one. */
static int check(const char *channel, const struct mr_consumer_options *options)
{
	struct mr_take_options take = {.lease_ms = options->lease_ms, .sticky = options->sticky};
	struct client_operation operation;
	int status;

	if (options->credit > MAX_CREDIT)
		return fail(MR_EARGUMENT, "credit is 1 to %d, or 0 for the default", MAX_CREDIT);
	status = operation_take(&operation, channel, &take, MR_FOREVER);
	if (status == MR_OK)
		operation_finish(&operation);
	return status;
}

int mr_consumer_create(mr_consumer **out, mr *m, const char *channel, const struct mr_consumer_options *options)
{
	static const struct mr_consumer_options none;
	const struct mr_consumer_options *chosen = options ? options : &none;
	int status = check(channel, chosen);
	mr_consumer *consumer;

	*out = NULL;
	if (status != MR_OK)
		return status;
	consumer = calloc(1, sizeof(*consumer));
	if (consumer)
		consumer->channel = strdup(channel);
	status = consumer && consumer->channel ? driver_lock(m) : fail(MR_EMEMORY, "not enough memory for a consumer");
	if (status != MR_OK) {
		if (consumer)
			free(consumer->channel);
		free(consumer);
		return status;
	}
	consumer->m = m;
	consumer->options = (struct mr_take_options){.lease_ms = chosen->lease_ms, .sticky = chosen->sticky};
	consumer->credit = chosen->credit ? chosen->credit : DEFAULT_CREDIT;
	LIST_INIT(&consumer->grants);
	STAILQ_INIT(&consumer->here);
	TAILQ_INIT(&consumer->demands);
	top_up(consumer);
	driver_unlock(m);
	*out = consumer;
	return MR_OK;
}

/* Waits, as one of those who do, for the next value or the end; MR_OK without a value: look again. */
static int wait_next(mr_consumer *consumer, struct mr_result *result, int64_t deadline_ms)
{
	struct demand demand = {.result = {.raw = NULL}};

	TAILQ_INSERT_TAIL(&consumer->demands, &demand, entry);
	if (!driver_wait(consumer->m, &demand.waiter, deadline_ms)) {
		TAILQ_REMOVE(&consumer->demands, &demand, entry);
		return MR_TIMEOUT;
	}
	*result = demand.result;
	return MR_OK;
}

static void take_first(mr_consumer *consumer, struct mr_result *result)
{
	struct arrival *first = STAILQ_FIRST(&consumer->here);

	STAILQ_REMOVE_HEAD(&consumer->here, entry);
	consumer->n_here--;
	*result = first->result;
	free(first);
}

/* With the lock held. */
static int next(mr_consumer *consumer, struct mr_result *result, int64_t deadline_ms)
{
	int status = MR_OK;
	bool has_looked = false;

	while (status == MR_OK && !result->raw) {
		if (!STAILQ_EMPTY(&consumer->here)) {
			take_first(consumer, result);
		} else if (consumer->end != MR_OK && LIST_EMPTY(&consumer->grants)) {
			status = consumer->end;
		} else if (!has_looked) {
			top_up(consumer);
			driver_look(consumer->m);
			has_looked = true;
		} else {
			top_up(consumer);
			status = wait_next(consumer, result, deadline_ms);
		}
	}
	top_up(consumer);
	return status;
}

int mr_consumer_next(mr_consumer *consumer, struct mr_result *result, int64_t timeout_ms)
{
	int64_t deadline_ms = timeout_ms < 0 ? MACHINE_NEVER : clock_now_ms() + timeout_ms;
	int status = timeout_check(timeout_ms);

	*result = (struct mr_result){.raw = NULL};
	if (status == MR_OK)
		status = driver_lock(consumer->m);
	if (status != MR_OK)
		return status;
	status = next(consumer, result, deadline_ms);
	if (status < 0)
		fail(status, "%s", consumer->end_message ? consumer->end_message : mr_status_name(status));
	driver_unlock(consumer->m);
	return status;
}

/* Asks for the end of the first grant, and waits for it, without the lock. */
static int cancel_first(mr_consumer *consumer)
{
	struct machine_request *first = &LIST_FIRST(&consumer->grants)->request.base;
	struct contact *contact = first->contact;
	uint64_t id = first->pending.id;
	struct mr *m = consumer->m;
	int status;

	if (first->place == PLACE_WAITING) {
		status = requests_cancel(first);
		driver_look(m);
		return status;
	}
	driver_unlock(m);
	status = call_cancel(m, contact, id);
	if (driver_lock(m) != MR_OK)
		abort();                   /* the process is the same as just before */
	if (status == MR_ENO_SUCH_REQUEST) /* it had come to its end by itself, which has been told before this was */
		status = MR_OK;
	if (status == MR_OK && !LIST_EMPTY(&consumer->grants) &&
	    LIST_FIRST(&consumer->grants)->request.base.pending.id == id)
		status = fail(MR_EPROTOCOL, "a cancelled take did not end");
	return status;
}

int mr_consumer_cancel(mr_consumer *consumer, int64_t timeout_ms)
{
	int status = timeout_check(timeout_ms);

	if (status == MR_OK)
		status = driver_lock(consumer->m);
	if (status != MR_OK)
		return status;
	consumer_end(consumer, MR_CANCELLED, NULL);
	while (status == MR_OK && !LIST_EMPTY(&consumer->grants))
		status = cancel_first(consumer);
	tell_end(consumer);
	driver_unlock(consumer->m);
	return status;
}

/* Its values go nowhere from now on, and the daemon is told without waiting. */
static void grant_abandon(struct grant *grant)
{
	if (grant->request.base.place == PLACE_WRITING || grant->request.base.place == PLACE_SENT)
		(void)requests_cancel(&grant->request.base);
	requests_forget(&grant->request.base);
	grant_destroy(grant);
}

void mr_consumer_destroy(mr_consumer *consumer)
{
	struct mr_result result;

	if (!consumer || driver_lock(consumer->m) != MR_OK)
		return;
	while (!LIST_EMPTY(&consumer->grants))
		grant_abandon(LIST_FIRST(&consumer->grants));
	driver_write(consumer->m, false);
	driver_unlock(consumer->m);
	while (!STAILQ_EMPTY(&consumer->here)) {
		take_first(consumer, &result);
		mr_result_finish(&result);
	}
	free(consumer->channel);
	free(consumer->end_message);
	free(consumer);
}
