#include "daemon/core/checkpoint_place.h"

void checkpoint_enter(struct checkpoint *checkpoint, struct channel *channel)
{
	checkpoint->channel = channel;
	checkpoint->value = channel->buffer.entered.head;
	checkpoint->place = 0;
	checkpoint->lease = list_after(&channel->leases, &channel->leases);
	checkpoint->delayed = list_after(&channel->delayed, &channel->delayed);
	checkpoint->producer = list_after(&channel->producers, &channel->producers);
	checkpoint->dead_letter = list_after(&channel->dead_letters, &channel->dead_letters);
}

void checkpoint_passes_channel(struct checkpoint *checkpoint, const struct channel *channel)
{
	if (checkpoint->channel != channel)
		return;
	checkpoint->value = NULL;
	checkpoint->lease = checkpoint->delayed = checkpoint->producer = checkpoint->dead_letter = NULL;
	checkpoint->channel = NULL; /* it goes on with the next name */
}

void checkpoint_passes_value(struct checkpoint *checkpoint, const struct channel *channel)
{
	struct value *next = checkpoint->value;
	if (next && store_first(&channel->buffer) == next)
		checkpoint->value = next->next;
}

void checkpoint_has_passed(struct checkpoint *checkpoint, const struct channel *channel, uint64_t seq)
{
	if (checkpoint->channel == channel && checkpoint->value && checkpoint->value->seq <= seq)
		checkpoint->value = channel->buffer.entered.head;
}

static void pass(struct link **next, const struct link *list, const struct link *node)
{
	if (*next == node)
		*next = list_after(list, node);
}

void checkpoint_passes_lease(struct checkpoint *checkpoint, const struct lease *lease)
{
	pass(&checkpoint->lease, &lease->channel->leases, &lease->in_channel);
}

void checkpoint_passes_delayed(struct checkpoint *checkpoint, const struct delayed_put *delayed)
{
	pass(&checkpoint->delayed, &delayed->channel->delayed, &delayed->in_channel);
}

void checkpoint_passes_producer(struct checkpoint *checkpoint, const struct producer *producer)
{
	pass(&checkpoint->producer, &producer->channel->producers, &producer->in_channel);
}

void checkpoint_passes_dead_letter(struct checkpoint *checkpoint, const struct request *request)
{
	pass(&checkpoint->dead_letter, &request->parked.source->dead_letters, &request->parked.in_connection);
}
