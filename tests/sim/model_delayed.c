/* Delayed puts: accepted, counted as leased, and entering when they are due. */
#include "tests/sim/model_parts.h"

uint32_t model_delayed(const struct model *model, int channel)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < model->n_delayed; i++)
		if (model->delayed[i].channel == channel)
			n += model->delayed[i].n_values;
	return n;
}

void model_delay(struct model *model, int channel, struct model_request *r)
{
	struct model_channel *c = &model->channels[channel];
	struct model_delayed fresh = {.channel = channel, .deadline_us = model->now_us + r->delay_ms * 1000};
	assert(model->n_delayed < MODEL_LEASES);
	struct model_delayed *delayed = &model->delayed[model->n_delayed];
	*delayed = fresh;
	model->n_delayed++;
	while (r->n_values > 0 && (c->definition.kind == KIND_SLIDING || model_has_room(model, channel))) {
		delayed->values[delayed->n_values++] = r->values[0];
		memmove(r->values, r->values + 1, --r->n_values * sizeof(r->values[0]));
		c->accepted++;
		r->accepted++;
	}
	if (delayed->n_values == 0)
		model->n_delayed--;
	else
		delayed->born = ++model->requests;
}

struct model_delayed *model_first_delayed_due(struct model *model)
{
	struct model_delayed *first = NULL;
	for (uint32_t i = 0; i < model->n_delayed; i++) {
		struct model_delayed *delayed = &model->delayed[i];
		if (!first || delayed->deadline_us < first->deadline_us)
			first = delayed;
	}
	return first;
}

static void drop(struct model *model, struct model_delayed *delayed)
{
	size_t i = (size_t)(delayed - model->delayed);
	memmove(delayed, delayed + 1, (model->n_delayed - i - 1) * sizeof(*delayed));
	model->n_delayed--;
}

void model_delayed_enter(struct model *model, struct model_delayed *delayed, struct outcomes *outcomes)
{
	struct model_channel *c = &model->channels[delayed->channel];
	int channel = delayed->channel;
	struct model_request r = {.op = CORE_PUT, .n_values = delayed->n_values};
	memcpy(r.values, delayed->values, sizeof(r.values));
	drop(model, delayed);
	c->accepted -= r.n_values; /* they are counted as they enter */
	model_put_to_takers(model, channel, &r, outcomes);
	for (uint32_t i = 0; i < r.n_values; i++) {
		if (c->definition.kind == KIND_SLIDING && !model_has_room(model, channel)) {
			memmove(c->buffer, c->buffer + 1, --c->n * sizeof(c->buffer[0]));
			c->evicted++;
		}
		model_enter(model, channel, r.values[i]);
		c->buffer[c->n++] = r.values[i];
	}
	model_settle(model, channel, outcomes);
}

void model_discard_delayed(struct model *model, int channel)
{
	for (uint32_t i = 0; i < model->n_delayed;) {
		if (model->delayed[i].channel == channel)
			drop(model, &model->delayed[i]);
		else
			i++;
	}
}
