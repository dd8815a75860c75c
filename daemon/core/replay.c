/* Records become channels and values again. While they are replayed nothing of the core is touched: channels are found
 * by their numbers, values by channel and place, in two tables.
 *
 * A record may name a channel or a place of which nothing is known: what it was about is gone, and the segment that
 * said so may be, too; or a checkpoint is about to tell. Only a channel that was created in the end is restored. */
#include <stdlib.h>
#include <string.h>

#include "daemon/core/restored.h"
#include "daemon/journal/record.h"
#include "proto/name.h"

struct core_restore *core_restore_create(core_match_cb *make_match)
{
	struct core_restore *restore = calloc(1, sizeof(*restore));
	if (!restore)
		return NULL;
	restore->last_channel = &restore->first_channel;
	list_init(&restore->delayed);
	restore->make_match = make_match;
	return restore;
}

static void forget_value(struct core_restore *restore, struct restored_value *restored)
{
	place_table_remove(&restore->values,
			   place_table_find(&restore->values, restored->channel->number, restored->value->seq));
	list_remove(&restored->in_channel);
	value_destroy(restored->value);
	free(restored);
}

static void forget_values(struct core_restore *restore, struct restored_channel *channel)
{
	while (!list_is_empty(&channel->values))
		forget_value(restore, LIST_ITEM(channel->values.next, struct restored_value, in_channel));
}

static void forget_once(struct restored_channel *channel)
{
	for (struct restored_once *once = channel->first_once, *next; once; once = next) {
		next = once->next;
		free(once);
	}
	channel->first_once = NULL;
	channel->last_once = &channel->first_once;
}

/* Takes it out of the list. */
static void forget_tap(struct restored_tap **place)
{
	struct restored_tap *tap = *place;
	*place = tap->next;
	core_match_destroy(tap->match);
	free(tap);
}

static void forget_taps(struct restored_channel *channel)
{
	while (channel->taps)
		forget_tap(&channel->taps);
}

void core_restore_destroy(struct core_restore *restore)
{
	if (!restore)
		return;
	for (struct restored_channel *channel = restore->first_channel, *next; channel; channel = next) {
		next = channel->next;
		forget_values(restore, channel);
		forget_once(channel);
		forget_taps(channel);
		store_clear(&channel->ended);
		value_destroy(channel->held);
		channel_destroy(channel->channel);
		free(channel);
	}
	for (struct restored_lease *lease = restore->first_lease, *next; lease; lease = next) {
		next = lease->next;
		store_clear(&lease->values);
		free(lease);
	}
	while (!list_is_empty(&restore->delayed)) {
		struct restored_value *restored = LIST_ITEM(restore->delayed.next, struct restored_value, in_channel);
		list_remove(&restored->in_channel);
		value_destroy(restored->value);
		free(restored);
	}
	free(restore->ended);
	free(restore->channels.entries);
	free(restore->values.entries);
	free(restore->leases.entries);
	free(restore);
}

/* -- Records -- */

/* The channel of that number, known or not. NULL: no memory. */
static struct restored_channel *channel_of(struct core_restore *restore, uint64_t number)
{
	struct place_entry *entry = place_table_find(&restore->channels, number, 0);
	if (entry)
		return entry->item;
	struct restored_channel *channel = calloc(1, sizeof(*channel));
	if (!channel || place_table_insert(&restore->channels, (struct place_entry){number, 0, channel}) < 0) {
		free(channel);
		return NULL;
	}
	channel->number = number;
	list_init(&channel->values);
	channel->last_once = &channel->first_once;
	*restore->last_channel = channel;
	restore->last_channel = &channel->next;
	if (number > restore->last_number)
		restore->last_number = number;
	return channel;
}

static struct core_definition definition_of(const struct record *record, enum channel_kind kind)
{
	return (struct core_definition){
		.kind = kind,
		.capacity = record->capacity,
		.max_waiters = (uint32_t)record->max_waiters,
		.durable = record->kind == RECORD_CREATE,
		.max_deliveries = (uint32_t)record->max_deliveries,
		.dead_letter = record->dead_letter,
	};
}

/* A record that is whole, and yet no channel, is none of ours: nobody but us could have written it, and we do not. */
static bool is_sensible(const struct record *record)
{
	return record->channel > 0 && name_is_valid(record->name) && record->channel_kind < KIND_COUNT &&
	       (record->channel_kind == KIND_UNBUFFERED ? record->kind == RECORD_DEFINE : record->capacity > 0);
}

static int replay_create(struct restored_channel *restored, const struct record *record)
{
	if (!is_sensible(record))
		return 0;
	struct core_definition definition = definition_of(record, (enum channel_kind)record->channel_kind);
	struct channel *channel = channel_create(record->name, &definition);
	if (!channel)
		return -1;
	channel->closed = record->closed;
	channel_destroy(restored->channel);
	restored->channel = channel;
	if (record->place > restored->last_place)
		restored->last_place = record->place;
	return 0;
}

static int replay_alter(struct restored_channel *restored, const struct record *record)
{
	if (!restored->channel || (record->capacity == 0 && restored->channel->definition.kind != KIND_UNBUFFERED))
		return 0;
	struct core_definition definition = definition_of(record, restored->channel->definition.kind);
	definition.durable = restored->channel->definition.durable;
	return channel_redefine(restored->channel, &definition);
}

static void replay_delete(struct core_restore *restore, struct restored_channel *restored)
{
	forget_values(restore, restored);
	forget_once(restored);
	forget_taps(restored);
	channel_destroy(restored->channel);
	restored->channel = NULL;
}

static struct restored_value *value_of(const struct core_restore *restore, const struct record *record)
{
	struct place_entry *entry = place_table_find(&restore->values, record->channel, record->place);
	return entry ? entry->item : NULL;
}

/* Its time is that of the wall until the value is the core's. */
static int replay_origin(struct value *value, const struct record *record)
{
	if (record->origin.len == 0 || record->origin.len > UINT8_MAX)
		return 0;
	if (value_origin_begin(value, record->origin, (enum value_reason)record->origin_reason, record->origin_ms) < 0)
		return -1;
	value->origin->deliveries = (uint32_t)record->origin_deliveries;
	return 0;
}

static int replay_put(struct core_restore *restore, struct restored_channel *channel, const struct record *record)
{
	struct restored_value *restored = value_of(restore, record);
	if (restored)
		forget_value(restore, restored);
	if (record->place == 0)
		return 0;
	struct value *value = value_create(record->value.bytes, record->value.len, NULL);
	restored = calloc(1, sizeof(*restored));
	if (!value || !restored || replay_origin(value, record) < 0 ||
	    place_table_insert(&restore->values, (struct place_entry){record->channel, record->place, restored}) < 0) {
		value_destroy(value);
		free(restored);
		return -1;
	}
	value->seq = record->place;
	value->deliveries = (uint32_t)record->deliveries;
	value->recorded_in = 1;
	*restored = (struct restored_value){.value = value, .channel = channel, .due_ms = record->due_ms};
	list_append(&channel->values, &restored->in_channel);
	if (record->place > channel->last_place)
		channel->last_place = record->place;
	return 0;
}

static struct restored_lease *lease_of(struct core_restore *restore, const struct record *record)
{
	struct place_entry *entry = place_table_find(&restore->leases, record->token[0], record->token[1]);
	if (entry)
		return entry->item;
	struct restored_lease *lease = calloc(1, sizeof(*lease));
	if (!lease ||
	    place_table_insert(&restore->leases, (struct place_entry){record->token[0], record->token[1], lease}) < 0) {
		free(lease);
		return NULL;
	}
	lease->token = (struct core_token){{record->token[0], record->token[1]}};
	lease->next = restore->first_lease;
	restore->first_lease = lease;
	return lease;
}

static int replay_leased(struct core_restore *restore, const struct record *record)
{
	struct restored_value *restored = value_of(restore, record);
	if (!restored)
		return 0;
	restored->value->deliveries = (uint32_t)record->deliveries;
	restored->is_leased = true;
	restored->lease = NULL;
	if (record->deadline_ms == 0)
		return 0;
	if (!(restored->lease = lease_of(restore, record)))
		return -1;
	restored->lease->deadline_ms = record->deadline_ms;
	return 0;
}

static void replay_unleased(struct core_restore *restore, const struct record *record)
{
	struct restored_value *restored = value_of(restore, record);
	if (!restored)
		return;
	bool was_held = !restored->is_leased; /* by the taps, which give it back */
	restored->value->deliveries = (uint32_t)record->deliveries;
	restored->is_leased = restored->is_carried = false;
	restored->lease = NULL;
	for (struct restored_tap *tap = was_held ? restored->channel->taps : NULL; tap; tap = tap->next)
		tap->done_place = tap->done_place == record->place ? 0 : tap->done_place;
}

static int replay_once(struct restored_channel *channel, const struct record *record)
{
	if (record->producer.len == 0 || record->producer.len > UINT8_MAX)
		return 0;
	struct restored_once *once = malloc(sizeof(*once) + record->producer.len);
	if (!once)
		return -1;
	*once = (struct restored_once){.seq = record->seq,
				       .flags = record->status,
				       .accepted = record->accepted,
				       .evicted = record->evicted,
				       .name_len = (uint8_t)record->producer.len};
	memcpy(once->name, record->producer.bytes, record->producer.len);
	*channel->last_once = once;
	channel->last_once = &once->next;
	return 0;
}

/* Where a tap to that channel is in the list; or its end. */
static struct restored_tap **place_of_tap(struct restored_channel *channel, uint64_t target)
{
	struct restored_tap **place = &channel->taps;
	while (*place && (*place)->target != target)
		place = &(*place)->next;
	return place;
}

static int replay_tap(struct core_restore *restore, struct restored_channel *channel, const struct record *record)
{
	struct restored_tap **place = place_of_tap(channel, record->target);
	struct core_match *match = record->match.len ? restore->make_match(record->match) : NULL;
	if (record->match.len && !match)
		return -1;
	if (!*place && !(*place = calloc(1, sizeof(**place)))) {
		core_match_destroy(match);
		return -1;
	}
	struct restored_tap *tap = *place;
	core_match_destroy(tap->match);
	tap->match = match;
	tap->target = record->target;
	tap->closes = record->closes;
	tap->state = record->state < CORE_TAP_STATES ? (enum core_tap_state)record->state : CORE_TAP_RUN;
	return 0;
}

static void replay_carried(const struct core_restore *restore, struct restored_channel *channel,
			   const struct record *record)
{
	struct restored_value *value = value_of(restore, record);
	struct restored_tap *tap = *place_of_tap(channel, record->target);
	if (value && record->status == RECORD_CARRIED_ACCEPTED)
		value->is_carried = true;
	if (tap)
		tap->done_place = record->place;
}

int core_restore_record(struct core_restore *restore, const struct record *record)
{
	struct restored_value *gone;
	if (record->kind == RECORD_CHECKPOINT_BEGIN || record->kind == RECORD_CHECKPOINT_END ||
	    record->kind == RECORD_GROUP)
		return 0;
	struct restored_channel *channel = channel_of(restore, record->channel);
	if (!channel)
		return -1;
	switch (record->kind) {
	case RECORD_CREATE:
	case RECORD_DEFINE:
		return replay_create(channel, record);
	case RECORD_ALTER:
		return replay_alter(channel, record);
	case RECORD_CLOSE:
		if (channel->channel)
			channel->channel->closed = true;
		return 0;
	case RECORD_DELETE:
		replay_delete(restore, channel);
		return 0;
	case RECORD_PUT:
	case RECORD_BACK:
		return replay_put(restore, channel, record);
	case RECORD_GONE:
		if ((gone = value_of(restore, record)))
			forget_value(restore, gone);
		return 0;
	case RECORD_LEASED:
		return replay_leased(restore, record);
	case RECORD_UNLEASED:
		replay_unleased(restore, record);
		return 0;
	case RECORD_ONCE:
		return replay_once(channel, record);
	case RECORD_TAP:
		return replay_tap(restore, channel, record);
	case RECORD_UNTAP:
		if (*place_of_tap(channel, record->target))
			forget_tap(place_of_tap(channel, record->target));
		return 0;
	case RECORD_CARRIED:
		replay_carried(restore, channel, record);
		return 0;
	case RECORD_CHECKPOINT_BEGIN:
	case RECORD_CHECKPOINT_END:
	case RECORD_GROUP:
	case RECORD_KINDS:
		break;
	}
	return 0;
}
