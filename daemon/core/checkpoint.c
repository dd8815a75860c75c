/* A checkpoint: all durable channels, and what is in them, are recorded once more, a slice in each step. See recorder.h
 * for what moves meanwhile. */
#include <assert.h>
#include <string.h>

#include "daemon/core/groups.h"
#include "daemon/core/recorder.h"
#include "daemon/core/tap.h"

enum {
	SLICE_BYTES = 128 * 1024,
	SLICE_CHANNELS = 1000, /* looked at, durable or not */
};

static bool is_slice_full(const struct core *core, size_t end)
{
	return core->recorder->buffer->len >= end;
}

/* Begins with the next channel. False: there is none. */
static bool next_channel(struct core *core)
{
	struct checkpoint *checkpoint = &core->checkpoint;
	struct slice after = {checkpoint->name, checkpoint->name_len};
	struct channel *channel = directory_after(&core->directory, after);
	if (!channel)
		return false;
	checkpoint->name_len = channel->name_len;
	memcpy(checkpoint->name, channel->name, channel->name_len);
	if (!channel->number)
		return true;
	checkpoint->channel = channel;
	checkpoint->value = channel->buffer.entered.head;
	checkpoint->place = 0;
	checkpoint->lease =
		list_is_empty(&channel->leases) ? NULL : LIST_ITEM(channel->leases.next, struct lease, in_channel);
	checkpoint->delayed = list_is_empty(&channel->delayed)
				      ? NULL
				      : LIST_ITEM(channel->delayed.next, struct delayed_put, in_channel);
	checkpoint->producer = list_is_empty(&channel->producers)
				       ? NULL
				       : LIST_ITEM(channel->producers.next, struct producer, in_channel);
	recorder_channel_again(core, channel);
	if (!channel->definition.durable)
		checkpoint->channel = NULL;
	return true;
}

/* Dead letters count as leased where they come from, until they have entered. Those that a slice before has recorded
 * are passed over. False: the slice is full. */
static bool record_dead_letters(struct core *core, struct channel *channel, size_t end)
{
	const struct link *letters = &channel->dead_letters;
	for (struct link *at = letters->next; at != letters; at = at->next) {
		struct request *request = LIST_ITEM(at, struct request, parked.in_connection);
		for (struct value *value = request->parked.values.head; value; value = value->next) {
			if (is_slice_full(core, end))
				return false;
			recorder_dead_letter_again(core, channel, value);
		}
	}
	return true;
}

static void record_producer(struct core *core, const struct producer *producer)
{
	if (producer->has_forgotten)
		recorder_forgets_number(core, producer, producer->forgotten);
	for (uint32_t i = 0; i < producer->n; i++)
		recorder_once(core, producer, &producer->outcomes[i]);
}

/* Goes on with the channel. False: it is done. */
static bool go_on(struct core *core, struct channel *channel, size_t end)
{
	struct checkpoint *checkpoint = &core->checkpoint;
	for (; checkpoint->value; checkpoint->value = checkpoint->value->next) {
		if (is_slice_full(core, end))
			return true;
		recorder_put_again(core, channel, checkpoint->value);
	}
	for (struct value *value; (value = store_returned_after(&channel->buffer, checkpoint->place));) {
		if (is_slice_full(core, end))
			return true;
		checkpoint->place = value->seq;
		recorder_put_again(core, channel, value);
	}
	while (checkpoint->lease) {
		if (is_slice_full(core, end))
			return true;
		const struct lease *lease = checkpoint->lease;
		recorder_passes_lease(core, lease);
		recorder_lease_again(core, channel, lease);
	}
	while (checkpoint->delayed) {
		if (is_slice_full(core, end))
			return true;
		const struct delayed_put *delayed = checkpoint->delayed;
		recorder_passes_delayed(core, delayed);
		for (struct value *value = delayed->values.head; value; value = value->next)
			recorder_delayed_again(core, channel, value, delayed->timer.deadline_us);
	}
	while (checkpoint->producer) {
		if (is_slice_full(core, end))
			return true;
		record_producer(core, checkpoint->producer);
		recorder_passes_producer(core, checkpoint->producer);
	}
	if (!record_dead_letters(core, channel, end))
		return true;
	if (channel->mult && channel->mult->held)
		recorder_put_again(core, channel, channel->mult->held);
	if (channel->mult)
		recorder_taps_again(core, channel->mult);
	return false;
}

static void begin(struct checkpoint *checkpoint)
{
	uint64_t number = checkpoint->number + 1;
	*checkpoint = (struct checkpoint){.number = number, .is_under_way = true};
}

void checkpoint_begin_again(struct core *core)
{
	if (core->checkpoint.is_under_way)
		begin(&core->checkpoint);
}

void op_checkpoint(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct checkpoint *checkpoint = &core->checkpoint;
	assert(core->recorder);
	(void)event;
	if (!groups_are_restored(core))
		return; /* it would end without what is not in place yet */
	if (!checkpoint->is_under_way)
		begin(checkpoint);
	size_t end = core->recorder->buffer->len + SLICE_BYTES;
	for (int n = 0; n < SLICE_CHANNELS && !is_slice_full(core, end); n++) {
		if (checkpoint->channel && !go_on(core, checkpoint->channel, end))
			checkpoint->channel = NULL;
		if (!checkpoint->channel && !next_channel(core)) {
			checkpoint->is_under_way = false;
			effects->checkpoint_is_done = true;
			return;
		}
	}
}
