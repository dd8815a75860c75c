/* What values cost: the bytes of a channel's values, which `stat` tells, and what counts towards max_memory. A value is
 * charged while it is buffered, leased or parked to be put. */
#ifndef MILLRACE_CORE_CHARGE_H
#define MILLRACE_CORE_CHARGE_H

#include <assert.h>

#include "daemon/core/state.h"

static inline void charge_add(struct core *core, struct channel *channel, const struct value *value)
{
	struct value *holder = value_holder(value);
	channel->bytes += value->len;
	core->bytes += VALUE_OVERHEAD + (holder->n_charged++ == 0 ? value->len : 0);
}

/* It is no channel's any more, and its memory is about to be free. */
static inline void charge_end(struct core *core, const struct value *value)
{
	struct value *holder = value_holder(value);
	assert(holder->n_charged > 0);
	core->bytes -= VALUE_OVERHEAD + (--holder->n_charged == 0 ? value->len : 0);
}

static inline void charge_sub(struct core *core, struct channel *channel, const struct value *value)
{
	channel->bytes -= value->len;
	charge_end(core, value);
}

/* The value goes over to another channel. */
static inline void charge_move(struct channel *from, struct channel *to, const struct value *value)
{
	from->bytes -= value->len;
	to->bytes += value->len;
}

/* What a value that is not charged yet, and shares its bytes with none, would add. */
static inline uint64_t charge_of(const struct value *value)
{
	return VALUE_OVERHEAD + (uint64_t)value->len;
}

#endif
