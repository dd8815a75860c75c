#include "client/machine/places.h"

#include <assert.h>

struct machine_list *places_list(struct machine *machine, enum machine_place place)
{
	switch (place) {
	case PLACE_WAITING:
		return &machine->waiting;
	case PLACE_WRITING:
		return &machine->writing;
	case PLACE_SENT:
		return &machine->sent;
	case PLACE_UNCONFIRMED:
		return &machine->unconfirmed;
	case PLACE_ENDING:
		return &machine->ending;
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
size_t places_waiting_bytes(const struct machine_request *request)
{
	bool is_kept =
		request->place == PLACE_WAITING || (request->operation.is_unanswered && request->place != PLACE_NONE);

	return is_kept && !request->is_own ? sizeof(*request) + buffer_len(&request->operation.members) : 0;
}

void places_leave(struct machine *machine, struct machine_request *request)
{
	if (request->place == PLACE_NONE)
		return;
	TAILQ_REMOVE(places_list(machine, request->place), request, entry);
	machine->n_waiting_bytes -= places_waiting_bytes(request);
	machine->n_in_flight -= is_in_window(request);
	request->place = PLACE_NONE;
}

/* Takes its place in that list, in front or at the end. */
void places_enter(struct machine *machine, struct machine_request *request, enum machine_place place, bool is_in_front)
{
	places_leave(machine, request);
	request->place = place;
	if (is_in_front)
		TAILQ_INSERT_HEAD(places_list(machine, place), request, entry);
	else
		TAILQ_INSERT_TAIL(places_list(machine, place), request, entry);
	machine->n_waiting_bytes += places_waiting_bytes(request);
	machine->n_in_flight += is_in_window(request);
}

void places_remove(struct machine *machine, struct machine_request *request)
{
	places_leave(machine, request);
	if (request->is_own)
		return;
	if (request->seq != MACHINE_NO_SEQ)
		machine->n_numbered--;
	request->seq = MACHINE_NO_SEQ;
	deadlines_release(&machine->deadlines, &request->deadline);
}

void places_end(struct machine *machine, struct machine_request *request, int status, const char *message)
{
	assert(!request->is_own && request->place != PLACE_ENDING);
	deadlines_remove(&machine->deadlines, &request->deadline);
	places_enter(machine, request, PLACE_ENDING, false);
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
int64_t places_due_ms(const struct machine *machine, const struct machine_request *request)
{
	int64_t timeout_ends_ms = request->operation.is_unanswered ? MACHINE_NEVER : request->timeout_ends_ms;

	switch (request->place) {
	case PLACE_WAITING:
		if (machine->state == MACHINE_OPEN)
			return timeout_ends_ms;
		return machine->settings.is_impatient ? request->open_ends_ms : timeout_ends_ms;
	case PLACE_WRITING:
	case PLACE_SENT:
		if (timeout_ends_ms != MACHINE_NEVER && timeout_ends_ms < machine->moved_ms)
			timeout_ends_ms = machine->moved_ms;
		return places_later_ms(timeout_ends_ms, MACHINE_GRACE_MS);
	case PLACE_UNCONFIRMED:
	case PLACE_ENDING:
	case PLACE_NONE:
		break;
	}
	return MACHINE_NEVER;
}

void places_set_deadline(struct machine *machine, struct machine_request *request)
{
	int64_t at_ms = places_due_ms(machine, request);

	if (at_ms == MACHINE_NEVER)
		deadlines_remove(&machine->deadlines, &request->deadline);
	else
		deadlines_set(&machine->deadlines, &request->deadline, at_ms);
}
