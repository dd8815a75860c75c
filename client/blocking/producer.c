/* Producers: puts whose answers nobody waits for one by one. Most go without an id; one with an id, a mark, comes at
 * least once in half a window, and whenever it is not known that another put follows. Once a mark is answered `ok`, all
 * before it have entered or were reported, since puts of one connection enter a channel in their order. So at most
 * `window` values are unanswered, and a flush, which makes a mark of the value that was kept back, knows about all.
 *
 * A mark that goes wrong says nothing of the puts before it, which may be parked still: those that were not reported
 * are counted as unknown. Everything is guarded by the handle's lock. */
#include <stdlib.h>

#include "client/blocking/call.h"
#include "client/millrace_stream.h"
#include "client/machine/words.h"

enum { DEFAULT_WINDOW = 256, MAX_WINDOW = 1000000, ENVELOPE_BYTES = 40 /* around the members, at most */ };

struct mark {
	struct mr_request request; /* first */
	TAILQ_ENTRY(mark) entry;
	mr_producer *producer;
	size_t covers; /* puts since the last mark, itself included */
};

TAILQ_HEAD(waiter_queue, producer_waiter);

struct producer_waiter {           /* a thread that waits until fewer are unanswered */
	struct mr_request request; /* first; local */
	TAILQ_ENTRY(producer_waiter) entry;
	size_t most; /* how many may be unanswered when it goes on */
};

struct mr_producer {
	mr *m;
	struct notice_listener listener; /* with the channel's name, which is the producer's */
	size_t window;
	struct buffer kept; /* the members of the put that is kept back; empty: there is none */
	size_t n_unmarked;  /* puts that were sent since the last mark */
	size_t n_reported;  /* of the puts without an id that no answered mark covers yet: gone wrong */
	size_t n_unanswered;
	TAILQ_HEAD(, mark) marks;
	struct waiter_queue waiters;
	struct mr_report report;
	int failure; /* MR_OK, or how the first that went wrong did */
	char *failure_text;
};

static mr_producer *producer_of(struct notice_listener *listener)
{
	return (mr_producer *)((char *)listener - offsetof(mr_producer, listener));
}

static void producer_fail(mr_producer *producer, int status, const char *text, size_t len)
{
	if (producer->failure != MR_OK)
		return;
	producer->failure = status;
	producer->failure_text = text ? strndup(text, len) : NULL;
}

/* So many puts are done with: those who wait for that go on. */
static void answered(mr_producer *producer, size_t n)
{
	struct producer_waiter *waiter, *next;

	producer->n_unanswered -= n;
	for (waiter = TAILQ_FIRST(&producer->waiters); waiter; waiter = next) {
		next = TAILQ_NEXT(waiter, entry);
		if (producer->n_unanswered <= waiter->most) {
			TAILQ_REMOVE(&producer->waiters, waiter, entry);
			request_end(producer->m, &waiter->request, MR_OK);
		}
	}
}

/* So many puts without an id, of which nothing more will be heard, but for what was reported: how many are unknown? */
static size_t unreported(mr_producer *producer, size_t n)
{
	size_t n_reported = producer->n_reported < n ? producer->n_reported : n;

	producer->n_reported -= n_reported;
	return n - n_reported;
}

/* No mark will tell of the puts since the last one. */
static void lose_unmarked(mr_producer *producer)
{
	size_t n = producer->n_unmarked;

	producer->n_unmarked = 0;
	producer->report.unknown += unreported(producer, n);
	answered(producer, n);
}

/* A put without an id has gone wrong, or all that are on their way are lost with the connection. */
static void on_notice(struct notice_listener *listener, int status, const struct message_reply *reply)
{
	mr_producer *producer = producer_of(listener);

	if (reply) {
		producer->report.failed++;
		producer->n_reported++;
		producer_fail(producer, status, reply->message.bytes, reply->message.len);
	} else if (producer->n_unmarked) {
		producer_fail(producer, MR_UNKNOWN, producer->m->broken_text, strlen(producer->m->broken_text));
		lose_unmarked(producer);
	}
}

/* A mark's answer, or the end of the connection. */
static void on_mark(struct mr *m, struct mr_request *request, const struct message_reply *reply, bool is_last)
{
	struct mark *mark = (struct mark *)request;
	mr_producer *producer = mark->producer;
	int status = reply ? request_keep(request, reply) : MR_UNKNOWN;
	size_t n_before = unreported(producer, mark->covers - 1);

	(void)is_last;
	TAILQ_REMOVE(&producer->marks, mark, entry);
	if (!reply) {
		producer->report.unknown += n_before + 1;
		producer_fail(producer, status, m->broken_text, strlen(m->broken_text));
	} else if (status != MR_OK && status != MR_DROPPED) {
		producer->report.failed++;
		producer->report.unknown += n_before;
		producer_fail(producer, status, request->text, request->text ? strlen(request->text) : 0);
	}
	answered(producer, mark->covers);
	request_finish(request);
	free(mark);
}

/* Waits until at most so many are unanswered. */
static int wait_unanswered(mr_producer *producer, size_t most, int64_t deadline_ms)
{
	struct producer_waiter waiter = {.most = most};
	int status;

	if (producer->n_unanswered <= most)
		return MR_OK;
	request_init_local(producer->m, &waiter.request, deadline_ms);
	TAILQ_INSERT_TAIL(&producer->waiters, &waiter, entry);
	transport_wait_locked(producer->m, &waiter.request);
	status = waiter.request.status;
	if (status == MR_TIMEOUT)
		TAILQ_REMOVE(&producer->waiters, &waiter, entry);
	request_finish(&waiter.request);
	return status;
}

/* Sends a put with an id. */
static int send_mark(mr_producer *producer, struct slice members)
{
	struct mark *mark = malloc(sizeof(*mark));
	int status;

	if (!mark)
		return words_fail(MR_EMEMORY, "not enough memory for the request");
	request_init(producer->m, &mark->request, WANT_NOTHING);
	mark->request.on_reply = on_mark;
	mark->producer = producer;
	mark->covers = producer->n_unmarked + 1;
	TAILQ_INSERT_TAIL(&producer->marks, mark, entry);
	producer->n_unanswered++;
	producer->n_unmarked = 0;
	status = transport_begin_locked(producer->m, &mark->request, OP_PUT, members, 1, MR_FOREVER, false);
	if (status != MR_OK) {
		TAILQ_REMOVE(&producer->marks, mark, entry);
		producer->n_unmarked = mark->covers - 1;
		producer->n_unanswered--;
		request_finish(&mark->request);
		free(mark);
	}
	return status;
}

/* Sends what was kept back, with another put behind it. */
static int send_kept(mr_producer *producer)
{
	struct slice members = {producer->kept.bytes, buffer_len(&producer->kept)};
	int status;

	if (members.len == 0)
		return MR_OK;
	if (producer->n_unmarked + 1 >= producer->window / 2) {
		status = send_mark(producer, members);
	} else {
		producer->n_unmarked++;
		producer->n_unanswered++;
		status = transport_tell(producer->m, OP_PUT, members);
		if (status != MR_OK) {
			producer->n_unmarked--;
			producer->n_unanswered--;
		}
	}
	if (status == MR_OK)
		buffer_clear(&producer->kept);
	return status;
}

static int failure(const mr_producer *producer)
{
	if (producer->failure < 0)
		words_fail(producer->failure, "%s",
			   producer->failure_text ? producer->failure_text : mr_status_name(producer->failure));
	return producer->failure;
}

/* -- the API -- */

/* Half of what a connection may park, so that others of the handle can park too. */
static size_t default_window(uint64_t max_inflight)
{
	return max_inflight >= 4 && max_inflight / 2 < DEFAULT_WINDOW ? (size_t)max_inflight / 2 : DEFAULT_WINDOW;
}

int mr_producer_create(mr_producer **out, mr *m, const char *channel, size_t window)
{
	uint64_t max_inflight;
	int status = text_check("channel", channel);
	struct notice_listener *other;
	mr_producer *producer;

	*out = NULL;
	if (status == MR_OK && (window == 1 || window > MAX_WINDOW))
		status = words_fail(MR_EARGUMENT, "a window is 2 to %d, or 0 for the default", MAX_WINDOW);
	if (status != MR_OK)
		return status;
	producer = calloc(1, sizeof(*producer));
	if (producer)
		producer->listener.channel = strdup(channel);
	if (!producer || !producer->listener.channel) {
		free(producer);
		return words_fail(MR_EMEMORY, "not enough memory for a producer");
	}
	producer->m = m;
	producer->listener.on_notice = on_notice;
	pthread_mutex_lock(&m->lock);
	max_inflight = (uint64_t)json_integer_value(json_object_get(m->hello, "max_inflight"));
	pthread_mutex_unlock(&m->lock);
	producer->window = window ? window : default_window(max_inflight);
	TAILQ_INIT(&producer->marks);
	TAILQ_INIT(&producer->waiters);

	pthread_mutex_lock(&m->lock);
	LIST_FOREACH(other, &m->listeners, entry)
	if (strcmp(other->channel, channel) == 0)
		status = words_fail(MR_EARGUMENT, "the handle has a producer for this channel already");
	if (status == MR_OK)
		LIST_INSERT_HEAD(&m->listeners, &producer->listener, entry);
	pthread_mutex_unlock(&m->lock);
	if (status == MR_OK) {
		*out = producer;
	} else {
		free((char *)producer->listener.channel);
		free(producer);
	}
	return status;
}

/* The put with these members, which are freed. */
static int producer_put(mr_producer *producer, struct buffer *members, enum mr_more more, int64_t timeout_ms)
{
	int64_t deadline_ms = timeout_ms < 0 ? MR_FOREVER : clock_now_ms() + timeout_ms;
	struct slice text = {members->bytes, buffer_len(members)};
	int status = MR_OK;

	if (producer->failure == MR_OK)
		status = transport_ready(producer->m, timeout_ms);
	if (status == MR_OK && producer->failure == MR_OK)
		status = wait_unanswered(producer, producer->window - 2, deadline_ms);
	if (status == MR_OK)
		status = failure(producer);
	if (status == MR_OK && text.len + ENVELOPE_BYTES > producer->m->client.max_request_bytes)
		status = words_fail(MR_EARGUMENT, "the value is larger than a frame of this daemon may be");
	if (status == MR_OK)
		status = send_kept(producer);
	if (status == MR_OK && more == MR_LAST)
		status = send_mark(producer, text);
	if (status != MR_OK)
		goto out;
	producer->report.put++;
	if (more == MR_MORE) { /* `kept` is empty now */
		struct buffer spare = producer->kept;

		producer->kept = *members;
		*members = spare;
	}
	if (transport_drain(producer->m, timeout_ms) != MR_OK)
		status = failure(producer);
out:
	buffer_finish(members);
	return status;
}

int mr_producer_put_raw(mr_producer *producer, const char *json, size_t len, enum mr_more more, int64_t timeout_ms)
{
	struct buffer members = {0};
	int status = timeout_check(timeout_ms);

	if (status == MR_OK)
		status = members_put(&members, producer->listener.channel, false, json, len);
	if (status == MR_OK && members.failed)
		status = words_fail(MR_EMEMORY, "not enough memory for the value");
	if (status != MR_OK) {
		buffer_finish(&members);
		return status;
	}
	pthread_mutex_lock(&producer->m->lock);
	status = producer_put(producer, &members, more, timeout_ms);
	pthread_mutex_unlock(&producer->m->lock);
	return status;
}

int mr_producer_put(mr_producer *producer, const json_t *value, enum mr_more more, int64_t timeout_ms)
{
	size_t len = 0;
	int status = MR_OK;
	char *text = json_text_from(value, &len, &status);

	if (text)
		status = mr_producer_put_raw(producer, text, len, more, timeout_ms);
	free(text);
	return status;
}

/* Makes a mark of what was kept back; where that is of no use any more, it is not put. */
static void finish_run(mr_producer *producer, int64_t timeout_ms)
{
	struct slice kept = {producer->kept.bytes, buffer_len(&producer->kept)};

	if (kept.len && producer->failure == MR_OK) {
		int status = send_mark(producer, kept);

		if (status == MR_OK)
			transport_drain(producer->m, timeout_ms);
		else
			producer_fail(producer, status, mr_message(), strlen(mr_message()));
		producer->report.failed += status != MR_OK;
	} else if (kept.len) {
		producer->report.failed++;
	}
	buffer_clear(&producer->kept);
	lose_unmarked(producer);
}

int mr_producer_flush(mr_producer *producer, struct mr_report *report, int64_t timeout_ms)
{
	int64_t deadline_ms = timeout_ms < 0 ? MR_FOREVER : clock_now_ms() + timeout_ms;
	int status = timeout_check(timeout_ms);

	if (status != MR_OK)
		return status;
	pthread_mutex_lock(&producer->m->lock);
	finish_run(producer, timeout_ms);
	status = wait_unanswered(producer, 0, deadline_ms);
	if (status == MR_OK) {
		status = failure(producer);
		if (report)
			*report = producer->report;
		producer->report = (struct mr_report){0};
		producer->failure = MR_OK;
		free(producer->failure_text);
		producer->failure_text = NULL;
	}
	pthread_mutex_unlock(&producer->m->lock);
	return status;
}

void mr_producer_destroy(mr_producer *producer)
{
	struct mark *mark;

	if (!producer)
		return;
	pthread_mutex_lock(&producer->m->lock);
	LIST_REMOVE(&producer->listener, entry);
	while ((mark = TAILQ_FIRST(&producer->marks))) {
		TAILQ_REMOVE(&producer->marks, mark, entry);
		client_forget(&producer->m->client, &mark->request.pending);
		request_finish(&mark->request);
		free(mark);
	}
	pthread_mutex_unlock(&producer->m->lock);
	buffer_finish(&producer->kept);
	free(producer->failure_text);
	free((char *)producer->listener.channel);
	free(producer);
}
