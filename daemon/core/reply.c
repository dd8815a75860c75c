/* Outcomes: the list of replies that a step gives back. A reply to the event itself lies in the core; one to a request
 * that had parked is that request's own memory; others, to requests that go on, lie in blocks. */
#include <stdlib.h>

#include "daemon/core/state.h"

enum { REPLIES_A_BLOCK = 31 }; /* 4 KiB */

struct reply_block {
	struct reply_block *before;
	size_t n;
	struct core_reply replies[REPLIES_A_BLOCK];
};

struct core_reply *reply_create(struct core *core)
{
	struct reply_block *block = core->reply_blocks;
	if (!block || block->n == REPLIES_A_BLOCK) {
		block = malloc(sizeof(*block));
		if (!block)
			return NULL;
		block->before = core->reply_blocks;
		block->n = 0;
		core->reply_blocks = block;
	}
	return &block->replies[block->n++];
}

void reply_blocks_release(struct core *core, size_t n_kept)
{
	struct reply_block *block = core->reply_blocks, *before;
	for (; block && (block->before || n_kept == 0); block = before) {
		before = block->before;
		free(block);
	}
	if (block)
		block->n = 0;
	core->reply_blocks = block;
}

void effects_append(struct core_effects *effects, struct core_reply *reply)
{
	reply->next = NULL;
	if (effects->tail)
		effects->tail->next = reply;
	else
		effects->head = reply;
	effects->tail = reply;
}

struct core_reply *reply_now(struct core *core, const struct core_event *event, enum status status,
			     struct core_effects *effects)
{
	core->immediate = (struct core_reply){
		.cookie = event->connection ? event->connection->cookie : NULL,
		.id = event->id,
		.op = event->op,
		.status = status,
		.batch = event->batch,
		.is_take = event->op == CORE_TAKE,
		.channel = event->channel,
	};
	effects_append(effects, &core->immediate);
	return &core->immediate;
}

void reply_set_error(const struct core *core, struct core_reply *reply, enum error error)
{
	reply->error = error;
	reply->over_parked = error == ERROR_OVERLOADED && core->was_parked_full;
}

void reply_error(struct core *core, const struct core_event *event, enum error error, struct core_effects *effects)
{
	struct core_reply *reply = reply_now(core, event, STATUS_ERROR, effects);
	reply_set_error(core, reply, error);
	reply->arm = event->n_arms;
}

void value_unkeep(struct value *value)
{
	struct channel *channel = value->channel;
	if (--channel->n_kept == 0 && channel->is_ghost)
		channel_destroy(channel);
	value_destroy(value);
}

bool core_keep(struct core_reply *reply, struct core_unsent *unsent)
{
	*unsent = (struct core_unsent){0};
	if (reply->has_lease) {
		unsent->token = reply->lease;
	} else if (reply->owns_values) {
		unsent->values = reply->value;
		unsent->n_values = reply->n_values;
		reply->owns_values = false;
	}
	return unsent->values || reply->has_lease;
}

void core_sent(const struct core_unsent *unsent)
{
	struct value *value = unsent->values, *next;
	for (uint32_t i = 0; i < unsent->n_values; i++, value = next) {
		next = value->next;
		value_unkeep(value);
	}
}
