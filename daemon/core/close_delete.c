/* The ends of channels: the ops close and delete, and what else ends one. Who is parked there learns it from ending.c.
 */
#include "daemon/core/recorder.h"
#include "daemon/core/tap.h"

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
	channel_forget_name(core, channel);
	recorder_delete(core, channel);
	channel->is_removed = true;
	list_remove(&channel->in_group);
	channel->group = NULL;
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
	list_remove(&channel->in_refilling);
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
