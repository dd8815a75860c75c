#include "client/blocking/outcome.h"

#include <stdlib.h>
#include <string.h>

#include "client/blocking/attempt.h"
#include "client/blocking/waiter.h"
#include "client/machine/machine.h"

/* A copy that ends with NUL. An empty slice is NULL; no memory is told by *status. */
static char *copy(struct slice text, int *status)
{
	char *copied = text.len ? malloc(text.len + 1) : NULL;

	if (copied) {
		memcpy(copied, text.bytes, text.len);
		copied[text.len] = '\0';
	} else if (text.len) {
		*status = MR_EMEMORY;
	}
	return copied;
}

static struct slice wanted_text(const struct mr_request *request, const struct message_reply *reply)
{
	switch (request->want) {
	case WANT_NOTHING:
		break;
	case WANT_VALUE:
		return reply->value.len ? reply->value : reply->values;
	case WANT_BODY:
		return reply->body;
	}
	return (struct slice){NULL, 0};
}

void request_keep(struct mr_request *request, const struct machine_event *event)
{
	const struct message_reply *reply = event->reply;
	int status = event->status, no_matter = 0;
	struct slice text = {NULL, 0};

	if (reply) {
		request->has_arm = reply->has_arm;
		request->arm = reply->arm;
		request->accepted = reply->accepted;
		request->evicted = reply->evicted;
	}
	if (status < 0) {
		request->text = copy(slice_from(event->message), &no_matter);
	} else if (status == MR_OK && reply) {
		text = wanted_text(request, reply);
		request->text = copy(text, &status);
		request->text_len = request->text ? text.len : 0;
		request->lease = copy(reply->lease, &status);
		request->deliveries = copy(reply->deliveries, &status);
		request->origin = copy(reply->origin, &status);
	}
	request->status = status;
}

void request_finish(struct mr_request *request)
{
	free(request->text);
	free(request->lease);
	free(request->deliveries);
	free(request->origin);
	request->text = request->lease = request->deliveries = request->origin = NULL;
}

static void tell_outcome(struct mr *m, const struct machine_event *event)
{
	struct mr_request *request = (struct mr_request *)event->request;

	if (request->on_outcome) {
		request->on_outcome(m, request, event);
		return;
	}
	request_keep(request, event);
	request->is_done = true;
	if (request->waiter)
		waiter_nudge(m, request->waiter);
}

static void tell_notice(struct mr *m, const struct machine_event *event)
{
	struct notice_listener *listener;

	LIST_FOREACH(listener, &m->listeners, entry)
	{
		if (strcmp(listener->channel, event->channel) == 0)
			listener->on_notice(listener, event->status, event->message);
	}
}

/* A socket that the leader polls is closed by the leader. */
static void drop_connection(struct mr *m, struct blocking_contact *of)
{
	if (m->leader) {
		if (!of->lookup && of->dial.url && of->dial.uplink.fd >= 0)
			uplink_shut(&of->dial.uplink);
		waiter_wake_leader(m);
	} else {
		attempt_end(of);
	}
}

static bool is_connected(const struct blocking_contact *of)
{
	return of->lookup || (of->dial.url && of->dial.uplink.fd >= 0);
}

/* Acts on all that the machine has to tell. */
void outcome_deliver(struct mr *m, int64_t now_ms)
{
	struct machine_event event;
	struct contact *contact;

	for (;;) {
		events_next(&m->machine, now_ms, &event);
		if (event.kind == MACHINE_IDLE)
			break;
		if (event.kind == MACHINE_OUTCOME)
			tell_outcome(m, &event);
		else if (event.news == MR_EVENT_PUT_FAILED)
			tell_notice(m, &event);
	}
	TAILQ_FOREACH(contact, &m->machine.contacts, entry)
	{
		struct blocking_contact *of = (struct blocking_contact *)contact;

		if (!contact_has_connection(contact) && is_connected(of))
			drop_connection(m, of);
		if (m->leader && contact_wants_connection(contact, now_ms))
			waiter_wake_leader(m);
	}
}
