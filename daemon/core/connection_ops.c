/* The end of connections: their parked requests, leases, unsent values and ephemeral channels; and of all that is
 * parked, when the daemon ends. */
#include <stdlib.h>

#include "daemon/core/recorder.h"

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
		channel->bytes += value->len;
		core->bytes += value->len;
		recorder_back(core, channel, value);
		value_list_push(&values, value);
	}
	if (values.n == 0)
		return;
	transfer_back(core, channel, &values, effects);
	channel_settle(core, channel, effects);
}

void op_disconnect(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct core_connection *connection = event->connection;
	cancel_all(core, connection);
	for (size_t i = 0; i < event->n_unsent; i++) {
		const struct core_unsent *unsent = &event->unsent[i];
		struct lease *lease = unsent->values ? NULL : lease_table_find(&core->lease_table, unsent->token);
		if (unsent->values)
			take_back(core, unsent->values, unsent->n_values, effects);
		else if (lease)
			lease_return(core, lease, false, effects);
	}
	while (!list_is_empty(&connection->leases))
		lease_return(core, LIST_ITEM(connection->leases.next, struct lease, in_connection), true, effects);
	while (!list_is_empty(&connection->ephemeral))
		channel_remove(core, LIST_ITEM(connection->ephemeral.next, struct channel, in_owner), effects);
	list_remove(&connection->in_core);
	core->n_connections--;
	free(connection);
}

static void abandon(struct core *core, struct request *request, struct core_effects *effects)
{
	park_complete(core, request, NULL, STATUS_ERROR, effects)->error = ERROR_DRAINING;
}

void op_abandon(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	(void)event;
	uint64_t after = 0;
	for (struct request *request; (request = order_after(&core->order, after));) {
		after = request->parked.seq;
		if (!request_is_dead_letter(request))
			abandon(core, request, effects);
	}
	for (struct link *at = core->connections.next; at != &core->connections; at = at->next) {
		struct consumer *consumer = LIST_ITEM(at, struct core_connection, in_core)->consumer;
		while (consumer && !list_is_empty(&consumer->resting))
			abandon(core, LIST_ITEM(consumer->resting.next, struct request, parked.in_connection), effects);
	}
}
