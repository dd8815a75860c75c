/* Requests from their beginning to their end. */
#include "client/machine/requests.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client/machine/failure.h"
#include "client/machine/places.h"
#include "client/machine/routes.h"
#include "client/machine/sending.h"

enum { ENVELOPE_BYTES = 128 }; /* what a frame has beside an operation's members, at most */

static void destroy_own(struct machine_request *request)
{
	places_remove(request);
	operation_finish(&request->operation);
	free(request);
}

void requests_forget(struct machine_request *request)
{
	exchange_forget(&request->contact->exchange, &request->pending);
	places_remove(request);
	operation_finish(&request->operation);
}

struct machine_request *requests_abandon(struct machine *machine)
{
	struct contact *contact;

	TAILQ_FOREACH(contact, &machine->contacts, entry)
	{
		for (enum request_place place = PLACE_WAITING; place <= PLACE_ENDING; place++) {
			struct machine_request *request;

			while ((request = TAILQ_FIRST(places_list(contact, place)))) {
				exchange_forget(&request->contact->exchange, &request->pending);
				if (!request->is_own) {
					requests_forget(request);
					return request;
				}
				destroy_own(request);
			}
		}
	}
	return NULL;
}

/* -- time -- */

/* Until when it waits for a connection to this contact, if that has to be made first. In a cluster another daemon may
 * take over meanwhile, so it waits for as long as it may wait at all. */
static int64_t open_ends_ms(const struct contact *contact, const struct machine_request *request, int64_t now_ms)
{
	const struct machine *machine = contact->machine;
	int64_t within_ms = machine->settings.connect_timeout_ms;

	if (request->operation.timeout_ms >= 0 && machine->is_of_cluster)
		return request->timeout_ends_ms > now_ms + MACHINE_OPEN_MS ? request->timeout_ends_ms
									   : now_ms + MACHINE_OPEN_MS;
	if (request->operation.timeout_ms >= 0)
		within_ms = deadlines_earlier_ms(within_ms, MACHINE_OPEN_MS);
	else if (!request->was_sent && contact->next_open_ms > now_ms)
		now_ms = contact->next_open_ms;
	if (request->was_sent)
		return deadlines_earlier_ms(now_ms + within_ms,
					    places_later_ms(request->timeout_ends_ms, MACHINE_GRACE_MS));
	return now_ms + within_ms;
}

/* How a request ends that was sent, and not answered. */
static int unanswered_status(const struct machine_request *request, int status)
{
	bool is_change = request->operation.kind == OPERATION_CHANGE || request->operation.kind == OPERATION_PUT;

	if (request->is_cancelled && !is_change)
		return MR_CANCELLED;
	return is_change ? MR_UNKNOWN : status;
}

/* One that waits, and may no longer. */
static void end_waiting(struct machine_request *request, int64_t now_ms)
{
	const struct contact *contact = request->contact;
	const struct machine *machine = contact->machine;

	if (request->was_sent && (request->operation.kind == OPERATION_PUT || machine->settings.is_impatient))
		places_end(request, unanswered_status(request, MR_ECONNECTION), contact->closed_message);
	else if (contact->state != CONTACT_OPEN && machine->settings.is_impatient)
		places_end(request, MR_ECONNECT, contact->closed_message);
	else if (request->is_redirected || routes_is_without_owner(machine, &request->operation, now_ms))
		places_end(request, MR_EUNAVAILABLE, "no daemon of the cluster has the channel just now");
	else
		places_end(request, MR_TIMEOUT, "");
}

struct contact *requests_expire(struct machine *machine, int64_t now_ms)
{
	struct deadline *first;

	while ((first = deadlines_first(&machine->deadlines)) && first->due_ms <= now_ms) {
		struct machine_request *request =
			(struct machine_request *)((char *)first - offsetof(struct machine_request, deadline));

		if (places_due_ms(request) > now_ms)
			places_set_deadline(request);
		else if (request->place == PLACE_WAITING)
			end_waiting(request, now_ms);
		else
			return request->contact;
	}
	return NULL;
}

/* -- handing in -- */

/* What is not possible by now. */
static int check(struct contact *contact, const struct client_operation *operation,
		 const struct machine_request *request)
{
	struct machine *machine = contact->machine;
	const struct contact *home = machine->home;
	size_t len = buffer_len(&operation->members);

	if (home->state == CONTACT_ENDED)
		return fail(home->closed_status, "%s", home->closed_message);
	if (contact->state == CONTACT_CLOSED && contact == home && machine->settings.is_impatient &&
	    request->open_ends_ms < home->next_open_ms)
		return fail(MR_ECONNECT, "not connected: %s", home->closed_message);
	if (operation->is_unanswered && len + ENVELOPE_BYTES > contact->exchange.max_request_bytes &&
	    contact->state == CONTACT_OPEN)
		return sending_refused(contact, EXCHANGE_TOO_LARGE);
	if (machine->n_waiting_bytes &&
	    machine->n_waiting_bytes + sizeof(*request) + len > machine->settings.max_waiting_bytes &&
	    !TAILQ_EMPTY(&contact->waiting)) {
		machine->was_full = true;
		return fail(MR_EFULL, "%zu bytes of requests wait to be sent already", machine->n_waiting_bytes);
	}
	if (deadlines_reserve(&machine->deadlines) < 0)
		return fail(MR_EMEMORY, "not enough memory for the request");
	return MR_OK;
}

/* Whether it can go at once. */
static bool goes_at_once(const struct machine_request *request, int64_t now_ms)
{
	const struct contact *contact = request->contact;

	return !request->operation.is_unanswered && sending_has_room(contact, request) &&
	       (request->operation.is_urgent || TAILQ_EMPTY(&contact->waiting)) &&
	       !routes_is_held(contact->machine, &request->operation, now_ms);
}

int requests_submit(struct machine *machine, struct machine_request *request, struct client_operation *operation,
		    int64_t now_ms)
{
	struct contact *contact = routes_choose(machine, operation);
	int status;

	*request = (struct machine_request){
		.contact = contact, .operation = *operation, .order = ++machine->next_order, .seq = MACHINE_NO_SEQ};
	request->timeout_ends_ms = operation->timeout_ms < 0 ? MACHINE_NEVER : now_ms + operation->timeout_ms;
	request->open_ends_ms = open_ends_ms(contact, request, now_ms);
	status = check(contact, operation, request);
	if (status != MR_OK) {
		operation_finish(operation);
		return status;
	}
	*operation = (struct client_operation){.op = OP_NONE};
	if (!goes_at_once(request, now_ms)) {
		places_wait(request, contact);
		return MR_OK;
	}
	status = sending_send(request, true, now_ms);
	if (status != MR_OK)
		requests_forget(request);
	return status;
}

bool requests_submit_own(struct contact *contact, const struct client_operation *operation)
{
	struct machine_request *request = calloc(1, sizeof(*request));

	if (!request)
		return false;
	request->contact = contact;
	request->is_own = true;
	request->seq = MACHINE_NO_SEQ;
	request->timeout_ends_ms = MACHINE_NEVER;
	request->operation = *operation;
	request->operation.kind = OPERATION_TAKE;
	request->operation.timeout_ms = MR_FOREVER;
	request->operation.count = 1;
	request->operation.members = (struct buffer){0};
	request->operation.channel = operation->channel ? strdup(operation->channel) : NULL;
	buffer_append(&request->operation.members, operation->members.bytes, buffer_len(&operation->members));
	if ((operation->channel && !request->operation.channel) || request->operation.members.failed ||
	    sending_send(request, true, 0) != MR_OK) {
		destroy_own(request);
		return false;
	}
	return true;
}

bool requests_tells_by_number(const struct machine_request *request)
{
	return request->was_sent && request->seq != MACHINE_NO_SEQ;
}

int requests_cancel(struct machine_request *request)
{
	struct buffer members = {0};
	int result;

	switch (request->place) {
	case PLACE_WAITING:
		if (!requests_tells_by_number(request)) {
			places_end(request, MR_CANCELLED, "");
			return MR_OK;
		}
		request->is_cancelled = true;
		places_set_deadline(request);
		return MR_OK;
	case PLACE_WRITING:
	case PLACE_SENT:
	case PLACE_UNCONFIRMED:
		break;
	case PLACE_ENDING:
	case PLACE_NONE:
		return fail(MR_ENO_SUCH_REQUEST, "the request has ended already");
	}
	if (request->is_cancelled)
		return MR_OK;
	message_uint(&members, "request", request->pending.id);
	result = members.failed
			 ? EXCHANGE_NO_MEMORY
			 : exchange_tell(&request->contact->exchange, OP_CANCEL, buffer_slice(&members), SLICE(""));
	buffer_finish(&members);
	if (result != EXCHANGE_OK)
		return fail(MR_EMEMORY, "not enough memory for the request");
	request->is_cancelled = true;
	return MR_OK;
}

/* -- from one contact to another -- */

void requests_wait_for(struct machine_request *request, struct contact *contact, int64_t now_ms)
{
	if (!request->is_cancelled) /* whoever has cancelled it waits no longer than for a connection */
		request->open_ends_ms = open_ends_ms(contact, request, now_ms);
	places_wait(request, contact);
}

void requests_pass_on(struct contact *from, struct contact *to, int64_t now_ms)
{
	struct machine_request *request;

	while ((request = TAILQ_FIRST(&from->waiting))) {
		if (request->operation.contact)
			places_end(request, MR_ENO_SUCH_REQUEST, "the connection of the request has ended");
		else
			requests_wait_for(request, to, now_ms);
	}
}

/* -- when the connection has ended -- */

/* The next of what was under way, in the order of the frames. */
static struct machine_request *first_under_way(struct contact *contact)
{
	struct machine_request *sent = TAILQ_FIRST(&contact->sent), *unconfirmed = TAILQ_FIRST(&contact->unconfirmed);

	if (sent && unconfirmed)
		return sent->begins_at < unconfirmed->begins_at ? sent : unconfirmed;
	return sent ? sent : unconfirmed ? unconfirmed : TAILQ_FIRST(&contact->writing);
}

/* Whether it waits for the next connection: what had not gone wholly did not happen. */
static bool goes_again(const struct machine_request *request, int64_t now_ms)
{
	const struct machine *machine = request->contact->machine;
	bool is_whole = request->ends_at <= request->contact->n_written;
	bool may_be_in = (is_whole || request->was_sent) && request->seq != MACHINE_NO_SEQ;

	if (!machine->settings.reopens || (request->is_cancelled && !may_be_in))
		return false;
	if (machine->settings.is_impatient && places_later_ms(request->timeout_ends_ms, MACHINE_GRACE_MS) <= now_ms)
		return false;
	return !is_whole || request->operation.kind == OPERATION_REPEATS || request->seq != MACHINE_NO_SEQ;
}

void requests_unsend(struct contact *contact, int status, bool was_open, int64_t now_ms)
{
	uint64_t next_id = contact->exchange.next_id;
	struct machine_list again = TAILQ_HEAD_INITIALIZER(again);
	struct machine_request *request;

	while ((request = first_under_way(contact))) {
		bool is_whole = request->ends_at <= contact->n_written;

		if (request->is_own) {
			destroy_own(request);
		} else if (goes_again(request, now_ms)) {
			if (request->operation.count > 1)
				request->operation.count = request->pending.left;
			request->was_sent = request->was_sent || is_whole;
			places_leave(request);
			TAILQ_INSERT_TAIL(&again, request, entry);
		} else {
			places_end(request,
				   is_whole || request->was_sent ? unanswered_status(request, status)
				   : request->is_cancelled       ? MR_CANCELLED
								 : status,
				   contact->closed_message);
		}
	}
	contact->run = 0;
	contact->n_written = 0;
	exchange_finish(&contact->exchange);
	exchange_init(&contact->exchange);
	contact->exchange.next_id = next_id; /* so that nobody takes a request of now for one of then */
	TAILQ_FOREACH(request, &contact->waiting, entry)
	{
		if (was_open) /* else it has waited for some time by now */
			request->open_ends_ms = open_ends_ms(contact, request, now_ms);
		places_set_deadline(request);
	}
	while ((request = TAILQ_LAST(&again, machine_list))) {
		TAILQ_REMOVE(&again, request, entry);
		if (was_open)
			request->open_ends_ms = open_ends_ms(contact, request, now_ms);
		places_wait_in_front(request);
	}
}

void requests_end_unsent(struct contact *contact, int status)
{
	struct machine_request *request, *next;

	for (request = TAILQ_FIRST(&contact->waiting); request; request = next) {
		next = TAILQ_NEXT(request, entry);
		if (!request->was_sent)
			places_end(request, status, contact->closed_message);
	}
}

void requests_check_numbers(struct contact *contact)
{
	struct machine_request *request, *next;

	for (request = TAILQ_FIRST(&contact->waiting); request && !contact->knows_once; request = next) {
		next = TAILQ_NEXT(request, entry);
		if (request->seq == MACHINE_NO_SEQ)
			continue;
		sending_take_number_away(request);
		if (request->was_sent)
			places_end(request, MR_UNKNOWN, "the daemon that is there now does not know puts by number");
	}
}
