/* Requests: made, sent, ended. */
#include "client/parking/parking.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/clock.h"
#include "client/members.h"
#include "client/reply.h"
#include "client/words.h"
#include "proto/frame.h"

enum {
	MAX_OUT_BYTES = 256 * 1024, /* what is ready for the socket; the rest waits as requests */
	SILENCE_GRACE_MS = 900,     /* a request with a time-out gives a silent network this much longer: less than the second that is promised */
};

/* -- lists -- */

static void list_remove(mr_parked *request)
{
	mr_parking *p = request->p;

	switch (request->place) {
	case PARKED_WAITING:
		TAILQ_REMOVE(&p->waiting, request, entry);
		p->n_waiting_bytes -= sizeof(*request) + buffer_len(&request->members);
		break;
	case PARKED_SENT:
		TAILQ_REMOVE(&p->sent, request, entry);
		p->n_in_flight -= request->kind != PARKED_OURS;
		break;
	case PARKED_ENDING:
		TAILQ_REMOVE(&p->ending, request, entry);
		break;
	case PARKED_ENDED:
		break;
	}
	request->place = PARKED_ENDED;
}

static void wait_behind(mr_parked *request)
{
	mr_parking *p = request->p;

	request->place = PARKED_WAITING;
	TAILQ_INSERT_TAIL(&p->waiting, request, entry);
	p->n_waiting_bytes += sizeof(*request) + buffer_len(&request->members);
}

/* Its status is known; its callback comes from the loop. */
static void end_soon(mr_parked *request, int status, const char *message)
{
	list_remove(request);
	request->place = PARKED_ENDING;
	request->status = status;
	request->message = message;
	TAILQ_INSERT_TAIL(&request->p->ending, request, entry);
	parking_run_soon(request->p);
}

static void destroy(mr_parked *request)
{
	if (request->timer)
		event_free(request->timer);
	buffer_finish(&request->members);
	ephemeral_destroy(request->ephemeral);
	free(request->channel);
	free(request);
}

void requests_drop(mr_parking *p)
{
	struct parked_list *const lists[] = {&p->waiting, &p->sent, &p->ending};
	struct ephemeral *ephemeral;
	mr_parked *request;

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		while ((request = TAILQ_FIRST(lists[i]))) {
			TAILQ_REMOVE(lists[i], request, entry);
			destroy(request);
		}
	}
	while ((ephemeral = LIST_FIRST(&p->ephemerals))) {
		LIST_REMOVE(ephemeral, entry);
		ephemeral_destroy(ephemeral);
	}
}

/* -- time -- */

/* The time of a request is over. One that was never sent has not happened; for one that was, the daemon should have spoken by now. */
static void on_late(evutil_socket_t fd, short what, void *argument)
{
	mr_parked *request = argument;
	mr_parking *p = request->p;
	int64_t end_ms = (request->deadline_ms > p->moved_ms ? request->deadline_ms : p->moved_ms) + SILENCE_GRACE_MS, now_ms = clock_now_ms();

	(void)fd;
	(void)what;
	parking_enter(p);
	if (request->place == PARKED_WAITING) {
		end_soon(request, MR_TIMEOUT, "");
	} else if (request->place == PARKED_SENT && now_ms < end_ms) {
		parking_set_timer(request->timer, end_ms - now_ms);
	} else if (request->place == PARKED_SENT) {
		traffic_read(p); /* this process itself may have been stopped for a while: a last look */
		if (!p->is_dead && p->link.fd >= 0 && p->moved_ms + SILENCE_GRACE_MS <= now_ms)
			connection_break(p, MR_ECONNECTION, "no answer came in time: the network or the daemon is silent");
	}
	parking_leave(p);
}

static void set_deadline(mr_parked *request, int64_t grace_ms)
{
	if (request->timer)
		parking_set_timer(request->timer, request->deadline_ms - clock_now_ms() + grace_ms);
}

/* -- sending -- */

static bool has_room(const mr_parking *p, bool is_urgent)
{
	return p->state == PARKING_UP && (is_urgent || p->n_in_flight < p->window) && buffer_len(&p->client.out) < MAX_OUT_BYTES;
}

/* How a request that the machine did not take ends. */
static int refused(const mr_parking *p, int result)
{
	if (result == CLIENT_TOO_LARGE)
		return words_fail(MR_EARGUMENT, "the request is larger than a frame of this daemon may be (%u bytes)", p->client.max_request_bytes);
	return words_fail(MR_EMEMORY, "not enough memory for the request");
}

/* Appends the frame with these members, the count, and what is left of the time-out. `members` is left as it was. MR_OK, or an error with its words, and it is not sent. */
static int append(mr_parked *request, struct buffer *members)
{
	mr_parking *p = request->p;
	struct buffer *out = &p->client.out;
	size_t before = buffer_len(out), len = buffer_len(members), frame, all;
	int64_t left_ms = request->deadline_ms - clock_now_ms();
	struct slice text;
	int result;

	if (request->has_timeout_member && request->timeout_ms >= 0)
		message_uint(members, "timeout_ms", left_ms > 0 ? (uint64_t)left_ms : 0);
	if (request->count > 1)
		message_uint(members, "count", request->count);
	text = (struct slice){members->bytes + members->start, buffer_len(members)};
	all = text.len;
	if (members->failed)
		result = CLIENT_NO_MEMORY;
	else if (request->is_silent)
		result = client_tell(&p->client, request->op, text);
	else if (request->count > 1)
		result = client_begin_count(&p->client, &request->pending, text, request->count);
	else
		result = client_begin(&p->client, &request->pending, request->op, text);
	if (!members->failed)
		members->end = members->start + len;
	if (result != CLIENT_OK)
		return refused(p, result);
	frame = buffer_len(out) - before;
	request->begins_at = p->n_sent + before;
	request->ends_at = request->begins_at + frame;
	request->members_at = frame - 1 - all; /* the frame ends with them, and a brace */
	request->members_len = len;
	return MR_OK;
}

/* It is in the machine now. */
static void is_sent(mr_parked *request)
{
	mr_parking *p = request->p;

	request->place = PARKED_SENT;
	TAILQ_INSERT_TAIL(&p->sent, request, entry);
	p->n_in_flight += request->kind != PARKED_OURS;
	set_deadline(request, SILENCE_GRACE_MS);
	if (request->kind != PARKED_REPEATS)
		buffer_finish(&request->members);
}

void requests_pump(mr_parking *p)
{
	mr_parked *request;

	while ((request = TAILQ_FIRST(&p->waiting)) && has_room(p, request->is_urgent)) {
		int status = append(request, &request->members);

		if (status != MR_OK) {
			end_soon(request, status, status == MR_EMEMORY ? "not enough memory for the request" : "the request is larger than a frame of this daemon may be");
			continue;
		}
		list_remove(request);
		if (request->is_silent)
			destroy(request);
		else
			is_sent(request);
	}
	if (p->was_full && p->n_waiting_bytes <= p->max_waiting_bytes / 2)
		parking_run_soon(p);
}

/* -- making -- */

static mr_parked *create(mr_parking *p, const struct request_form *form)
{
	mr_parked *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->p = p;
	request->place = PARKED_ENDED;
	request->kind = form->kind;
	request->op = form->op;
	request->count = form->count ? form->count : 1;
	request->is_silent = form->is_silent;
	request->is_urgent = form->is_urgent;
	request->has_timeout_member = form->has_timeout_member;
	request->done = form->done;
	request->argument = form->argument;
	request->timeout_ms = form->timeout_ms;
	if (form->channel && !(request->channel = strdup(form->channel))) {
		free(request);
		return NULL;
	}
	if (form->timeout_ms >= 0) {
		request->deadline_ms = clock_now_ms() + form->timeout_ms;
		request->timer = form->is_silent ? NULL : evtimer_new(p->base, on_late, request);
		if (!request->timer && !form->is_silent) {
			free(request->channel);
			free(request);
			return NULL;
		}
	}
	return request;
}

/* Keeps a copy of the scratch. False: no memory. */
static bool keep_members(mr_parked *request)
{
	const struct buffer *scratch = &request->p->scratch;

	buffer_append(&request->members, scratch->bytes + scratch->start, buffer_len(scratch));
	return !request->members.failed;
}

static int queue(mr_parked *request)
{
	mr_parking *p = request->p;

	if (p->n_waiting_bytes + sizeof(*request) + buffer_len(&p->scratch) > p->max_waiting_bytes) {
		p->was_full = true;
		return words_fail(MR_EFULL, "%zu bytes of requests wait to be sent already", p->n_waiting_bytes);
	}
	if (!keep_members(request))
		return words_fail(MR_EMEMORY, "not enough memory for the request");
	wait_behind(request);
	set_deadline(request, 0);
	return MR_OK;
}

static int send_now(mr_parked *request)
{
	int status;

	if (request->kind == PARKED_REPEATS && !keep_members(request))
		return words_fail(MR_EMEMORY, "not enough memory for the request");
	status = append(request, &request->p->scratch);
	if (status == MR_OK && !request->is_silent)
		is_sent(request);
	return status;
}

static void clear_scratch(mr_parking *p)
{
	if (!p->scratch.failed) {
		buffer_clear(&p->scratch);
		return;
	}
	buffer_finish(&p->scratch);
	p->scratch = (struct buffer){0};
}

int request_make(mr_parking *p, int status, const struct request_form *form, mr_parked **out)
{
	mr_parked *request = NULL;
	bool is_now = has_room(p, form->is_urgent) && (form->is_urgent || TAILQ_EMPTY(&p->waiting));

	if (out)
		*out = NULL;
	if (status == MR_OK && !form->done && !form->is_silent)
		status = words_fail(MR_EARGUMENT, "a request needs a callback");
	if (status == MR_OK && !p->scratch.failed)
		request = create(p, form);
	if (status == MR_OK && !request)
		status = words_fail(MR_EMEMORY, "not enough memory for the request");
	if (status == MR_OK)
		status = is_now ? send_now(request) : queue(request);
	if (status == MR_OK) {
		if (is_now)
			parking_run_soon(p);
		request->ephemeral = form->ephemeral;
		p->n_pending += !form->is_silent;
		if (form->is_silent && is_now)
			destroy(request);
		else if (out && !form->is_silent)
			*out = request;
	} else {
		if (request)
			destroy(request);
		ephemeral_destroy(form->ephemeral);
	}
	clear_scratch(p);
	return status;
}

bool request_make_ours(mr_parking *p, enum message_op op, struct slice members, const char *channel)
{
	struct request_form form = {.op = op, .kind = PARKED_OURS, .timeout_ms = MR_FOREVER, .channel = channel};
	mr_parked *request = create(p, &form);

	buffer_append(&p->scratch, members.bytes, members.len);
	if (!request || p->scratch.failed || append(request, &p->scratch) != MR_OK) {
		if (request)
			destroy(request);
		request = NULL;
	} else {
		is_sent(request);
	}
	clear_scratch(p);
	return request != NULL;
}

/* -- ending -- */

/* Calls its callback for the last time, and frees it; it is in no list. */
static void tell_end(mr_parked *request, const struct mr_outcome *outcome)
{
	mr_parking *p = request->p;

	p->n_pending -= !request->is_silent && request->kind != PARKED_OURS;
	if (request->timer)
		event_del(request->timer);
	if (request->done)
		request->done(p, outcome, request->argument);
	destroy(request);
}

static void tell_ending(mr_parked *request)
{
	struct mr_outcome outcome = {
		.status = request->status,
		.is_last = true,
		.message = request->message,
		.left = request->count > 1 ? request->pending.left : 0,
	};

	list_remove(request);
	if (request->is_silent)
		parking_tell_news(request->p, MR_EVENT_PUT_FAILED, request->status, request->message, request->channel);
	tell_end(request, &outcome);
}

void requests_tell_ends(mr_parking *p)
{
	mr_parked *request, *last = TAILQ_LAST(&p->ending, parked_list); /* what comes while these are told has another turn of the loop */
	bool is_last = !last;

	while (!is_last && !p->is_dead) {
		request = TAILQ_FIRST(&p->ending);
		is_last = request == last;
		tell_ending(request);
	}
	if (!p->is_dead && p->was_full && p->n_waiting_bytes <= p->max_waiting_bytes / 2) {
		p->was_full = false;
		parking_tell_news(p, MR_EVENT_ROOM, MR_OK, "", NULL);
	}
}

/* How a request ends that was sent and is not answered. */
static int end_unanswered(const mr_parked *request, int status)
{
	bool is_whole = request->ends_at <= request->p->n_sent;

	if (request->is_cancelled && request->kind != PARKED_CHANGE)
		return MR_CANCELLED;
	return request->kind == PARKED_CHANGE && is_whole ? MR_UNKNOWN : status < 0 ? MR_ECONNECTION : status;
}

/* Its frame, of which nothing has gone, gives the members back. */
static bool take_members_back(mr_parked *request, const struct buffer *out)
{
	size_t at = (size_t)(request->begins_at - request->p->n_sent) + request->members_at;

	if (buffer_len(&request->members))
		return true;
	buffer_append(&request->members, out->bytes + out->start + at, request->members_len);
	return !request->members.failed;
}

void requests_unsend(mr_parking *p, int status)
{
	struct parked_list again = TAILQ_HEAD_INITIALIZER(again);
	const struct buffer *out = &p->client.out;
	mr_parked *request;

	while ((request = TAILQ_FIRST(&p->sent))) {
		bool is_unsent = request->begins_at >= p->n_sent;

		list_remove(request);
		if (request->kind == PARKED_OURS) {
			destroy(request);
		} else if (!request->is_cancelled && (is_unsent || request->kind == PARKED_REPEATS) && (!is_unsent || take_members_back(request, out))) {
			TAILQ_INSERT_TAIL(&again, request, entry);
		} else {
			end_soon(request, is_unsent && request->is_cancelled ? MR_CANCELLED : end_unanswered(request, status), p->broken_text);
		}
	}
	while ((request = TAILQ_LAST(&again, parked_list))) { /* before all that waits */
		TAILQ_REMOVE(&again, request, entry);
		request->place = PARKED_WAITING;
		TAILQ_INSERT_HEAD(&p->waiting, request, entry);
		p->n_waiting_bytes += sizeof(*request) + buffer_len(&request->members);
		request->count = request->count > 1 ? request->pending.left : 1;
		set_deadline(request, 0);
	}
	client_finish(&p->client);
	client_init(&p->client);
	p->n_sent = 0;
	p->n_in_flight = 0;
}

/* -- replies -- */

/* A reply to the client's own request. */
static void ours_reply(mr_parking *p, mr_parked *request, const struct message_reply *reply)
{
	char *channel = request->channel;
	enum message_op op = request->op;

	list_remove(request);
	request->channel = NULL;
	destroy(request);
	if (op == OP_HELLO) {
		connection_greeted(p, reply);
	} else if (op == OP_CREATE && reply->status != STATUS_OK) {
		ephemeral_forget(p, channel);
		snprintf(p->notice_text, sizeof p->notice_text, "%.*s", (int)(reply->message.len < 239 ? reply->message.len : 239), reply->message.bytes);
		parking_tell_news(p, MR_EVENT_CHANNEL_LOST, reply_status(reply), p->notice_text, channel);
	}
	free(channel);
}

/* What this client will have to create anew, or not any more. */
static void remember_channel(mr_parking *p, mr_parked *request, const struct message_reply *reply)
{
	if (reply->status != STATUS_OK)
		return;
	if (request->op == OP_DELETE)
		ephemeral_forget(p, request->channel);
	if (!request->ephemeral)
		return;
	ephemeral_forget(p, request->ephemeral->channel);
	LIST_INSERT_HEAD(&p->ephemerals, request->ephemeral, entry);
	request->ephemeral = NULL;
}

static const char *text_of(char *to, size_t cap, struct slice text)
{
	size_t len = text.len < cap - 1 ? text.len : cap - 1;

	if (len)
		memcpy(to, text.bytes, len);
	to[len] = '\0';
	return to;
}

static void fill_outcome(mr_parking *p, struct mr_outcome *outcome, const struct message_reply *reply, bool is_last)
{
	struct slice raw = reply->value.len ? reply->value : reply->values;

	*outcome = (struct mr_outcome){
		.status = reply_status(reply),
		.is_last = is_last,
		.message = "",
		.raw = raw.len ? raw.bytes : NULL,
		.raw_len = raw.len,
		.arm = (size_t)reply->arm,
		.accepted = reply->accepted,
		.evicted = reply->evicted,
		.left = reply->left,
		.body = reply->body.bytes,
		.body_len = reply->body.len,
	};
	if (reply->status == STATUS_ERROR)
		outcome->message = text_of(p->broken_text, sizeof p->broken_text, reply->message);
	if (reply->lease.len) {
		outcome->lease = text_of(p->lease, sizeof p->lease, reply->lease);
		outcome->deliveries = reply_deliveries(reply->deliveries);
	}
}

void request_reply(mr_parking *p, mr_parked *request, const struct message_reply *reply, bool is_last)
{
	struct mr_outcome outcome;

	if (request->kind == PARKED_OURS) {
		ours_reply(p, request, reply);
		return;
	}
	fill_outcome(p, &outcome, reply, is_last);
	if (!is_last) {
		request->done(p, &outcome, request->argument);
		return;
	}
	if (request->op == OP_CREATE || request->op == OP_DELETE)
		remember_channel(p, request, reply);
	list_remove(request);
	tell_end(request, &outcome);
}

/* -- cancelling -- */

int mr_parking_cancel(mr_parking *p, mr_parked *request)
{
	struct buffer members = {0};
	int result = CLIENT_OK;

	switch (request->place) {
	case PARKED_WAITING:
		end_soon(request, MR_CANCELLED, "");
		return MR_OK;
	case PARKED_SENT:
		break;
	case PARKED_ENDING:
	case PARKED_ENDED:
		return words_fail(MR_ENO_SUCH_REQUEST, "the request has ended already");
	}
	if (request->is_cancelled)
		return MR_OK;
	message_uint(&members, "request", request->pending.id);
	result = members.failed ? CLIENT_NO_MEMORY : client_tell(&p->client, OP_CANCEL, (struct slice){members.bytes, buffer_len(&members)});
	buffer_finish(&members);
	if (result != CLIENT_OK)
		return words_fail(MR_EMEMORY, "not enough memory for the request");
	request->is_cancelled = true;
	parking_run_soon(p);
	return MR_OK;
}

/* -- ephemeral channels -- */

void ephemeral_destroy(struct ephemeral *ephemeral)
{
	if (ephemeral)
		buffer_finish(&ephemeral->members);
	free(ephemeral);
}

void ephemeral_forget(mr_parking *p, const char *channel)
{
	struct ephemeral *ephemeral;

	LIST_FOREACH(ephemeral, &p->ephemerals, entry) {
		if (strcmp(ephemeral->channel, channel) == 0) {
			LIST_REMOVE(ephemeral, entry);
			ephemeral_destroy(ephemeral);
			return;
		}
	}
}
