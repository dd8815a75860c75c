/* A channel's buffer, with what counts what is in it, and the journal's records of that. */
#ifndef MILLRACE_CORE_BUFFER_H
#define MILLRACE_CORE_BUFFER_H

#include "daemon/core/state.h"

/* The value enters the channel: it has its place from here on. */
static inline void channel_enter(struct channel *channel, struct value *value)
{
	channel->accepted++;
	value->seq = ++channel->last_place;
}

/* A value that has a place goes to the end. Its bytes are the channel's already. */
void buffer_push(struct core *core, struct channel *channel, struct value *value);
/* The first of the values enters the channel and its buffer. */
void buffer_enter(struct core *core, struct channel *channel, struct value_list *values);
/* Takes the oldest value out of the buffer, or puts such back that were taken out. Its bytes are the channel's still.
 */
struct value *buffer_pop(struct core *core, struct channel *channel);
void buffer_unpop(struct core *core, struct channel *channel, struct value_list *values);
void buffer_evict_oldest(struct core *core, struct channel *channel);

#endif
