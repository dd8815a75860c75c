/* How requests end: answered, cancelled, or left without an answer by a connection that has ended. */
#include "client/parking/parking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/machine/reply.h"
#include "client/machine/words.h"

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
	request_destroy(request);
}

static void tell_ending(mr_parked *request)
{
	struct mr_outcome outcome = {
		.status = request->status,
		.is_last = true,
		.message = request->message,
		.left = request->count > 1 ? request->pending.left : 0,
	};

	request_remove(request);
	if (request->is_silent)
		parking_tell_news(request->p, MR_EVENT_PUT_FAILED, request->status, request->message, request->channel);
	tell_end(request, &outcome);
}

void requests_tell_ends(mr_parking *p)
{
	mr_parked *request,
		*last = TAILQ_LAST(&p->ending,
				   parked_list); /* what comes while these are told has another turn of the loop */
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

		request_remove(request);
		if (request->kind == PARKED_OURS) {
			request_destroy(request);
		} else if (!request->is_cancelled && (is_unsent || request->kind == PARKED_REPEATS) &&
			   (!is_unsent || take_members_back(request, out))) {
			TAILQ_INSERT_TAIL(&again, request, entry);
		} else {
			request_end_soon(request,
					 is_unsent && request->is_cancelled ? MR_CANCELLED
									    : end_unanswered(request, status),
					 p->broken_text);
		}
	}
	while ((request = TAILQ_LAST(&again, parked_list))) { /* before all that waits */
		TAILQ_REMOVE(&again, request, entry);
		request->place = PARKED_WAITING;
		TAILQ_INSERT_HEAD(&p->waiting, request, entry);
		p->n_waiting_bytes += sizeof(*request) + buffer_len(&request->members);
		request->count = request->count > 1 ? request->pending.left : 1;
		request_set_deadline(request, 0);
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

	request_remove(request);
	request->channel = NULL;
	request_destroy(request);
	if (op == OP_HELLO) {
		connection_greeted(p, reply);
	} else if (op == OP_CREATE && reply->status != STATUS_OK) {
		ephemeral_forget(p, channel);
		snprintf(p->notice_text, sizeof p->notice_text, "%.*s",
			 (int)(reply->message.len < 239 ? reply->message.len : 239), reply->message.bytes);
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
		outcome->message = text_of(p->message, sizeof p->message, reply->message);
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
	request_remove(request);
	tell_end(request, &outcome);
}

/* -- cancelling -- */

int mr_parking_cancel(mr_parking *p, mr_parked *request)
{
	struct buffer members = {0};
	int result;

	switch (request->place) {
	case PARKED_WAITING:
		request_end_soon(request, MR_CANCELLED, "");
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
	result = members.failed
			 ? CLIENT_NO_MEMORY
			 : client_tell(&p->client, OP_CANCEL, (struct slice){members.bytes, buffer_len(&members)});
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

	LIST_FOREACH(ephemeral, &p->ephemerals, entry)
	{
		if (strcmp(ephemeral->channel, channel) == 0) {
			LIST_REMOVE(ephemeral, entry);
			ephemeral_destroy(ephemeral);
			return;
		}
	}
}
