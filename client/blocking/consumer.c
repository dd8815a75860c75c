/* Consumers: takes with `count`, so many that at most `credit` values are promised or here. When half of the credit is
 * used up, another request asks for that half: the daemon never waits for us between two values. Few requests are open
 * at a time, since each asks for half the credit or more.
 *
 * What comes is handed to the thread that has waited longest, or queued. Everything is guarded by the handle's lock. */
#include <assert.h>
#include <stdlib.h>

#include "client/blocking/call.h"
#include "client/millrace_stream.h"
#include "client/machine/words.h"

enum { DEFAULT_CREDIT = 64, MAX_CREDIT = 1000000 };

struct grant {                     /* one open request */
	struct mr_request request; /* first */
	LIST_ENTRY(grant) entry;
	mr_consumer *consumer;
};

struct taken { /* a value that nobody waited for */
	STAILQ_ENTRY(taken) entry;
	struct mr_result result;
};

struct taker {                     /* a thread that waits */
	struct mr_request request; /* first; local */
	TAILQ_ENTRY(taker) entry;
	struct mr_result result;
};

struct mr_consumer {
	mr *m;
	struct buffer members; /* of each request, without the count */
	size_t credit;
	size_t promised; /* that open requests may still bring */
	size_t n_here;
	LIST_HEAD(, grant) grants;
	STAILQ_HEAD(, taken) here;
	TAILQ_HEAD(, taker) takers;
	int end; /* MR_OK, or why no more is asked for */
	char *end_text;
};

static void consumer_end(mr_consumer *consumer, int status, const char *text)
{
	if (consumer->end != MR_OK)
		return;
	consumer->end = status;
	consumer->end_text = text ? strdup(text) : NULL;
}

/* Once no more can come, those who wait are told. */
static void tell_end(mr_consumer *consumer)
{
	struct taker *taker;

	if (consumer->end == MR_OK || !LIST_EMPTY(&consumer->grants))
		return;
	while ((taker = TAILQ_FIRST(&consumer->takers))) {
		TAILQ_REMOVE(&consumer->takers, taker, entry);
		request_end(consumer->m, &taker->request, consumer->end);
	}
}

/* A value for whoever has waited longest. Without a value he only looks again. */
static void give(mr_consumer *consumer, struct mr_result *result)
{
	struct taker *taker = TAILQ_FIRST(&consumer->takers);
	struct taken *taken;

	if (taker) {
		TAILQ_REMOVE(&consumer->takers, taker, entry);
		taker->result = *result;
		request_end(consumer->m, &taker->request, MR_OK);
		return;
	}
	if (!result->raw)
		return;
	taken = malloc(sizeof(*taken));
	if (!taken) { /* as with a take whose value there is no memory for */
		mr_result_finish(result);
		consumer_end(consumer, MR_EMEMORY, NULL);
		return;
	}
	taken->result = *result;
	STAILQ_INSERT_TAIL(&consumer->here, taken, entry);
	consumer->n_here++;
}

/* A value of a grant, or its end. */
static void grant_reply(struct mr *m, struct mr_request *request, const struct message_reply *reply, bool is_last)
{
	struct grant *grant = (struct grant *)request;
	mr_consumer *consumer = grant->consumer;
	bool is_value = reply && reply->status == STATUS_OK;
	int status = reply ? request_keep(request, reply) : m->broken;
	struct mr_result result;

	consumer->promised -= is_value ? 1 : request->pending.left;
	if (status == MR_OK && !request->text)
		status = MR_EPROTOCOL;
	if (status == MR_OK) {
		request_result(request, &result);
		give(consumer, &result);
	} else if (status == MR_TIMEOUT) { /* that is only the daemon's max_park_ms: whoever waits asks again */
		give(consumer, &(struct mr_result){.raw = NULL});
	} else {
		consumer_end(consumer, status, reply ? request->text : m->broken_text);
	}
	if (is_last) {
		LIST_REMOVE(grant, entry);
		request_finish(request);
		free(grant);
	}
	tell_end(consumer);
}

static struct grant *grant_create(mr_consumer *consumer)
{
	struct grant *grant = malloc(sizeof(*grant));

	if (!grant)
		return NULL;
	request_init(consumer->m, &grant->request, WANT_VALUE);
	grant->request.on_reply = grant_reply;
	grant->consumer = consumer;
	return grant;
}

/* Asks for more if half of the credit is used up. */
static void top_up(mr_consumer *consumer)
{
	size_t count = consumer->credit - consumer->promised - consumer->n_here;
	struct buffer members = {0};
	struct grant *grant;
	int status = MR_EMEMORY;

	if (consumer->end != MR_OK || count == 0 || count < consumer->credit / 2)
		return;
	buffer_append(&members, consumer->members.bytes, buffer_len(&consumer->members));
	message_uint(&members, "count", count);
	grant = grant_create(consumer);
	if (grant && !members.failed) {
		struct slice text = {members.bytes, buffer_len(&members)};

		LIST_INSERT_HEAD(&consumer->grants, grant, entry);
		consumer->promised += count;
		status = transport_begin_locked(consumer->m, &grant->request, OP_TAKE, text, count, MR_FOREVER, false);
		if (status != MR_OK) {
			LIST_REMOVE(grant, entry);
			consumer->promised -= count;
		}
	}
	if (status != MR_OK) {
		consumer_end(consumer, status, status == MR_EMEMORY ? NULL : mr_message());
		if (grant)
			request_finish(&grant->request);
		free(grant);
		tell_end(consumer);
	}
	buffer_finish(&members);
}

/* -- the API -- */

static int consumer_members(struct buffer *members, const char *channel, const struct mr_consumer_options *options)
{
	int status = members_channel(members, channel);

	if (status == MR_OK && options->credit > MAX_CREDIT)
		status = words_fail(MR_EARGUMENT, "credit is 1 to %d, or 0 for the default", MAX_CREDIT);
	if (status == MR_OK)
		status = members_lease(members, options->lease_ms, options->sticky);
	if (status == MR_OK && members->failed)
		status = words_fail(MR_EMEMORY, "not enough memory for a consumer");
	return status;
}

int mr_consumer_create(mr_consumer **out, mr *m, const char *channel, const struct mr_consumer_options *options)
{
	static const struct mr_consumer_options none;
	const struct mr_consumer_options *chosen = options ? options : &none;
	struct buffer members = {0};
	mr_consumer *consumer;
	int status = consumer_members(&members, channel, chosen);

	*out = NULL;
	consumer = status == MR_OK ? calloc(1, sizeof(*consumer)) : NULL;
	if (!consumer) {
		buffer_finish(&members);
		return status == MR_OK ? words_fail(MR_EMEMORY, "not enough memory for a consumer") : status;
	}
	consumer->m = m;
	consumer->members = members;
	consumer->credit = chosen->credit ? chosen->credit : DEFAULT_CREDIT;
	LIST_INIT(&consumer->grants);
	STAILQ_INIT(&consumer->here);
	TAILQ_INIT(&consumer->takers);
	pthread_mutex_lock(&m->lock);
	transport_ready(m, MR_FOREVER); /* if that fails, so does what follows */
	top_up(consumer);
	pthread_mutex_unlock(&m->lock);
	*out = consumer;
	return MR_OK;
}

/* Waits, as one of those who do, for the next value or the end; MR_OK without a value: look again. */
static int wait_next(mr_consumer *consumer, struct mr_result *result, int64_t deadline_ms)
{
	struct taker taker = {.result = {.raw = NULL}};
	int status;

	request_init_local(consumer->m, &taker.request, deadline_ms);
	TAILQ_INSERT_TAIL(&consumer->takers, &taker, entry);
	transport_wait_locked(consumer->m, &taker.request);
	status = taker.request.status;
	if (status == MR_TIMEOUT)
		TAILQ_REMOVE(&consumer->takers, &taker, entry);
	request_finish(&taker.request);
	*result = taker.result;
	return status;
}

int mr_consumer_next(mr_consumer *consumer, struct mr_result *result, int64_t timeout_ms)
{
	int64_t deadline_ms = timeout_ms < 0 ? MR_FOREVER : clock_now_ms() + timeout_ms;
	int status = timeout_check(timeout_ms);
	struct taken *taken;

	*result = (struct mr_result){.raw = NULL};
	if (status != MR_OK)
		return status;
	pthread_mutex_lock(&consumer->m->lock);
	while (status == MR_OK && !result->raw) {
		taken = STAILQ_FIRST(&consumer->here);
		if (taken) {
			STAILQ_REMOVE_HEAD(&consumer->here, entry);
			consumer->n_here--;
			*result = taken->result;
			free(taken);
		} else if (consumer->end != MR_OK && LIST_EMPTY(&consumer->grants)) {
			status = consumer->end;
		} else {
			top_up(consumer);
			status = wait_next(consumer, result, deadline_ms);
		}
	}
	top_up(consumer);
	if (status < 0)
		words_fail(status, "%s", consumer->end_text ? consumer->end_text : mr_status_name(status));
	pthread_mutex_unlock(&consumer->m->lock);
	return status;
}

int mr_consumer_cancel(mr_consumer *consumer, int64_t timeout_ms)
{
	int status = timeout_check(timeout_ms);

	if (status != MR_OK)
		return status;
	pthread_mutex_lock(&consumer->m->lock);
	consumer_end(consumer, MR_CANCELLED, NULL);
	while (status == MR_OK && !LIST_EMPTY(&consumer->grants)) {
		uint64_t id = LIST_FIRST(&consumer->grants)->request.pending.id;

		pthread_mutex_unlock(&consumer->m->lock);
		status = call_cancel(consumer->m, id, timeout_ms);
		pthread_mutex_lock(&consumer->m->lock);
		if (status ==
		    MR_ENO_SUCH_REQUEST) /* it had come to its end by itself, which has been told before this was */
			status = MR_OK;
		if (status == MR_OK && !LIST_EMPTY(&consumer->grants) &&
		    LIST_FIRST(&consumer->grants)->request.pending.id == id)
			status = words_fail(MR_EPROTOCOL, "a cancelled take did not end");
	}
	tell_end(consumer);
	pthread_mutex_unlock(&consumer->m->lock);
	return status;
}

/* Its values go nowhere from now on, and the daemon is told without waiting. */
static void grant_abandon(struct grant *grant)
{
	struct mr *m = grant->consumer->m;
	struct buffer members = {0};

	message_uint(&members, "request", grant->request.pending.id);
	client_forget(&m->client, &grant->request.pending);
	if (!members.failed)
		transport_tell(m, OP_CANCEL, (struct slice){members.bytes, buffer_len(&members)});
	buffer_finish(&members);
	LIST_REMOVE(grant, entry);
	request_finish(&grant->request);
	free(grant);
}

void mr_consumer_destroy(mr_consumer *consumer)
{
	struct taken *taken;

	if (!consumer)
		return;
	pthread_mutex_lock(&consumer->m->lock);
	while (!LIST_EMPTY(&consumer->grants))
		grant_abandon(LIST_FIRST(&consumer->grants));
	pthread_mutex_unlock(&consumer->m->lock);
	while ((taken = STAILQ_FIRST(&consumer->here))) {
		STAILQ_REMOVE_HEAD(&consumer->here, entry);
		mr_result_finish(&taken->result);
		free(taken);
	}
	buffer_finish(&consumer->members);
	free(consumer->end_text);
	free(consumer);
}
