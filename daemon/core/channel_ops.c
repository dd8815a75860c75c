/* The ops create and alter. */
#include <assert.h>
#include "daemon/core/recorder.h"

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
		effects->tail->over_quota = error == ERROR_OVERLOADED && channel_is_over_quota(event->connection);
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
	work_take_turns(core, &core->slices_left);
	channel_refill_in_slices(core, channel, effects);
	work_take_turns(core, &core->slices_left);
}
