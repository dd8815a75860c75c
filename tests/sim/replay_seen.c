#include "tests/sim/replay_seen.h"

void replay_see(const struct replay_world *world, const struct operation *o, uint32_t was_parked,
		struct replay_seen *seen)
{
	uint32_t parked_alts = 0, alts_ok = 0;
	bool timed_out_now = false, matched = false;
	seen->operations++;
	for (uint32_t i = 0; i < world->actual.n; i++) {
		const struct outcome *a = &world->actual.at[i];
		bool is_own = a->connection == o->connection && a->id == o->id && a->op == o->op &&
			      a->status != STATUS_TIMEOUT;
		seen->statuses[a->op][a->status]++;
		seen->errors[a->error]++;
		seen->evicted += a->evicted;
		seen->altered += a->altered;
		seen->refilled += o->op == CORE_ALTER && a->op == CORE_PUT && world->was_sliced;
		seen->duplicates += a->duplicate;
		seen->moved += a->op == CORE_MOVE ? a->accepted : 0;
		for (uint32_t v = 0; v < a->n_values; v++)
			seen->with_origin += a->origins[v].channel > 0;
		seen->discarded += a->discarded;
		seen->partly_accepted += a->accepted > 0 && a->status != STATUS_OK;
		timed_out_now = timed_out_now || a->status == STATUS_TIMEOUT;
		matched = matched || a->n_values > 0;
		alts_ok += a->op == CORE_ALTS && a->status == STATUS_OK;
		seen->leased += a->lease > 0;
		seen->acked += a->op == CORE_ACK && a->status == STATUS_OK;
		seen->came_back += a->lease > 0 && a->deliveries[0] > 1;
		seen->counted += a->has_left && a->n_values > 0;
		seen->counted_timeout += a->has_left && a->status == STATUS_TIMEOUT;
		seen->counted_cancelled += a->has_left && a->status == STATUS_CANCELLED;
		parked_alts += a->op == CORE_ALTS && a->status == STATUS_OK && !is_own;
	}
	for (uint32_t i = 0; i < world->model.n_taps; i++) {
		const struct model_tap *tap = &world->model.taps[i];
		seen->tap_steps += tap->carried > 0;
		seen->tap_unmatched += tap->unmatched > 0;
		seen->tap_muted += tap->muted > 0;
	}
	seen->tapped += o->op == CORE_TAP && world->actual.n > 0 && world->actual.at[0].created;
	for (int i = 0; i < SIM_CHANNELS; i++)
		seen->taps_held_up += model_n_held_up(&world->model, i) > 1;
	seen->undeliverable += world->actual.undeliverable;
	seen->delayed += world->model.n_delayed;
	for (uint32_t i = 0; i < world->model.n_parked; i++) {
		seen->delayed_parked += world->model.parked[i].delay_ms > 0;
		seen->once_parked += world->model.parked[i].producer > 0;
	}
	seen->rested += world->model.n_resting > 0;
	seen->parked_alts_ok += parked_alts;
	seen->alts_met_alts += o->op == CORE_ALTS && parked_alts > 0 && alts_ok > parked_alts;
	seen->timeout_beside_match += timed_out_now && matched;
	seen->left_while_parked += o->op == CORE_DISCONNECT && world->model.n_parked < was_parked;
}

void replay_see_end(const struct replay_world *world, struct replay_seen *seen)
{
	seen->alone += world->n_alone;
	seen->parked_alone += world->n_parked_alone;
	seen->handed_alone += world->n_handed_alone;
	for (int i = 0; i < SIM_CHANNELS; i++) {
		seen->dead_lettered += world->model.channels[i].dead_lettered;
		seen->returned += world->model.channels[i].returned;
	}
}
