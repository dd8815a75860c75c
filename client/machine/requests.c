/* Requests from their beginning to their end. */
#include "client/machine/requests.h"

#include <assert.h>
#include <stdlib.h>

#include "client/machine/failure.h"
#include "proto/frame.h"

enum { ENVELOPE_BYTES = 128 }; /* what a frame has beside an operation's members, at most */

/* -- lists -- */

static struct machine_list *list_of(struct machine *machine, enum machine_place place)
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
static size_t waiting_bytes(const struct machine_request *request)
{
	bool is_kept =
		request->place == PLACE_WAITING || (request->operation.is_unanswered && request->place != PLACE_NONE);

	return is_kept && !request->is_own ? sizeof(*request) + buffer_len(&request->operation.members) : 0;
}

static void leave_list(struct machine *machine, struct machine_request *request)
{
	if (request->place == PLACE_NONE)
		return;
	TAILQ_REMOVE(list_of(machine, request->place), request, entry);
	machine->n_waiting_bytes -= waiting_bytes(request);
	machine->n_in_flight -= is_in_window(request);
	request->place = PLACE_NONE;
}

/* Takes its place in that list, in front or at the end. */
static void enter_list(struct machine *machine, struct machine_request *request, enum machine_place place,
		       bool is_in_front)
{
	leave_list(machine, request);
	request->place = place;
	if (is_in_front)
		TAILQ_INSERT_HEAD(list_of(machine, place), request, entry);
	else
		TAILQ_INSERT_TAIL(list_of(machine, place), request, entry);
	machine->n_waiting_bytes += waiting_bytes(request);
	machine->n_in_flight += is_in_window(request);
}

void requests_remove(struct machine *machine, struct machine_request *request)
{
	leave_list(machine, request);
	if (request->is_own)
		return;
	if (request->seq != MACHINE_NO_SEQ)
		machine->n_numbered--;
	request->seq = MACHINE_NO_SEQ;
	deadlines_release(&machine->deadlines, &request->deadline);
}

void requests_end(struct machine *machine, struct machine_request *request, int status, const char *message)
{
	assert(!request->is_own && request->place != PLACE_ENDING);
	deadlines_remove(&machine->deadlines, &request->deadline);
	enter_list(machine, request, PLACE_ENDING, false);
	request->status = status;
	request->message = message;
}

static void destroy_own(struct machine *machine, struct machine_request *request)
{
	requests_remove(machine, request);
	operation_finish(&request->operation);
	free(request);
}

void requests_forget(struct machine *machine, struct machine_request *request)
{
	exchange_forget(&machine->exchange, &request->pending);
	requests_remove(machine, request);
	operation_finish(&request->operation);
}

struct machine_request *requests_abandon(struct machine *machine)
{
	for (enum machine_place place = PLACE_WAITING; place <= PLACE_ENDING; place++) {
		struct machine_request *request;

		while ((request = TAILQ_FIRST(list_of(machine, place)))) {
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
		TAILQ_INIT(list_of(machine, place));
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

/* `after_ms` later; never stays never. */
static int64_t later_ms(int64_t moment_ms, int64_t after_ms)
{
	return moment_ms == MACHINE_NEVER ? MACHINE_NEVER : moment_ms + after_ms;
}

/* When something has to be done about it, as far as is known now. What moves on the connection puts it off. */
static int64_t due_ms(const struct machine *machine, const struct machine_request *request)
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
		return later_ms(timeout_ends_ms, MACHINE_GRACE_MS);
	case PLACE_UNCONFIRMED:
	case PLACE_ENDING:
	case PLACE_NONE:
		break;
	}
	return MACHINE_NEVER;
}

static void set_deadline(struct machine *machine, struct machine_request *request)
{
	int64_t at_ms = due_ms(machine, request);

	if (at_ms == MACHINE_NEVER)
		deadlines_remove(&machine->deadlines, &request->deadline);
	else
		deadlines_set(&machine->deadlines, &request->deadline, at_ms);
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
		return earlier_of(now_ms + within_ms, later_ms(request->timeout_ends_ms, MACHINE_GRACE_MS));
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

		if (due_ms(machine, request) > now_ms)
			set_deadline(machine, request);
		else if (!is_waiting)
			return true;
		else if (request->was_sent &&
			 (request->operation.kind == OPERATION_PUT || machine->settings.is_impatient))
			requests_end(machine, request, unanswered_status(request, MR_ECONNECTION),
				     machine->closed_message);
		else if (machine->state != MACHINE_OPEN && machine->settings.is_impatient)
			requests_end(machine, request, MR_ECONNECT, machine->closed_message);
		else
			requests_end(machine, request, MR_TIMEOUT, "");
	}
	return false;
}

/* -- sending -- */

static bool has_room(const struct machine *machine, const struct machine_request *request)
{
	return machine->state == MACHINE_OPEN &&
	       (request->operation.is_urgent || machine->n_in_flight < machine->window) &&
	       buffer_len(&machine->exchange.out) < MACHINE_OUT_BYTES;
}

static int refused(const struct machine *machine, int result)
{
	if (result == EXCHANGE_TOO_LARGE)
		return fail(MR_EARGUMENT, "the request is larger than a frame of this daemon may be (%u bytes)",
			    machine->exchange.max_request_bytes);
	return fail(MR_EMEMORY, "not enough memory for the request");
}

/* A put gets its number when it is first sent, and keeps it. */
static void give_number(struct machine *machine, struct machine_request *request)
{
	if (request->operation.kind != OPERATION_PUT || !machine->knows_once || !machine->settings.reopens ||
	    request->seq != MACHINE_NO_SEQ || machine->n_numbered >= MACHINE_NUMBERED_PUTS)
		return;
	request->seq = machine->next_seq++;
	machine->n_numbered++;
}

static void take_number_away(struct machine *machine, struct machine_request *request)
{
	if (request->seq != MACHINE_NO_SEQ)
		machine->n_numbered--;
	request->seq = MACHINE_NO_SEQ;
}

/* The members that depend on the moment: what is left of the time-out and the count, and the number of a put. */
static struct slice write_tail(struct machine *machine, struct machine_request *request, int64_t now_ms)
{
	struct operation *operation = &request->operation;
	struct buffer *tail = &machine->tail;
	bool is_full_time = machine->settings.is_impatient && !request->was_sent; /* it waited for a connection only */

	buffer_clear(tail);
	request->told_ms = is_full_time || request->timeout_ends_ms == MACHINE_NEVER ? operation->timeout_ms
			   : request->timeout_ends_ms > now_ms                       ? request->timeout_ends_ms - now_ms
										     : 0;
	if (operation->has_timeout && operation->timeout_ms >= 0)
		message_uint(tail, "timeout_ms", (uint64_t)request->told_ms);
	if (operation->count > 1)
		message_uint(tail, "count", operation->count);
	if (request->seq != MACHINE_NO_SEQ) {
		message_string(tail, "producer", slice_from(machine->settings.producer));
		message_uint(tail, "seq", request->seq);
	}
	return (struct slice){buffer_front(tail), buffer_len(tail)};
}

static int append(struct machine *machine, struct machine_request *request, bool has_id, int64_t now_ms)
{
	const struct operation *operation = &request->operation;
	struct slice members = {buffer_front(&operation->members), buffer_len(&operation->members)};
	struct slice tail = write_tail(machine, request, now_ms);

	if (machine->tail.failed) {
		buffer_finish(&machine->tail);
		return EXCHANGE_NO_MEMORY;
	}
	if (has_id)
		return exchange_begin(&machine->exchange, &request->pending, operation->op, members, tail,
				      operation->count);
	return exchange_tell(&machine->exchange, operation->op, members, tail);
}

/* Appends its frame. MR_OK, or an error with its message, and it is not sent. */
static int send_request(struct machine *machine, struct machine_request *request, bool has_id, int64_t now_ms)
{
	size_t before = buffer_len(&machine->exchange.out);
	int result;

	give_number(machine, request);
	result = append(machine, request, has_id, now_ms);
	if (result == EXCHANGE_TOO_LARGE && request->seq != MACHINE_NO_SEQ && !request->was_sent) {
		take_number_away(machine, request); /* it may fit without */
		result = append(machine, request, has_id, now_ms);
	}
	request->has_id = has_id;
	request->begins_at = machine->n_written + before;
	request->ends_at = machine->n_written + buffer_len(&machine->exchange.out);
	if (result != EXCHANGE_OK)
		return refused(machine, result);
	enter_list(machine, request, PLACE_WRITING, false);
	if (!request->is_own)
		set_deadline(machine, request);
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
static bool is_kept_back(const struct machine *machine, const struct machine_request *request, bool flush)
{
	if (!request->operation.is_unanswered)
		return false;
	return (!flush && !TAILQ_NEXT(request, entry)) ||
	       (machine->knows_once && machine->settings.reopens && request->seq == MACHINE_NO_SEQ &&
		machine->n_numbered >= MACHINE_NUMBERED_PUTS);
}

void requests_pump(struct machine *machine, bool flush, int64_t now_ms)
{
	struct machine_request *request;

	while ((request = TAILQ_FIRST(&machine->waiting)) && has_room(machine, request) &&
	       !is_kept_back(machine, request, flush)) {
		bool has_id = !request->operation.is_unanswered || !is_followed(request) ||
			      machine->run + 1 >= request->operation.run;
		int status = send_request(machine, request, has_id, now_ms);

		machine->run = has_id ? 0 : machine->run + 1;
		if (status == MR_OK)
			continue;
		if (request->operation.is_unanswered && has_id)
			requests_confirm(machine, request, status);
		requests_end(machine, request, status,
			     status == MR_EMEMORY ? "not enough memory for the request"
						  : "the request is larger than a frame of this daemon may be");
	}
}

void requests_written(struct machine *machine, int64_t now_ms)
{
	struct machine_request *request;

	while ((request = TAILQ_FIRST(&machine->writing)) && request->ends_at <= machine->n_written) {
		if (request->timeout_ends_ms != MACHINE_NEVER) /* it counts from when the daemon reads it */
			request->timeout_ends_ms = now_ms + request->told_ms;
		enter_list(machine, request, request->has_id ? PLACE_SENT : PLACE_UNCONFIRMED, false);
	}
}

void requests_confirm(struct machine *machine, const struct machine_request *put, int status)
{
	bool have_entered = status == MR_OK || status == MR_DROPPED;
	struct machine_request *request, *next;

	for (request = TAILQ_FIRST(&machine->unconfirmed); request && request->begins_at < put->begins_at;
	     request = next) {
		next = TAILQ_NEXT(request, entry);
		if (strcmp(request->operation.channel, put->operation.channel) == 0)
			requests_end(machine, request, have_entered ? MR_OK : MR_UNKNOWN, "");
	}
}

/* -- handing in -- */

/* What is not possible by now. */
static int check(struct machine *machine, const struct operation *operation, const struct machine_request *request,
		 int64_t now_ms)
{
	size_t len = buffer_len(&operation->members);

	if (machine->state == MACHINE_ENDED)
		return fail(machine->closed_status, "%s", machine->closed_message);
	if (machine->state == MACHINE_CLOSED && machine->settings.is_impatient &&
	    open_ends_ms(machine, request, now_ms) < machine->next_open_ms)
		return fail(MR_ECONNECT, "not connected: %s", machine->closed_message);
	if (operation->is_unanswered && len + ENVELOPE_BYTES > machine->exchange.max_request_bytes &&
	    machine->state == MACHINE_OPEN)
		return refused(machine, EXCHANGE_TOO_LARGE);
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
	enter_list(machine, request, PLACE_WAITING, false);
	if (before) {
		TAILQ_REMOVE(&machine->waiting, request, entry);
		TAILQ_INSERT_BEFORE(before, request, entry);
	}
	set_deadline(machine, request);
}

int requests_submit(struct machine *machine, struct machine_request *request, struct operation *operation,
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
	*operation = (struct operation){.op = OP_NONE};
	if (!request->operation.is_unanswered && has_room(machine, request) &&
	    (request->operation.is_urgent || TAILQ_EMPTY(&machine->waiting))) {
		status = send_request(machine, request, true, now_ms);
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
	request->operation = (struct operation){.op = op, .kind = OPERATION_TAKE, .timeout_ms = MR_FOREVER, .count = 1};
	request->operation.channel = channel ? strdup(channel) : NULL;
	buffer_append(&request->operation.members, members.bytes, members.len);
	if ((channel && !request->operation.channel) || request->operation.members.failed ||
	    send_request(machine, request, true, 0) != MR_OK) {
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
		requests_end(machine, request, MR_CANCELLED, "");
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
	if (machine->settings.is_impatient && later_ms(request->timeout_ends_ms, MACHINE_GRACE_MS) <= now_ms)
		return false;
	return !is_whole || request->operation.kind == OPERATION_REPEATS || request->seq != MACHINE_NO_SEQ;
}

static void prepend(struct machine *machine, struct machine_list *again)
{
	struct machine_request *request;

	while ((request = TAILQ_LAST(again, machine_list))) {
		TAILQ_REMOVE(again, request, entry);
		enter_list(machine, request, PLACE_WAITING, true);
	}
	TAILQ_FOREACH(request, &machine->waiting, entry)
	set_deadline(machine, request);
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
			leave_list(machine, request);
			TAILQ_INSERT_TAIL(&again, request, entry);
		} else {
			requests_end(machine, request,
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
			machine->n_waiting_bytes -= waiting_bytes(request);
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
			requests_end(machine, request, status, machine->closed_message);
	}
}

void requests_check_numbers(struct machine *machine)
{
	struct machine_request *request, *next;

	for (request = TAILQ_FIRST(&machine->waiting); request && !machine->knows_once; request = next) {
		next = TAILQ_NEXT(request, entry);
		if (request->seq == MACHINE_NO_SEQ)
			continue;
		take_number_away(machine, request);
		if (request->was_sent)
			requests_end(machine, request, MR_UNKNOWN,
				     "the daemon that is there now does not know puts by number");
	}
}
