/* Taps. A tap that is held up is a parked put of op CORE_TAP, the taps of a channel that wait are a parked take of that
 * op; who has something to do stands in one list, and does it at the end of the step, a value at a time. */
#include "tests/sim/model_parts.h"

static bool is_solo(const struct model *model, int target)
{
	for (uint32_t i = 0; i < model->n_taps; i++)
		if (model->taps[i].to == target && model->taps[i].state == CORE_TAP_SOLO)
			return true;
	return false;
}

static bool is_paused(const struct model *model, const struct model_tap *tap)
{
	return tap->state == CORE_TAP_PAUSE || (tap->state != CORE_TAP_SOLO && is_solo(model, tap->to));
}

bool model_has_taps(const struct model *model, int channel)
{
	for (uint32_t i = 0; i < model->n_taps; i++)
		if (model->taps[i].from == channel)
			return true;
	return false;
}

static bool is_active(const struct model *model, int channel)
{
	for (uint32_t i = 0; i < model->n_taps; i++)
		if (model->taps[i].from == channel && !is_paused(model, &model->taps[i]))
			return true;
	return false;
}

static struct model_tap *find(struct model *model, int from, int to)
{
	for (uint32_t i = 0; i < model->n_taps; i++)
		if (model->taps[i].from == from && model->taps[i].to == to)
			return &model->taps[i];
	return NULL;
}

/* What a tap has parked (NULL: nothing); or with to -1, the take of the channel's taps. */
static struct model_request *parked_of(struct model *model, int from, int to)
{
	for (uint32_t i = 0; i < model->n_parked; i++) {
		struct model_request *r = &model->parked[i];
		bool is_take = !r->arms[0].is_put;
		if (r->op == CORE_TAP && r->source == from && (to < 0 ? is_take : !is_take && r->arms[0].channel == to))
			return r;
	}
	return NULL;
}

uint32_t model_n_held_up(const struct model *model, int from)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < model->n_parked; i++) {
		const struct model_request *r = &model->parked[i];
		n += r->op == CORE_TAP && r->source == from && r->arms[0].is_put;
	}
	return n;
}

void model_taps_due(struct model *model, int channel)
{
	for (uint32_t i = 0; i < model->n_due; i++)
		if (model->due[i] == channel)
			return;
	model->due[model->n_due++] = channel;
}

static void not_due(struct model *model, int channel)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < model->n_due; i++)
		if (model->due[i] != channel)
			model->due[n++] = model->due[i];
	model->n_due = n;
}

static void wake_all_into(struct model *model, int target)
{
	for (uint32_t i = 0; i < model->n_taps; i++)
		if (model->taps[i].to == target)
			model_taps_due(model, model->taps[i].from);
}

static void stop_waiting(struct model *model, int channel)
{
	struct model_request *take = parked_of(model, channel, -1);
	if (take)
		model_forget(model, take);
}

static void park(struct model *model, int from, int on, bool is_put, uint32_t value)
{
	struct model_request r = {.op = CORE_TAP,
				  .connection = -1,
				  .source = from,
				  .id = CORE_NO_ID,
				  .deadline_us = CORE_NEVER,
				  .values = {value},
				  .n_values = is_put,
				  .n_arms = 1};
	r.arms[0] = (struct model_arm){.channel = on, .is_put = is_put};
	model_append(model->parked, &model->n_parked, r);
}

static void hold(struct model *model, int channel, uint32_t value)
{
	model->held[channel] = (struct model_held){.value = value, .is_fresh = true};
}

void model_taps_take(struct model *model, int channel, uint32_t value)
{
	stop_waiting(model, channel);
	hold(model, channel, value);
	model_taps_due(model, channel);
}

static bool is_done(const struct model *model, int channel)
{
	const struct model_held *held = &model->held[channel];
	bool has_come_to_all = !held->is_fresh || !model_has_taps(model, channel);
	return held->value && has_come_to_all && model_n_held_up(model, channel) == 0;
}

static void let_go(struct model *model, int channel)
{
	model->held[channel] = (struct model_held){0};
	model->channels[channel].taken++;
	model_settle_later(model, channel);
	model_taps_due(model, channel);
}

void model_tap_entered(struct model *model, int from, int to)
{
	find(model, from, to)->carried++;
	model->held[from].was_accepted = true;
	if (is_done(model, from))
		let_go(model, from);
}

static void finish_value(struct model *model, int channel, struct outcomes *outcomes)
{
	bool has_come = model->held[channel].was_accepted;
	if (!is_done(model, channel))
		return;
	for (uint32_t i = 0; i < model->n_taps; i++)
		has_come = has_come || (model->taps[i].from == channel && model->taps[i].has_seen);
	if (has_come) {
		let_go(model, channel);
		return;
	}
	uint32_t value = model->held[channel].value;
	model->held[channel] = (struct model_held){0};
	model_taps_due(model, channel);
	model_come_back(model, channel, &value, 1, outcomes);
	model_settle_later(model, channel);
}

/* -- Carrying -- */

static void put_copy(struct model *model, struct model_tap *tap, uint32_t value, struct outcomes *outcomes)
{
	struct model_request one = {.op = CORE_PUT, .values = {model_copy(model, value)}, .n_values = 1};
	uint64_t evicted = 0, dropped = 0;
	uint32_t copy = one.values[0];
	model_put_values(model, tap->to, &one, &evicted, &dropped, outcomes);
	tap->carried += one.accepted;
	if (one.n_values)
		park(model, tap->from, tap->to, true, copy);
	else
		model->held[tap->from].was_accepted = true;
}

static void carry(struct model *model, struct model_tap *tap, uint32_t value, struct outcomes *outcomes)
{
	tap->has_seen = !is_paused(model, tap);
	if (!tap->has_seen)
		return;
	if (tap->match && sim_match_of(model_number(value)) != tap->match) {
		tap->unmatched++;
	} else if (tap->state == CORE_TAP_MUTE) {
		tap->muted++;
		model->held[tap->from].was_accepted = true;
	} else {
		put_copy(model, tap, value, outcomes);
	}
}

static void carry_value(struct model *model, int channel, struct outcomes *outcomes)
{
	if (!model->held[channel].is_fresh)
		return;
	for (uint32_t i = 0; i < model->n_taps; i++)
		if (model->taps[i].from == channel)
			carry(model, &model->taps[i], model->held[channel].value, outcomes);
	model->held[channel].is_fresh = false;
	finish_value(model, channel, outcomes);
}

static void carry_promise(struct model *model, int channel, struct outcomes *outcomes)
{
	struct model_channel *c = &model->channels[channel];
	for (uint32_t i = 0; i < model->n_taps && c->n > 0; i++) {
		struct model_tap *tap = &model->taps[i];
		if (tap->from != channel || tap->has_seen)
			continue;
		carry(model, tap, c->buffer[0], outcomes);
		c->taken += tap->has_seen;
	}
	model->held[channel] = (struct model_held){0};
}

static void take_value(struct model *model, int channel, struct outcomes *outcomes)
{
	bool is_buffered = model->channels[channel].n > 0;
	hold(model, channel, model_pop(model, channel, outcomes));
	if (is_buffered)
		model_refill(model, channel, outcomes);
}

void model_taps_take_buffered(struct model *model, int channel, struct outcomes *outcomes)
{
	take_value(model, channel, outcomes);
	stop_waiting(model, channel);
	model_taps_due(model, channel);
}

static void end_all(struct model *model, int channel, struct outcomes *outcomes);

static void carry_on(struct model *model, int channel, struct outcomes *outcomes)
{
	if (model_is_exhausted(model, channel)) {
		end_all(model, channel, outcomes);
	} else if (model->channels[channel].definition.kind == KIND_PROMISE) {
		carry_promise(model, channel, outcomes);
	} else if (model->held[channel].value) {
		carry_value(model, channel, outcomes);
	} else if (!is_active(model, channel)) {
		stop_waiting(model, channel);
	} else if (model_next_value(model, channel)) {
		stop_waiting(model, channel);
		take_value(model, channel, outcomes);
		carry_value(model, channel, outcomes);
	} else if (!parked_of(model, channel, -1)) {
		park(model, channel, channel, false, 0);
	}
}

void model_taps_carry_on(struct model *model, struct outcomes *outcomes)
{
	model_settle_all(model, outcomes);
	while (model->n_due > 0) {
		int channel = model->due[0];
		not_due(model, channel);
		carry_on(model, channel, outcomes);
		model_settle_all(model, outcomes);
	}
}

/* -- Ends -- */

/* With what it has parked. */
static void remove_tap(struct model *model, int from, int to)
{
	struct model_tap *tap = find(model, from, to);
	struct model_request *put = parked_of(model, from, to);
	bool was_solo = is_solo(model, to);
	if (put)
		model_forget(model, put);
	size_t i = (size_t)(tap - model->taps);
	memmove(tap, tap + 1, (model->n_taps - i - 1) * sizeof(*tap));
	model->n_taps--;
	if (was_solo && !is_solo(model, to))
		wake_all_into(model, to);
}

static void end_tap(struct model *model, int from, int to, struct outcomes *outcomes)
{
	remove_tap(model, from, to);
	finish_value(model, from, outcomes);
	if (model_has_taps(model, from)) {
		model_taps_due(model, from);
	} else {
		stop_waiting(model, from);
		not_due(model, from);
	}
}

/* The first tap from or into a channel; NULL: there is none. */
static struct model_tap *first_tap(struct model *model, int from, int to)
{
	for (uint32_t i = 0; i < model->n_taps; i++)
		if (model->taps[i].from == from || model->taps[i].to == to)
			return &model->taps[i];
	return NULL;
}

void model_stop_taps(struct model *model, int channel)
{
	if (!model_has_taps(model, channel))
		return;
	stop_waiting(model, channel);
	model_taps_due(model, channel);
}

/* The source is exhausted. */
static void end_all(struct model *model, int channel, struct outcomes *outcomes)
{
	struct model_tap *tap;
	while ((tap = first_tap(model, channel, -1))) {
		int to = tap->to;
		bool closes = tap->closes;
		remove_tap(model, channel, to);
		for (uint32_t i = 0; i < model->n_taps; i++)
			closes = closes && !(model->taps[i].to == to && model->taps[i].closes);
		if (closes)
			model_close(model, to, outcomes);
	}
	stop_waiting(model, channel);
	not_due(model, channel);
}

void model_end_taps_into(struct model *model, int channel, struct outcomes *outcomes)
{
	struct model_tap *tap;
	while ((tap = first_tap(model, -1, channel)))
		end_tap(model, tap->from, channel, outcomes);
}

void model_end_taps_of_removed(struct model *model, int channel, struct outcomes *outcomes)
{
	struct model_tap *tap;
	while ((tap = first_tap(model, channel, -1)))
		remove_tap(model, channel, tap->to);
	stop_waiting(model, channel);
	not_due(model, channel);
	model_end_taps_into(model, channel, outcomes);
}

/* -- The ops -- */

static bool leads_to(const struct model *model, int from, int to)
{
	if (from == to)
		return true;
	for (uint32_t i = 0; i < model->n_taps; i++)
		if (model->taps[i].from == from && leads_to(model, model->taps[i].to, to))
			return true;
	return false;
}

static void set_terms(struct model *model, struct model_tap *tap, const struct operation *o)
{
	bool was_solo = is_solo(model, tap->to);
	tap->closes = o->closes;
	tap->state = o->state;
	tap->match = o->match;
	model_taps_due(model, tap->from);
	if (was_solo != is_solo(model, tap->to))
		wake_all_into(model, tap->to);
}

void model_tap(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	struct model_tap *known = find(model, o->channel, o->to);
	if (!model->channels[o->to].exists) {
		r->arms[0].channel = o->to;
		model_refuse(outcomes, r, 0, ERROR_NO_SUCH_CHANNEL);
	} else if (known) {
		set_terms(model, known, o);
		model_say(outcomes, r, 0, STATUS_OK);
	} else if (model->channels[o->to].closed) {
		model_say(outcomes, r, 0, STATUS_CLOSED);
	} else if (leads_to(model, o->to, o->channel)) {
		model_refuse(outcomes, r, 0, ERROR_BAD_REQUEST);
	} else if (model->n_taps >= model->limits.max_taps) {
		model_refuse(outcomes, r, 0, ERROR_OVERLOADED);
	} else {
		struct model_tap *tap = &model->taps[model->n_taps++];
		*tap = (struct model_tap){.from = o->channel, .to = o->to};
		set_terms(model, tap, o);
		model_say(outcomes, r, 0, STATUS_OK)->created = true;
	}
}

void model_untap(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	if (!model->channels[o->to].exists) {
		r->arms[0].channel = o->to;
		model_refuse(outcomes, r, 0, ERROR_NO_SUCH_CHANNEL);
	} else if (!find(model, o->channel, o->to)) {
		model_refuse(outcomes, r, 0, ERROR_NO_SUCH_TAP);
	} else {
		model_say(outcomes, r, 0, STATUS_OK);
		end_tap(model, o->channel, o->to, outcomes);
	}
}
