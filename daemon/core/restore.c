/* CORE_RESTORE: all that the records have told becomes the core's, in one step, before anybody is served. */
#include <assert.h>
#include <stdlib.h>

#include "daemon/core/charge.h"
#include "daemon/core/recorder.h"
#include "daemon/core/restored.h"

static int compare_places(const void *a, const void *b)
{
	const struct restored_value *const *one = a, *const *other = b;
	uint64_t first = (*one)->value->seq, second = (*other)->value->seq;
	return (first > second) - (first < second);
}

static bool is_in_order(const struct link *values)
{
	uint64_t last = 0;
	for (const struct link *at = values->next; at != values; at = at->next) {
		uint64_t place = LIST_ITEM(at, struct restored_value, in_channel)->value->seq;
		if (place < last)
			return false;
		last = place;
	}
	return true;
}

/* -1: no memory. */
static int sort(struct link *values)
{
	size_t n = 0, i = 0;
	if (is_in_order(values))
		return 0;
	for (const struct link *at = values->next; at != values; at = at->next)
		n++;
	struct restored_value **sorted = calloc(n, sizeof(struct restored_value *));
	if (!sorted)
		return -1;
	for (struct link *at = values->next; at != values; at = at->next)
		sorted[i++] = LIST_ITEM(at, struct restored_value, in_channel);
	qsort(sorted, n, sizeof(*sorted), compare_places);
	list_init(values);
	for (i = 0; i < n; i++)
		list_append(values, &sorted[i]->in_channel);
	free(sorted);
	return 0;
}

/* A lease with these values. `timer`: it is held, and ends then; without, it is about to be returned. -1: no memory. */
static int make_lease(struct core *core, struct channel *channel, struct value_list *values,
		      const struct core_token *token, uint64_t deadline_us, struct lease **made)
{
	struct lease *lease = calloc(1, sizeof(*lease));
	if (!lease || (token && timers_reserve(&core->timers) < 0)) {
		free(lease);
		return -1;
	}
	*lease = (struct lease){.state = token ? LEASE_HELD : LEASE_DELAYED, .channel = channel, .values = *values};
	lease->is_sticky = token != NULL;
	lease->timer = (struct timer){.kind = TIMER_LEASE, .index = TIMER_NONE, .deadline_us = deadline_us};
	*values = (struct value_list){0};
	channel->n_leased += (uint32_t)lease->values.n;
	core->n_leased += lease->values.n;
	core->n_durable_leased += lease->values.n;
	list_append(&channel->leases, &lease->in_channel);
	list_init(&lease->in_connection);
	list_init(&lease->in_core);
	for (const struct value *value = lease->values.head; value; value = value->next)
		if (value->deliveries > lease->deliveries)
			lease->deliveries = value->deliveries;
	if (token) {
		lease->begun_us = core->now_us; /* as far as anybody knows */
		list_append(&core->held_leases, &lease->in_core);
		lease_table_insert_again(&core->lease_table, lease, *token);
		timers_add(&core->timers, &lease->timer);
	}
	*made = lease;
	return 0;
}

/* Puts a value where it was. */
static void adopt_value(struct core *core, struct restored_channel *restored, struct restored_value *item)
{
	struct channel *channel = restored->adopted;
	struct value *value = item->value;
	uint64_t wall_ms = core->recorder->wall_ms;
	charge_add(core, channel, value);
	channel->recovered++;
	recorder_count(core, channel, value);
	if (value->origin) {
		uint64_t since_ms = value->origin->since_us; /* by wall clock; it may be before our own clock began */
		value->origin->since_us = core->now_us - (wall_ms > since_ms ? wall_ms - since_ms : 0) * 1000;
	}
	if (item->due_ms) {
		/* restore_delayed() goes on with it */
	} else if (item->lease) {
		item->lease->channel = channel;
		value_list_push(&item->lease->values, value);
	} else if (item->is_leased) {
		value_list_push(&restored->ended, value);
	} else {
		store_push(&channel->buffer, value);
		core->n_buffered++;
		core->n_durable_buffered += channel_counts_as_kept(channel);
		core->n_promised += channel->definition.kind == KIND_PROMISE;
	}
}

/* Puts the channel, and its values, into the core. -1: no memory. */
static int adopt(struct core *core, struct core_restore *restore, struct restored_channel *restored)
{
	struct channel *channel = restored->channel;
	if (sort(&restored->values) < 0)
		return -1;
	restored->channel = NULL;
	restored->adopted = channel;
	channel->number = restored->number;
	channel->last_place = restored->last_place;
	directory_insert(&core->directory, channel);
	core->n_durable++;
	while (!list_is_empty(&restored->values)) {
		struct restored_value *item = LIST_ITEM(restored->values.next, struct restored_value, in_channel);
		place_table_remove(&restore->values,
				   place_table_find(&restore->values, restored->number, item->value->seq));
		adopt_value(core, restored, item);
		list_remove(&item->in_channel);
		if (item->due_ms)
			list_append(&restore->delayed, &item->in_channel);
		else
			free(item);
	}
	return 0;
}

/* What producers have put. -1: no memory. */
static int restore_once(struct core *core, const struct restored_channel *restored)
{
	for (const struct restored_once *once = restored->first_once; once; once = once->next) {
		struct slice name = {once->name, once->name_len};
		struct once_outcome outcome = {
			.seq = once->seq,
			.accepted = (uint32_t)once->accepted,
			.evicted = (uint32_t)once->evicted,
			.status = (uint8_t)(once->flags & RECORD_ONCE_SHED ? STATUS_DROPPED : STATUS_OK),
			.is_part = once->flags & RECORD_ONCE_PART,
		};
		if (once->flags & RECORD_ONCE_SILENT)
			once_restore_silent(core, restored->adopted, name);
		else if (once_restore(core, restored->adopted, name, once->seq,
				      once->flags & RECORD_ONCE_FORGOTTEN ? NULL : &outcome) < 0)
			return -1;
	}
	return 0;
}

static int compare_delayed(const void *a, const void *b)
{
	const struct restored_value *one = *(const struct restored_value *const *)a,
				    *other = *(const struct restored_value *const *)b;
	if (one->due_ms != other->due_ms)
		return one->due_ms < other->due_ms ? -1 : 1;
	if (one->channel != other->channel)
		return one->channel->number < other->channel->number ? -1 : 1;
	return compare_places(a, b);
}

/* Those of one channel that enter at the same time, from number `first` on, are one delayed put. Returns the number of
 * the first that is not of them; 0: no memory. */
static size_t restore_delayed_put(struct core *core, struct restored_value **sorted, size_t n, size_t first)
{
	uint64_t wall_ms = core->recorder->wall_ms, due_ms = sorted[first]->due_ms;
	struct restored_channel *channel = sorted[first]->channel;
	struct value_list values = {0};
	size_t i = first;
	for (; i < n && sorted[i]->channel == channel && sorted[i]->due_ms == due_ms; i++) {
		value_list_push(&values, sorted[i]->value);
		list_remove(&sorted[i]->in_channel);
		free(sorted[i]);
	}
	uint64_t left_ms = due_ms > wall_ms ? due_ms - wall_ms : 0;
	if (delayed_put_again(core, channel->adopted, &values, core->now_us + left_ms * 1000) == 0)
		return i;
	value_list_clear(&values);
	return 0;
}

/* Delayed puts go on, and those whose time has come meanwhile enter in the order of their times. -1: no memory. */
static int restore_delayed(struct core *core, struct core_restore *restore)
{
	size_t n = 0, i = 0;
	for (const struct link *at = restore->delayed.next; at != &restore->delayed; at = at->next)
		n++;
	struct restored_value **sorted = calloc(n + 1, sizeof(struct restored_value *));
	if (!sorted)
		return -1;
	for (struct link *at = restore->delayed.next; at != &restore->delayed; at = at->next)
		sorted[i++] = LIST_ITEM(at, struct restored_value, in_channel);
	qsort(sorted, n, sizeof(*sorted), compare_delayed);
	for (i = 0; i < n;) {
		size_t next = restore_delayed_put(core, sorted, n, i);
		if (next == 0)
			break;
		i = next;
	}
	free(sorted);
	return i < n ? -1 : 0;
}

/* Sticky leases go on; all others have ended with the daemon, and are one for each channel, to be returned. -1: no
 * memory. */
static int restore_leases(struct core *core, struct core_restore *restore)
{
	uint64_t wall_ms = core->recorder->wall_ms;
	for (struct restored_lease *lease = restore->first_lease; lease; lease = lease->next) {
		struct lease *made;
		if (!lease->values.n)
			continue;
		uint64_t left_ms = lease->deadline_ms > wall_ms ? lease->deadline_ms - wall_ms : 0;
		if (make_lease(core, lease->channel, &lease->values, &lease->token, core->now_us + left_ms * 1000,
			       &made) < 0)
			return -1;
	}
	for (struct restored_channel *restored = restore->first_channel; restored; restored = restored->next)
		if (restored->ended.n &&
		    make_lease(core, restored->adopted, &restored->ended, NULL, CORE_NEVER, &restored->ended_lease) < 0)
			return -1;
	return 0;
}

static int restore_all(struct core *core, struct core_restore *restore, struct core_effects *effects)
{
	struct restored_channel *restored;
	for (restored = restore->first_channel; restored; restored = restored->next) {
		if (!restored->channel)
			continue;
		if (adopt(core, restore, restored) < 0 || restore_once(core, restored) < 0)
			return -1;
		effects->restored.channels++;
		effects->restored.values += restored->adopted->recovered;
	}
	if (restore_leases(core, restore) < 0 || restore_delayed(core, restore) < 0)
		return -1;
	for (restored = restore->first_channel; restored; restored = restored->next)
		if (restored->ended_lease)
			lease_return(core, restored->ended_lease, LEASE_DISCONNECTED, effects);
	return 0;
}

void op_restore(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct core_restore *restore = event->restore;
	assert(core->recorder && core->directory.buckets.n == 0);
	core->last_channel_number = restore->last_number;
	effects->restored.has_failed = restore_all(core, restore, effects) < 0;
	effects->restored.lost = restore->values.n;
	core_restore_destroy(restore);
}
