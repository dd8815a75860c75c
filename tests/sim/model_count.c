/* Takes with a count: in a queue, or at rest. */
#include "tests/sim/model_parts.h"

bool model_has_waiting_room(const struct model *model, int channel, uint32_t more)
{
	uint32_t max = model->channels[channel].definition.max_waiters;
	return model_waiters(model, channel, true) + model_waiters(model, channel, false) + more <
	       (max ? max : model->limits.max_waiters);
}

void model_forget_rested(struct model *model, int connection)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < model->n_rested; i++)
		if (model->rested[i] != connection)
			model->rested[n++] = model->rested[i];
	model->n_rested = n;
}

static void go_on_next_turn(struct model *model, int connection)
{
	if (model->paused[connection])
		return;
	for (uint32_t i = 0; i < model->n_rested; i++)
		if (model->rested[i] == connection)
			return;
	model->rested[model->n_rested++] = connection;
}

static bool has_share_left(const struct model *model, const struct model_request *r)
{
	return r->turn_us != model->now_us ||
	       (r->turn_values < CORE_TURN_VALUES && r->turn_bytes < model->limits.max_take_bytes);
}

static void note_value(const struct model *model, struct model_request *r, uint32_t value)
{
	if (r->turn_us != model->now_us)
		r->turn_values = r->turn_bytes = 0;
	r->turn_us = model->now_us;
	r->turn_values++;
	r->turn_bytes += (uint32_t)model_size_of(value) + 1;
}

static void rest(struct model *model, struct model_request *r)
{
	int connection = r->connection;
	struct model_request copy = *r;
	model_forget(model, r);
	model_append(model->resting, &model->n_resting, copy);
	go_on_next_turn(model, connection);
}

/* To the end of the order of parking, unless it waits there alone. */
static void requeue(struct model *model, struct model_request *r)
{
	struct model_request copy = *r;
	if (model_waiters(model, r->arms[0].channel, false) == 1)
		return;
	model_forget(model, r);
	model_append(model->parked, &model->n_parked, copy);
}

/* The reply for the next value; the last one ends the request. */
static struct outcome *reply_next(struct model *model, struct model_request *r, struct outcomes *outcomes)
{
	if (--r->left == 0)
		return model_finish(model, outcomes, r, 0, STATUS_OK);
	return model_say(outcomes, r, 0, STATUS_OK);
}

static struct model_request *parked_born(struct model *model, uint64_t born)
{
	uint32_t i = 0;
	while (model->parked[i].born != born)
		i++;
	return &model->parked[i];
}

void model_count_serve(struct model *model, struct model_request *r, uint32_t value, struct outcomes *outcomes)
{
	struct model_request terms = *r;
	int channel = r->arms[0].channel;
	struct outcome *reply = reply_next(model, r, outcomes);
	if (value) {
		reply->values[reply->n_values++] = value;
		model_give(model, channel, &terms, reply);
	} else {
		model_take_values(model, channel, 1, &terms, reply, outcomes);
	}
	if (reply->left == 0)
		return;
	r = parked_born(model, terms.born); /* others may have left before it */
	note_value(model, r, reply->values[0]);
	if (has_share_left(model, r))
		requeue(model, r);
	else
		rest(model, r);
}

static void queue_up(struct model *model, struct model_request *r, struct outcomes *outcomes)
{
	struct model_request copy = *r;
	if (!model_has_waiting_room(model, r->arms[0].channel, 0)) {
		model_finish(model, outcomes, r, 0, STATUS_ERROR)->error = ERROR_TOO_MANY_WAITERS;
		return;
	}
	model_forget(model, r);
	copy.queued = ++model->queue_ups;
	model_append(model->parked, &model->n_parked, copy);
}

void model_go_on(struct model *model, struct model_request *r, struct outcomes *outcomes)
{
	int channel = r->arms[0].channel;
	uint64_t born = r->born;
	if (model->paused[r->connection])
		return;
	while (model_next_value(model, channel) && has_share_left(model, r)) {
		struct model_request terms = *r;
		struct outcome *reply = reply_next(model, r, outcomes);
		model_take_values(model, channel, 1, &terms, reply, outcomes);
		if (reply->left == 0)
			return;
		note_value(model, r, reply->values[0]);
		assert(r->born == born); /* nothing that happens here moves those that rest */
	}
	bool has_value = model_next_value(model, channel) != 0;
	if (model_is_exhausted(model, channel))
		model_finish(model, outcomes, r, 0, STATUS_CLOSED);
	else if (r->deadline_us <= model->now_us)
		model_finish(model, outcomes, r, 0, STATUS_TIMEOUT);
	else if (has_value)
		go_on_next_turn(model, r->connection);
	else
		queue_up(model, r, outcomes);
}

static struct model_request *resting_born(struct model *model, uint64_t born)
{
	uint32_t i = 0;
	while (model->resting[i].born != born)
		i++;
	return &model->resting[i];
}

void model_go_on_all(struct model *model, int connection, struct outcomes *outcomes)
{
	uint64_t born[MODEL_PARKED];
	uint32_t n = 0;
	for (uint32_t i = 0; i < model->n_resting; i++)
		if (model->resting[i].connection == connection)
			born[n++] = model->resting[i].born;
	for (uint32_t i = 0; i < n; i++)
		model_go_on(model, resting_born(model, born[i]), outcomes);
}

void model_new_turn(struct model *model, struct outcomes *outcomes)
{
	int now[SIM_CONNECTIONS];
	uint32_t n = model->n_rested;
	memcpy(now, model->rested, sizeof(now));
	model->n_rested = 0;
	for (uint32_t i = 0; i < n; i++)
		model_go_on_all(model, now[i], outcomes);
}

/* They rest in the order in which they queued up. */
void model_pause(struct model *model, int connection)
{
	model->paused[connection] = true;
	model_forget_rested(model, connection);
	for (;;) {
		struct model_request *first = NULL;
		for (uint32_t i = 0; i < model->n_parked; i++) {
			struct model_request *r = &model->parked[i];
			if (r->is_counted && r->connection == connection && (!first || r->queued < first->queued))
				first = r;
		}
		if (!first)
			return;
		rest(model, first);
	}
}
