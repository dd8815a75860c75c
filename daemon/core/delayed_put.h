/* Delayed puts: values that a channel has accepted, and that enter it when their delay has passed. Until then they are
 * leased to nobody: they count as such, and in the capacity. */
#ifndef MILLRACE_CORE_DELAYED_PUT_H
#define MILLRACE_CORE_DELAYED_PUT_H

#include "daemon/core/channel.h"
#include "daemon/core/timers.h"

struct delayed_put { /* of values that were accepted together */
	struct channel *channel;
	struct link in_channel;
	struct value_list values; /* at least one; their bytes are the channel's */
	struct timer timer;       /* when they enter */
};

static inline struct delayed_put *timer_delayed_put(struct timer *timer)
{
	return (struct delayed_put *)((char *)timer - offsetof(struct delayed_put, timer));
}

#endif
