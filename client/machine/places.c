#include "client/machine/places.h"

#include <assert.h>

struct machine_list *places_list(struct contact *contact, enum request_place place)
{
	switch (place) {
	case PLACE_WAITING:
		return &contact->waiting;
	case PLACE_WRITING:
		return &contact->writing;
	case PLACE_SENT:
		return &contact->sent;
	case PLACE_UNCONFIRMED:
		return &contact->unconfirmed;
	case PLACE_ENDING:
		return &contact->machine->ending;
	case PLACE_NONE:
		break;
	}
	return NULL;
}

/* Whether it counts in the window. */
static bool is_in_window(const struct machine_request *request)
{
	return (request->place == PLACE_WRITING || request->place == PLACE_SENT) && !request->is_own &&
	       !request->operation.is_unanswered;
}

/* What waits here, or may have to be sent again unasked, takes memory that nobody else bounds. */
static size_t waiting_bytes(const struct machine_request *request)
{
	bool is_kept =
		request->place == PLACE_WAITING || (request->operation.is_unanswered && request->place != PLACE_NONE);

	return is_kept && !request->is_own ? sizeof(*request) + buffer_len(&request->operation.members) : 0;
}

void places_leave(struct machine_request *request)
{
	struct contact *contact = request->contact;

	if (request->place == PLACE_NONE)
		return;
	TAILQ_REMOVE(places_list(contact, request->place), request, entry);
	contact->machine->n_waiting_bytes -= waiting_bytes(request);
	contact->n_in_flight -= is_in_window(request);
	request->place = PLACE_NONE;
}

/* It has its place: what it counts for there. */
static void count(struct machine_request *request)
{
	request->contact->machine->n_waiting_bytes += waiting_bytes(request);
	request->contact->n_in_flight += is_in_window(request);
}

/* It is in flight no more, or has changed its connection: those who waited for that may go. */
static void let_pass(struct machine_request *request)
{
	if (request->delays)
		request->delays->n_before--;
	request->delays = NULL;
}

void places_enter(struct machine_request *request, enum request_place place)
{
	places_leave(request);
	if (place != PLACE_SENT)
		let_pass(request);
	request->place = place;
	TAILQ_INSERT_TAIL(places_list(request->contact, place), request, entry);
	count(request);
}

/* Behind which it waits, or NULL: in front of all. The urgent wait among themselves. */
static struct machine_request *predecessor(const struct machine_request *request, struct contact *contact)
{
	struct machine_request *before = TAILQ_LAST(&contact->waiting, machine_list);

	if (request->operation.is_urgent)
		while (before && !before->operation.is_urgent)
			before = TAILQ_PREV(before, machine_list, entry);
	else
		while (before && !before->operation.is_urgent && before->order > request->order)
			before = TAILQ_PREV(before, machine_list, entry);
	return before;
}

/* Lets it wait with this contact, behind that one, or (NULL) in front of all. */
static void wait_behind(struct machine_request *request, struct contact *contact, struct machine_request *before)
{
	let_pass(request);
	request->contact = contact;
	request->place = PLACE_WAITING;
	if (before)
		TAILQ_INSERT_AFTER(&contact->waiting, before, request, entry);
	else
		TAILQ_INSERT_HEAD(&contact->waiting, request, entry);
	count(request);
	places_set_deadline(request);
}

void places_wait(struct machine_request *request, struct contact *contact)
{
	places_leave(request);
	wait_behind(request, contact, predecessor(request, contact));
}

void places_wait_in_front(struct machine_request *request)
{
	places_leave(request);
	wait_behind(request, request->contact, NULL);
}

void places_remove(struct machine_request *request)
{
	struct machine *machine = request->contact->machine;

	places_leave(request);
	let_pass(request);
	if (request->is_own)
		return;
	if (request->seq != MACHINE_NO_SEQ)
		machine->n_numbered--;
	request->seq = MACHINE_NO_SEQ;
	deadlines_release(&machine->deadlines, &request->deadline);
}

void places_end(struct machine_request *request, int status, const char *message)
{
	assert(!request->is_own && request->place != PLACE_ENDING);
	deadlines_remove(&request->contact->machine->deadlines, &request->deadline);
	places_enter(request, PLACE_ENDING);
	request->status = status;
	request->message = message;
}

/* -- when something is due -- */

/* `after_ms` later; never stays never. */
int64_t places_later_ms(int64_t moment_ms, int64_t after_ms)
{
	return moment_ms == MACHINE_NEVER ? MACHINE_NEVER : moment_ms + after_ms;
}

/* When something has to be done about it, as far as is known now. What moves on the connection puts it off. */
int64_t places_due_ms(const struct machine_request *request)
{
	const struct contact *contact = request->contact;
	int64_t timeout_ends_ms = request->operation.is_unanswered ? MACHINE_NEVER : request->timeout_ends_ms;

	switch (request->place) {
	case PLACE_WAITING:
		if (request->is_cancelled)
			return request->open_ends_ms;
		if (contact->state == CONTACT_OPEN)
			return timeout_ends_ms;
		return contact->machine->settings.is_impatient ? request->open_ends_ms : timeout_ends_ms;
	case PLACE_WRITING:
	case PLACE_SENT:
		if (timeout_ends_ms != MACHINE_NEVER && timeout_ends_ms < contact->moved_ms)
			timeout_ends_ms = contact->moved_ms;
		return places_later_ms(timeout_ends_ms, MACHINE_GRACE_MS);
	case PLACE_UNCONFIRMED:
	case PLACE_ENDING:
	case PLACE_NONE:
		break;
	}
	return MACHINE_NEVER;
}

void places_set_deadline(struct machine_request *request)
{
	struct deadlines *deadlines = &request->contact->machine->deadlines;
	int64_t at_ms = places_due_ms(request);

	if (at_ms == MACHINE_NEVER)
		deadlines_remove(deadlines, &request->deadline);
	else
		deadlines_set(deadlines, &request->deadline, at_ms);
}
