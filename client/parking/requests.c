/* Requests: made, and sent, at once or when there is room; and the end of their time. */
#include "client/parking/parking.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/blocking/clock.h"
#include "client/machine/members.h"
#include "client/machine/reply.h"
#include "client/machine/words.h"
#include "proto/frame.h"

enum {
	MAX_SPARE = 256,            /* requests that are kept for the next ones */
	MAX_OUT_BYTES = 256 * 1024, /* what is ready for the socket; the rest waits as requests */
	SILENCE_GRACE_MS = 900,     /* what a request with a time-out gives a silent network beyond it */
};

/* -- lists -- */

void request_remove(mr_parked *request)
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

void request_end_soon(mr_parked *request, int status, const char *message)
{
	request_remove(request);
	request->place = PARKED_ENDING;
	request->status = status;
	request->message = message;
	TAILQ_INSERT_TAIL(&request->p->ending, request, entry);
	parking_run_soon(request->p);
}

void request_destroy(mr_parked *request)
{
	if (request->timer)
		event_free(request->timer);
	buffer_finish(&request->members);
	ephemeral_destroy(request->ephemeral);
	free(request->channel);
	if (request->p->is_dead || request->p->n_spare == MAX_SPARE) {
		free(request);
	} else {
		TAILQ_INSERT_HEAD(&request->p->spare, request, entry);
		request->p->n_spare++;
	}
}

void requests_drop(mr_parking *p)
{
	struct parked_list *const lists[] = {&p->waiting, &p->sent, &p->ending};
	struct ephemeral *ephemeral;
	mr_parked *request;

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		while ((request = TAILQ_FIRST(lists[i]))) {
			TAILQ_REMOVE(lists[i], request, entry);
			request_destroy(request);
		}
	}
	while ((request = TAILQ_FIRST(&p->spare))) {
		TAILQ_REMOVE(&p->spare, request, entry);
		free(request);
	}
	while ((ephemeral = LIST_FIRST(&p->ephemerals))) {
		LIST_REMOVE(ephemeral, entry);
		ephemeral_destroy(ephemeral);
	}
}

/* -- time -- */

/* The time of a request is over. One that was never sent has not happened; for one that was, the daemon should have
 * spoken by now. */
static void on_late(evutil_socket_t fd, short what, void *argument)
{
	mr_parked *request = argument;
	mr_parking *p = request->p;
	int64_t end_ms = (request->deadline_ms > p->moved_ms ? request->deadline_ms : p->moved_ms) + SILENCE_GRACE_MS;
	int64_t now_ms = clock_now_ms();

	(void)fd;
	(void)what;
	parking_enter(p);
	if (request->place == PARKED_WAITING) {
		request_end_soon(request, MR_TIMEOUT, "");
	} else if (request->place == PARKED_SENT && now_ms < end_ms) {
		parking_set_timer(request->timer, end_ms - now_ms);
	} else if (request->place == PARKED_SENT) {
		traffic_read(p); /* this process itself may have been stopped for a while: a last look */
		if (!p->is_dead && p->link.fd >= 0 && p->moved_ms + SILENCE_GRACE_MS <= now_ms)
			connection_break(p, MR_ECONNECTION,
					 "no answer came in time: the network or the daemon is silent");
	}
	parking_leave(p);
}

void request_set_deadline(mr_parked *request, int64_t grace_ms)
{
	if (request->timer)
		parking_set_timer(request->timer, request->deadline_ms - clock_now_ms() + grace_ms);
}

/* -- sending -- */

static bool has_room(const mr_parking *p, bool is_urgent)
{
	return p->state == PARKING_UP && (is_urgent || p->n_in_flight < p->window) &&
	       buffer_len(&p->client.out) < MAX_OUT_BYTES;
}

/* How a request that the machine did not take ends. */
static int refused(const mr_parking *p, int result)
{
	if (result == CLIENT_TOO_LARGE)
		return words_fail(MR_EARGUMENT, "the request is larger than a frame of this daemon may be (%u bytes)",
				  p->client.max_request_bytes);
	return words_fail(MR_EMEMORY, "not enough memory for the request");
}

/* Appends the frame with these members, the count, and what is left of the time-out. `members` is left as it was.
 * MR_OK, or an error with its words, and it is not sent. */
static int append(mr_parked *request, struct buffer *members)
{
	mr_parking *p = request->p;
	struct buffer *out = &p->client.out;
	size_t before = buffer_len(out), len = buffer_len(members), frame, all;
	struct slice text;
	int result;

	if (request->has_timeout_member && request->timeout_ms >= 0) {
		int64_t left_ms = request->deadline_ms - clock_now_ms();

		message_uint(members, "timeout_ms", left_ms > 0 ? (uint64_t)left_ms : 0);
	}
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
	request_set_deadline(request, SILENCE_GRACE_MS);
	if (request->kind != PARKED_REPEATS)
		buffer_finish(&request->members);
}

void requests_pump(mr_parking *p)
{
	mr_parked *request;

	while ((request = TAILQ_FIRST(&p->waiting)) && has_room(p, request->is_urgent)) {
		int status = append(request, &request->members);

		if (status != MR_OK) {
			request_end_soon(request, status,
					 status == MR_EMEMORY
						 ? "not enough memory for the request"
						 : "the request is larger than a frame of this daemon may be");
			continue;
		}
		request_remove(request);
		if (request->is_silent)
			request_destroy(request);
		else
			is_sent(request);
	}
	if (p->was_full && p->n_waiting_bytes <= p->max_waiting_bytes / 2)
		parking_run_soon(p);
}

/* -- making -- */

static mr_parked *create(mr_parking *p, const struct request_form *form)
{
	mr_parked *request = TAILQ_FIRST(&p->spare);

	if (request) {
		TAILQ_REMOVE(&p->spare, request, entry);
		p->n_spare--;
	} else {
		request = malloc(sizeof(*request));
		if (!request)
			return NULL;
	}
	*request = (mr_parked){
		.p = p,
		.place = PARKED_ENDED,
		.kind = form->kind,
		.op = form->op,
		.count = form->count ? form->count : 1,
		.is_silent = form->is_silent,
		.is_urgent = form->is_urgent,
		.has_timeout_member = form->has_timeout_member,
		.done = form->done,
		.argument = form->argument,
		.timeout_ms = form->timeout_ms,
	};
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

	if (p->n_waiting_bytes &&
	    p->n_waiting_bytes + sizeof(*request) + buffer_len(&p->scratch) > p->max_waiting_bytes) {
		p->was_full = true;
		return words_fail(MR_EFULL, "%zu bytes of requests wait to be sent already", p->n_waiting_bytes);
	}
	if (!keep_members(request))
		return words_fail(MR_EMEMORY, "not enough memory for the request");
	wait_behind(request);
	request_set_deadline(request, 0);
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
			request_destroy(request);
		else if (out && !form->is_silent)
			*out = request;
	} else {
		if (request)
			request_destroy(request);
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
			request_destroy(request);
		request = NULL;
	} else {
		is_sent(request);
	}
	clear_scratch(p);
	return request != NULL;
}
