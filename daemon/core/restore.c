/* All that the records have told becomes the core's, in slices: with CORE_RESTORE before anybody is served, one in each
 * such step; with CORE_ADOPT, of one group, in each turn, and nobody sees anything of it before it is whole.
 *
 * First all channels are there, with what is buffered; then the leases and the delayed puts; then the taps, which may
 * hold values; and then the leases that have ended are returned, each to a channel, or to its dead_letter channel, that
 * is whole. A value is the restore's, and counts nowhere in the core, until it has its place. */
#include <assert.h>
#include <stdlib.h>

#include "daemon/core/charge.h"
#include "daemon/core/groups.h"
#include "daemon/core/parked_bytes.h"
#include "daemon/core/recorder.h"
#include "daemon/core/restored.h"
#include "daemon/core/tap.h"
#include "proto/name.h"

enum {
	PLACE_WORK = 4,      /* what it costs to put a lease or a tap in place, in values that are freed */
	BACK_WORK = 12,      /* and a value among those that came back */
	LEASE_VALUES = 1000, /* so many values of leases that have ended are returned together */
};

static int compare_places(const void *a, const void *b)
{
	const struct restored_value *const *one = a, *const *other = b;
	uint64_t first = (*one)->value->seq, second = (*other)->value->seq;
	return (first > second) - (first < second);
}

/* The value has its place in the channel from now on, and counts. */
static void count_value(struct core *core, struct channel *channel, struct value *value)
{
	uint64_t wall_ms = core->recorder->wall_ms;
	charge_add(core, channel, value);
	channel->recovered++;
	recorder_count(core, channel, value);
	value->recorded_in = core->checkpoint.number + 1;
	if (value->origin) {
		uint64_t since_ms = value->origin->since_us; /* by wall clock; it may be before our own clock began */
		value->origin->since_us = core->now_us - (wall_ms > since_ms ? wall_ms - since_ms : 0) * 1000;
	}
	work_spend(core, 1);
}

/* A lease with these values. `timer`: it is held, and ends then; without, it is about to be returned. NULL: no memory.
 */
static struct lease *make_lease(struct core *core, struct channel *channel, struct value_list *values,
				const struct core_token *token, uint64_t deadline_us)
{
	struct lease *lease = calloc(1, sizeof(*lease));
	if (!lease || (token && timers_reserve(&core->timers) < 0)) {
		free(lease);
		return NULL;
	}
	*lease = (struct lease){.state = token ? LEASE_HELD : LEASE_DELAYED, .channel = channel, .values = *values};
	lease->is_sticky = token != NULL;
	lease->timer = (struct timer){.kind = TIMER_LEASE, .index = TIMER_NONE, .deadline_us = deadline_us};
	*values = (struct value_list){0};
	core->parked_bytes += parked_bytes_of_lease();
	lease_count(core, channel, lease->values.n);
	list_append(&channel->leases, &lease->in_channel);
	list_init(&lease->in_connection);
	list_init(&lease->in_core);
	for (struct value *value = lease->values.head; value; value = value->next) {
		count_value(core, channel, value);
		if (value->deliveries > lease->deliveries)
			lease->deliveries = value->deliveries;
	}
	if (token) {
		lease->begun_us = core->now_us; /* as far as anybody knows */
		list_append(&core->held_leases, &lease->in_core);
		lease_table_insert_again(&core->lease_table, lease, *token);
		timers_add(&core->timers, &lease->timer);
	}
	work_spend(core, PLACE_WORK);
	return lease;
}

/* -- Channels, and what is buffered -- */

/* A promise has one value, which nobody leases: whole records that say something else were not written by us. */
static bool can_be_in(const struct channel *channel, const struct restored_value *item)
{
	return channel->definition.kind != KIND_PROMISE ||
	       (channel->buffer.n == 0 && !item->due_ms && !item->lease && !item->is_leased);
}

/* The value is put in its place among others that come in any order. */
static void return_value(struct core *core, struct store *store, struct value *value)
{
	store_return(store, value);
	work_spend(core, BACK_WORK);
}

/* The value is buffered. Records tell of values in the order of their places, but of those that had come back: there it
 * is as if this one came back now. */
static void buffer_again(struct core *core, struct channel *channel, struct value *value)
{
	const struct value *last = channel->buffer.entered.tail;
	count_value(core, channel, value);
	if (last && last->seq > value->seq)
		return_value(core, &channel->buffer, value);
	else
		store_push(&channel->buffer, value);
	core->n_buffered++;
	core->n_durable_buffered += channel_counts_as_kept(channel);
	core->n_promised += channel->definition.kind == KIND_PROMISE;
}

/* A value of a channel that is the core's. */
static void place_value(struct core *core, struct core_restore *restore, struct restored_channel *restored,
			struct restored_value *item)
{
	struct channel *channel = restored->adopted;
	struct value *value = item->value;
	list_remove(&item->in_channel);
	restore->n_placed++;
	if (!can_be_in(channel, item)) {
		value_destroy(value);
		free(item);
		return;
	}
	if (item->due_ms) { /* restore_delayed() goes on with it */
		list_append(&restore->delayed, &item->in_channel);
		return;
	}
	if (item->lease && (!item->lease->channel || item->lease->channel == channel)) {
		item->lease->channel = channel;
		return_value(core, &item->lease->values, value);
	} else if (item->is_leased) {
		return_value(core, &restored->ended, value);
	} else if (item->is_carried && !restored->held && channel->definition.kind != KIND_PROMISE) {
		restored->held = value;
	} else {
		buffer_again(core, channel, value);
	}
	work_spend(core, 1);
	free(item);
}

/* The channel becomes the core's. False: it is deleted, or none of the group's; or there is one of that name, as no
 * journal says that is as it was written. */
static bool place_channel(struct core *core, struct restored_channel *restored, struct group *group)
{
	struct channel *channel = restored->channel;
	if (!channel || directory_find(&core->directory, channel_name(channel)) ||
	    (group && !slice_equal(channel_group(channel_name(channel)), group_name(group))))
		return false;
	restored->channel = NULL;
	restored->adopted = channel;
	channel->number = restored->number;
	channel->last_place = restored->last_place;
	channel->group = group;
	if (group)
		list_append(&group->channels, &channel->in_group);
	directory_insert(&core->directory, channel);
	core->n_durable += channel->definition.durable;
	work_spend(core, CHANNEL_WORK);
	return true;
}

/* What a producer has put. -1: no memory. */
static int place_once(struct core *core, struct channel *channel, const struct restored_once *once)
{
	struct slice name = {once->name, once->name_len};
	struct once_outcome outcome = {
		.seq = once->seq,
		.accepted = (uint32_t)once->accepted,
		.evicted = (uint32_t)once->evicted,
		.status = (uint8_t)(once->flags & RECORD_ONCE_SHED ? STATUS_DROPPED : STATUS_OK),
		.is_part = once->flags & RECORD_ONCE_PART,
	};
	work_spend(core, 1);
	if (once->flags & RECORD_ONCE_SILENT) {
		once_restore_silent(core, channel, name);
		return 0;
	}
	return once_restore(core, channel, name, once->seq, once->flags & RECORD_ONCE_FORGOTTEN ? NULL : &outcome);
}

/* What the channel, which is the core's, had. -1: no memory. */
static int restore_channel(struct core *core, struct core_restore *restore, struct restored_channel *restored,
			   struct core_restored *found)
{
	for (; restored->next_once && work_is_left(core); restored->next_once = restored->next_once->next)
		if (place_once(core, restored->adopted, restored->next_once) < 0)
			return -1;
	while (!list_is_empty(&restored->values) && work_is_left(core)) {
		place_value(core, restore, restored,
			    LIST_ITEM(restored->values.next, struct restored_value, in_channel));
		found->values++;
	}
	return 0;
}

/* -1: no memory. */
static int restore_channels(struct core *core, struct core_restore *restore, struct group *group,
			    struct core_restored *found)
{
	while (restore->next && work_is_left(core)) {
		struct restored_channel *restored = restore->next;
		if (!restored->adopted && place_channel(core, restored, group)) {
			found->channels++;
			restored->next_once = restored->first_once;
		}
		if (restored->adopted && restore_channel(core, restore, restored, found) < 0)
			return -1;
		if (!restored->adopted || (!restored->next_once && list_is_empty(&restored->values)))
			restore->next = restored->next;
	}
	return 0;
}

/* -- Leases -- */

/* As make_lease(), of at most so many of these values, the oldest. NULL: no memory, and they are gone. */
static struct lease *make_lease_of(struct core *core, struct channel *channel, struct store *values, size_t most,
				   const struct core_token *token, uint64_t deadline_us)
{
	struct value_list some = {0};
	while (values->n > 0 && some.n < most)
		value_list_push(&some, store_pop(values));
	struct lease *lease = make_lease(core, channel, &some, token, deadline_us);
	value_list_clear(&some);
	return lease;
}

/* Sticky leases go on. -1: no memory. */
static int restore_leases(struct core *core, struct core_restore *restore)
{
	uint64_t wall_ms = core->recorder->wall_ms;
	for (; restore->next_lease && work_is_left(core); restore->next_lease = restore->next_lease->next) {
		struct restored_lease *lease = restore->next_lease;
		if (!lease->values.n)
			continue;
		uint64_t left_ms = lease->deadline_ms > wall_ms ? lease->deadline_ms - wall_ms : 0;
		if (!make_lease_of(core, lease->channel, &lease->values, SIZE_MAX, &lease->token,
				   core->now_us + left_ms * 1000))
			return -1;
	}
	return 0;
}

/* All others have ended with the daemon. They are leases to be returned, once all are counted. -1: no memory. */
static int restore_ended(struct core *core, struct core_restore *restore)
{
	while (restore->next_ended && work_is_left(core)) {
		struct restored_channel *restored = restore->next_ended;
		if (restored->ended.n == 0) {
			restore->next_ended = restored->next;
			continue;
		}
		struct lease **leases = reallocarray(restore->ended, restore->n_ended + 1, sizeof(struct lease *));
		if (!leases)
			return -1;
		restore->ended = leases;
		leases[restore->n_ended] =
			make_lease_of(core, restored->adopted, &restored->ended, LEASE_VALUES, NULL, CORE_NEVER);
		if (!leases[restore->n_ended])
			return -1;
		restore->n_ended++;
	}
	return 0;
}

static void return_ended(struct core *core, struct core_restore *restore, struct core_effects *effects)
{
	while (restore->n_returned < restore->n_ended && work_is_left(core)) {
		struct lease *lease = restore->ended[restore->n_returned++];
		work_spend(core, PLACE_WORK + (uint32_t)lease->values.n);
		lease_return(core, lease, LEASE_DISCONNECTED, effects);
	}
}

/* -- Taps -- */

/* What the taps of the channel held, and somebody has from them: where no tap is left it is gone. */
static void place_held(struct core *core, struct channel *channel, struct value *held)
{
	count_value(core, channel, held);
	if (channel->mult) {
		lease_count(core, channel, 1);
		mult_hold_again(core, channel->mult, held);
		return;
	}
	channel->taken++;
	charge_sub(core, channel, held);
	recorder_gone(core, channel, held, RECORD_TAKEN);
	value_destroy(held);
}

/* -1: no memory. */
static int place_taps(struct core *core, const struct core_restore *restore, struct restored_channel *restored)
{
	for (struct restored_tap *tap = restored->taps; tap; tap = tap->next) {
		const struct place_entry *entry = place_table_find(&restore->channels, tap->target, 0);
		struct channel *to = entry ? ((struct restored_channel *)entry->item)->adopted : NULL;
		struct core_tap_terms terms = {.closes = tap->closes, .state = tap->state, .match = tap->match};
		if (!to || to->closed)
			continue;
		bool is_done = restored->held || restored->adopted->definition.kind == KIND_PROMISE;
		struct tap *again = tap_again(core, restored->adopted, to, &terms, is_done ? tap->done_place : 0);
		if (!again)
			return -1;
		if (tap->done_place && !is_done)
			recorder_carried(core, again, RECORD_CARRIED_PAST); /* none: what it had no need of is back */
		tap->match = NULL;
		work_spend(core, PLACE_WORK);
	}
	if (restored->held)
		place_held(core, restored->adopted, restored->held);
	restored->held = NULL;
	return 0;
}

/* Once all channels are there, and before anything comes back to them: what the taps hold takes room. -1: no memory. */
static int restore_taps(struct core *core, struct core_restore *restore)
{
	for (; restore->next_tapped && work_is_left(core); restore->next_tapped = restore->next_tapped->next) {
		struct restored_channel *restored = restore->next_tapped;
		if (!restored->adopted)
			continue;
		if (place_taps(core, restore, restored) < 0)
			return -1;
		channel_shed(core, restored->adopted); /* what its taps had taken, and nobody has, is back */
	}
	return 0;
}

/* -- Delayed puts -- */

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
	struct restored_channel *restored = sorted[first]->channel;
	struct value_list values = {0};
	size_t i = first;
	for (; i < n && sorted[i]->channel == restored && sorted[i]->due_ms == due_ms; i++) {
		count_value(core, restored->adopted, sorted[i]->value);
		value_list_push(&values, sorted[i]->value);
		list_remove(&sorted[i]->in_channel);
		free(sorted[i]);
	}
	uint64_t left_ms = due_ms > wall_ms ? due_ms - wall_ms : 0;
	if (delayed_put_again(core, restored->adopted, &values, core->now_us + left_ms * 1000) == 0)
		return i;
	for (struct value *value; (value = value_list_pop(&values));) {
		charge_sub(core, restored->adopted, value);
		value_destroy(value);
	}
	return 0;
}

/* Delayed puts go on, and those whose time has come meanwhile enter in the order of their times. They are sorted as
 * long as that takes. -1: no memory. */
static int restore_delayed(struct core *core, struct core_restore *restore)
{
	size_t n = 0, i = 0;
	for (const struct link *at = restore->delayed.next; at != &restore->delayed; at = at->next)
		n++;
	if (n == 0)
		return 0;
	struct restored_value **sorted = calloc(n, sizeof(struct restored_value *));
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

/* -- The whole -- */

int restore_slice(struct core *core, struct core_restore *restore, struct group *group, struct core_restored *found,
		  struct core_effects *effects)
{
	if (!restore->has_begun) {
		restore->has_begun = true;
		restore->next = restore->next_ended = restore->next_tapped = restore->first_channel;
		restore->next_lease = restore->first_lease;
	}
	if (restore_channels(core, restore, group, found) < 0 ||
	    (!restore->next && restore_leases(core, restore) < 0) ||
	    (!restore->next && !restore->next_lease && restore_ended(core, restore) < 0))
		return -1;
	if (restore->next || restore->next_lease || restore->next_ended || !work_is_left(core))
		return 0;
	if (restore_delayed(core, restore) < 0)
		return -1;
	if (restore_taps(core, restore) < 0)
		return -1;
	if (restore->next_tapped)
		return 0;
	return_ended(core, restore, effects);
	if (restore->n_returned < restore->n_ended)
		return 0;
	found->lost = restore->values.n - restore->n_placed;
	return 1;
}

void op_restore(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct core_restore *restore = event->restore;
	assert(core->recorder && (restore->has_begun || core->directory.buckets.n == 0));
	core->last_channel_number = restore->last_number;
	core->do_taps_rest = true;
	work_begin(core);
	int result = restore_slice(core, restore, NULL, &restore->found, effects);
	restore->found.has_failed = result < 0;
	restore->found.is_done = result != 0;
	core->is_restoring = result == 0;
	effects->restored = restore->found;
}
