/* What values are, as numbers: which are copies, how long they are, and what they cost. */
#include "tests/sim/model_parts.h"

/* Copies have numbers of their own, from here on; these come again when they are used up. */
enum { FIRST_COPY = 1 << 15 };
static uint32_t copied_from[MODEL_VALUES - FIRST_COPY];

uint32_t model_number(uint32_t value)
{
	return value < FIRST_COPY ? value : copied_from[value - FIRST_COPY];
}

uint32_t model_copy(struct model *model, uint32_t value)
{
	uint32_t at = model->n_copies++ % (MODEL_VALUES - FIRST_COPY), copy = FIRST_COPY + at;
	copied_from[at] = model_number(value);
	model->deliveries[copy] = 0;
	model->origins[copy] = (struct model_origin){0};
	return copy;
}

uint64_t model_size_of(uint32_t value)
{
	char text[SIM_VALUE_TEXT];
	return value_text(model_number(value), text);
}

uint64_t model_size_of_all(const uint32_t *values, uint32_t n)
{
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < n; i++)
		bytes += model_size_of(values[i]);
	return bytes;
}

uint64_t model_cost_of_all(const uint32_t *values, uint32_t n)
{
	return model_size_of_all(values, n) + (uint64_t)n * VALUE_OVERHEAD;
}

/* What a channel's values cost, or how many bytes they have. */
static uint64_t held(const struct model *model, int channel, uint64_t (*of)(const uint32_t *values, uint32_t n))
{
	uint64_t bytes = of(model->channels[channel].buffer, model->channels[channel].n);
	for (uint32_t i = 0; i < model->n_leases; i++)
		if (model->leases[i].channel == channel)
			bytes += of(model->leases[i].values, model->leases[i].n_values);
	for (uint32_t i = 0; i < model->n_delayed; i++)
		if (model->delayed[i].channel == channel)
			bytes += of(model->delayed[i].values, model->delayed[i].n_values);
	for (uint32_t i = 0; i < model->n_parked; i++) {
		const struct model_request *r = &model->parked[i];
		for (uint32_t arm = 0; arm < r->n_arms; arm++) {
			if (r->arms[arm].channel != channel || !r->arms[arm].is_put)
				continue;
			bytes += r->op != CORE_ALTS ? of(r->values, r->n_values) : of(&r->arms[arm].value, 1);
		}
	}
	if (model->held[channel].value)
		bytes += of(&model->held[channel].value, 1);
	return bytes;
}

uint64_t model_bytes(const struct model *model, int channel)
{
	return held(model, channel, model_size_of_all);
}

uint64_t model_cost(const struct model *model, int channel)
{
	return held(model, channel, model_cost_of_all);
}

static uint32_t counted_in[FIRST_COPY], counting;

/* Of bytes that are shared, only the first to be counted. */
static uint64_t cost_at_first_sight(const uint32_t *values, uint32_t n)
{
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t number = model_number(values[i]);
		bytes += VALUE_OVERHEAD + (counted_in[number] != counting ? model_size_of(number) : 0);
		counted_in[number] = counting;
	}
	return bytes;
}

uint64_t model_total_cost(const struct model *model)
{
	uint64_t bytes = 0;
	counting++;
	for (int i = 0; i < SIM_CHANNELS; i++)
		bytes += held(model, i, cost_at_first_sight);
	return bytes;
}

bool model_over_memory(const struct model *model, uint64_t more)
{
	return model->unsent + more + model_total_cost(model) > model->limits.max_memory;
}
