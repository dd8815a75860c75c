/* What comes: the hello, replies, notices, and ends that no reply has brought. */
#include "client/machine/events.h"

#include <stdlib.h>
#include <string.h>

#include "client/machine/contact.h"
#include "client/machine/ephemerals.h"
#include "client/machine/following.h"
#include "client/machine/places.h"
#include "client/machine/reply.h"
#include "client/machine/requests.h"
#include "client/machine/routes.h"
#include "client/machine/sending.h"

/* -- greeted -- */

bool events_has_feature(const json_t *hello, const char *name)
{
	json_t *feature;
	size_t i;

	json_array_foreach(json_object_get(hello, "features"), i, feature)
	{
		if (json_is_string(feature) && strcmp(json_string_value(feature), name) == 0)
			return true;
	}
	return false;
}

/* What the daemon's hello says of its limits, and of what it can do. Home's is kept. */
static int read_hello(struct contact *contact, const struct message_reply *reply)
{
	struct machine *machine = contact->machine;
	json_t *hello = json_loadb(reply->body.bytes, reply->body.len, 0, NULL);
	json_int_t max_inflight = json_integer_value(json_object_get(hello, "max_inflight"));
	int result = json_integer_value(json_object_get(hello, "protocol")) == 1 ? 0 : -1;

	if (result == 0)
		result = exchange_set_max_frame(
			&contact->exchange, (uint64_t)json_integer_value(json_object_get(hello, "max_frame_bytes")));
	contact->knows_once = events_has_feature(hello, "once");
	contact->is_of_cluster = events_has_feature(hello, "cluster");
	machine->is_of_cluster = machine->is_of_cluster || contact->is_of_cluster;
	contact->window = machine->settings.window;
	if (contact->window != MACHINE_NO_WINDOW && max_inflight > 0 &&
	    (contact->window == 0 || (size_t)max_inflight < contact->window))
		contact->window = (size_t)max_inflight;
	if (contact->window == 0)
		contact->window = 1;
	json_object_del(hello, "id");
	json_object_del(hello, "status");
	if (contact == machine->home) {
		json_decref(machine->hello);
		machine->hello = hello;
	} else {
		json_decref(hello);
	}
	return result;
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

static void greeted(struct contact *contact, const struct message_reply *reply, int64_t now_ms)
{
	struct machine *machine = contact->machine;

	if (reply->status != STATUS_OK) {
		contact_close(contact, now_ms, reply->status == STATUS_ERROR ? reply_status(reply) : MR_EINTERNAL, "%s",
			      reply->message.len
				      ? string_from(machine->message, sizeof machine->message, reply->message)
				      : "the daemon refuses us");
	} else if (read_hello(contact, reply) < 0) {
		contact_close(contact, now_ms, MR_EPROTOCOL, "the daemon's hello is not one of protocol 1");
	} else {
		contact->state = CONTACT_OPEN;
		contact->n_failed = 0;
		contact->backoff_ms = machine->settings.backoff_min_ms;
		requests_check_numbers(contact);
		contact->has_news = true;
		contact->news = MR_EVENT_CONNECTED;
	}
}

/* -- what has come -- */

static void give_news(struct machine_event *event, const struct contact *contact, enum mr_event news, int status,
		      const char *message)
{
	event->kind = MACHINE_NEWS;
	event->news = news;
	event->status = status;
	event->message = message;
	event->url = contact->url->text;
}

/* News of a connection. False: there are none. */
static bool next_news(struct machine *machine, struct machine_event *event)
{
	struct contact *contact;

	TAILQ_FOREACH(contact, &machine->contacts, entry)
	{
		bool is_up = contact->news == MR_EVENT_CONNECTED;

		if (!contact->has_news)
			continue;
		contact->has_news = false;
		give_news(event, contact, contact->news, is_up ? MR_OK : contact->closed_status,
			  is_up ? "" : contact->closed_message);
		return true;
	}
	return false;
}

/* An end is told: nothing is left of the request but what is the driver's. */
static void end_request(struct machine *machine, struct machine_request *request, struct machine_event *event)
{
	event->kind = MACHINE_OUTCOME;
	event->request = request;
	event->is_last = true;
	event->url = request->contact->url->text;
	places_remove(request);
	if (request->operation.is_unanswered) /* for those who tell of it */
		event->channel =
			string_from(machine->channel, sizeof machine->channel, slice_from(request->operation.channel));
	operation_finish(&request->operation);
}

/* News, or ends that no reply has brought. False: there are none. */
static bool next_without_reply(struct machine *machine, struct machine_event *event)
{
	struct machine_request *request = TAILQ_FIRST(&machine->ending);

	if (next_news(machine, event))
		return true;
	if (request) {
		event->status = request->status;
		event->message = request->message;
		if (request->operation.count > 1)
			event->left = request->pending.id ? request->pending.left : request->operation.count;
		end_request(machine, request, event);
		return true;
	}
	if (machine->was_full && machine->n_waiting_bytes <= machine->settings.max_waiting_bytes / 2) {
		machine->was_full = false;
		give_news(event, machine->home, MR_EVENT_ROOM, MR_OK, "");
		return true;
	}
	return false;
}

/* A reply to a request of the machine's own. False: it says nothing to the driver. */
static bool own_reply(struct machine_request *request, const struct message_reply *reply, int64_t now_ms,
		      struct machine_event *event)
{
	struct contact *contact = request->contact;
	struct machine *machine = contact->machine;
	bool is_lost = request->operation.op == OP_CREATE && reply->status != STATUS_OK;

	if (is_lost && following_own(request, reply, now_ms)) {
		ephemerals_miss_one(machine, request->operation.channel);
		is_lost = false;
	}
	places_remove(request);
	if (request->operation.op == OP_HELLO)
		greeted(contact, reply, now_ms);
	if (is_lost) {
		give_news(event, contact, MR_EVENT_CHANNEL_LOST, reply_status(reply),
			  string_from(machine->message, sizeof machine->message, reply->message));
		event->channel =
			string_from(machine->channel, sizeof machine->channel, slice_from(request->operation.channel));
		ephemerals_remove(machine, request->operation.channel);
	}
	operation_finish(&request->operation);
	free(request);
	return is_lost;
}

/* A request has been answered for the last time: what the machine learns from that. */
static void learn(struct machine_request *request, const struct message_reply *reply)
{
	struct client_operation *operation = &request->operation;

	if (operation->is_unanswered)
		sending_confirm(request, reply_status(reply));
	if (reply->status == STATUS_OK && operation->op == OP_DELETE)
		ephemerals_remove(request->contact->machine, operation->channel);
	if (reply->status == STATUS_OK && operation->is_ephemeral)
		ephemerals_add(request);
}

/* One that was cancelled does not go along to the daemon that has its group now: so nothing has happened, nor will it,
 * unless it may be in, and nobody can tell. */
static int status_of(const struct machine_request *request, const struct message_reply *reply)
{
	bool may_be_in;

	if (!request->is_cancelled)
		return reply_status(reply);
	may_be_in = requests_tells_by_number(request);
	if (following_is_direction(reply))
		return may_be_in ? MR_UNKNOWN : MR_CANCELLED;
	return may_be_in && reply->status == STATUS_TIMEOUT ? MR_CANCELLED : reply_status(reply);
}

static void give_reply(struct machine_request *request, const struct message_reply *reply, bool is_last,
		       struct machine_event *event)
{
	struct machine *machine = request->contact->machine;

	event->reply = reply;
	event->status = status_of(request, reply);
	event->message =
		event->status < 0 ? string_from(machine->message, sizeof machine->message, reply->message) : "";
	if (reply->lease.len)
		routes_learn_lease(request->contact, reply->lease);
	if (is_last) {
		learn(request, reply);
		end_request(machine, request, event);
	} else {
		event->kind = MACHINE_OUTCOME;
		event->request = request;
		event->url = request->contact->url->text;
	}
}

/* A reply with id null: of a put without one, or the daemon's last words. False: the latter, or it is of no concern to
 * the driver. */
static bool notice(struct contact *contact, const struct message_reply *reply, int64_t now_ms,
		   struct machine_event *event)
{
	struct machine *machine = contact->machine;
	const char *message = string_from(machine->message, sizeof machine->message, reply->message);

	if (reply->channel.len) {
		if (following_notice(contact, reply, now_ms))
			return false;
		give_news(event, contact, MR_EVENT_PUT_FAILED, reply_status(reply), message);
		event->channel = string_from(machine->channel, sizeof machine->channel, reply->channel);
		return true;
	}
	if (reply->status == STATUS_ERROR) {
		contact->notice = reply_status(reply);
		string_from(contact->notice_message, sizeof contact->notice_message, reply->message);
	}
	return false;
}

/* The next that has come over a connection. False: there is nothing more for the driver. */
static bool next_of(struct contact *contact, int64_t now_ms, struct machine_event *event)
{
	struct message_reply *reply = &contact->machine->reply;
	struct exchange_request *pending;

	while (contact_is_connected(contact)) {
		enum exchange_event came = exchange_next(&contact->exchange, &pending, reply);
		struct machine_request *request = (struct machine_request *)pending;

		switch (came) {
		case EXCHANGE_MORE:
			return false;
		case EXCHANGE_REPLY:
		case EXCHANGE_PART:
			if (request->is_own) {
				if (own_reply(request, reply, now_ms, event))
					return true;
			} else if (came == EXCHANGE_PART || !following_reply(request, reply, now_ms)) {
				give_reply(request, reply, came == EXCHANGE_REPLY, event);
				return true;
			}
			break;
		case EXCHANGE_NOTICE:
			if (notice(contact, reply, now_ms, event))
				return true;
			break;
		case EXCHANGE_FAILED:
			contact_close(contact, now_ms, MR_EPROTOCOL, "%s", exchange_error(&contact->exchange));
			break;
		}
	}
	return false;
}

void events_next(struct machine *machine, int64_t now_ms, struct machine_event *event)
{
	struct contact *contact;

	*event = (struct machine_event){.kind = MACHINE_IDLE, .message = ""};
	if (next_without_reply(machine, event))
		return;
	TAILQ_FOREACH(contact, &machine->contacts, entry)
	{
		if (next_of(contact, now_ms, event))
			return;
	}
	next_without_reply(machine, event); /* what has ended on the way */
}

bool events_are_there(const struct machine *machine)
{
	const struct contact *contact;

	TAILQ_FOREACH(contact, &machine->contacts, entry)
	{
		if (contact->has_news)
			return true;
	}
	return !TAILQ_EMPTY(&machine->ending);
}
