/* Channels are created, altered, closed and deleted. */
#include "tests/sim/model_parts.h"

static bool equal(const struct core_definition *a, const struct core_definition *b)
{
	return a->kind == b->kind && a->capacity == b->capacity && a->max_waiters == b->max_waiters &&
	       a->ephemeral == b->ephemeral && a->max_deliveries == b->max_deliveries &&
	       slice_equal(a->dead_letter, b->dead_letter);
}

static bool may_be_dead_letter(const struct model *model, int channel, const struct core_definition *definition)
{
	const struct model_channel *c = &model->channels[definition->dead_letter.bytes[0] - 'a'];
	return c->exists && c->definition.kind == KIND_BOUNDED && definition->dead_letter.bytes[0] - 'a' != channel;
}

void model_create(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	struct model_channel *c = &model->channels[o->channel];
	uint32_t n = 0;
	for (int i = 0; i < SIM_CHANNELS; i++)
		n += model->channels[i].exists;
	if (c->exists && equal(&c->definition, &o->definition) && (c->owner < 0 || c->owner == o->connection)) {
		model_say(outcomes, r, 0, STATUS_OK);
	} else if (c->exists) {
		model_refuse(outcomes, r, 0, ERROR_CHANNEL_EXISTS);
	} else if (o->definition.max_deliveries && !may_be_dead_letter(model, o->channel, &o->definition)) {
		model_refuse(outcomes, r, 0, ERROR_BAD_CHANNEL);
	} else if (n >= model->limits.max_channels) {
		model_refuse(outcomes, r, 0, ERROR_OVERLOADED);
	} else {
		int owner = o->definition.ephemeral ? o->connection : -1;
		*c = (struct model_channel){
			.exists = true, .definition = o->definition, .owner = owner, .born = ++model->births};
		model_say(outcomes, r, 0, STATUS_OK)->created = true;
	}
}

void model_alter(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	struct model_channel *c = &model->channels[o->channel];
	if (c->definition.kind != o->definition.kind || c->definition.ephemeral != o->definition.ephemeral) {
		model_refuse(outcomes, r, 0, ERROR_CHANNEL_EXISTS);
		return;
	}
	if (o->definition.max_deliveries && !may_be_dead_letter(model, o->channel, &o->definition)) {
		model_refuse(outcomes, r, 0, ERROR_BAD_CHANNEL);
		return;
	}
	model_say(outcomes, r, 0, STATUS_OK)->altered = !equal(&c->definition, &o->definition);
	c->definition = o->definition;
	model_shed(model, o->channel);
	model_settle(model, o->channel, outcomes);
}

void model_end_takes(struct model *model, int channel, struct outcomes *outcomes)
{
	model_stop_taps(model, channel);
	model_end_all(model, channel, false, outcomes);
}

void model_close(struct model *model, int channel, struct outcomes *outcomes)
{
	model->channels[channel].closed = true;
	model_end_taps_into(model, channel, outcomes);
	if (model_leased(model, channel) == 0 && model->channels[channel].n == 0)
		model_end_takes(model, channel, outcomes);
}

uint64_t model_remove_channel(struct model *model, int channel, struct outcomes *outcomes)
{
	model->channels[channel].exists = false;
	model_end_taps_of_removed(model, channel, outcomes);
	model_end_all(model, channel, false, outcomes);
	for (uint32_t i = 0; i < model->n_resting;) {
		if (model->resting[i].arms[0].channel == channel)
			model_finish(model, outcomes, &model->resting[i], 0, STATUS_CLOSED);
		else
			i++;
	}
	model_end_all(model, channel, true, outcomes);
	uint64_t discarded = model->channels[channel].n + model_discard_leased(model, channel);
	model->channels[channel].n = 0;
	return discarded;
}

void model_delete(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	if (!o->force && (model_next_value(model, o->channel) || model_leased(model, o->channel) > 0)) {
		model_refuse(outcomes, r, 0, ERROR_NOT_EMPTY);
		return;
	}
	uint64_t discarded = model_remove_channel(model, o->channel, outcomes);
	model_say(outcomes, r, 0, STATUS_OK)->discarded = discarded;
}
