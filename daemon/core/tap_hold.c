/* What taps have in their hands: the value that a mult holds, and what its taps have parked. See tap.h. */
#include <assert.h>

#include "daemon/core/charge.h"
#include "daemon/core/groups.h"
#include "daemon/core/recorder.h"
#include "daemon/core/tap.h"

void core_match_destroy(struct core_match *match)
{
	if (match)
		match->destroy(match);
}

bool mult_rests(const struct core *core, const struct mult *mult)
{
	const struct group *group = mult->source->group;
	return core->do_taps_rest || (group && group->state != CORE_GROUP_SERVED);
}

void taps_wake(struct core *core, const struct group *group)
{
	for (struct link *at = core->taps.next; at != &core->taps; at = at->next) {
		struct mult *mult = LIST_ITEM(at, struct tap, in_core)->mult;
		if (!group || mult->source->group == group)
			mult_is_due(core, mult);
	}
}

bool mult_is_active(const struct core *core, const struct mult *mult)
{
	if (core->is_draining && mult->source->definition.durable)
		return false;
	for (const struct tap *tap = tap_first(mult); tap; tap = tap_next(mult, tap))
		if (!tap_is_paused(tap))
			return true;
	return false;
}

void mult_is_due(struct core *core, struct mult *mult)
{
	if (list_is_empty(&mult->in_due))
		list_append(&core->due_mults, &mult->in_due);
}

/* -- Parking -- */

static void park(struct core *core, struct request *request, struct channel *channel, bool is_put)
{
	struct arm *arm = &request->arms[0];
	*arm = (struct arm){.channel = channel, .is_put = is_put};
	request->parked.parked_us = core->now_us;
	request->parked.n_arms = 1;
	list_append(is_put ? &channel->puts : &channel->takes, &arm->link);
	if (is_put) {
		channel->n_puts++;
		core->n_puts++;
	} else {
		channel->n_takes++;
	}
	core->n_parked++;
	order_append(&core->order, request);
}

static void unpark(struct core *core, struct request *request)
{
	struct arm *arm = &request->arms[0];
	list_remove(&arm->link);
	if (arm->is_put) {
		arm->channel->n_puts--;
		core->n_puts--;
	} else {
		arm->channel->n_takes--;
	}
	core->n_parked--;
	order_remove(&core->order, request);
}

void mult_stop_waiting(struct core *core, struct mult *mult)
{
	if (!mult->is_waiting)
		return;
	unpark(core, mult->take);
	mult->is_waiting = false;
}

void mult_wait(struct core *core, struct mult *mult)
{
	assert(!mult->is_waiting);
	park(core, mult->take, mult->source, false);
	mult->is_waiting = true;
}

void tap_hold_up(struct core *core, struct tap *tap, struct value_list *value)
{
	charge_add(core, tap->target, value->head);
	recorder_promise(core, tap->target, value->head);
	tap->put->parked.values = *value;
	tap->put->parked.values_bytes = value->head->len;
	tap->is_held_up = true;
	tap->mult->n_held_up++;
	core->tapped.held++;
	core->n_kept_puts += tap->mult->source->definition.durable;
	park(core, tap->put, tap->target, true);
}

static void stop_holding_up(struct core *core, struct tap *tap)
{
	unpark(core, tap->put);
	tap->is_held_up = false;
	tap->mult->n_held_up--;
	core->tapped.held--;
	core->n_kept_puts -= tap->mult->source->definition.durable;
}

void tap_withdraw(struct core *core, struct tap *tap)
{
	if (!tap->is_held_up)
		return;
	stop_holding_up(core, tap);
	struct value *value = value_list_pop(&tap->put->parked.values);
	charge_sub(core, tap->target, value);
	recorder_release(core, tap->target, value);
	value_destroy(value);
}

/* -- What the mult holds -- */

bool mult_is_done_with_value(const struct mult *mult)
{
	return mult->held && !mult->next && mult->n_held_up == 0;
}

void mult_hold(struct mult *mult, struct value *value)
{
	mult->held = value;
	mult->next = tap_first(mult);
	mult->was_accepted = mult->is_told = false;
}

void mult_hold_again(struct core *core, struct mult *mult, struct value *value)
{
	mult_hold(mult, value);
	mult->was_accepted = mult->is_told = true;
	mult_is_due(core, mult);
}

void tap_target_follows(struct tap *tap)
{
	const struct channel *source = tap->mult->source;
	if (source->changed_in > tap->target->changed_in)
		tap->target->changed_in = source->changed_in;
}

void mult_take_value(struct core *core, struct mult *mult, struct value *value)
{
	mult_stop_waiting(core, mult);
	mult_hold(mult, value);
	mult_is_due(core, mult);
}

void mult_let_go(struct core *core, struct mult *mult)
{
	struct value *value = mult->held;
	mult->held = NULL;
	lease_uncount(core, mult->source, 1);
	mult->source->taken++;
	charge_sub(core, mult->source, value);
	recorder_gone(core, mult->source, value, RECORD_TAKEN);
	value_destroy(value);
	for (struct tap *tap = mult->n_taps ? tap_first(mult) : NULL; tap; tap = tap_next(mult, tap))
		tap_target_follows(tap);
	channel_settle_at_end(core, mult->source);
	mult_is_due(core, mult);
}

void tap_has_accepted(struct core *core, struct tap *tap, const struct value *value)
{
	struct mult *mult = tap->mult;
	mult->was_accepted = true;
	tap->done_place = value->seq;
	if ((mult->n_taps == 1 && mult->held) /* it is let go of in this step */ || !tap_is_durable(tap))
		return;
	mult->is_told = true;
	recorder_carried(core, tap, RECORD_CARRIED_ACCEPTED);
}

void tap_count_carried(struct core *core, struct tap *tap, uint64_t n)
{
	tap->carried += n;
	core->tapped.carried += n;
}

void tap_entered(struct core *core, struct tap *tap)
{
	struct mult *mult = tap->mult;
	stop_holding_up(core, tap);
	tap_count_carried(core, tap, 1);
	tap_has_accepted(core, tap, mult->held ? mult->held : store_first(&mult->source->buffer));
	if (mult_is_done_with_value(mult))
		mult_let_go(core, mult);
}
