/* The ops on channels themselves: create, close, delete, alter. */
#include <assert.h>
#include <string.h>

#include "daemon/core/hash.h"
#include "daemon/core/recorder.h"
#include "daemon/core/tap.h"

/* The beginning, the end and the length of a name, mixed. Moves of fixed lengths, which may overlap, take less than
 * those of any length. */
static uint64_t name_tag(struct slice name)
{
	uint64_t head = 0, tail = 0;
	if (name.len >= 8) {
		memcpy(&head, name.bytes, 8);
		memcpy(&tail, name.bytes + name.len - 8, 8);
	} else if (name.len >= 4) {
		memcpy(&head, name.bytes, 4);
		memcpy(&tail, name.bytes + name.len - 4, 4);
	} else {
		memcpy(&head, name.bytes, 1);
		memcpy(&tail, name.bytes + name.len / 2, 1);
		tail = tail << 8 | (unsigned char)name.bytes[name.len - 1];
	}
	return hash_mix(head ^ (tail << 32 | tail >> 32) ^ name.len);
}

static struct recent *recent_place(struct core *core, uint64_t tag)
{
	return &core->recent[tag % RECENT_CHANNELS];
}

static void forget_recent(struct core *core, const struct channel *channel)
{
	struct recent *recent = recent_place(core, name_tag(channel_name(channel)));
	if (recent->channel == channel)
		*recent = (struct recent){0, NULL};
}

struct channel *channel_find(struct core *core, struct slice name)
{
	uint64_t tag = name_tag(name);
	struct recent *recent = recent_place(core, tag);
	if (recent->tag == tag && recent->channel && slice_equal(channel_name(recent->channel), name))
		return recent->channel;
	struct channel *channel = directory_find(&core->directory, name);
	if (channel)
		*recent = (struct recent){tag, channel};
	return channel;
}

static bool definitions_equal(const struct core_definition *a, const struct core_definition *b)
{
	return a->kind == b->kind && a->capacity == b->capacity && a->max_waiters == b->max_waiters &&
	       a->ephemeral == b->ephemeral && a->durable == b->durable && a->max_deliveries == b->max_deliveries &&
	       slice_equal(a->dead_letter, b->dead_letter);
}

/* Whether the channel that a definition names for dead letters can be that. */
static bool may_be_dead_letter(const struct core *core, const struct core_event *event)
{
	if (event->definition.max_deliveries == 0)
		return true;
	const struct channel *target = directory_find(&core->directory, event->definition.dead_letter);
	return target && target->definition.kind == KIND_BOUNDED &&
	       !slice_equal(channel_name(target), event->channel) &&
	       (target->definition.durable || !event->definition.durable);
}

static bool may_be_durable(const struct core *core, const struct core_definition *definition)
{
	return !definition->durable ||
	       (core->recorder && !definition->ephemeral && definition->kind != KIND_UNBUFFERED);
}

void channel_join_quota(struct channel *channel, struct core_quota *quota)
{
	if (channel->quota)
		channel->quota->n_channels--;
	channel->quota = quota;
	if (quota)
		quota->n_channels++;
}

/* Whether who asks may have no more channels. NULL: the daemon itself. */
static bool is_over_quota(const struct core_connection *connection)
{
	const struct core_quota *quota = connection ? connection->quota : NULL;
	return quota && quota->n_channels >= quota->limits.max_channels;
}

struct channel *channel_make(struct core *core, struct slice name, const struct core_definition *definition,
			     struct core_connection *owner, enum error *error)
{
	bool has_room = core->directory.buckets.n < core->limits.max_channels && !is_over_quota(owner);
	struct channel *channel = has_room ? channel_create(name, definition) : NULL;
	*error = channel ? ERROR_NONE : ERROR_OVERLOADED;
	if (!channel)
		return NULL;
	directory_insert(&core->directory, channel);
	if (!list_is_empty(&core->ending)) /* one of this name may still be ending, which must not be undone */
		channel->changed_in = core->changed_in;
	recorder_create(core, channel);
	channel_join_quota(channel, owner ? owner->quota : NULL);
	if (definition->ephemeral) {
		channel->owner = owner;
		list_append(&owner->ephemeral, &channel->in_owner);
	}
	return channel;
}

void op_create(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	const struct core_definition *definition = &event->definition;
	assert(event->connection || !definition->ephemeral);
	struct channel *channel = channel_find(core, event->channel);
	if (channel && channel->owner && channel->owner->is_departing) {
		channel_remove(core, channel, effects);
		channel = NULL;
	}
	if (channel) {
		bool is_same = definitions_equal(&channel->definition, definition) &&
			       (!definition->ephemeral || channel->owner == event->connection);
		if (is_same)
			reply_now(core, event, STATUS_OK, effects);
		else
			reply_error(core, event, ERROR_CHANNEL_EXISTS, effects);
		return;
	}
	if (core->is_draining && event->connection) {
		reply_error(core, event, ERROR_DRAINING, effects);
		return;
	}
	enum error error = ERROR_BAD_CHANNEL;
	if (!may_be_durable(core, definition) || !may_be_dead_letter(core, event) ||
	    !channel_make(core, event->channel, definition, event->connection, &error)) {
		reply_error(core, event, error, effects);
		effects->tail->over_quota = error == ERROR_OVERLOADED && is_over_quota(event->connection);
		return;
	}
	reply_now(core, event, STATUS_OK, effects)->created = true;
}

void op_alter(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	const struct core_definition *definition = &event->definition;
	struct channel *channel = channel_find(core, event->channel);
	if (!channel) {
		reply_error(core, event, ERROR_NO_SUCH_CHANNEL, effects);
		return;
	}
	if (channel->definition.kind != definition->kind || channel->definition.ephemeral != definition->ephemeral ||
	    channel->definition.durable != definition->durable) {
		reply_error(core, event, ERROR_CHANNEL_EXISTS, effects);
		return;
	}
	if (!may_be_dead_letter(core, event)) {
		reply_error(core, event, ERROR_BAD_CHANNEL, effects);
		return;
	}
	bool is_other = !definitions_equal(&channel->definition, definition);
	if (is_other && channel_redefine(channel, definition) < 0) {
		reply_error(core, event, ERROR_OVERLOADED, effects);
		return;
	}
	if (is_other)
		recorder_alter(core, channel);
	channel_shed(core, channel);
	reply_now(core, event, STATUS_OK, effects)->altered = is_other;
	channel_settle(core, channel, effects);
}

void channel_close(struct core *core, struct channel *channel, struct core_effects *effects)
{
	channel->closed = true;
	recorder_close(core, channel);
	channel_end_mix(core, channel, effects);
	ending_begin(core, channel, effects);
}

void op_close(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct channel *channel = channel_find(core, event->channel);
	if (!channel) {
		reply_error(core, event, ERROR_NO_SUCH_CHANNEL, effects);
		return;
	}
	channel_close(core, channel, effects);
	reply_now(core, event, STATUS_OK, effects);
}

size_t channel_remove(struct core *core, struct channel *channel, struct core_effects *effects)
{
	/* First of all nobody finds it any more: dead letters that go back may not come here again. */
	forget_recent(core, channel);
	recorder_delete(core, channel);
	directory_remove(&core->directory, channel);
	channel->is_removed = true;
	channel_end_taps(core, channel, effects);
	delayed_puts_forget(core, channel);
	while (!list_is_empty(&channel->dead_letters))
		park_forget(core, LIST_ITEM(channel->dead_letters.next, struct request, parked.in_connection));
	size_t discarded = channel->buffer.n + channel->n_leased;
	lease_uncount(core, channel, channel->n_leased);
	core->n_buffered -= channel->buffer.n;
	core->n_durable_buffered -= channel_counts_as_kept(channel) ? channel->buffer.n : 0;
	if (channel->definition.kind == KIND_PROMISE)
		core->n_promised -= channel->buffer.n;
	channel_join_quota(channel, NULL);
	list_remove(&channel->in_owner);
	channel->owner = NULL;
	list_remove(&channel->in_unsettled);
	list_remove(&channel->in_lending);
	ending_begin(core, channel, effects);
	return discarded;
}

void op_delete(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct channel *channel = channel_find(core, event->channel);
	if (!channel) {
		reply_error(core, event, ERROR_NO_SUCH_CHANNEL, effects);
		return;
	}
	if (!event->force && (channel_can_take(channel) || channel->n_leased > 0 || channel->n_delayed_puts > 0)) {
		reply_error(core, event, ERROR_NOT_EMPTY, effects);
		return;
	}
	uint64_t discarded = channel_remove(core, channel, effects);
	reply_now(core, event, STATUS_OK, effects)->discarded = discarded;
}
