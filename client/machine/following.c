/* A group that has moved takes along what waits for its old daemon. What is in flight there comes back as `moved` too,
 * sooner or later, or has been done; until then later requests of the group wait, so that none overtakes another. */
#include "client/machine/following.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "client/machine/daemons.h"
#include "client/machine/places.h"
#include "client/machine/requests.h"
#include "client/machine/routes.h"

enum {
	OVERTAKES_MS = 1000, /* a daemon that has not answered for so long is not waited for */
	FREE_MOVES = 3,      /* so often a request is sent on at once; daemons that disagree need time */
	FIRST_PAUSE_MS = 25,
	LONGEST_PAUSE_MS = 200,
	LONGEST_RETRY_MS = 60000,
};

static_assert(MACHINE_MOST_CONTACTS <= 64, "each has a bit");

/* -- a group is with another daemon than was thought -- */

/* What waits for it elsewhere. */
static void gather(const struct group_route *route, struct contact *to, int64_t now_ms)
{
	struct machine *machine = to->machine;
	struct contact *contact;

	TAILQ_FOREACH(contact, &machine->contacts, entry)
	{
		struct machine_request *request, *next;

		for (request = TAILQ_FIRST(&contact->waiting); request && contact != to; request = next) {
			next = TAILQ_NEXT(request, entry);
			if (routes_find(machine, &request->operation) == route)
				requests_wait_for(request, to, now_ms);
		}
	}
}

/* What is in flight there, and comes back. */
static void note_those_before(struct group_route *route, struct machine_list *list, int64_t now_ms)
{
	struct machine_request *request;

	TAILQ_FOREACH(request, list, entry)
	{
		struct machine *machine = request->contact->machine;

		if (request->delays || request->is_own || routes_find(machine, &request->operation) != route)
			continue;
		request->delays = route;
		route->n_before++;
		routes_hold(machine, &route->overtakes_ms, now_ms + OVERTAKES_MS);
	}
}

/* Without memory for that the next request of the group has to find it out, too. */
static struct group_route *redirect(const struct client_operation *operation, struct contact *from, struct contact *to,
				    int64_t now_ms)
{
	struct group_route *route = routes_make(from->machine, operation);

	if (!route || route->contact == to)
		return route;
	route->contact = to;
	route->retry_ms = 0;
	gather(route, to, now_ms);
	note_those_before(route, &from->writing, now_ms);
	note_those_before(route, &from->sent, now_ms);
	return route;
}

/* Puts without an id of this channel that are on their way, or have entered: a daemon that sees one of them again knows
 * it by its number. What became of one that has none is not known. Whether all had. */
static bool take_unconfirmed(struct contact *from, const char *channel, struct contact *to, int64_t now_ms)
{
	struct machine_request *request, *next;
	bool have_numbers = true;

	for (request = TAILQ_FIRST(&from->unconfirmed); request; request = next) {
		next = TAILQ_NEXT(request, entry);
		if (strcmp(request->operation.channel, channel) != 0)
			continue;
		if (request->seq == MACHINE_NO_SEQ) {
			have_numbers = false;
			places_end(request, MR_UNKNOWN, "the channel has moved to another daemon");
			continue;
		}
		request->was_sent = true;
		requests_wait_for(request, to, now_ms);
	}
	return have_numbers;
}

/* -- what a reply says of that -- */

/* The daemon that a reply names; NULL if it names none to which anybody may go: who has asked for TLS keeps to it. */
static struct contact *named(struct contact *from, const struct message_reply *reply)
{
	struct url url;
	char text[sizeof url.text];

	if (reply->address.len == 0 || reply->address.len >= sizeof text)
		return NULL;
	memcpy(text, reply->address.bytes, reply->address.len);
	text[reply->address.len] = '\0';
	if (url_parse(&url, text) || (from->url->kind == URL_TLS && url.kind != URL_TLS))
		return NULL;
	return daemons_find(from->machine, &url);
}

static int64_t pause_ms(unsigned n_moves)
{
	unsigned doublings = n_moves - FREE_MOVES;

	return doublings > 3 ? LONGEST_PAUSE_MS : FIRST_PAUSE_MS << doublings;
}

/* Where a reply says to ask for what this operation is about, or NULL; and the group is held if it has to wait. */
static struct contact *read(struct contact *from, const struct client_operation *operation,
			    const struct message_reply *reply, unsigned n_moves, int64_t now_ms)
{
	struct contact *to = reply->error == ERROR_MOVED ? named(from, reply) : daemons_default(from->machine);
	struct group_route *route;
	int64_t wait_ms = 0;

	if (!to || (reply->error == ERROR_UNAVAILABLE && routes_is_without_owner(from->machine, operation, now_ms)))
		return to;
	route = redirect(operation, from, to, now_ms);
	if (reply->error == ERROR_UNAVAILABLE)
		wait_ms = reply->retry_ms < 1                  ? 1
			  : reply->retry_ms < LONGEST_RETRY_MS ? (int64_t)reply->retry_ms
							       : LONGEST_RETRY_MS;
	else if (n_moves > FREE_MOVES)
		wait_ms = pause_ms(n_moves);
	if (!route) /* there is no memory, so nobody would wait */
		return wait_ms ? NULL : to;
	if (reply->error == ERROR_UNAVAILABLE)
		route->contact = NULL;
	if (wait_ms && now_ms + wait_ms > route->retry_ms)
		routes_hold(from->machine, &route->retry_ms, now_ms + wait_ms);
	return to;
}

/* The daemon does not know the lease: the next that may. */
static bool ask_for_lease(struct machine_request *request, int64_t now_ms)
{
	struct contact *contact;

	request->asked |= UINT64_C(1) << request->contact->index;
	TAILQ_FOREACH(contact, &request->contact->machine->contacts, entry)
	{
		if (contact->state == CONTACT_OPEN && !(request->asked >> contact->index & 1)) {
			requests_wait_for(request, contact, now_ms);
			return true;
		}
	}
	return false;
}

bool following_is_direction(const struct message_reply *reply)
{
	return reply->status == STATUS_ERROR &&
	       (reply->error == ERROR_MOVED || (reply->error == ERROR_UNAVAILABLE && reply->retry_ms));
}

bool following_reply(struct machine_request *request, const struct message_reply *reply, int64_t now_ms)
{
	struct client_operation *operation = &request->operation;
	struct contact *from = request->contact, *to;

	if (reply->status != STATUS_ERROR || (request->is_cancelled && !requests_tells_by_number(request)))
		return false;
	if (routes_is_of_lease(operation) && reply->error == ERROR_NO_SUCH_LEASE && from->machine->n_contacts > 1)
		return ask_for_lease(request, now_ms);
	if (!operation->has_group || !following_is_direction(reply))
		return false;
	if (reply->error == ERROR_UNAVAILABLE && request->timeout_ends_ms != MACHINE_NEVER &&
	    now_ms + (int64_t)reply->retry_ms > request->timeout_ends_ms)
		return false;
	if (reply->error == ERROR_MOVED)
		request->n_moves++;
	to = read(from, operation, reply, request->n_moves, now_ms);
	if (!to)
		return false;
	if (operation->count > 1)
		operation->count = request->pending.left;
	request->is_redirected = true;
	if (operation->is_unanswered)
		take_unconfirmed(from, operation->channel, to, now_ms);
	requests_wait_for(request, to, now_ms);
	return true;
}

bool following_notice(struct contact *contact, const struct message_reply *reply, int64_t now_ms)
{
	struct machine_request *request;

	if (!following_is_direction(reply) || !contact->knows_once || !contact->is_of_cluster)
		return false;
	TAILQ_FOREACH(request, &contact->unconfirmed, entry)
	{
		if (slice_equal(slice_from(request->operation.channel), reply->channel)) {
			char channel[sizeof contact->machine->channel];
			struct contact *to = read(contact, &request->operation, reply, 0, now_ms);

			snprintf(channel, sizeof channel, "%s", request->operation.channel);
			return to && take_unconfirmed(contact, channel, to, now_ms);
		}
	}
	return true; /* they have been sent to another already */
}

bool following_own(struct machine_request *create, const struct message_reply *reply, int64_t now_ms)
{
	return following_is_direction(reply) && read(create->contact, &create->operation, reply, 0, now_ms) != NULL;
}
