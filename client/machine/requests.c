/* Requests from their beginning to their end. */
#include "client/machine/requests.h"

#include <assert.h>
#include <stdlib.h>

#include "client/machine/failure.h"
#include "client/machine/places.h"
#include "client/machine/sending.h"

enum { ENVELOPE_BYTES = 128 }; /* what a frame has beside an operation's members, at most */

static void destroy_own(struct machine *machine, struct machine_request *request)
{
	places_remove(machine, request);
	operation_finish(&request->operation);
	free(request);
}

void requests_forget(struct machine *machine, struct machine_request *request)
{
	exchange_forget(&machine->exchange, &request->pending);
	places_remove(machine, request);
	operation_finish(&request->operation);
}

struct machine_request *requests_abandon(struct machine *machine)
{
	for (enum machine_place place = PLACE_WAITING; place <= PLACE_ENDING; place++) {
		struct machine_request *request;

		while ((request = TAILQ_FIRST(places_list(machine, place)))) {
			exchange_forget(&machine->exchange, &request->pending);
			if (!request->is_own) {
				requests_forget(machine, request);
				return request;
			}
			destroy_own(machine, request);
		}
	}
	return NULL;
}

void requests_init(struct machine *machine)
{
	for (enum machine_place place = PLACE_WAITING; place <= PLACE_ENDING; place++)
		TAILQ_INIT(places_list(machine, place));
}

void requests_finish(struct machine *machine)
{
	while (requests_abandon(machine))
		;
	deadlines_finish(&machine->deadlines);
	buffer_finish(&machine->tail);
}

/* -- time -- */

static int64_t earlier_of(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Until when it waits for a connection, if that has to be made first. */
static int64_t open_ends_ms(const struct machine *machine, const struct machine_request *request, int64_t now_ms)
{
	int64_t within_ms = machine->settings.connect_timeout_ms;

	if (request->operation.timeout_ms >= 0)
		within_ms = earlier_of(within_ms, MACHINE_OPEN_MS);
	else if (!request->was_sent && machine->next_open_ms > now_ms)
		now_ms = machine->next_open_ms;
	if (request->was_sent)
		return earlier_of(now_ms + within_ms, places_later_ms(request->timeout_ends_ms, MACHINE_GRACE_MS));
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

bool requests_expire(struct machine *machine, int64_t now_ms)
{
	struct deadline *first;

	while ((first = deadlines_first(&machine->deadlines)) && first->due_ms <= now_ms) {
		struct machine_request *request =
			(struct machine_request *)((char *)first - offsetof(struct machine_request, deadline));
		bool is_waiting = request->place == PLACE_WAITING;

		if (places_due_ms(machine, request) > now_ms)
			places_set_deadline(machine, request);
		else if (!is_waiting)
			return true;
		else if (request->was_sent &&
			 (request->operation.kind == OPERATION_PUT || machine->settings.is_impatient))
			places_end(machine, request, unanswered_status(request, MR_ECONNECTION),
				   machine->closed_message);
		else if (machine->state != MACHINE_OPEN && machine->settings.is_impatient)
			places_end(machine, request, MR_ECONNECT, machine->closed_message);
		else
			places_end(machine, request, MR_TIMEOUT, "");
	}
	return false;
}

/* -- handing in -- */

/* What is not possible by now. */
static int check(struct machine *machine, const struct client_operation *operation,
		 const struct machine_request *request, int64_t now_ms)
{
	size_t len = buffer_len(&operation->members);

	if (machine->state == MACHINE_ENDED)
		return fail(machine->closed_status, "%s", machine->closed_message);
	if (machine->state == MACHINE_CLOSED && machine->settings.is_impatient &&
	    open_ends_ms(machine, request, now_ms) < machine->next_open_ms)
		return fail(MR_ECONNECT, "not connected: %s", machine->closed_message);
	if (operation->is_unanswered && len + ENVELOPE_BYTES > machine->exchange.max_request_bytes &&
	    machine->state == MACHINE_OPEN)
		return sending_refused(machine, EXCHANGE_TOO_LARGE);
	if (machine->n_waiting_bytes &&
	    machine->n_waiting_bytes + sizeof(*request) + len > machine->settings.max_waiting_bytes &&
	    !TAILQ_EMPTY(&machine->waiting)) {
		machine->was_full = true;
		return fail(MR_EFULL, "%zu bytes of requests wait to be sent already", machine->n_waiting_bytes);
	}
	if (deadlines_reserve(&machine->deadlines) < 0)
		return fail(MR_EMEMORY, "not enough memory for the request");
	return MR_OK;
}

/* Those that are urgent go before what waits for room. */
static void queue(struct machine *machine, struct machine_request *request)
{
	struct machine_request *before = TAILQ_FIRST(&machine->waiting);

	while (before && (before->operation.is_urgent || !request->operation.is_urgent))
		before = request->operation.is_urgent ? TAILQ_NEXT(before, entry) : NULL;
	places_enter(machine, request, PLACE_WAITING, false);
	if (before) {
		TAILQ_REMOVE(&machine->waiting, request, entry);
		TAILQ_INSERT_BEFORE(before, request, entry);
	}
	places_set_deadline(machine, request);
}

int requests_submit(struct machine *machine, struct machine_request *request, struct client_operation *operation,
		    int64_t now_ms)
{
	int status;

	*request = (struct machine_request){.operation = *operation, .seq = MACHINE_NO_SEQ};
	request->timeout_ends_ms = operation->timeout_ms < 0 ? MACHINE_NEVER : now_ms + operation->timeout_ms;
	request->open_ends_ms = open_ends_ms(machine, request, now_ms);
	status = check(machine, operation, request, now_ms);
	if (status != MR_OK) {
		operation_finish(operation);
		return status;
	}
	*operation = (struct client_operation){.op = OP_NONE};
	if (!request->operation.is_unanswered && sending_has_room(machine, request) &&
	    (request->operation.is_urgent || TAILQ_EMPTY(&machine->waiting))) {
		status = sending_send(machine, request, true, now_ms);
		if (status != MR_OK)
			requests_forget(machine, request);
		return status;
	}
	queue(machine, request);
	return MR_OK;
}

bool requests_submit_own(struct machine *machine, enum message_op op, struct slice members, const char *channel)
{
	struct machine_request *request = calloc(1, sizeof(*request));

	if (!request)
		return false;
	request->is_own = true;
	request->seq = MACHINE_NO_SEQ;
	request->timeout_ends_ms = MACHINE_NEVER;
	request->operation =
		(struct client_operation){.op = op, .kind = OPERATION_TAKE, .timeout_ms = MR_FOREVER, .count = 1};
	request->operation.channel = channel ? strdup(channel) : NULL;
	buffer_append(&request->operation.members, members.bytes, members.len);
	if ((channel && !request->operation.channel) || request->operation.members.failed ||
	    sending_send(machine, request, true, 0) != MR_OK) {
		destroy_own(machine, request);
		return false;
	}
	return true;
}

int requests_cancel(struct machine *machine, struct machine_request *request)
{
	struct buffer members = {0};
	int result;

	switch (request->place) {
	case PLACE_WAITING:
		places_end(machine, request, MR_CANCELLED, "");
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
			 : exchange_tell(&machine->exchange, OP_CANCEL,
					 (struct slice){buffer_front(&members), buffer_len(&members)}, SLICE(""));
	buffer_finish(&members);
	if (result != EXCHANGE_OK)
		return fail(MR_EMEMORY, "not enough memory for the request");
	request->is_cancelled = true;
	return MR_OK;
}

/* -- when the connection has ended -- */

/* The next of what was under way, in the order of the frames. */
static struct machine_request *first_under_way(struct machine *machine)
{
	struct machine_request *sent = TAILQ_FIRST(&machine->sent), *unconfirmed = TAILQ_FIRST(&machine->unconfirmed);

	if (sent && unconfirmed)
		return sent->begins_at < unconfirmed->begins_at ? sent : unconfirmed;
	return sent ? sent : unconfirmed ? unconfirmed : TAILQ_FIRST(&machine->writing);
}

/* Whether it waits for the next connection: what had not gone wholly did not happen. */
static bool goes_again(const struct machine *machine, const struct machine_request *request, int64_t now_ms)
{
	bool is_whole = request->ends_at <= machine->n_written;

	if (!machine->settings.reopens || request->is_cancelled)
		return false;
	if (machine->settings.is_impatient && places_later_ms(request->timeout_ends_ms, MACHINE_GRACE_MS) <= now_ms)
		return false;
	return !is_whole || request->operation.kind == OPERATION_REPEATS || request->seq != MACHINE_NO_SEQ;
}

static void prepend(struct machine *machine, struct machine_list *again)
{
	struct machine_request *request;

	while ((request = TAILQ_LAST(again, machine_list))) {
		TAILQ_REMOVE(again, request, entry);
		places_enter(machine, request, PLACE_WAITING, true);
	}
	TAILQ_FOREACH(request, &machine->waiting, entry)
	places_set_deadline(machine, request);
}

void requests_unsend(struct machine *machine, int status, bool was_open, int64_t now_ms)
{
	struct machine_list again = TAILQ_HEAD_INITIALIZER(again);
	uint64_t next_id = machine->exchange.next_id;
	struct machine_request *request;

	while ((request = first_under_way(machine))) {
		bool is_whole = request->ends_at <= machine->n_written;

		if (request->is_own) {
			destroy_own(machine, request);
		} else if (goes_again(machine, request, now_ms)) {
			if (request->operation.count > 1)
				request->operation.count = request->pending.left;
			request->was_sent = request->was_sent || is_whole;
			places_leave(machine, request);
			TAILQ_INSERT_TAIL(&again, request, entry);
		} else {
			places_end(machine, request,
				   is_whole || request->was_sent ? unanswered_status(request, status)
				   : request->is_cancelled       ? MR_CANCELLED
								 : status,
				   machine->closed_message);
		}
	}
	machine->run = 0;
	machine->n_written = 0;
	exchange_finish(&machine->exchange);
	exchange_init(&machine->exchange);
	machine->exchange.next_id = next_id; /* so that nobody takes a request of now for one of then */
	TAILQ_CONCAT(&again, &machine->waiting, entry);
	TAILQ_INIT(&machine->waiting);
	TAILQ_FOREACH(request, &again, entry)
	{
		if (request->place == PLACE_WAITING) {
			machine->n_waiting_bytes -= places_waiting_bytes(request);
			request->place = PLACE_NONE;
		}
		if (was_open) /* else it has waited for some time by now */
			request->open_ends_ms = open_ends_ms(machine, request, now_ms);
	}
	prepend(machine, &again);
}

void requests_end_unsent(struct machine *machine, int status)
{
	struct machine_request *request, *next;

	for (request = TAILQ_FIRST(&machine->waiting); request; request = next) {
		next = TAILQ_NEXT(request, entry);
		if (!request->was_sent)
			places_end(machine, request, status, machine->closed_message);
	}
}

void requests_check_numbers(struct machine *machine)
{
	struct machine_request *request, *next;

	for (request = TAILQ_FIRST(&machine->waiting); request && !machine->knows_once; request = next) {
		next = TAILQ_NEXT(request, entry);
		if (request->seq == MACHINE_NO_SEQ)
			continue;
		sending_take_number_away(machine, request);
		if (request->was_sent)
			places_end(machine, request, MR_UNKNOWN,
				   "the daemon that is there now does not know puts by number");
	}
}
