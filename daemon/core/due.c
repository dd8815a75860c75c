/* What is due: time-outs, ends of leases and of delays, the earliest first. Very much may be due at once; so a turn has
 * a share of work for it, and the rest is late, and comes in turns to come. Until then all else may happen to it: who
 * is late to time out may be served, and a lease that is late to end may be acked. */
#include "daemon/core/recorder.h"

enum { DUE_WORK = 4 }; /* for a lease or a delayed put to end costs as much as to free so many values */

bool due_is_late(const struct core *core)
{
	const struct timer *first = timers_first(&core->timers);
	return first && first->deadline_us <= core->now_us && !core->is_restoring;
}

/* The delay has passed: the values enter. */
static void enter(struct core *core, struct delayed_put *delayed, struct core_effects *effects)
{
	struct channel *channel = delayed->channel;
	struct value_list values = delayed_put_take_apart(core, delayed);
	channel->n_delayed -= (uint32_t)values.n;
	core->n_delayed -= values.n;
	lease_uncount(core, channel, values.n);
	channel->accepted -= values.n; /* each is counted as it enters */
	for (struct value *value = values.head; value; value = value->next)
		recorder_delay_ends(core, channel, value);
	transfer_enter(core, channel, &values, effects);
	channel_settle(core, channel, effects);
}

/* Returns what it costs, in values that are freed. */
static uint32_t expire_timer(struct core *core, struct timer *timer, struct core_effects *effects)
{
	uint32_t work = DUE_WORK;
	switch ((enum timer_kind)timer->kind) {
	case TIMER_REQUEST:
		work = park_work(timer_request(timer));
		park_complete(core, timer_request(timer), NULL, STATUS_TIMEOUT, effects);
		break;
	case TIMER_LEASE:
		work += (uint32_t)timer_lease(timer)->values.n;
		if (timer_lease(timer)->channel->is_removed)
			graveyard_discard_lease(core, timer_lease(timer));
		else
			lease_return(core, timer_lease(timer), LEASE_EXPIRED, effects);
		break;
	case TIMER_DELAYED_PUT:
		work += (uint32_t)timer_delayed_put(timer)->values.n;
		if (timer_delayed_put(timer)->channel->is_removed)
			graveyard_discard_delayed_put(core, timer_delayed_put(timer));
		else
			enter(core, timer_delayed_put(timer), effects);
		break;
	}
	return work;
}

/* Whether those come first who are told that their channel has ended: until the next turn, in which nobody waits for
 * another any more. */
static bool ending_is_first(const struct core *core)
{
	return !list_is_empty(&core->ending) && core->ending_turn == core->turn;
}

void due_expire(struct core *core, struct core_effects *effects)
{
	while (due_is_late(core) && core->due_left > 0 && !ending_is_first(core)) {
		uint32_t work = expire_timer(core, timers_first(&core->timers), effects);
		core->due_left -= work < core->due_left ? work : core->due_left;
		channel_settle_all(core, effects);
	}
	if (!due_is_late(core))
		core->late_turn = 0;
	else if (core->late_turn == 0)
		core->late_turn = core->turn;
}

bool due_lets_others_go_on(const struct core *core)
{
	return core->late_turn == 0 || core->late_turn != core->turn;
}
