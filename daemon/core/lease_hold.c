/* Leases while they are held: a lease is prepared before its values are there, so that handing them out cannot fail; it
 * begins with a reply, and whoever ends it takes it apart. What then becomes of its values is lease_ops.c's. */
#include <assert.h>
#include <stdlib.h>

#include "daemon/core/checkpoint_place.h"
#include "daemon/core/parked_bytes.h"
#include "daemon/core/groups.h"
#include "daemon/core/recorder.h"

/* -- Preparing -- */

static struct lease *prepare(struct core *core, struct lease like)
{
	if (!parked_bytes_fit(core, parked_bytes_of_lease()) || timers_reserve(&core->timers) < 0)
		return NULL;
	struct lease *lease = malloc(sizeof(*lease));
	if (!lease) {
		timers_unreserve(&core->timers);
		return NULL;
	}
	*lease = like;
	core->parked_bytes += parked_bytes_of_lease();
	return lease;
}

struct lease *lease_prepare(struct core *core, const struct core_event *event)
{
	assert(event->lease_ms > 0 && event->connection);
	return prepare(core, (struct lease){.state = LEASE_PREPARED,
					    .connection = event->connection,
					    .ms = event->lease_ms,
					    .is_sticky = event->sticky});
}

struct lease *lease_prepare_again(struct core *core, const struct lease *lease)
{
	assert(lease->state == LEASE_PREPARED);
	return prepare(core, *lease);
}

void lease_forget(struct core *core, struct lease *lease)
{
	if (!lease)
		return;
	assert(lease->state == LEASE_PREPARED);
	timers_unreserve(&core->timers);
	core->parked_bytes -= parked_bytes_of_lease();
	free(lease);
}

/* -- Holding -- */

void lease_count(struct core *core, struct channel *channel, size_t n)
{
	channel->n_leased += (uint32_t)n;
	core->n_leased += n;
	core->n_durable_leased += channel->definition.durable ? n : 0;
}

void lease_uncount(struct core *core, struct channel *channel, size_t n)
{
	assert(channel->n_leased >= n);
	channel->n_leased -= (uint32_t)n;
	core->n_leased -= n;
	core->n_durable_leased -= channel->definition.durable ? n : 0;
}

void lease_begin(struct core *core, struct lease *lease, struct channel *channel, struct value_list *values,
		 struct core_reply *reply)
{
	assert(lease->state == LEASE_PREPARED && values->n > 0);
	lease->state = LEASE_HELD;
	lease->channel = channel;
	lease->values = *values;
	*values = (struct value_list){0};
	lease->deliveries = 0;
	for (struct value *value = lease->values.head; value; value = value->next)
		if (++value->deliveries > lease->deliveries)
			lease->deliveries = value->deliveries;
	lease_count(core, channel, lease->values.n);
	list_append(&channel->leases, &lease->in_channel);
	struct link *leases = &lease->connection->leases;
	list_append(lease->is_sticky ? leases->next : leases, &lease->in_connection);
	list_append(&core->held_leases, &lease->in_core);
	lease->begun_us = core->now_us;
	lease_table_insert(&core->lease_table, lease);
	lease->timer = (struct timer){
		.kind = TIMER_LEASE, .index = TIMER_NONE, .deadline_us = core->now_us + lease->ms * 1000};
	timers_add(&core->timers, &lease->timer);
	for (struct value *value = lease->values.head; value; value = value->next)
		recorder_leased(core, channel, value, lease);
	reply->value = lease->values.head;
	reply->n_values = (uint32_t)lease->values.n;
	reply->has_lease = true;
	reply->lease = lease->token;
}

struct lease *lease_find(struct core *core, struct core_token token)
{
	struct lease *lease = lease_table_find(&core->lease_table, token);
	return lease && !lease->channel->is_removed && !group_is_leaving(lease->channel->group) ? lease : NULL;
}

void lease_let_go(struct core *core, struct lease *lease)
{
	assert(lease->state == LEASE_HELD);
	lease_table_remove(&core->lease_table, lease);
	list_remove(&lease->in_connection);
	list_remove(&lease->in_core);
	lease->state = LEASE_DELAYED;
}

struct value_list lease_take_apart(struct core *core, struct lease *lease)
{
	if (lease->state == LEASE_HELD)
		lease_let_go(core, lease);
	checkpoint_passes_lease(&core->checkpoint, lease);
	list_remove(&lease->in_channel);
	timers_remove(&core->timers, &lease->timer);
	struct value_list values = lease->values;
	core->parked_bytes -= parked_bytes_of_lease();
	free(lease);
	return values;
}

/* -- Dead letters -- */

void channel_settle_at_end(struct core *core, struct channel *channel)
{
	if (list_is_empty(&channel->in_unsettled))
		list_append(&core->unsettled, &channel->in_unsettled);
}

void dead_letter_entered(struct core *core, struct channel *source)
{
	lease_uncount(core, source, 1);
	source->dead_lettered++;
	channel_settle_at_end(core, source);
}

void dead_letter_left(struct core *core, struct channel *source, struct channel *target, struct value *value)
{
	if (value->recorded_in)
		recorder_moved(core, source, value, value->seq, target, RECORD_DEAD_LETTERED);
	value->recorded_in = 0;
	value->deliveries = 0;
}
