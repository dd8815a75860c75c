/* How taps end: by untap, with their source or target, or because the source is exhausted. */
#include <assert.h>
#include <stdlib.h>

#include "daemon/core/charge.h"
#include "daemon/core/parked_bytes.h"
#include "daemon/core/recorder.h"
#include "daemon/core/tap.h"

void mix_wake(struct core *core, struct mix *mix)
{
	for (struct link *at = mix->taps.next; at != &mix->taps; at = at->next)
		mult_is_due(core, LIST_ITEM(at, struct tap, in_mix)->mult);
}

static void leave_mix(struct core *core, struct tap *tap)
{
	struct channel *target = tap->target;
	struct mix *mix = target->mix;
	list_remove(&tap->in_mix);
	mix->n_taps--;
	mix->n_closing -= tap->closes;
	mix->n_solo -= tap->state == CORE_TAP_SOLO;
	if (mix->n_taps == 0) {
		target->mix = NULL;
		free(mix);
	} else if (tap->state == CORE_TAP_SOLO && mix->n_solo == 0) {
		mix_wake(core, mix);
	}
}

void mult_free(struct core *core, struct mult *mult)
{
	assert(mult->n_taps == 0 && !mult->held && mult->n_held_up == 0);
	mult_stop_waiting(core, mult);
	list_remove(&mult->in_due);
	mult->source->mult = NULL;
	free(mult->take);
	free(mult);
}

void tap_remove(struct core *core, struct tap *tap)
{
	struct mult *mult = tap->mult;
	tap_withdraw(core, tap);
	recorder_untap(core, tap);
	if (mult->next == tap)
		mult->next = tap_next(mult, tap);
	list_remove(&tap->in_mult);
	mult->n_taps--;
	leave_mix(core, tap);
	list_remove(&tap->in_core);
	core->n_taps--;
	core->parked_bytes -= parked_bytes_of_match(tap->match);
	core_match_destroy(tap->match);
	free(tap->put);
	free(tap);
	work_spend(core, 1);
}

void mult_finish_value(struct core *core, struct mult *mult, struct core_effects *effects)
{
	bool has_come = mult->was_accepted;
	if (!mult_is_done_with_value(mult))
		return;
	for (const struct tap *tap = mult->n_taps ? tap_first(mult) : NULL; tap && !has_come; tap = tap_next(mult, tap))
		has_come = tap->has_seen;
	if (has_come) {
		mult_let_go(core, mult);
		return;
	}
	struct value *value = mult->held;
	mult->held = NULL;
	for (struct tap *tap = mult->n_taps ? tap_first(mult) : NULL; tap; tap = tap_next(mult, tap))
		tap->done_place = 0; /* whoever was made while it was held gets it, too */
	mult_is_due(core, mult);
	transfer_give_back(core, mult->source, value, effects);
}

void tap_end(struct core *core, struct tap *tap, struct core_effects *effects)
{
	struct mult *mult = tap->mult;
	tap_remove(core, tap);
	mult_finish_value(core, mult, effects);
	if (mult->n_taps == 0)
		mult_free(core, mult);
	else
		mult_is_due(core, mult);
}

void channel_end_mix(struct core *core, struct channel *channel, struct core_effects *effects)
{
	while (channel->mix)
		tap_end(core, LIST_ITEM(channel->mix->taps.next, struct tap, in_mix), effects);
}

void channel_end_taps(struct core *core, struct channel *channel, struct core_effects *effects)
{
	struct mult *mult = channel->mult;
	if (mult) {
		while (mult->n_taps > 0)
			tap_remove(core, tap_first(mult));
		if (mult->held) {
			charge_sub(core, channel, mult->held);
			value_destroy(mult->held);
			mult->held = NULL;
		}
		mult_free(core, mult);
	}
	channel_end_mix(core, channel, effects);
}
