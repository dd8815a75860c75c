/* What a channel does when something has left it, or has come back: parked puts enter, or it has ended. */
#include "daemon/core/state.h"

void channel_settle(struct core *core, struct channel *channel, struct core_effects *effects)
{
	channel_refill(core, channel, effects);
	if (channel_is_exhausted(channel))
		ending_begin(core, channel, effects);
}

void channel_settle_all(struct core *core, struct core_effects *effects)
{
	while (!list_is_empty(&core->unsettled)) {
		struct channel *channel = LIST_ITEM(core->unsettled.next, struct channel, in_unsettled);
		list_remove(&channel->in_unsettled);
		channel_settle(core, channel, effects);
	}
}
