/* What comes: the hello, replies, notices, and ends that no reply has brought. */
#include "client/machine/events.h"

#include <stdlib.h>
#include <string.h>

#include "client/machine/ephemerals.h"
#include "client/machine/places.h"
#include "client/machine/reply.h"
#include "client/machine/requests.h"
#include "client/machine/sending.h"

/* -- greeted -- */

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
		machine->has_news = true;
		machine->news = MR_EVENT_CONNECTED;
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
		places_remove(machine, request);
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
	struct client_operation operation = request->operation;
	bool is_lost = operation.op == OP_CREATE && reply->status != STATUS_OK;

	places_remove(machine, request);
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
	struct client_operation *operation = &request->operation;

	if (operation->is_unanswered)
		sending_confirm(machine, request, reply_status(reply));
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
	places_remove(machine, request);
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

void events_next(struct machine *machine, int64_t now_ms, struct machine_event *event)
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
