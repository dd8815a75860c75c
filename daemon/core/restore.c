/* Records become channels and values again. While they are replayed nothing of the core is touched: channels are found
 * by their numbers, values by channel and place, in two tables. CORE_RESTORE then makes all of it the core's, in one
 * step, before anybody is served.
 *
 * A record may name a channel or a place of which nothing is known: what it was about is gone, and the segment that
 * said so may be, too; or a checkpoint is about to tell. Only a channel that was created in the end is restored. */
#include <assert.h>
#include <stdlib.h>

#include "daemon/core/charge.h"
#include "daemon/core/recorder.h"

/* -- A table: open addressing, grows by itself -- */

struct entry {
	uint64_t number, place; /* of a channel: 0; of a lease: the halves of its token */
	void *item;             /* NULL: free */
};

struct table {
	struct entry *entries;
	size_t n, cap; /* cap: a power of two; n of them are in use */
};

static size_t home_of(const struct table *table, uint64_t number, uint64_t place)
{
	return hash_mix(number * UINT64_C(0x9e3779b97f4a7c15) + place) & (table->cap - 1);
}

static struct entry *table_find(const struct table *table, uint64_t number, uint64_t place)
{
	if (table->cap == 0)
		return NULL;
	size_t at = home_of(table, number, place);
	for (; table->entries[at].item; at = (at + 1) & (table->cap - 1))
		if (table->entries[at].number == number && table->entries[at].place == place)
			return &table->entries[at];
	return NULL;
}

static void insert(struct table *table, struct entry entry)
{
	size_t at = home_of(table, entry.number, entry.place);
	while (table->entries[at].item)
		at = (at + 1) & (table->cap - 1);
	table->entries[at] = entry;
	table->n++;
}

static int table_insert(struct table *table, struct entry entry)
{
	if (table->n * 2 >= table->cap) {
		struct table grown = {.cap = table->cap ? table->cap * 2 : 64};
		if (!(grown.entries = calloc(grown.cap, sizeof(*grown.entries))))
			return -1;
		for (size_t i = 0; i < table->cap; i++)
			if (table->entries[i].item)
				insert(&grown, table->entries[i]);
		free(table->entries);
		*table = grown;
	}
	insert(table, entry);
	return 0;
}

/* Those that stand behind it, up to the next free place, may have wanted its place: they are put in anew. */
static void table_remove(struct table *table, struct entry *entry)
{
	size_t at = (size_t)(entry - table->entries);
	entry->item = NULL;
	table->n--;
	for (at = (at + 1) & (table->cap - 1); table->entries[at].item; at = (at + 1) & (table->cap - 1)) {
		struct entry moved = table->entries[at];
		table->entries[at].item = NULL;
		table->n--;
		insert(table, moved);
	}
}

/* -- What is being restored -- */

struct restored_lease { /* a sticky one */
	struct restored_lease *next;
	struct core_token token;
	uint64_t deadline_ms;
	struct channel *channel; /* once it is the core's, as: */
	struct value_list values;
};

struct restored_value {
	struct link in_channel; /* in the order of the records: nearly always that of the places */
	struct value *value;
	struct restored_channel *channel;
	struct restored_lease *lease; /* of a sticky lease */
	bool is_leased;
};

struct restored_channel {
	struct restored_channel *next;
	uint64_t number, last_place;
	struct channel *channel; /* NULL: nothing has created it yet, or it is deleted */
	struct link values;      /* of struct restored_value */
	struct channel *adopted; /* once it is the core's */
	struct value_list ended; /* its values, of leases that have ended with the daemon */
	struct lease *ended_lease;
};

struct core_restore {
	struct table channels, values, leases;
	struct restored_channel *first_channel, **last_channel;
	struct restored_lease *first_lease;
	uint64_t last_number;
};

struct core_restore *core_restore_create(void)
{
	struct core_restore *restore = calloc(1, sizeof(*restore));
	if (restore)
		restore->last_channel = &restore->first_channel;
	return restore;
}

static void forget_value(struct core_restore *restore, struct restored_value *restored)
{
	table_remove(&restore->values, table_find(&restore->values, restored->channel->number, restored->value->seq));
	list_remove(&restored->in_channel);
	value_destroy(restored->value);
	free(restored);
}

static void forget_values(struct core_restore *restore, struct restored_channel *channel)
{
	while (!list_is_empty(&channel->values))
		forget_value(restore, LIST_ITEM(channel->values.next, struct restored_value, in_channel));
}

void core_restore_destroy(struct core_restore *restore)
{
	if (!restore)
		return;
	for (struct restored_channel *channel = restore->first_channel, *next; channel; channel = next) {
		next = channel->next;
		forget_values(restore, channel);
		value_list_clear(&channel->ended);
		channel_destroy(channel->channel);
		free(channel);
	}
	for (struct restored_lease *lease = restore->first_lease, *next; lease; lease = next) {
		next = lease->next;
		value_list_clear(&lease->values);
		free(lease);
	}
	free(restore->channels.entries);
	free(restore->values.entries);
	free(restore->leases.entries);
	free(restore);
}

/* -- Records -- */

/* The channel of that number, known or not. NULL: no memory. */
static struct restored_channel *channel_of(struct core_restore *restore, uint64_t number)
{
	struct entry *entry = table_find(&restore->channels, number, 0);
	if (entry)
		return entry->item;
	struct restored_channel *channel = calloc(1, sizeof(*channel));
	if (!channel || table_insert(&restore->channels, (struct entry){number, 0, channel}) < 0) {
		free(channel);
		return NULL;
	}
	channel->number = number;
	list_init(&channel->values);
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
		.durable = true,
		.max_deliveries = (uint32_t)record->max_deliveries,
		.dead_letter = record->dead_letter,
	};
}

static bool is_sensible(const struct record *record)
{
	return record->name.len >= 1 && record->name.len <= UINT8_MAX && record->channel_kind < KIND_COUNT &&
	       record->channel_kind != KIND_UNBUFFERED;
}

static int replay_create(struct restored_channel *restored, const struct record *record)
{
	if (!is_sensible(record))
		return 0; /* whole, and yet no channel: nobody but us could have written it, and we do not */
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
	if (!restored->channel)
		return 0;
	struct core_definition definition = definition_of(record, restored->channel->definition.kind);
	return channel_redefine(restored->channel, &definition);
}

static void replay_delete(struct core_restore *restore, struct restored_channel *restored)
{
	forget_values(restore, restored);
	channel_destroy(restored->channel);
	restored->channel = NULL;
}

static struct restored_value *value_of(const struct core_restore *restore, const struct record *record)
{
	struct entry *entry = table_find(&restore->values, record->channel, record->place);
	return entry ? entry->item : NULL;
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
	if (!value || !restored ||
	    table_insert(&restore->values, (struct entry){record->channel, record->place, restored}) < 0) {
		value_destroy(value);
		free(restored);
		return -1;
	}
	value->seq = record->place;
	value->deliveries = (uint32_t)record->deliveries;
	value->recorded_in = 1;
	*restored = (struct restored_value){.value = value, .channel = channel};
	list_append(&channel->values, &restored->in_channel);
	if (record->place > channel->last_place)
		channel->last_place = record->place;
	return 0;
}

static struct restored_lease *lease_of(struct core_restore *restore, const struct record *record)
{
	struct entry *entry = table_find(&restore->leases, record->token[0], record->token[1]);
	if (entry)
		return entry->item;
	struct restored_lease *lease = calloc(1, sizeof(*lease));
	if (!lease || table_insert(&restore->leases, (struct entry){record->token[0], record->token[1], lease}) < 0) {
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
	restored->value->deliveries = (uint32_t)record->deliveries;
	restored->is_leased = false;
	restored->lease = NULL;
}

int core_restore_record(struct core_restore *restore, const struct record *record)
{
	struct restored_value *gone;
	if (record->kind == RECORD_CHECKPOINT_BEGIN || record->kind == RECORD_CHECKPOINT_END)
		return 0;
	struct restored_channel *channel = channel_of(restore, record->channel);
	if (!channel)
		return -1;
	switch (record->kind) {
	case RECORD_CREATE:
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
	case RECORD_TAP:
	case RECORD_UNTAP:
	case RECORD_COUNTERS:
	case RECORD_CHECKPOINT_BEGIN:
	case RECORD_CHECKPOINT_END:
	case RECORD_KINDS:
		break;
	}
	return 0;
}

/* -- The core's -- */

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
	charge_add(core, channel, value);
	channel->recovered++;
	recorder_count(core, channel, value);
	if (item->lease) {
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
		table_remove(&restore->values, table_find(&restore->values, restored->number, item->value->seq));
		adopt_value(core, restored, item);
		list_remove(&item->in_channel);
		free(item);
	}
	return 0;
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
		if (adopt(core, restore, restored) < 0)
			return -1;
		effects->restored.channels++;
		effects->restored.values += restored->adopted->recovered;
	}
	if (restore_leases(core, restore) < 0)
		return -1;
	for (restored = restore->first_channel; restored; restored = restored->next)
		if (restored->ended_lease)
			lease_return(core, restored->ended_lease, true, effects);
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
