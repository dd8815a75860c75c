/* move: buffered values go to another channel, or each back to the channel that it came from as a dead letter; as far
 * as there is room, in one step. Values that stay keep their places. */
#include <assert.h>

#include "daemon/core/channel_buffer.h"
#include "daemon/core/charge.h"
#include "daemon/core/recorder.h"

/* Moves a value that is out of its buffer, and whose bytes are still the source's. False: it found no room, and is as
 * it was. */
static bool move_value(struct core *core, struct channel *source, struct channel *target, struct value *value,
		       struct core_effects *effects)
{
	size_t reserved = 0;
	if (!channel_takes_more(target) || recorder_admits(core, target, value, &reserved) != ERROR_NONE)
		return false;
	struct value_list one = {0};
	struct value_origin *origin = value->origin;
	uint64_t place = value->seq;
	uint32_t deliveries = value->deliveries, recorded_in = value->recorded_in;
	value->origin = NULL;
	value->deliveries = value->recorded_in = 0;
	value_list_push(&one, value);
	transfer_fill(core, target, &one, effects);
	if (one.n > 0) { /* the take that would have had it ended for want of memory */
		value->origin = origin;
		value->deliveries = deliveries;
		value->recorded_in = recorded_in;
		value->seq = place;
		return false;
	}
	if (recorded_in)
		recorder_moved(core, source, value, place, target, RECORD_TAKEN);
	charge_sub(core, source, value); /* the target has charged it, or it is in the reply of a take */
	source->taken++;
	value_origin_free(origin);
	return true;
}

/* The channel that a value came from; NULL: it is no dead letter, or cannot go there. */
static struct channel *channel_of_origin(struct core *core, const struct channel *source, const struct value *value)
{
	struct channel *target = value->origin ? channel_find(core, value_origin_channel(value->origin)) : NULL;
	return target && target != source && target->group == source->group && !target->closed ? target : NULL;
}

/* Returns how many were moved. */
static uint32_t move_values(struct core *core, struct channel *source, struct channel *to, uint32_t max,
			    struct core_effects *effects)
{
	struct value_list stays = {0};
	uint32_t n_moved = 0, n_looked = 0;
	while (n_moved < max && n_looked++ < CORE_MOVE_LOOKS && source->buffer.n > 0) {
		struct value *value = channel_buffer_pop(core, source);
		struct channel *target = to ? to : channel_of_origin(core, source, value);
		if (target && move_value(core, source, target, value, effects)) {
			n_moved++;
			continue;
		}
		value_list_push(&stays, value);
		if (to)
			break;
	}
	channel_buffer_unpop(core, source, &stays);
	return n_moved;
}

/* What is wrong with the channels; ERROR_NONE: nothing. *about is then the one. */
static enum error check(const struct core_event *event, const struct channel *source, const struct channel *to,
			struct slice *about)
{
	*about = event->channel;
	if (!source)
		return ERROR_NO_SUCH_CHANNEL;
	if (source->definition.kind == KIND_PROMISE || to == source)
		return ERROR_BAD_REQUEST;
	*about = event->to;
	return event->to.len > 0 && !to ? ERROR_NO_SUCH_CHANNEL : ERROR_NONE;
}

void op_move(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	assert(event->max >= 1 && event->max <= CORE_MAX_MOVE);
	struct channel *source = channel_find(core, event->channel),
		       *to = event->to.len > 0 ? channel_find(core, event->to) : NULL;
	struct slice about;
	enum error error = check(event, source, to, &about);
	if (error != ERROR_NONE) {
		reply_error(core, event, error, effects);
		core->immediate.channel = about;
		return;
	}
	uint32_t n_moved = to && to->closed ? 0 : move_values(core, source, to, event->max, effects);
	recorder_shows(core, source); /* what is left in it */
	struct core_reply *reply = reply_now(core, event, to && to->closed ? STATUS_CLOSED : STATUS_OK, effects);
	reply->accepted = n_moved;
	reply->left = (uint32_t)source->buffer.n;
	channel_settle(core, source, effects);
}
