/* Producers: puts whose answers nobody waits for one by one. The machine sends most of them without an id, one with an
 * id at least once in half a window, and tells of each what has become of it, when it is known. So at most `window`
 * values are unanswered. Everything is guarded by the handle's lock.
 *
 * A notice of the daemon tells that one of the puts without an id went wrong, not which. It counts as failed at once;
 * when the machine tells of so many puts, that they have entered or are unknown, the first are those that have failed.
 */
#include <stdlib.h>
#include <string.h>

#include "client/blocking/call.h"
#include "client/blocking/waiter.h"
#include "client/machine/arguments.h"
#include "client/machine/failure.h"
#include "client/millrace_stream.h"

enum { DEFAULT_WINDOW = 256, MAX_WINDOW = 1000000 };

struct produced {                  /* a put that has not ended */
	struct mr_request request; /* first */
	TAILQ_ENTRY(produced) entry;
	mr_producer *producer;
};

struct backlog { /* a thread that waits until fewer are unanswered */
	struct waiter waiter;
	TAILQ_ENTRY(backlog) entry;
	size_t most; /* how many may be unanswered when it goes on */
};

struct mr_producer {
	mr *m;
	struct notice_listener listener; /* with the channel's name, which is the producer's */
	size_t window;
	TAILQ_HEAD(, produced) unanswered; /* in their order */
	size_t n_unanswered;
	size_t n_noticed; /* of them: have failed, as notices said */
	TAILQ_HEAD(, backlog) backlogs;
	struct mr_report report;
	int failure; /* MR_OK, or how the first that went wrong did */
	char *failure_message;
};

static void producer_fail(mr_producer *producer, int status, const char *message)
{
	if (producer->failure != MR_OK)
		return;
	producer->failure = status;
	producer->failure_message = message[0] ? strdup(message) : NULL;
}

/* A put without an id has gone wrong. */
static void on_notice(struct notice_listener *listener, int status, const char *message)
{
	mr_producer *producer = (mr_producer *)((char *)listener - offsetof(mr_producer, listener));

	producer->report.failed++;
	producer->n_noticed++;
	producer_fail(producer, status, message);
}

/* A put is done with: those who wait for that go on. */
static void answered(struct produced *produced)
{
	mr_producer *producer = produced->producer;
	struct backlog *backlog, *next;

	TAILQ_REMOVE(&producer->unanswered, produced, entry);
	free(produced);
	producer->n_unanswered--;
	for (backlog = TAILQ_FIRST(&producer->backlogs); backlog; backlog = next) {
		next = TAILQ_NEXT(backlog, entry);
		if (producer->n_unanswered <= backlog->most) {
			TAILQ_REMOVE(&producer->backlogs, backlog, entry);
			waiter_wake(producer->m, &backlog->waiter);
		}
	}
}

static void on_outcome(struct mr *m, struct mr_request *request, const struct machine_event *event)
{
	struct produced *produced = (struct produced *)request;
	mr_producer *producer = produced->producer;
	bool is_noticed = producer->n_noticed > 0 && !request->base.has_id;

	(void)m;
	if (is_noticed) {
		producer->n_noticed--;
	} else if (event->status == MR_UNKNOWN) {
		producer->report.unknown++;
		producer_fail(producer, event->status, event->message[0] ? event->message : "the connection ended");
	} else if (event->status != MR_OK && event->status != MR_DROPPED) {
		producer->report.failed++;
		producer_fail(producer, event->status, event->message);
	}
	answered(produced);
}

/* Waits until at most so many are unanswered. */
static int wait_unanswered(mr_producer *producer, size_t most, int64_t deadline_ms)
{
	struct backlog backlog = {.most = most};

	if (producer->n_unanswered <= most)
		return MR_OK;
	TAILQ_INSERT_TAIL(&producer->backlogs, &backlog, entry);
	if (driver_wait(producer->m, &backlog.waiter, deadline_ms))
		return MR_OK;
	TAILQ_REMOVE(&producer->backlogs, &backlog, entry);
	return MR_TIMEOUT;
}

static int failure(const mr_producer *producer)
{
	if (producer->failure < 0)
		fail(producer->failure, "%s",
		     producer->failure_message ? producer->failure_message : mr_status_name(producer->failure));
	return producer->failure;
}

/* Waits until all that is not kept back is with the socket. */
static void wait_sent(mr_producer *producer, int64_t deadline_ms)
{
	struct waiter waiter = {.waits_sent = true};

	driver_wait(producer->m, &waiter, deadline_ms);
}

/* -- the API -- */

/* Half of what a connection may park, so that others of the handle can park too. */
static size_t default_window(const json_t *hello)
{
	uint64_t max_inflight = (uint64_t)json_integer_value(json_object_get(hello, "max_inflight"));

	return max_inflight >= 4 && max_inflight / 2 < DEFAULT_WINDOW ? (size_t)max_inflight / 2 : DEFAULT_WINDOW;
}

static mr_producer *create(mr *m, const char *channel)
{
	mr_producer *producer = calloc(1, sizeof(*producer));

	if (producer)
		producer->listener.channel = strdup(channel);
	if (!producer || !producer->listener.channel) {
		free(producer);
		return NULL;
	}
	producer->m = m;
	producer->listener.on_notice = on_notice;
	TAILQ_INIT(&producer->unanswered);
	TAILQ_INIT(&producer->backlogs);
	return producer;
}

static void destroy(mr_producer *producer)
{
	free(producer->failure_message);
	free((char *)producer->listener.channel);
	free(producer);
}

/* Two for one channel would not know whose puts a notice is of. */
static int enlist(mr_producer *producer, size_t window)
{
	mr *m = producer->m;
	struct notice_listener *other;
	int status = driver_lock(m);

	if (status != MR_OK)
		return status;
	producer->window = window ? window : default_window(m->machine.hello);
	LIST_FOREACH(other, &m->listeners, entry)
	{
		if (strcmp(other->channel, producer->listener.channel) == 0)
			status = fail(MR_EARGUMENT, "the handle has a producer for this channel already");
	}
	if (status == MR_OK)
		LIST_INSERT_HEAD(&m->listeners, &producer->listener, entry);
	driver_unlock(m);
	return status;
}

int mr_producer_create(mr_producer **out, mr *m, const char *channel, size_t window)
{
	int status = string_check("channel", channel);
	mr_producer *producer;

	*out = NULL;
	if (status == MR_OK && (window == 1 || window > MAX_WINDOW))
		status = fail(MR_EARGUMENT, "a window is 2 to %d, or 0 for the default", MAX_WINDOW);
	if (status != MR_OK)
		return status;
	producer = create(m, channel);
	if (!producer)
		return fail(MR_EMEMORY, "not enough memory for a producer");
	status = enlist(producer, window);
	if (status == MR_OK)
		*out = producer;
	else
		destroy(producer);
	return status;
}

/* Hands in the put, which is freed. */
static int produce(mr_producer *producer, struct client_operation *operation, enum mr_more more)
{
	struct produced *produced = calloc(1, sizeof(*produced));
	int status;

	if (!produced) {
		operation_finish(operation);
		return fail(MR_EMEMORY, "not enough memory for the value");
	}
	produced->request.on_outcome = on_outcome;
	produced->producer = producer;
	TAILQ_INSERT_TAIL(&producer->unanswered, produced, entry);
	producer->n_unanswered++;
	producer->report.put++;
	status = driver_submit(producer->m, &produced->request, operation, more == MR_LAST);
	if (status == MR_OK)
		return MR_OK;
	TAILQ_REMOVE(&producer->unanswered, produced, entry);
	producer->n_unanswered--;
	producer->report.put--;
	free(produced);
	return status;
}

/* With the lock held; the operation is freed. */
static int put(mr_producer *producer, struct client_operation *operation, enum mr_more more, int64_t deadline_ms)
{
	int status = MR_OK;

	if (producer->failure == MR_OK)
		status = wait_unanswered(producer, producer->window - 1, deadline_ms);
	if (status == MR_OK)
		status = failure(producer);
	if (status != MR_OK) {
		operation_finish(operation);
		return status;
	}
	status = produce(producer, operation, more);
	if (status == MR_OK)
		wait_sent(producer, deadline_ms);
	return status;
}

int mr_producer_put_raw(mr_producer *producer, const char *json, size_t len, enum mr_more more, int64_t timeout_ms)
{
	static const struct mr_put_options plain;
	int64_t deadline_ms = timeout_ms < 0 ? MACHINE_NEVER : clock_now_ms() + timeout_ms;
	struct client_operation operation;
	int status = timeout_check(timeout_ms);

	if (status == MR_OK)
		status = operation_put_unanswered(&operation, producer->listener.channel, &plain, json, len, MR_FOREVER,
						  (uint32_t)(producer->window / 2));
	if (status != MR_OK)
		return status;
	status = driver_lock(producer->m);
	if (status != MR_OK) {
		operation_finish(&operation);
		return status;
	}
	status = put(producer, &operation, more, deadline_ms);
	driver_unlock(producer->m);
	return status;
}

int mr_producer_put(mr_producer *producer, const json_t *value, enum mr_more more, int64_t timeout_ms)
{
	size_t len = 0;
	int status = MR_OK;
	char *text = json_dump(value, &len, &status);

	if (text)
		status = mr_producer_put_raw(producer, text, len, more, timeout_ms);
	free(text);
	return status;
}

/* After a failure what was never sent is not put. */
static void drop_unsent(mr_producer *producer)
{
	struct produced *produced, *next;

	for (produced = TAILQ_FIRST(&producer->unanswered); produced; produced = next) {
		next = TAILQ_NEXT(produced, entry);
		if (produced->request.base.place != PLACE_WAITING || produced->request.base.was_sent)
			continue;
		requests_forget(&produced->request.base);
		producer->report.failed++;
		answered(produced);
	}
}

static int flush(mr_producer *producer, struct mr_report *report, int64_t deadline_ms)
{
	int status;

	if (producer->failure == MR_OK)
		driver_write(producer->m, true);
	else
		drop_unsent(producer);
	status = wait_unanswered(producer, 0, deadline_ms);
	if (status != MR_OK)
		return status;
	status = failure(producer);
	if (report)
		*report = producer->report;
	producer->report = (struct mr_report){0};
	producer->n_noticed = 0;
	producer->failure = MR_OK;
	free(producer->failure_message);
	producer->failure_message = NULL;
	return status;
}

int mr_producer_flush(mr_producer *producer, struct mr_report *report, int64_t timeout_ms)
{
	int64_t deadline_ms = timeout_ms < 0 ? MACHINE_NEVER : clock_now_ms() + timeout_ms;
	int status = timeout_check(timeout_ms);

	if (status == MR_OK)
		status = driver_lock(producer->m);
	if (status != MR_OK)
		return status;
	status = flush(producer, report, deadline_ms);
	driver_unlock(producer->m);
	return status;
}

void mr_producer_destroy(mr_producer *producer)
{
	struct produced *produced;

	if (!producer || driver_lock(producer->m) != MR_OK)
		return;
	LIST_REMOVE(&producer->listener, entry);
	while ((produced = TAILQ_FIRST(&producer->unanswered))) {
		requests_forget(&produced->request.base);
		answered(produced);
	}
	driver_unlock(producer->m);
	destroy(producer);
}
