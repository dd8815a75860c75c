#include "client/machine/sending.h"

#include <string.h>

#include "client/machine/failure.h"
#include "client/machine/places.h"
#include "client/machine/routes.h"

bool sending_has_room(const struct contact *contact, const struct machine_request *request)
{
	return contact->state == CONTACT_OPEN &&
	       (request->operation.is_urgent || contact->n_in_flight < contact->window) &&
	       buffer_len(&contact->exchange.out) < MACHINE_OUT_BYTES;
}

int sending_refused(const struct contact *contact, int result)
{
	if (result == EXCHANGE_TOO_LARGE)
		return fail(MR_EARGUMENT, "the request is larger than a frame of this daemon may be (%u bytes)",
			    contact->exchange.max_request_bytes);
	return fail(MR_EMEMORY, "not enough memory for the request");
}

/* Whether puts have numbers here: if they may have to be sent again. */
static bool has_numbers(const struct contact *contact)
{
	return contact->knows_once && (contact->machine->settings.reopens || contact->is_of_cluster);
}

/* A put gets its number when it is first sent, and keeps it. */
static void give_number(struct machine_request *request)
{
	struct machine *machine = request->contact->machine;

	if (request->operation.kind != OPERATION_PUT || !has_numbers(request->contact) ||
	    request->seq != MACHINE_NO_SEQ || machine->n_numbered >= MACHINE_NUMBERED_PUTS)
		return;
	request->seq = machine->next_seq++;
	machine->n_numbered++;
}

void sending_take_number_away(struct machine_request *request)
{
	if (request->seq != MACHINE_NO_SEQ)
		request->contact->machine->n_numbered--;
	request->seq = MACHINE_NO_SEQ;
}

/* The members that depend on the moment: what is left of the time-out and the count, and the number of a put. */
static struct slice write_tail(struct machine_request *request, int64_t now_ms)
{
	struct machine *machine = request->contact->machine;
	struct client_operation *operation = &request->operation;
	struct buffer *tail = &machine->tail;
	bool is_full_time = machine->settings.is_impatient && !request->was_sent &&
			    !request->is_redirected; /* it waited for a connection only */

	buffer_clear(tail);
	request->told_ms = is_full_time || request->timeout_ends_ms == MACHINE_NEVER ? operation->timeout_ms
			   : request->timeout_ends_ms > now_ms                       ? request->timeout_ends_ms - now_ms
										     : 0;
	if (request->is_cancelled)
		message_uint(tail, "timeout_ms", 0);
	else if (operation->has_timeout && operation->timeout_ms >= 0)
		message_uint(tail, "timeout_ms", (uint64_t)request->told_ms);
	if (operation->count > 1)
		message_uint(tail, "count", operation->count);
	if (request->seq != MACHINE_NO_SEQ) {
		message_string(tail, "producer", slice_from(machine->settings.producer));
		message_uint(tail, "seq", request->seq);
	}
	return buffer_slice(tail);
}

static int append(struct machine_request *request, bool has_id, int64_t now_ms)
{
	struct exchange *exchange = &request->contact->exchange;
	struct buffer *written = &request->contact->machine->tail;
	const struct client_operation *operation = &request->operation;
	struct slice members = buffer_slice(&operation->members);
	struct slice tail = write_tail(request, now_ms);

	if (written->failed) {
		buffer_finish(written);
		return EXCHANGE_NO_MEMORY;
	}
	if (has_id)
		return exchange_begin(exchange, &request->pending, operation->op, members, tail, operation->count);
	return exchange_tell(exchange, operation->op, members, tail);
}

/* Appends its frame. MR_OK, or an error with its message, and it is not sent. */
int sending_send(struct machine_request *request, bool has_id, int64_t now_ms)
{
	struct contact *contact = request->contact;
	size_t before = buffer_len(&contact->exchange.out);
	int result;

	give_number(request);
	result = append(request, has_id, now_ms);
	if (result == EXCHANGE_TOO_LARGE && request->seq != MACHINE_NO_SEQ && !request->was_sent) {
		sending_take_number_away(request); /* it may fit without */
		result = append(request, has_id, now_ms);
	}
	request->has_id = has_id;
	request->is_flushed = true;
	request->begins_at = contact->n_written + before;
	request->ends_at = contact->n_written + buffer_len(&contact->exchange.out);
	if (result != EXCHANGE_OK)
		return sending_refused(contact, result);
	places_enter(request, PLACE_WRITING);
	if (!request->is_own)
		places_set_deadline(request);
	return MR_OK;
}

/* Whether another put without an answer follows on the same channel. */
static bool is_followed(const struct machine_request *request)
{
	const struct machine_request *next = TAILQ_NEXT(request, entry);

	return next && next->operation.is_unanswered &&
	       strcmp(next->operation.channel, request->operation.channel) == 0;
}

/* Whether such a put has to wait: for what follows it, or until fewer are unconfirmed. */
static bool is_kept_back(const struct machine_request *request)
{
	if (!request->operation.is_unanswered)
		return false;
	return (!request->is_flushed && !TAILQ_NEXT(request, entry)) ||
	       (has_numbers(request->contact) && request->seq == MACHINE_NO_SEQ &&
		request->contact->machine->n_numbered >= MACHINE_NUMBERED_PUTS);
}

/* Sends one that waits, or ends it. */
static void send_next(struct machine_request *request, int64_t now_ms)
{
	struct contact *contact = request->contact;
	bool has_id = !request->operation.is_unanswered || !is_followed(request) ||
		      contact->run + 1 >= request->operation.run;
	int status = sending_send(request, has_id, now_ms);

	contact->run = has_id ? 0 : contact->run + 1;
	if (status == MR_OK)
		return;
	if (request->operation.is_unanswered && has_id)
		sending_confirm(request, status);
	places_end(request, status,
		   status == MR_EMEMORY ? "not enough memory for the request"
					: "the request is larger than a frame of this daemon may be");
}

void sending_pump(struct contact *contact, bool flush, int64_t now_ms)
{
	struct machine_request *request, *next;

	if (flush) { /* they may have to wait all the same, for room or for a connection: so each keeps it */
		TAILQ_FOREACH(request, &contact->waiting, entry)
		{
			request->is_flushed = true;
		}
	}
	for (request = TAILQ_FIRST(&contact->waiting); request && sending_has_room(contact, request); request = next) {
		next = TAILQ_NEXT(request, entry);
		if (routes_is_held(contact->machine, &request->operation, now_ms))
			continue;
		if (is_kept_back(request))
			return;
		send_next(request, now_ms);
	}
}

void sending_written(struct contact *contact, int64_t now_ms)
{
	struct machine_request *request;

	while ((request = TAILQ_FIRST(&contact->writing)) && request->ends_at <= contact->n_written) {
		if (request->timeout_ends_ms != MACHINE_NEVER) /* it counts from when the daemon reads it */
			request->timeout_ends_ms = now_ms + request->told_ms;
		places_enter(request, request->has_id ? PLACE_SENT : PLACE_UNCONFIRMED);
	}
}

void sending_confirm(const struct machine_request *put, int status)
{
	bool have_entered = status == MR_OK || status == MR_DROPPED;
	struct machine_request *request, *next;

	for (request = TAILQ_FIRST(&put->contact->unconfirmed); request && request->begins_at < put->begins_at;
	     request = next) {
		next = TAILQ_NEXT(request, entry);
		if (strcmp(request->operation.channel, put->operation.channel) == 0)
			places_end(request, have_entered ? MR_OK : MR_UNKNOWN, "");
	}
}
