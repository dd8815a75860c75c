/* move: buffered values to another channel, or to where they came from. */
#include "tests/sim/model_parts.h"

static bool move_value(struct model *model, int source, int target, uint32_t at, struct outcomes *outcomes)
{
	struct model_channel *from = &model->channels[source], *to = &model->channels[target];
	struct model_request one = {.op = CORE_PUT, .values = {from->buffer[at]}, .n_values = 1};
	uint64_t evicted = 0, dropped = 0;
	bool has_taker = to->definition.kind != KIND_PROMISE && model_waiters(model, target, false);
	if (to->closed || !(has_taker || model_has_room(model, target)))
		return false;
	model->deliveries[one.values[0]] = 0;
	model->origins[one.values[0]] = (struct model_origin){0};
	memmove(&from->buffer[at], &from->buffer[at + 1], (--from->n - at) * sizeof(from->buffer[0]));
	from->taken++;
	model_put_values(model, target, &one, &evicted, &dropped, outcomes);
	assert(one.n_values == 0 && evicted == 0 && dropped == 0);
	return true;
}

/* -1: to nowhere. */
static int target_of(const struct model *model, const struct operation *o, uint32_t value)
{
	int target = o->to >= 0 ? o->to : model->origins[value].channel - 1;
	return target >= 0 && target != o->channel && model->channels[target].exists ? target : -1;
}

void model_move(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	struct model_channel *from = &model->channels[o->channel];
	if (from->definition.kind == KIND_PROMISE || o->to == o->channel) {
		model_refuse(outcomes, r, 0, ERROR_BAD_REQUEST);
		return;
	}
	if (o->to >= 0 && !model->channels[o->to].exists) {
		r->arms[0].channel = o->to;
		model_refuse(outcomes, r, 0, ERROR_NO_SUCH_CHANNEL);
		return;
	}
	uint32_t moved = 0;
	for (uint32_t at = 0; at < from->n && moved < o->max;) {
		int target = target_of(model, o, from->buffer[at]);
		if (target >= 0 && move_value(model, o->channel, target, at, outcomes))
			moved++;
		else
			at++;
	}
	bool is_closed = o->to >= 0 && model->channels[o->to].closed;
	struct outcome *outcome = model_say(outcomes, r, 0, is_closed ? STATUS_CLOSED : STATUS_OK);
	outcome->accepted = moved;
	outcome->left = from->n;
	model_settle(model, o->channel, outcomes);
}
