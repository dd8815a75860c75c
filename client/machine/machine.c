/* The life of the machine's connections, and what comes over them. */
#include "client/machine/machine.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/machine/arguments.h"
#include "client/machine/ephemerals.h"
#include "client/machine/failure.h"
#include "client/machine/sending.h"

/* -- settings -- */

static char *copy(const char *string, bool *is_lacking)
{
	char *copied = string ? strdup(string) : NULL;

	*is_lacking = *is_lacking || (string && !copied);
	return copied;
}

int machine_init(struct machine *machine, const struct machine_settings *settings)
{
	bool is_lacking = false;
	int status = settings->name ? string_check("name", settings->name) : MR_OK;

	if (status == MR_OK && settings->token)
		status = string_check("token", settings->token);
	if (status != MR_OK)
		return status;
	*machine = (struct machine){
		.settings = *settings,
		.backoff_ms = settings->backoff_min_ms,
		.random = settings->seed,
		.closed_status = MR_ECONNECT,
		.closed_message = "there was no connection yet",
	};
	machine->name = copy(settings->name, &is_lacking);
	machine->token = copy(settings->token, &is_lacking);
	exchange_init(&machine->exchange);
	requests_init(machine);
	LIST_INIT(&machine->ephemerals);
	if (!is_lacking)
		return MR_OK;
	machine_finish(machine);
	return fail(MR_EMEMORY, "not enough memory for a client");
}

void machine_finish(struct machine *machine)
{
	requests_finish(machine);
	ephemerals_finish(machine);
	exchange_finish(&machine->exchange);
	json_decref(machine->hello);
	free(machine->name);
	if (machine->token)
		explicit_bzero(machine->token, strlen(machine->token));
	free(machine->token);
	machine->hello = NULL;
	machine->name = machine->token = NULL;
}

/* -- the end of a connection, or of an attempt -- */

/* The pause before the next attempt: between half of the present one and all of it; the next will be twice as long. */
static int64_t next_pause_ms(struct machine *machine)
{
	int64_t pause_ms = machine->backoff_ms, most_ms = machine->settings.backoff_max_ms;

	machine->backoff_ms = pause_ms > most_ms / 2 ? most_ms : pause_ms * 2;
	machine->random = machine->random * 6364136223846793005u + 1442695040888963407u;
	return pause_ms / 2 + (int64_t)((machine->random >> 33) % (uint64_t)(pause_ms / 2 + 1));
}

/* The next address at once; after the last one, or after a connection, the first one after a pause. */
static void rest(struct machine *machine, bool was_open, int64_t now_ms)
{
	machine->url_at = was_open ? 0 : (machine->url_at + 1) % machine->settings.n_urls;
	if (was_open)
		machine->backoff_ms = machine->settings.backoff_min_ms;
	machine->next_open_ms = machine->url_at == 0 ? now_ms + next_pause_ms(machine) : now_ms;
}

void machine_close(struct machine *machine, int64_t now_ms, int status, const char *format, ...)
{
	bool was_open = machine->state == MACHINE_OPEN;
	char message[sizeof machine->closed_message];
	va_list arguments;

	assert(machine_has_connection(machine));
	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	memcpy(machine->closed_message, message, sizeof message);
	machine->closed_status = status;
	machine->state = was_open && !machine->settings.reopens ? MACHINE_ENDED : MACHINE_CLOSED;
	rest(machine, was_open, now_ms);
	requests_unsend(machine, status, was_open, now_ms);
	if (machine->state == MACHINE_ENDED || (!was_open && machine->settings.is_impatient && machine->url_at == 0))
		requests_end_unsent(machine, status == MR_ECONNECTION && !was_open ? MR_ECONNECT : status);
	machine->has_news = true;
	machine->news = was_open ? MR_EVENT_DISCONNECTED : MR_EVENT_FAILED;
}

void machine_closed_by_peer(struct machine *machine, int64_t now_ms, const char *how)
{
	bool was_open = machine->state == MACHINE_OPEN;
	int status = was_open ? MR_ECONNECTION : machine->notice ? machine->notice : MR_ECONNECT;

	if (machine->notice)
		machine_close(machine, now_ms, status, "the connection ended: %s: %s", mr_status_name(machine->notice),
			      machine->notice_message);
	else
		machine_close(machine, now_ms, status, "the connection ended: %s", how);
}

/* -- opening -- */

bool machine_wants_connection(const struct machine *machine, int64_t now_ms)
{
	return machine->state == MACHINE_CLOSED && now_ms >= machine->next_open_ms &&
	       (!machine->settings.is_impatient || !TAILQ_EMPTY(&machine->waiting));
}

void machine_opening(struct machine *machine, const char *url, int64_t ends_ms)
{
	assert(machine->state == MACHINE_CLOSED);
	machine->state = MACHINE_OPENING;
	machine->url = url;
	machine->attempt_ends_ms = ends_ms;
}

void machine_opened(struct machine *machine, int64_t now_ms)
{
	struct buffer members = {0};
	bool is_made;

	assert(machine->state == MACHINE_OPENING);
	message_uint(&members, "protocol", 1);
	if (machine->name)
		message_string(&members, "name", slice_from(machine->name));
	if (machine->token)
		message_string(&members, "token", slice_from(machine->token));
	machine->state = MACHINE_GREETING;
	machine->notice = 0;
	machine->moved_ms = machine->heard_ms = now_ms;
	machine->asked_ms = 0;
	is_made = !members.failed &&
		  requests_submit_own(machine, OP_HELLO, (struct slice){members.bytes, buffer_len(&members)}, NULL);
	buffer_finish(&members);
	if (!is_made)
		machine_close(machine, now_ms, MR_EMEMORY, "not enough memory to say hello");
}

/* -- bytes -- */

struct slice machine_output(struct machine *machine, bool flush, int64_t now_ms)
{
	struct buffer *out = &machine->exchange.out;

	sending_pump(machine, flush, now_ms);
	if (machine->state != MACHINE_GREETING && machine->state != MACHINE_OPEN)
		return (struct slice){NULL, 0};
	return (struct slice){buffer_front(out), buffer_len(out)};
}

void machine_written(struct machine *machine, size_t len, int64_t now_ms)
{
	machine->moved_ms = now_ms;
	machine->n_written += len;
	buffer_consume(&machine->exchange.out, len);
	sending_written(machine, now_ms);
}

char *machine_room(struct machine *machine, size_t *len, int64_t now_ms)
{
	char *room = exchange_room(&machine->exchange, len);

	if (!room)
		machine_close(machine, now_ms, MR_ECONNECTION, "the connection was given up: %s",
			      exchange_error(&machine->exchange));
	return room;
}

void machine_read(struct machine *machine, size_t len, int64_t now_ms)
{
	machine->moved_ms = machine->heard_ms = now_ms;
	exchange_fed(&machine->exchange, len);
}

/* -- time -- */

static bool is_asked(const struct machine *machine)
{
	return machine->asked_ms > machine->heard_ms;
}

int64_t machine_due_ms(const struct machine *machine)
{
	const struct deadline *first = deadlines_first(&machine->deadlines);
	int64_t due_ms = first ? first->due_ms : MACHINE_NEVER, other_ms = MACHINE_NEVER;

	switch (machine->state) {
	case MACHINE_CLOSED:
		if (!machine->settings.is_impatient || !TAILQ_EMPTY(&machine->waiting))
			other_ms = machine->next_open_ms;
		break;
	case MACHINE_OPENING:
	case MACHINE_GREETING:
		other_ms = machine->attempt_ends_ms;
		break;
	case MACHINE_OPEN:
		if (machine->settings.heartbeat_ms)
			other_ms = (is_asked(machine) ? machine->asked_ms : machine->heard_ms) +
				   machine->settings.heartbeat_ms;
		break;
	case MACHINE_ENDED:
		break;
	}
	return due_ms < other_ms ? due_ms : other_ms;
}

/* A silent daemon is asked for a sign of life; if that does not come in the time of another beat, it is dead, or the
 * network is. */
static void beat(struct machine *machine, int64_t now_ms)
{
	int64_t since_ms = is_asked(machine) ? machine->asked_ms : machine->heard_ms;

	if (!machine->settings.heartbeat_ms || now_ms - since_ms < machine->settings.heartbeat_ms)
		return;
	if (is_asked(machine)) {
		machine_close(machine, now_ms, MR_ECONNECTION,
			      "the connection was given up: the network or the daemon is silent");
	} else {
		machine->asked_ms = now_ms;
		(void)requests_submit_own(machine, OP_PING, SLICE(""), NULL);
	}
}

void machine_tick(struct machine *machine, int64_t now_ms)
{
	bool is_silent = requests_expire(machine, now_ms);

	switch (machine->state) {
	case MACHINE_OPENING:
	case MACHINE_GREETING:
		if (now_ms >= machine->attempt_ends_ms)
			machine_close(machine, now_ms, MR_ECONNECT, "cannot connect to %s: the daemon is silent",
				      machine->url);
		break;
	case MACHINE_OPEN:
		if (is_silent)
			machine_close(machine, now_ms, MR_ECONNECTION,
				      "no answer came in time: the network or the daemon is silent");
		else
			beat(machine, now_ms);
		break;
	case MACHINE_CLOSED:
	case MACHINE_ENDED:
		break;
	}
}
