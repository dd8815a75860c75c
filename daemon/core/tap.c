/* How taps carry. See tap.h for what they are. */
#include "daemon/core/tap.h"

#include <assert.h>

#include "daemon/core/charge.h"
#include "daemon/core/recorder.h"

/* What carrying costs, in values that are freed: a copy and a put, and so much more for the bytes that a match has to
 * read, or that a taker is sent. */
enum { CARRY_WORK = 4, MATCH_BYTES_A_WORK = 32, COPY_BYTES_A_WORK = 1024 };

/* It has stopped in the midst of a value, and goes on before all others: so the order of what happens does not depend
 * on where a turn ends. */
static void be_next(struct core *core, struct mult *mult)
{
	list_remove(&mult->in_due);
	list_append(core->due_mults.next, &mult->in_due);
}

/* There was no memory for it, or the journal has no room. Without memory, no tap carries any more in this turn. */
static void stall(struct core *core, struct mult *mult, enum error why)
{
	list_remove(&mult->in_due);
	if (why == ERROR_UNAVAILABLE) {
		list_append(&core->stalled_mults, &mult->in_due);
		return;
	}
	be_next(core, mult);
	core->work_left = 0;
}

static bool is_promise(const struct mult *mult)
{
	return mult->source->definition.kind == KIND_PROMISE;
}

static void wait_for_value(struct core *core, struct mult *mult)
{
	if (mult->is_waiting)
		return;
	if (order_reserve(&core->order) < 0) {
		stall(core, mult, ERROR_OVERLOADED);
		return;
	}
	mult_wait(core, mult);
}

/* Puts a copy to the target, or parks it there. ERROR_NONE, or why it cannot just now; then nothing has happened. */
static enum error put_copy(struct core *core, struct tap *tap, struct value *value, struct core_effects *effects)
{
	struct channel *target = tap->target;
	struct value_list one = {0};
	size_t reserved = 0;
	assert(!target->closed && !tap->is_held_up);
	enum error refusal = recorder_admits(core, target, value, &reserved);
	if (refusal != ERROR_NONE)
		return refusal;
	struct value *copy = order_reserve(&core->order) < 0 ? NULL : value_copy(value);
	if (!copy)
		return ERROR_OVERLOADED;
	work_spend(core, value->len / COPY_BYTES_A_WORK);
	value_list_push(&one, copy);
	tap_target_follows(tap);
	struct put_outcome outcome = transfer_put(core, target, &one, effects);
	tap_count_carried(core, tap, outcome.accepted);
	if (one.n > 0)
		tap_hold_up(core, tap, &one);
	else
		tap_has_accepted(core, tap, value);
	return ERROR_NONE;
}

/* The value comes to a tap. ERROR_NONE, or why it cannot just now. */
static enum error carry(struct core *core, struct tap *tap, struct value *value, struct core_effects *effects)
{
	enum error error = ERROR_NONE;
	tap->has_seen = tap->done_place == value->seq;
	if (tap->has_seen || tap_is_paused(tap))
		return ERROR_NONE;
	work_spend(core, CARRY_WORK + (tap->match ? value->len / MATCH_BYTES_A_WORK : 0));
	if (tap->match && !tap->match->accepts(tap->match, (struct slice){value->bytes, value->len})) {
		tap->unmatched++;
		core->tapped.unmatched++;
	} else if (tap->state == CORE_TAP_MUTE) {
		tap->muted++;
		core->tapped.muted++;
		tap_has_accepted(core, tap, value);
	} else {
		error = put_copy(core, tap, value, effects);
	}
	tap->has_seen = error == ERROR_NONE;
	return error;
}

/* As far as the turn's work goes. */
static void carry_value(struct core *core, struct mult *mult, struct core_effects *effects)
{
	while (mult->next) {
		if (!work_is_left(core)) {
			be_next(core, mult);
			return;
		}
		enum error error = carry(core, mult->next, mult->held, effects);
		if (error != ERROR_NONE) {
			stall(core, mult, error);
			return;
		}
		mult->next = tap_next(mult, mult->next);
	}
	mult_finish_value(core, mult, effects);
}

/* A promise's value is lent to each tap once. */
static void carry_promise(struct core *core, struct mult *mult, struct core_effects *effects)
{
	struct value *value = store_first(&mult->source->buffer);
	for (struct tap *tap = tap_first(mult); tap && value; tap = tap_next(mult, tap)) {
		if (tap->has_seen)
			continue;
		if (!work_is_left(core)) {
			be_next(core, mult);
			return;
		}
		enum error error = carry(core, tap, value, effects);
		if (error != ERROR_NONE) {
			stall(core, mult, error);
			return;
		}
		mult->source->taken += tap->has_seen;
	}
}

/* The source is exhausted: its taps end, and what they close closes. The mult is gone. */
static void end(struct core *core, struct mult *mult, struct core_effects *effects)
{
	while (mult->n_taps > 0) {
		struct tap *tap = tap_first(mult);
		struct channel *target = tap->target;
		bool closes = tap->closes && target->mix->n_closing == 1;
		tap_remove(core, tap);
		if (closes)
			channel_close(core, target, effects);
	}
	mult_free(core, mult);
}

/* One value at most; then others have their turn. */
static void carry_on(struct core *core, struct mult *mult, struct core_effects *effects)
{
	struct channel *source = mult->source;
	if (mult_rests(core, mult)) {
		mult_stop_waiting(core, mult);
	} else if (channel_is_exhausted(source)) {
		end(core, mult, effects);
	} else if (is_promise(mult)) {
		carry_promise(core, mult, effects);
	} else if (mult->held) {
		carry_value(core, mult, effects);
	} else if (!mult_is_active(core, mult)) {
		mult_stop_waiting(core, mult);
	} else if (channel_can_take(source)) {
		mult_stop_waiting(core, mult);
		mult_hold(mult, transfer_hold(core, source, effects));
		carry_value(core, mult, effects);
	} else {
		wait_for_value(core, mult);
	}
}

bool mults_have_more(const struct core *core)
{
	return !list_is_empty(&core->due_mults) || !list_is_empty(&core->stalled_mults);
}

void mults_carry_on(struct core *core, struct core_effects *effects)
{
	if (!list_is_empty(&core->stalled_mults) && !(core->recorder && core->recorder->is_full)) {
		struct link now;
		list_take(&now, &core->stalled_mults);
		while (!list_is_empty(&now)) {
			struct mult *mult = LIST_ITEM(now.next, struct mult, in_due);
			list_remove(&mult->in_due);
			mult_is_due(core, mult);
		}
	}
	work_take_turns(core, &core->carry_left);
	while (!list_is_empty(&core->due_mults) && work_is_left(core) && !work_waits_for_departing(core)) {
		struct mult *mult = LIST_ITEM(core->due_mults.next, struct mult, in_due);
		list_remove(&mult->in_due);
		carry_on(core, mult, effects); /* which carries to one tap at least */
		work_spend(core, 1);
		channel_settle_all(core, effects);
	}
	work_take_turns(core, &core->carry_left);
}
