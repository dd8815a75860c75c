/* Which replies have to wait until what they show is kept. */
#include "daemon/core/recorder.h"

uint64_t core_changed_in(const struct core *core)
{
	return core->changed_in;
}

/* The number of the batch that a reply has to wait for; 0: it shows nothing that was recorded. */
static uint64_t awaited_by(struct core *core, const struct core_reply *reply)
{
	const struct channel *channel = reply->channel.len ? directory_find(&core->directory, reply->channel) : NULL;
	if (channel)
		return channel->changed_in;
	switch (reply->status) {
	case STATUS_OK: /* of an op that names no channel, or whose channel is gone: what this step has changed */
		return core->has_changed ? core->changed_in : 0;
	case STATUS_ERROR:
	case STATUS_CLOSED:
	case STATUS_TIMEOUT:
	case STATUS_DROPPED:
	case STATUS_CANCELLED:
	case STATUS_COUNT:
		break;
	}
	return core->changed_in;
}

void recorder_shows(struct core *core, const struct channel *channel)
{
	if (core->recorder && channel->changed_in > core->recorder->committed)
		core->has_changed = true; /* a reply that names no channel waits for all that has changed */
}

void recorder_mark_replies(struct core *core, struct core_effects *effects)
{
	if (!core->recorder || core->changed_in <= core->recorder->committed)
		return; /* all that can be seen is kept */
	for (struct core_reply *reply = effects->head; reply; reply = reply->next)
		reply->after_batch = awaited_by(core, reply);
}
