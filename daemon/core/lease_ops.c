/* The ends of leases: ack, nack, extend, and getting back. A value that comes back does so to the place that it had;
 * or, at the last return that its channel allows, it goes to the dead_letter channel: there it is put, and where that
 * has no room, it parks as a put. It counts as leased here until it has entered there, so it is never nowhere. If it
 * cannot go there (no such channel, closed, no memory) it comes back after all. */
#include "daemon/core/charge.h"
#include "daemon/core/recorder.h"

/* -- Dead letters -- */

/* Puts a value into an open channel at once, if there is room. */
static bool put_at_once(struct core *core, struct channel *source, struct channel *target, struct value *value,
			struct core_effects *effects)
{
	struct value_list one = {0};
	uint64_t place = value->seq;
	uint32_t deliveries = value->deliveries, recorded_in = value->recorded_in;
	value->deliveries = value->recorded_in = 0;
	value_list_push(&one, value);
	transfer_put(core, target, &one, effects);
	if (one.n > 0) {
		value->deliveries = deliveries;
		value->recorded_in = recorded_in;
		return false;
	}
	if (recorded_in)
		recorder_moved(core, source, value, place, target, RECORD_DEAD_LETTERED);
	value_origin_commit(value);
	charge_sub(core, source, value); /* the target has charged it, or it is in the reply of a take */
	dead_letter_entered(core, source);
	return true;
}

static void give_back(struct core *core, struct channel *source, struct value_list *values,
		      struct core_effects *effects)
{
	effects->n_undeliverable += values->n;
	effects->undeliverable = channel_name(source);
	for (struct value *value = values->head; value; value = value->next)
		recorder_unleased(core, source, value);
	lease_uncount(core, source, values->n);
	transfer_back(core, source, values, effects);
}

static void withdraw_origins(struct value_list *values)
{
	for (struct value *value = values->head; value; value = value->next)
		value_origin_withdraw(value);
}

/* Values of `source` that were returned too often. They count as leased still. */
static void send_dead_letters(struct core *core, struct channel *source, struct value_list *values,
			      enum value_reason reason, struct core_effects *effects)
{
	struct channel *target = directory_find(&core->directory, source->definition.dead_letter);
	struct value_list waiting = {0}, back = {0};
	struct value *value;
	bool is_possible = target && target != source && !target->closed && target->definition.kind == KIND_BOUNDED;
	while ((value = value_list_pop(values))) {
		if (!is_possible || value_origin_begin(value, channel_name(source), reason, core->now_us) < 0)
			value_list_push(&back, value);
		else if (waiting.n > 0 || !put_at_once(core, source, target, value, effects))
			value_list_push(&waiting, value);
	}
	if (waiting.n > 0 && !park_dead_letters(core, source, target, &waiting)) {
		withdraw_origins(&waiting);
		value_list_join(&back, &waiting);
	}
	if (back.n > 0)
		give_back(core, source, &back, effects);
}

void dead_letters_return(struct core *core, struct request *request, struct core_effects *effects)
{
	struct channel *source = request->parked.source, *target = request->arms[0].channel;
	struct value_list values = request->parked.values;
	for (const struct value *value = values.head; value; value = value->next)
		charge_move(target, source, value);
	request->parked.values = (struct value_list){0};
	park_forget(core, request);
	withdraw_origins(&values);
	give_back(core, source, &values, effects);
	channel_settle_at_end(core, source);
}

/* -- Coming back -- */

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
		send_dead_letters(core, channel, &dead, reason, effects);
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
