/* The end of connections: their parked requests, leases, unsent values and ephemeral channels; and of all that is
 * parked, when the daemon ends. */
#include <stdlib.h>

#include "daemon/core/charge.h"
#include "daemon/core/recorder.h"

enum { RETURN_WORK = 4 }; /* to return a lease, beside its values, costs as much as to free so many values */

static void cancel_all(struct core *core, struct core_connection *connection)
{
	while (!list_is_empty(&connection->parked))
		park_forget(core, LIST_ITEM(connection->parked.next, struct request, parked.in_connection));
	consumer_destroy(core, connection->consumer);
	connection->consumer = NULL;
}

void op_hang_up(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	(void)effects;
	cancel_all(core, event->connection);
}

/* Values that were taken plainly, and never sent. */
static void take_back(struct core *core, struct value *value, uint32_t n, struct core_effects *effects)
{
	struct channel *channel = value->channel;
	struct value_list values = {0};
	for (struct value *next; n > 0; n--, value = next) {
		next = value->next;
		if (channel->is_removed) {
			value_unkeep(value); /* the last one takes the channel with it */
			continue;
		}
		channel->n_kept--;
		channel->returned++;
		charge_add(core, channel, value);
		recorder_back(core, channel, value);
		value_list_push(&values, value);
	}
	if (values.n == 0)
		return;
	transfer_back(core, channel, &values, effects);
	channel_settle(core, channel, effects);
}

/* Returns one thing that the connection had, and tells what it costs; 0: nothing is left. */
static uint32_t return_next(struct core *core, struct core_connection *connection, struct core_effects *effects)
{
	uint32_t work = RETURN_WORK;
	if (!list_is_empty(&connection->leases)) {
		struct lease *lease = LIST_ITEM(connection->leases.next, struct lease, in_connection);
		if (lease->is_sticky) {
			list_remove(&lease->in_connection);
			lease->connection = NULL;
		} else if (lease->channel->is_removed) {
			graveyard_discard_lease(core, lease);
		} else {
			work += (uint32_t)lease->values.n;
			lease_return(core, lease, LEASE_DISCONNECTED, effects);
		}
	} else if (!list_is_empty(&connection->ephemeral)) {
		channel_remove(core, LIST_ITEM(connection->ephemeral.next, struct channel, in_owner), effects);
		work = CHANNEL_WORK;
	} else {
		return 0;
	}
	return work;
}

void connections_depart(struct core *core, struct core_effects *effects)
{
	while (!list_is_empty(&core->departing)) {
		struct core_connection *connection = LIST_ITEM(core->departing.next, struct core_connection, in_core);
		for (uint32_t work = 1; work > 0 && work_is_left(core); work_spend(core, work))
			work = return_next(core, connection, effects);
		if (!list_is_empty(&connection->leases) || !list_is_empty(&connection->ephemeral))
			return;
		list_remove(&connection->in_core);
		free(connection);
	}
}

/* To others, the order in which a connection's leases end and its ephemeral channels go is that of the protocol; that
 * it may take some turns looks as if leases had ended one after the other. An ephemeral channel that is still there
 * when somebody creates one of its name is deleted first. */
void op_disconnect(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct core_connection *connection = event->connection;
	cancel_all(core, connection);
	for (size_t i = 0; i < event->n_unsent; i++) {
		const struct core_unsent *unsent = &event->unsent[i];
		struct lease *lease = unsent->values ? NULL : lease_find(core, unsent->token);
		if (unsent->values)
			take_back(core, unsent->values, unsent->n_values, effects);
		else if (lease)
			lease_return(core, lease, LEASE_UNSENT, effects);
	}
	core->n_connections--;
	connection->cookie = NULL;
	connection->quota = NULL;
	connection->is_departing = true;
	list_remove(&connection->in_lending);
	list_remove(&connection->in_core);
	list_append(&core->departing, &connection->in_core);
	connections_depart(core, effects);
}

static void abandon(struct core *core, struct request *request, struct core_effects *effects)
{
	work_spend(core, park_work(request));
	park_complete(core, request, NULL, STATUS_ERROR, effects)->error = ERROR_DRAINING;
}

void op_abandon(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	(void)event;
	core->abandoned = 0;
	abandon_goes_on(core, effects);
}

/* Those in queues, in the order of parking. What somebody parks meanwhile is at the end. */
static void abandon_parked(struct core *core, struct core_effects *effects)
{
	struct request *request;
	while (work_is_left(core) && (request = order_after(&core->order, core->abandoned))) {
		core->abandoned = request->parked.seq;
		if (request_is_nobodys(request))
			work_spend(core, 1);
		else
			abandon(core, request, effects);
	}
}

static void abandon_resting(struct core *core, struct core_effects *effects)
{
	for (struct link *at = core->connections.next; at != &core->connections && work_is_left(core); at = at->next) {
		struct consumer *consumer = LIST_ITEM(at, struct core_connection, in_core)->consumer;
		while (consumer && !list_is_empty(&consumer->resting) && work_is_left(core))
			abandon(core, LIST_ITEM(consumer->resting.next, struct request, parked.in_connection), effects);
	}
}

void abandon_goes_on(struct core *core, struct core_effects *effects)
{
	if (core->abandoned == CORE_NEVER)
		return;
	abandon_parked(core, effects);
	abandon_resting(core, effects);
	if (work_is_left(core))
		core->abandoned = CORE_NEVER;
}

/* -- Quotas and rights -- */

void op_join_quota(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct core_connection *connection = event->connection;
	(void)core, (void)effects;
	if (connection->quota)
		connection->quota->n_parked -= connection->n_parked;
	connection->quota = event->quota;
	if (connection->quota)
		connection->quota->n_parked += connection->n_parked;
	for (struct link *at = connection->ephemeral.next; at != &connection->ephemeral; at = at->next)
		channel_join_quota(LIST_ITEM(at, struct channel, in_owner), event->quota);
}

enum { REVOKED_PUT = 1, REVOKED_TAKE = 2 };

/* Marks the channels, or takes the marks away: so that each arm is looked at once, however many rights are gone. */
static void mark_revoked(struct core *core, const struct core_event *event, bool set)
{
	for (uint32_t i = 0; i < event->n_revoked; i++) {
		struct channel *channel = channel_find(core, event->revoked[i].channel);
		if (channel && set)
			channel->revoked |= event->revoked[i].is_put ? REVOKED_PUT : REVOKED_TAKE;
		else if (channel)
			channel->revoked = 0;
	}
}

static void deny_revoked(struct core *core, struct link *list, struct core_effects *effects)
{
	for (struct link *at = list->next, *next; at != list; at = next) {
		next = at->next;
		struct request *request = LIST_ITEM(at, struct request, parked.in_connection);
		for (uint32_t i = 0; i < request->parked.n_arms; i++) {
			struct arm *arm = &request->arms[i];
			if (arm->channel->revoked & (arm->is_put ? REVOKED_PUT : REVOKED_TAKE)) {
				park_complete(core, request, arm, STATUS_ERROR, effects)->error = ERROR_DENIED;
				break;
			}
		}
	}
}

void op_revoke(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct consumer *consumer = event->connection->consumer;
	mark_revoked(core, event, true);
	deny_revoked(core, &event->connection->parked, effects);
	if (consumer) {
		deny_revoked(core, &consumer->counting, effects);
		deny_revoked(core, &consumer->resting, effects);
	}
	mark_revoked(core, event, false);
}
