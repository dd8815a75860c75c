#include "client/machine/contact.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/machine/daemons.h"
#include "client/machine/ephemerals.h"
#include "client/machine/requests.h"
#include "client/machine/routes.h"
#include "client/machine/sending.h"

enum {
	LEAD_BACK_MS = 200, /* the longest pause between attempts at an address to which a daemon sends us */
};

static bool is_home(const struct contact *contact)
{
	return contact == contact->machine->home;
}

/* -- the end of a connection, or of an attempt -- */

/* The pause before the next attempt: between half of the present one and all of it; the next will be twice as long. */
static int64_t next_pause_ms(struct contact *contact)
{
	struct machine *machine = contact->machine;
	int64_t pause_ms = contact->backoff_ms, most_ms = machine->settings.backoff_max_ms;

	if (!is_home(contact) && most_ms > LEAD_BACK_MS)
		most_ms = LEAD_BACK_MS;
	contact->backoff_ms = pause_ms > most_ms / 2 ? most_ms : pause_ms * 2;
	machine->random = machine->random * 6364136223846793005u + 1442695040888963407u;
	return pause_ms / 2 + (int64_t)((machine->random >> 33) % (uint64_t)(pause_ms / 2 + 1));
}

bool contact_has_another_address(const struct contact *contact)
{
	return is_home(contact) && contact->n_failed % contact->machine->settings.n_urls != 0;
}

/* The next address at once, after the last one the first one after a pause. After a connection it is the first one's
 * turn, after a pause; but in a cluster the next one's, since whoever was there is away, and any will do. */
static void rest(struct contact *contact, bool was_open, int64_t now_ms)
{
	size_t n_urls = is_home(contact) ? contact->machine->settings.n_urls : 1;
	bool goes_on = !was_open || contact->is_of_cluster;

	contact->url_at = goes_on ? (contact->url_at + 1) % n_urls : 0;
	contact->n_failed = was_open ? 0 : contact->n_failed + 1;
	if (was_open)
		contact->backoff_ms = contact->machine->settings.backoff_min_ms;
	contact->next_open_ms = (was_open && contact->is_of_cluster && n_urls > 1) || contact->n_failed % n_urls != 0
					? now_ms
					: now_ms + next_pause_ms(contact);
}

/* What waits for a connection that is away waits for another, if there is one; or it ends. */
static void pass_on(struct contact *contact, int status, bool was_open, int64_t now_ms)
{
	const struct machine *machine = contact->machine;
	struct contact *other = daemons_default(machine);
	bool is_over = machine->home->state == CONTACT_ENDED ||
		       (is_home(contact) && !was_open && machine->settings.is_impatient &&
			!contact_has_another_address(contact));

	if (other != contact && machine->home->state != CONTACT_ENDED)
		requests_pass_on(contact, other, now_ms);
	else if (is_over)
		requests_end_unsent(contact, status == MR_ECONNECTION && !was_open ? MR_ECONNECT : status);
}

void contact_close(struct contact *contact, int64_t now_ms, int status, const char *format, ...)
{
	bool was_open = contact->state == CONTACT_OPEN;
	char message[sizeof contact->closed_message];
	va_list arguments;

	assert(contact_has_connection(contact));
	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	memcpy(contact->closed_message, message, sizeof message);
	contact->closed_status = status;
	contact->state =
		was_open && is_home(contact) && !contact->machine->settings.reopens ? CONTACT_ENDED : CONTACT_CLOSED;
	rest(contact, was_open, now_ms);
	requests_unsend(contact, status, was_open, now_ms);
	ephemerals_miss(contact);
	routes_forget(contact);
	pass_on(contact, status, was_open, now_ms);
	contact->has_news = true;
	contact->news = was_open ? MR_EVENT_DISCONNECTED : MR_EVENT_FAILED;
}

void contact_closed_by_peer(struct contact *contact, int64_t now_ms, const char *how)
{
	bool was_open = contact->state == CONTACT_OPEN;
	int status = was_open ? MR_ECONNECTION : contact->notice ? contact->notice : MR_ECONNECT;

	if (contact->notice)
		contact_close(contact, now_ms, status, "the connection ended: %s: %s", mr_status_name(contact->notice),
			      contact->notice_message);
	else
		contact_close(contact, now_ms, status, "the connection ended: %s", how);
}

/* -- opening -- */

bool contact_wants_connection(const struct contact *contact, int64_t now_ms)
{
	if (contact->state != CONTACT_CLOSED || now_ms < contact->next_open_ms)
		return false;
	return !TAILQ_EMPTY(&contact->waiting) ||
	       (is_home(contact) ? !contact->machine->settings.is_impatient : ephemerals_wait_for(contact));
}

/* Until when the attempt at this address may go on, if all addresses share the time that those who wait have. */
static int64_t share_ends_ms(struct contact *contact, int64_t now_ms)
{
	const struct machine_settings *settings = &contact->machine->settings;
	const struct machine_request *request;
	size_t n_tried = contact->n_failed % settings->n_urls;

	if (n_tried == 0)
		contact->round_ends_ms = now_ms + settings->connect_timeout_ms;
	TAILQ_FOREACH(request, &contact->waiting, entry)
	{
		if (request->open_ends_ms > now_ms && request->open_ends_ms < contact->round_ends_ms)
			contact->round_ends_ms = request->open_ends_ms;
	}
	if (contact->round_ends_ms < now_ms)
		return now_ms;
	return now_ms + (contact->round_ends_ms - now_ms) / (int64_t)(settings->n_urls - n_tried);
}

void contact_opening(struct contact *contact, int64_t now_ms)
{
	const struct machine_settings *settings = &contact->machine->settings;

	assert(contact->state == CONTACT_CLOSED);
	contact->state = CONTACT_OPENING;
	contact->attempt_ends_ms = now_ms + settings->connect_timeout_ms;
	contact->asks_again_ms = now_ms + MACHINE_ASK_AGAIN_MS;
	if (!is_home(contact))
		return;
	contact->url = &settings->urls[contact->url_at];
	if (settings->is_impatient)
		contact->attempt_ends_ms = share_ends_ms(contact, now_ms);
}

void contact_opened(struct contact *contact, int64_t now_ms)
{
	const struct machine *machine = contact->machine;
	struct buffer members = {0};
	bool is_made;

	assert(contact->state == CONTACT_OPENING);
	message_uint(&members, "protocol", 1);
	if (machine->name)
		message_string(&members, "name", slice_from(machine->name));
	if (machine->token)
		message_string(&members, "token", slice_from(machine->token));
	contact->state = CONTACT_GREETING;
	contact->notice = 0;
	contact->moved_ms = contact->heard_ms = now_ms;
	contact->asked_ms = 0;
	is_made = !members.failed && requests_submit_own(contact, &(struct client_operation){
									  .op = OP_HELLO,
									  .members = members,
								  });
	buffer_finish(&members);
	if (!is_made)
		contact_close(contact, now_ms, MR_EMEMORY, "not enough memory to say hello");
}

/* -- bytes -- */

struct slice contact_output(struct contact *contact, bool flush, int64_t now_ms)
{
	struct buffer *out = &contact->exchange.out;

	if (contact->state == CONTACT_OPEN && !ephemerals_create(contact, now_ms))
		contact_close(contact, now_ms, MR_EMEMORY, "not enough memory to create the ephemeral channels anew");
	sending_pump(contact, flush, now_ms);
	if (!contact_is_connected(contact))
		return (struct slice){NULL, 0};
	return buffer_slice(out);
}

void contact_written(struct contact *contact, size_t len, int64_t now_ms)
{
	contact->moved_ms = now_ms;
	contact->n_written += len;
	buffer_consume(&contact->exchange.out, len);
	sending_written(contact, now_ms);
}

char *contact_room(struct contact *contact, size_t *len, int64_t now_ms)
{
	char *room = exchange_room(&contact->exchange, len);

	if (!room)
		contact_close(contact, now_ms, MR_ECONNECTION, "the connection was given up: %s",
			      exchange_error(&contact->exchange));
	return room;
}

void contact_read(struct contact *contact, size_t len, int64_t now_ms)
{
	contact->moved_ms = contact->heard_ms = now_ms;
	exchange_fed(&contact->exchange, len);
}

/* -- time -- */

static bool is_asked(const struct contact *contact)
{
	return contact->asked_ms > contact->heard_ms;
}

/* Whether those who wait for it may ask another. */
static bool may_ask_again(const struct contact *contact)
{
	return !is_home(contact) && !TAILQ_EMPTY(&contact->waiting) &&
	       daemons_default(contact->machine)->state == CONTACT_OPEN;
}

int64_t contact_due_ms(const struct contact *contact)
{
	const struct machine_settings *settings = &contact->machine->settings;

	switch (contact->state) {
	case CONTACT_CLOSED:
		return contact_wants_connection(contact, MACHINE_NEVER) ? contact->next_open_ms : MACHINE_NEVER;
	case CONTACT_OPENING:
	case CONTACT_GREETING:
		return may_ask_again(contact) && contact->asks_again_ms < contact->attempt_ends_ms
			       ? contact->asks_again_ms
			       : contact->attempt_ends_ms;
	case CONTACT_OPEN:
		if (settings->heartbeat_ms)
			return (is_asked(contact) ? contact->asked_ms : contact->heard_ms) + settings->heartbeat_ms;
		break;
	case CONTACT_ENDED:
		break;
	}
	return MACHINE_NEVER;
}

/* A silent daemon is asked for a sign of life; if that does not come in the time of another beat, it is dead, or the
 * network is. */
static void beat(struct contact *contact, int64_t now_ms)
{
	int64_t since_ms = is_asked(contact) ? contact->asked_ms : contact->heard_ms;
	int64_t heartbeat_ms = contact->machine->settings.heartbeat_ms;

	if (!heartbeat_ms || now_ms - since_ms < heartbeat_ms)
		return;
	if (is_asked(contact)) {
		contact_close(contact, now_ms, MR_ECONNECTION,
			      "the connection was given up: the network or the daemon is silent");
	} else {
		contact->asked_ms = now_ms;
		(void)requests_submit_own(contact, &(struct client_operation){.op = OP_PING});
	}
}

void contact_tick(struct contact *contact, bool is_silent, int64_t now_ms)
{
	switch (contact->state) {
	case CONTACT_OPENING:
	case CONTACT_GREETING:
		if (now_ms >= contact->attempt_ends_ms) {
			contact_close(contact, now_ms, MR_ECONNECT, "cannot connect to %s: the daemon is silent",
				      contact->url->text);
		} else if (now_ms >= contact->asks_again_ms && may_ask_again(contact)) {
			contact->asks_again_ms = now_ms + MACHINE_ASK_AGAIN_MS;
			routes_forget(contact);
			requests_pass_on(contact, daemons_default(contact->machine), now_ms);
		}
		break;
	case CONTACT_OPEN:
		if (is_silent)
			contact_close(contact, now_ms, MR_ECONNECTION,
				      "no answer came in time: the network or the daemon is silent");
		else
			beat(contact, now_ms);
		break;
	case CONTACT_CLOSED:
	case CONTACT_ENDED:
		break;
	}
}
