/* Puts that name a producer and a number: one list of all numbers that have ever changed a channel, and a search
 * through it. Scripts use few numbers, so none is ever too old; and no producer is silent for long enough to be
 * forgotten. */
#include "tests/sim/model_parts.h"

static struct model_once *find(struct model *model, const struct model_request *r)
{
	int channel = r->arms[0].channel;
	for (uint32_t i = 0; i < model->n_once; i++) {
		struct model_once *once = &model->once[i];
		if (once->channel == channel && once->channel_born == model->channels[channel].born &&
		    once->producer == r->producer && once->seq == r->seq)
			return once;
	}
	return NULL;
}

static struct model_request *find_twin(struct model *model, const struct model_request *r)
{
	for (uint32_t i = 0; i < model->n_parked; i++) {
		struct model_request *other = &model->parked[i];
		if (other->op == CORE_PUT && other->producer == r->producer && other->seq == r->seq &&
		    other->arms[0].channel == r->arms[0].channel)
			return other;
	}
	return NULL;
}

void model_once_ends(struct model *model, const struct model_request *r, enum status status, uint64_t evicted)
{
	if (!r->producer || r->accepted == 0 || !model->channels[r->arms[0].channel].exists)
		return;
	struct model_once *once = find(model, r);
	if (!once) {
		assert(model->n_once < MODEL_ONCE);
		once = &model->once[model->n_once++];
	}
	*once = (struct model_once){.channel = r->arms[0].channel,
				    .channel_born = model->channels[r->arms[0].channel].born,
				    .producer = r->producer,
				    .seq = r->seq,
				    .status = status,
				    .accepted = r->accepted,
				    .evicted = evicted,
				    .is_part = r->n_values > 0};
}

/* The newcomer stands where its twin stood; or ends, if it comes by an older connection, or does not wait. */
static void meet_twin(struct model *model, const struct operation *o, struct model_request *r,
		      struct model_request *twin, struct outcomes *outcomes)
{
	r->accepted = twin->accepted;
	if (model->connected[r->connection] < model->connected[twin->connection]) {
		model_say(outcomes, r, 0, STATUS_CANCELLED);
	} else if (o->has_timeout && o->timeout_ms == 0) {
		model_finish(model, outcomes, twin, twin->n_arms, STATUS_CANCELLED);
		model_say(outcomes, r, 0, STATUS_TIMEOUT);
	} else if (twin->connection == r->connection || model_may_park(model, r, outcomes)) {
		struct model_request was = *twin;
		memcpy(r->values, twin->values, sizeof(r->values));
		r->n_values = twin->n_values;
		r->delay_ms = twin->delay_ms;
		model_set_deadline(model, o, r);
		*twin = *r;
		model_say(outcomes, &was, was.n_arms, STATUS_CANCELLED);
	}
}

bool model_once_begins(struct model *model, const struct operation *o, struct model_request *r,
		       struct outcomes *outcomes)
{
	struct model_request *twin = r->producer ? find_twin(model, r) : NULL;
	if (twin) {
		meet_twin(model, o, r, twin, outcomes);
		return false;
	}
	const struct model_once *once = r->producer ? find(model, r) : NULL;
	if (!once)
		return true;
	r->accepted = (uint32_t)once->accepted;
	if (!once->is_part || once->accepted >= r->n_values) {
		struct outcome *again = model_say(outcomes, r, 0, once->is_part ? STATUS_OK : once->status);
		again->evicted = once->evicted;
		again->duplicate = true;
		return false;
	}
	r->n_values -= (uint32_t)once->accepted;
	memmove(r->values, r->values + once->accepted, r->n_values * sizeof(*r->values));
	return true;
}
