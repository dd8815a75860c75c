/* The ends of leases: ack, nack, extend, and getting back. A value that comes back does so to the place that it had;
 * or, at the last return that its channel allows, it is a dead letter. */
#include "daemon/core/charge.h"
#include "daemon/core/recorder.h"

static enum value_reason reason_of(enum lease_end why, const struct lease *lease)
{
	if (why == LEASE_EXPIRED)
		return lease->state == LEASE_DELAYED ? REASON_NACK : REASON_EXPIRED;
	return why == LEASE_DISCONNECTED ? REASON_DISCONNECTED : REASON_NACK;
}

void lease_return(struct core *core, struct lease *lease, enum lease_end why, struct core_effects *effects)
{
	struct channel *channel = lease->channel;
	enum value_reason reason = reason_of(why, lease);
	bool is_counted = why != LEASE_UNSENT && !lease->is_uncounted;
	struct value_list values = lease_take_apart(core, lease), back = {0}, dead = {0};
	uint32_t max = channel->definition.max_deliveries;
	struct value *value;
	while ((value = value_list_pop(&values))) {
		if (!is_counted)
			value->deliveries--;
		bool is_dead = is_counted && max > 0 && value->deliveries >= max;
		if (!is_dead)
			recorder_unleased(core, channel, value);
		value_list_push(is_dead ? &dead : &back, value);
	}
	lease_uncount(core, channel, back.n);
	transfer_back(core, channel, &back, effects);
	if (dead.n > 0)
		dead_letters_send(core, channel, &dead, reason, effects);
	channel_settle(core, channel, effects);
}

/* -- The ops -- */

/* The lease that an event names; NULL, and the error replied. */
static struct lease *find(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct lease *lease = lease_find(core, event->token);
	if (!lease)
		reply_error(core, event, ERROR_NO_SUCH_LEASE, effects);
	return lease;
}

void op_ack(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct lease *lease = find(core, event, effects);
	if (!lease)
		return;
	struct channel *channel = lease->channel;
	struct value_list values = lease_take_apart(core, lease);
	lease_uncount(core, channel, values.n);
	channel->taken += values.n;
	for (const struct value *value = values.head; value; value = value->next) {
		charge_sub(core, channel, value);
		recorder_gone(core, channel, value, RECORD_TAKEN);
	}
	value_list_clear(&values);
	reply_now(core, event, STATUS_OK, effects);
	channel_settle(core, channel, effects);
}

/* A sticky lease outlives the daemon: that it ends at another time, or has no token any more, is recorded. */
static void record_again(struct core *core, const struct lease *lease)
{
	for (struct value *value = lease->values.head; value; value = value->next)
		recorder_leased(core, lease->channel, value, lease);
}

void op_nack(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct lease *lease = find(core, event, effects);
	if (!lease)
		return;
	reply_now(core, event, STATUS_OK, effects);
	lease->is_uncounted = event->is_uncounted;
	if (event->delay_ms == 0) {
		lease_return(core, lease, LEASE_NACKED, effects);
		return;
	}
	lease_let_go(core, lease);
	timers_move(&core->timers, &lease->timer, event->now_us + event->delay_ms * 1000);
	if (lease->is_sticky)
		record_again(core, lease);
}

void op_extend(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct lease *lease = find(core, event, effects);
	if (!lease)
		return;
	timers_move(&core->timers, &lease->timer, event->now_us + event->lease_ms * 1000);
	if (lease->is_sticky)
		record_again(core, lease);
	reply_now(core, event, STATUS_OK, effects);
}
