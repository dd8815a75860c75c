#include "daemon/core/channel_buffer.h"

#include "daemon/core/charge.h"
#include "daemon/core/checkpoint_place.h"
#include "daemon/core/recorder.h"

void channel_buffer_push(struct core *core, struct channel *channel, struct value *value)
{
	store_push(&channel->buffer, value);
	core->n_buffered++;
	core->n_durable_buffered += channel_counts_as_kept(channel);
	recorder_put(core, channel, value);
}

struct value *channel_buffer_pop(struct core *core, struct channel *channel)
{
	core->n_buffered--;
	core->n_durable_buffered -= channel_counts_as_kept(channel);
	checkpoint_passes_value(&core->checkpoint, channel);
	return store_pop(&channel->buffer);
}

void channel_buffer_unpop(struct core *core, struct channel *channel, struct value_list *values)
{
	core->n_buffered += values->n;
	core->n_durable_buffered += channel_counts_as_kept(channel) ? values->n : 0;
	if (core->checkpoint.is_under_way && channel->definition.durable) /* it may have passed them meanwhile */
		for (struct value *value = values->head; value; value = value->next)
			recorder_put_again(core, channel, value);
	store_unpop(&channel->buffer, values);
}

void channel_buffer_enter(struct core *core, struct channel *channel, struct value *value)
{
	channel_enter(channel, value);
	charge_add(core, channel, value);
	channel_buffer_push(core, channel, value);
}

void channel_buffer_evict_oldest(struct core *core, struct channel *channel)
{
	struct value *value = channel_buffer_pop(core, channel);
	charge_sub(core, channel, value);
	recorder_gone(core, channel, value, RECORD_EVICTED);
	value_destroy(value);
	channel->evicted++;
}

void channel_shed(struct core *core, struct channel *channel)
{
	size_t capacity = channel->definition.capacity;
	if (channel->definition.kind != KIND_SLIDING || channel->buffer.n <= capacity)
		return;
	uint64_t bytes;
	struct value_list shed = store_cut(&channel->buffer, channel->buffer.n - capacity, &bytes);
	checkpoint_has_passed(&core->checkpoint, channel, shed.tail->seq);
	core->n_buffered -= shed.n;
	core->n_durable_buffered -= channel_counts_as_kept(channel) ? shed.n : 0;
	channel->evicted += shed.n;
	channel->bytes -= bytes;
	for (struct value *value = channel->definition.durable ? shed.head : NULL; value; value = value->next)
		recorder_gone(core, channel, value, RECORD_EVICTED);
	graveyard_bury_values(core, &shed);
}
