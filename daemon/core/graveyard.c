/* Deleted channels, and values that were shed, or whose parked puts ended before they entered. Nobody finds them any
 * more, and they count nowhere but in memory; to free them may take long, so it goes on in other turns, a slice in
 * each. With a channel it begins when the effects of the step that deleted it are released: until then replies may name
 * the channel, and show its values. Before, those who are parked there have to be told: see ending.c.
 *
 * Until it is freed, a lease of a deleted channel is still in the table of leases, among its connection's and among the
 * timers. Whoever meets one there discards it or passes over it: lease_find() does not find it. What the values cost
 * counts towards max_memory until they are freed, so that who deletes faster than memory is freed gains nothing. */
#include <assert.h>

#include "daemon/core/charge.h"
#include "daemon/core/recorder.h"

enum { LEASE_WORK = 4 }; /* to free a lease costs as much as to free so many values */

void graveyard_bury(struct core *core, struct channel *channel)
{
	assert(channel->is_removed && channel->n_puts == 0 && channel->n_takes == 0);
	channel->hash_next = NULL;
	if (core->graveyard)
		core->last_grave->hash_next = channel;
	else
		core->graveyard = channel;
	core->last_grave = channel;
}

static void discard(struct core *core, struct channel *channel, struct value *value)
{
	charge_sub(core, channel, value);
	value_destroy(value);
	work_spend(core, 1);
}

void graveyard_discard_lease(struct core *core, struct lease *lease)
{
	struct channel *channel = lease->channel;
	assert(channel->is_removed);
	struct value_list values = lease_take_apart(core, lease);
	struct value *value;
	work_spend(core, LEASE_WORK);
	while ((value = value_list_pop(&values)))
		discard(core, channel, value);
}

void graveyard_discard_delayed_put(struct core *core, struct delayed_put *delayed)
{
	struct channel *channel = delayed->channel;
	assert(channel->is_removed);
	struct value_list values = delayed_put_take_apart(core, delayed);
	struct value *value;
	work_spend(core, LEASE_WORK);
	while ((value = value_list_pop(&values))) {
		recorder_release(core, channel, value);
		discard(core, channel, value);
	}
}

static void free_values(struct core *core)
{
	while (core->dead_values.n > 0 && work_is_left(core)) {
		struct value *value = value_list_pop(&core->dead_values);
		charge_end(core, value);
		value_destroy(value);
		work_spend(core, 1);
	}
}

void graveyard_bury_values(struct core *core, struct value_list *values)
{
	value_list_join(&core->dead_values, values);
	work_take_turns(core, &core->dig_left);
	free_values(core);
	work_take_turns(core, &core->dig_left);
}

/* Whether all that the channel held is freed. */
static bool empty(struct core *core, struct channel *channel)
{
	while (channel->buffer.n > 0 && work_is_left(core))
		discard(core, channel, store_pop(&channel->buffer));
	while (!list_is_empty(&channel->leases) && work_is_left(core))
		graveyard_discard_lease(core, LIST_ITEM(channel->leases.next, struct lease, in_channel));
	while (!list_is_empty(&channel->delayed) && work_is_left(core))
		graveyard_discard_delayed_put(core, LIST_ITEM(channel->delayed.next, struct delayed_put, in_channel));
	producers_forget(core, channel);
	return channel->buffer.n == 0 && list_is_empty(&channel->leases) && list_is_empty(&channel->delayed) &&
	       list_is_empty(&channel->producers);
}

void graveyard_dig(struct core *core)
{
	work_take_turns(core, &core->dig_left);
	free_values(core);
	while (core->graveyard && work_is_left(core) && empty(core, core->graveyard)) {
		struct channel *channel = core->graveyard;
		core->graveyard = channel->hash_next;
		channel->hash_next = NULL;
		work_spend(core, LEASE_WORK);
		if (channel->n_kept == 0)
			channel_destroy(channel);
		else
			channel->is_ghost = true;
	}
	work_take_turns(core, &core->dig_left);
}
