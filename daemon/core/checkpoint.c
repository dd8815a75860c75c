/* A checkpoint: all durable channels, and what is in them, are recorded once more, a slice in each step. See recorder.h
 * for what moves meanwhile. */
#include <assert.h>
#include <string.h>

#include "daemon/core/checkpoint_place.h"
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
	if (channel->definition.durable)
		checkpoint_enter(checkpoint, channel);
	recorder_channel_again(core, channel);
	return true;
}

static void record_lease(struct core *core, struct channel *channel, const struct link *node)
{
	recorder_lease_again(core, channel, LIST_ITEM(node, struct lease, in_channel));
}

static void record_delayed(struct core *core, struct channel *channel, const struct link *node)
{
	const struct delayed_put *delayed = LIST_ITEM(node, struct delayed_put, in_channel);
	for (struct value *value = delayed->values.head; value; value = value->next)
		recorder_delayed_again(core, channel, value, delayed->timer.deadline_us);
}

static void record_producer(struct core *core, struct channel *channel, const struct link *node)
{
	const struct producer *producer = LIST_ITEM(node, struct producer, in_channel);
	(void)channel;
	if (producer->has_forgotten)
		recorder_forgets_number(core, producer, producer->forgotten);
	for (uint32_t i = 0; i < producer->n; i++)
		recorder_once(core, producer, &producer->outcomes[i]);
}

/* Dead letters count as leased where they come from, until they have entered. */
static void record_dead_letters(struct core *core, struct channel *channel, const struct link *node)
{
	const struct request *request = LIST_ITEM(node, struct request, parked.in_connection);
	for (struct value *value = request->parked.values.head; value; value = value->next)
		recorder_dead_letter_again(core, channel, value);
}

/* What is in one of the channel's lists, from *next. False: the slice is full. */
static bool record_list(struct core *core, struct channel *channel, struct link **next, const struct link *list,
			void (*record)(struct core *, struct channel *, const struct link *), size_t end)
{
	for (; *next; *next = list_after(list, *next)) {
		if (is_slice_full(core, end))
			return false;
		record(core, channel, *next);
	}
	return true;
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
	if (!record_list(core, channel, &checkpoint->lease, &channel->leases, record_lease, end) ||
	    !record_list(core, channel, &checkpoint->delayed, &channel->delayed, record_delayed, end) ||
	    !record_list(core, channel, &checkpoint->producer, &channel->producers, record_producer, end) ||
	    !record_list(core, channel, &checkpoint->dead_letter, &channel->dead_letters, record_dead_letters, end))
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
