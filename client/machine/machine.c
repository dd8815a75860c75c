/* The life of the machine's connections, and what comes over them. */
#include "client/machine/machine.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/machine/ephemerals.h"
#include "client/machine/failure.h"
#include "client/machine/reply.h"

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

static void tell(struct machine *machine, enum mr_event news)
{
	machine->has_news = true;
	machine->news = news;
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
	tell(machine, was_open ? MR_EVENT_DISCONNECTED : MR_EVENT_FAILED);
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

/* What the daemon's hello says of its limits, and of what it can do. */
static int read_hello(struct machine *machine, const struct message_reply *reply)
{
	json_t *hello = json_loadb(reply->body.bytes, reply->body.len, 0, NULL), *feature;
	json_int_t max_inflight = json_integer_value(json_object_get(hello, "max_inflight"));
	size_t i;

	json_object_del(hello, "id");
	json_object_del(hello, "status");
	json_decref(machine->hello);
	machine->hello = hello;
	machine->knows_once = false;
	json_array_foreach(json_object_get(hello, "features"), i, feature)
	{
		if (json_is_string(feature) && strcmp(json_string_value(feature), "once") == 0)
			machine->knows_once = true;
	}
	machine->window = machine->settings.window;
	if (machine->window != MACHINE_NO_WINDOW && max_inflight > 0 &&
	    (machine->window == 0 || (size_t)max_inflight < machine->window))
		machine->window = (size_t)max_inflight;
	if (machine->window == 0)
		machine->window = 1;
	if (json_integer_value(json_object_get(hello, "protocol")) != 1)
		return -1;
	return exchange_set_max_frame(&machine->exchange,
				      (uint64_t)json_integer_value(json_object_get(hello, "max_frame_bytes")));
}

/* The channels that went with the last connection come first. */
static bool create_anew(struct machine *machine)
{
	struct ephemeral_channel *ephemeral;

	LIST_FOREACH(ephemeral, &machine->ephemerals, entry)
	{
		struct slice members = {ephemeral->members.bytes + ephemeral->members.start,
					buffer_len(&ephemeral->members)};

		if (!requests_submit_own(machine, OP_CREATE, members, ephemeral->name))
			return false;
	}
	return true;
}

/* A slice as a string: what does not fit is cut off. */
static const char *string_from(char *to, size_t room, struct slice text)
{
	size_t len = text.len < room - 1 ? text.len : room - 1;

	if (len)
		memcpy(to, text.bytes, len);
	to[len] = '\0';
	return to;
}

static void greeted(struct machine *machine, const struct message_reply *reply, int64_t now_ms)
{
	if (reply->status != STATUS_OK) {
		machine_close(machine, now_ms, reply->status == STATUS_ERROR ? reply_status(reply) : MR_EINTERNAL, "%s",
			      reply->message.len
				      ? string_from(machine->message, sizeof machine->message, reply->message)
				      : "the daemon refuses us");
	} else if (read_hello(machine, reply) < 0) {
		machine_close(machine, now_ms, MR_EPROTOCOL, "the daemon's hello is not one of protocol 1");
	} else if (!create_anew(machine)) {
		machine_close(machine, now_ms, MR_EMEMORY, "not enough memory to create the ephemeral channels anew");
	} else {
		machine->state = MACHINE_OPEN;
		machine->was_opened = true;
		machine->backoff_ms = machine->settings.backoff_min_ms;
		requests_check_numbers(machine);
		tell(machine, MR_EVENT_CONNECTED);
	}
}

/* -- bytes -- */

struct slice machine_output(struct machine *machine, bool flush, int64_t now_ms)
{
	struct buffer *out = &machine->exchange.out;

	requests_pump(machine, flush, now_ms);
	if (machine->state != MACHINE_GREETING && machine->state != MACHINE_OPEN)
		return (struct slice){NULL, 0};
	return (struct slice){buffer_front(out), buffer_len(out)};
}

void machine_written(struct machine *machine, size_t len, int64_t now_ms)
{
	machine->moved_ms = now_ms;
	machine->n_written += len;
	buffer_consume(&machine->exchange.out, len);
	requests_written(machine, now_ms);
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

/* -- what has come -- */

static void give_news(struct machine_event *event, enum mr_event news, int status, const char *message)
{
	event->kind = MACHINE_NEWS;
	event->news = news;
	event->status = status;
	event->message = message;
}

/* News of the connection, or ends that no reply has brought. False: there are none. */
static bool next_without_reply(struct machine *machine, struct machine_event *event)
{
	struct machine_request *request = TAILQ_FIRST(&machine->ending);

	if (machine->has_news) {
		bool is_up = machine->news == MR_EVENT_CONNECTED;

		machine->has_news = false;
		give_news(event, machine->news, is_up ? MR_OK : machine->closed_status,
			  is_up ? "" : machine->closed_message);
		return true;
	}
	if (request) {
		event->kind = MACHINE_OUTCOME;
		event->request = request;
		event->is_last = true;
		event->status = request->status;
		event->message = request->message;
		if (request->operation.count > 1)
			event->left = request->pending.id ? request->pending.left : request->operation.count;
		requests_remove(machine, request);
		if (request->operation.is_unanswered) /* for those who tell of it */
			event->channel = string_from(machine->channel, sizeof machine->channel,
						     slice_from(request->operation.channel));
		operation_finish(&request->operation);
		return true;
	}
	if (machine->was_full && machine->n_waiting_bytes <= machine->settings.max_waiting_bytes / 2) {
		machine->was_full = false;
		give_news(event, MR_EVENT_ROOM, MR_OK, "");
		return true;
	}
	return false;
}

/* A reply to a request of the machine's own. False: it says nothing to the driver. */
static bool own_reply(struct machine *machine, struct machine_request *request, const struct message_reply *reply,
		      int64_t now_ms, struct machine_event *event)
{
	struct operation operation = request->operation;
	bool is_lost = operation.op == OP_CREATE && reply->status != STATUS_OK;

	requests_remove(machine, request);
	free(request);
	if (operation.op == OP_HELLO)
		greeted(machine, reply, now_ms);
	if (is_lost) {
		give_news(event, MR_EVENT_CHANNEL_LOST, reply_status(reply),
			  string_from(machine->message, sizeof machine->message, reply->message));
		event->channel = string_from(machine->channel, sizeof machine->channel, slice_from(operation.channel));
		ephemerals_remove(machine, operation.channel);
	}
	operation_finish(&operation);
	return is_lost;
}

/* A request has been answered for the last time: what the machine learns from that. */
static void learn(struct machine *machine, struct machine_request *request, const struct message_reply *reply)
{
	struct operation *operation = &request->operation;

	if (operation->is_unanswered)
		requests_confirm(machine, request, reply_status(reply));
	if (reply->status == STATUS_OK && operation->op == OP_DELETE)
		ephemerals_remove(machine, operation->channel);
	if (reply->status == STATUS_OK && operation->is_ephemeral)
		ephemerals_add(machine, operation);
}

static void give_reply(struct machine *machine, struct machine_request *request, const struct message_reply *reply,
		       bool is_last, struct machine_event *event)
{
	event->kind = MACHINE_OUTCOME;
	event->request = request;
	event->is_last = is_last;
	event->reply = reply;
	event->status = reply_status(reply);
	event->message = reply->status == STATUS_ERROR
				 ? string_from(machine->message, sizeof machine->message, reply->message)
				 : "";
	if (!is_last)
		return;
	learn(machine, request, reply);
	if (request->operation.is_unanswered)
		event->channel =
			string_from(machine->channel, sizeof machine->channel, slice_from(request->operation.channel));
	requests_remove(machine, request);
	operation_finish(&request->operation);
}

/* A reply with id null: of a put without one, or the daemon's last words. False: the latter. */
static bool notice(struct machine *machine, const struct message_reply *reply, struct machine_event *event)
{
	const char *message = string_from(machine->message, sizeof machine->message, reply->message);

	if (reply->channel.len) {
		give_news(event, MR_EVENT_PUT_FAILED, reply_status(reply), message);
		event->channel = string_from(machine->channel, sizeof machine->channel, reply->channel);
		return true;
	}
	if (reply->status == STATUS_ERROR) {
		machine->notice = reply_status(reply);
		string_from(machine->notice_message, sizeof machine->notice_message, reply->message);
	}
	return false;
}

void machine_next(struct machine *machine, int64_t now_ms, struct machine_event *event)
{
	struct message_reply *reply = &machine->reply;
	struct exchange_request *pending;
	enum exchange_event came;

	for (;;) {
		*event = (struct machine_event){.kind = MACHINE_IDLE, .message = ""};
		if (next_without_reply(machine, event))
			return;
		if (machine->state != MACHINE_GREETING && machine->state != MACHINE_OPEN)
			return;
		came = exchange_next(&machine->exchange, &pending, reply);
		switch (came) {
		case EXCHANGE_MORE:
			return;
		case EXCHANGE_REPLY:
		case EXCHANGE_PART: {
			struct machine_request *request = (struct machine_request *)pending;

			if (!request->is_own) {
				give_reply(machine, request, reply, came == EXCHANGE_REPLY, event);
				return;
			}
			if (own_reply(machine, request, reply, now_ms, event))
				return;
			break;
		}
		case EXCHANGE_NOTICE:
			if (notice(machine, reply, event))
				return;
			break;
		case EXCHANGE_FAILED:
			machine_close(machine, now_ms, MR_EPROTOCOL, "%s", exchange_error(&machine->exchange));
			break;
		}
	}
}
