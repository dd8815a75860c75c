/* A channel's buffer, with what counts what is in it, and the journal's records of that. */
#ifndef MILLRACE_CORE_CHANNEL_BUFFER_H
#define MILLRACE_CORE_CHANNEL_BUFFER_H

#include "daemon/core/state.h"

/* Gives a value that enters the channel its place there. */
static inline void channel_enter(struct channel *channel, struct value *value)
{
	channel->accepted++;
	value->seq = ++channel->last_place;
}

/* Appends a value that has its place. Its bytes are the channel's already. */
void channel_buffer_push(struct core *core, struct channel *channel, struct value *value);
/* A value comes into the channel and its buffer. */
void channel_buffer_enter(struct core *core, struct channel *channel, struct value *value);
/* Takes the oldest value out of the buffer; channel_buffer_unpop() puts such values back. Their bytes stay the
 * channel's. */
struct value *channel_buffer_pop(struct core *core, struct channel *channel);
void channel_buffer_unpop(struct core *core, struct channel *channel, struct value_list *values);
void channel_buffer_evict_oldest(struct core *core, struct channel *channel);

#endif
