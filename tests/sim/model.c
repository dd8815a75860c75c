#include "tests/sim/model.h"

#include <assert.h>

static const struct outcome no_outcome;

void model_init(struct model *model, const struct core_limits *limits)
{
	*model = (struct model){.limits = *limits};
}

/* -- Searches -- */

static bool is_on(const struct model_arm *arm, int channel, bool is_put)
{
	return arm->channel == channel && arm->is_put == is_put;
}

/* Who has waited longest on one side of a channel, and with which arm; -1: nobody. */
static int oldest(const struct model *model, int channel, bool is_put, uint32_t *arm)
{
	*arm = 0;
	for (uint32_t i = 0; i < model->n_parked; i++)
		for (*arm = 0; *arm < model->parked[i].n_arms; ++*arm)
			if (is_on(&model->parked[i].arms[*arm], channel, is_put))
				return (int)i;
	return -1;
}

uint32_t model_waiters(const struct model *model, int channel, bool is_put)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < model->n_parked; i++)
		for (uint32_t arm = 0; arm < model->parked[i].n_arms; arm++)
			n += is_on(&model->parked[i].arms[arm], channel, is_put);
	return n;
}

static uint64_t size_of(uint32_t value)
{
	char text[SIM_VALUE_TEXT];
	return value_text(value, text);
}

static uint64_t size_of_all(const uint32_t *values, uint32_t n)
{
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < n; i++)
		bytes += size_of(values[i]);
	return bytes;
}

uint64_t model_bytes(const struct model *model, int channel)
{
	uint64_t bytes = size_of_all(model->channels[channel].buffer, model->channels[channel].n);
	for (uint32_t i = 0; i < model->n_parked; i++) {
		const struct model_request *r = &model->parked[i];
		for (uint32_t arm = 0; arm < r->n_arms; arm++) {
			if (!is_on(&r->arms[arm], channel, true))
				continue;
			bytes += r->op == CORE_PUT ? size_of_all(r->values, r->n_values) : size_of(r->arms[arm].value);
		}
	}
	return bytes;
}

static bool over_memory(const struct model *model, uint64_t more)
{
	uint64_t bytes = model->unsent + more;
	for (int i = 0; i < SIM_CHANNELS; i++)
		bytes += model_bytes(model, i);
	return bytes > model->limits.max_memory;
}

/* The first to be due; -1: nobody ever. */
static int first_due(const struct model *model)
{
	int first = -1;
	for (uint32_t i = 0; i < model->n_parked; i++)
		if (model->parked[i].deadline_us != CORE_NEVER && (first < 0 || model->parked[i].deadline_us < model->parked[first].deadline_us))
			first = (int)i;
	return first;
}

uint64_t model_deadline(const struct model *model)
{
	int first = first_due(model);
	return first < 0 ? CORE_NEVER : model->parked[first].deadline_us;
}

static int find_id(const struct model *model, int connection, uint64_t id)
{
	for (uint32_t i = 0; i < model->n_parked && id != CORE_NO_ID; i++)
		if (model->parked[i].connection == connection && model->parked[i].id == id)
			return (int)i;
	return -1;
}

/* -- Outcomes -- */

/* `arm` is the one that happened or was refused; n_arms: none in particular. */
static struct outcome *say(struct outcomes *outcomes, const struct model_request *r, uint32_t arm, enum status status)
{
	assert(outcomes->n < MODEL_OUTCOMES);
	struct outcome *outcome = &outcomes->at[outcomes->n++];
	bool has_arm = arm < r->n_arms;
	*outcome = no_outcome;
	outcome->connection = r->connection;
	outcome->id = r->id;
	outcome->op = r->op;
	outcome->status = status;
	outcome->batch = r->batch;
	outcome->arm = arm;
	outcome->accepted = r->accepted;
	outcome->channel = r->op != CORE_ALTS ? r->arms[0].channel : has_arm ? r->arms[arm].channel : -1;
	outcome->is_take = r->op == CORE_TAKE || (r->op == CORE_ALTS && status != STATUS_ERROR && has_arm && !r->arms[arm].is_put);
	return outcome;
}

static void refuse(struct outcomes *outcomes, const struct model_request *r, uint32_t arm, enum error error)
{
	say(outcomes, r, arm, STATUS_ERROR)->error = error;
}

static void forget(struct model *model, int i)
{
	memmove(&model->parked[i], &model->parked[i + 1], (model->n_parked - (uint32_t)i - 1) * sizeof(model->parked[0]));
	model->n_parked--;
}

static struct outcome *finish(struct model *model, struct outcomes *outcomes, int i, uint32_t arm, enum status status)
{
	struct outcome *outcome = say(outcomes, &model->parked[i], arm, status);
	forget(model, i);
	return outcome;
}

/* -- Values -- */

static uint32_t shift(uint32_t *values, uint32_t *n)
{
	uint32_t value = values[0];
	memmove(values, values + 1, --*n * sizeof(*values));
	return value;
}

/* The value that a take would get; 0: none. */
static uint32_t next_value(const struct model *model, int channel)
{
	uint32_t arm;
	if (model->channels[channel].n > 0)
		return model->channels[channel].buffer[0];
	int i = oldest(model, channel, true, &arm);
	if (i < 0)
		return 0;
	return model->parked[i].op == CORE_PUT ? model->parked[i].values[0] : model->parked[i].arms[arm].value;
}

/* The oldest parked put gives a value: it has entered. */
static uint32_t from_put(struct model *model, int channel, struct outcomes *outcomes)
{
	uint32_t arm;
	int i = oldest(model, channel, true, &arm);
	struct model_request *r = &model->parked[i];
	uint32_t value = r->op == CORE_PUT ? shift(r->values, &r->n_values) : r->arms[arm].value;
	model->channels[channel].accepted++;
	r->accepted += r->op == CORE_PUT;
	if (r->op == CORE_ALTS || r->n_values == 0)
		finish(model, outcomes, i, arm, STATUS_OK);
	return value;
}

static bool fits(const struct model *model, const struct outcome *reply, uint32_t value)
{
	uint64_t bytes = size_of_all(reply->values, reply->n_values) + reply->n_values + size_of(value) + 1;
	return reply->n_values == 0 || bytes <= model->limits.max_take_bytes;
}

static void give(struct model_channel *c, struct outcome *reply, uint32_t value)
{
	reply->values[reply->n_values++] = value;
	c->taken++;
}

static void take_values(struct model *model, int channel, uint32_t max, struct outcome *reply, struct outcomes *outcomes)
{
	struct model_channel *c = &model->channels[channel];
	uint32_t value, arm;
	while (reply->n_values < max && (value = next_value(model, channel)) && fits(model, reply, value)) {
		give(c, reply, value);
		if (c->definition.kind == KIND_PROMISE)
			return;
		if (c->n > 0)
			shift(c->buffer, &c->n);
		else
			from_put(model, channel, outcomes);
		while (c->n < c->definition.capacity && oldest(model, channel, true, &arm) >= 0)
			c->buffer[c->n++] = from_put(model, channel, outcomes);
	}
}

static void keep_promise(struct model *model, int channel, struct outcomes *outcomes)
{
	uint32_t arm;
	int i;
	while ((i = oldest(model, channel, false, &arm)) >= 0)
		give(&model->channels[channel], finish(model, outcomes, i, arm, STATUS_OK), model->channels[channel].buffer[0]);
}

/* Puts what can be put of n values, takes off the list what has entered or was shed, and counts both. */
static void put_values(struct model *model, int channel, struct model_request *r, uint64_t *evicted, uint64_t *dropped, struct outcomes *outcomes)
{
	struct model_channel *c = &model->channels[channel];
	enum channel_kind kind = c->definition.kind;
	uint32_t arm;
	int i;
	while (r->n_values > 0 && kind != KIND_PROMISE && (i = oldest(model, channel, false, &arm)) >= 0) {
		uint32_t max = model->parked[i].op == CORE_TAKE ? model->parked[i].max : 1;
		struct outcome *reply = finish(model, outcomes, i, arm, STATUS_OK);
		for (; r->n_values > 0 && reply->n_values < max && fits(model, reply, r->values[0]); r->accepted++, c->accepted++)
			give(c, reply, shift(r->values, &r->n_values));
	}
	for (; r->n_values > 0 && (c->n < c->definition.capacity || kind == KIND_SLIDING); r->accepted++, c->accepted++) {
		if (c->n == c->definition.capacity) {
			shift(c->buffer, &c->n);
			c->evicted++;
			++*evicted;
		}
		c->buffer[c->n++] = shift(r->values, &r->n_values);
		if (kind == KIND_PROMISE)
			keep_promise(model, channel, outcomes);
	}
	if (kind != KIND_DROPPING && kind != KIND_PROMISE)
		return;
	*dropped = r->n_values;
	c->dropped += r->n_values;
	r->n_values = 0;
}

/* -- Ops -- */

static void park(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	uint32_t mine = 0;
	for (uint32_t i = 0; i < model->n_parked; i++)
		mine += model->parked[i].connection == r->connection;
	if (mine >= model->limits.max_inflight) {
		refuse(outcomes, r, r->n_arms, ERROR_TOO_MANY_INFLIGHT);
		return;
	}
	for (uint32_t i = 0; i < r->n_arms; i++) {
		int channel = r->arms[i].channel;
		uint32_t max = model->channels[channel].definition.max_waiters;
		uint32_t n = model_waiters(model, channel, true) + model_waiters(model, channel, false);
		for (uint32_t j = 0; j < i; j++)
			n += r->arms[j].channel == channel;
		if (n >= (max ? max : model->limits.max_waiters)) {
			refuse(outcomes, r, i, ERROR_TOO_MANY_WAITERS);
			return;
		}
	}
	uint64_t park_ms = model->limits.max_park_ms ? model->limits.max_park_ms : UINT64_MAX;
	if (o->has_timeout && o->timeout_ms < park_ms)
		park_ms = o->timeout_ms;
	r->deadline_us = park_ms == UINT64_MAX ? CORE_NEVER : model->now_us + park_ms * 1000;
	assert(model->n_parked < MODEL_PARKED);
	model->parked[model->n_parked++] = *r;
}

static void put(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	uint64_t evicted = 0, dropped = 0;
	if (over_memory(model, size_of_all(r->values, r->n_values))) {
		refuse(outcomes, r, 0, ERROR_OVERLOADED);
		return;
	}
	if (model->channels[o->channel].closed) {
		say(outcomes, r, 0, STATUS_CLOSED);
		return;
	}
	put_values(model, o->channel, r, &evicted, &dropped, outcomes);
	if (r->n_values > 0 && !(o->has_timeout && o->timeout_ms == 0))
		park(model, o, r, outcomes);
	else
		say(outcomes, r, 0, r->n_values ? STATUS_TIMEOUT : dropped ? STATUS_DROPPED : STATUS_OK)->evicted = evicted;
}

static void take(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	if (next_value(model, o->channel))
		take_values(model, o->channel, r->max, say(outcomes, r, 0, STATUS_OK), outcomes);
	else if (model->channels[o->channel].closed)
		say(outcomes, r, 0, STATUS_CLOSED);
	else if (o->has_timeout && o->timeout_ms == 0)
		say(outcomes, r, 0, STATUS_TIMEOUT);
	else
		park(model, o, r, outcomes);
}

static bool is_ready(const struct model *model, const struct model_arm *arm)
{
	const struct model_channel *c = &model->channels[arm->channel];
	if (!arm->is_put)
		return c->closed || next_value(model, arm->channel);
	bool never_parks = c->definition.kind == KIND_DROPPING || c->definition.kind == KIND_SLIDING || c->definition.kind == KIND_PROMISE;
	return c->closed || never_parks || c->n < c->definition.capacity || model_waiters(model, arm->channel, false) > 0;
}

/* The arm that happens: the first ready one, or the core's own choice, if it is ready. */
static uint32_t choose(const struct model *model, const struct operation *o, const struct model_request *r, uint32_t chosen)
{
	uint32_t first = 0;
	while (first < r->n_arms && !is_ready(model, &r->arms[first]))
		first++;
	bool is_free = !o->priority && first < r->n_arms && chosen < r->n_arms;
	return is_free && is_ready(model, &r->arms[chosen]) ? chosen : first;
}

static void alts_arm(struct model *model, struct model_request *r, uint32_t index, struct outcomes *outcomes)
{
	const struct model_arm *arm = &r->arms[index];
	if (!arm->is_put && next_value(model, arm->channel)) {
		take_values(model, arm->channel, 1, say(outcomes, r, index, STATUS_OK), outcomes);
		return;
	}
	if (!arm->is_put || model->channels[arm->channel].closed) {
		say(outcomes, r, index, STATUS_CLOSED);
		return;
	}
	struct model_request one = {.values = {arm->value}, .n_values = 1};
	uint64_t evicted = 0, dropped = 0;
	put_values(model, arm->channel, &one, &evicted, &dropped, outcomes);
	say(outcomes, r, index, dropped ? STATUS_DROPPED : STATUS_OK)->evicted = evicted;
}

static void alts(struct model *model, const struct operation *o, struct model_request *r, uint32_t chosen, struct outcomes *outcomes)
{
	uint64_t bytes = 0;
	bool has_put = false;
	for (uint32_t i = 0; i < r->n_arms; i++) {
		if (!model->channels[r->arms[i].channel].exists) {
			refuse(outcomes, r, i, ERROR_NO_SUCH_CHANNEL);
			return;
		}
		has_put = has_put || r->arms[i].is_put;
		bytes += r->arms[i].is_put ? size_of(r->arms[i].value) : 0;
	}
	if (has_put && over_memory(model, bytes)) {
		refuse(outcomes, r, r->n_arms, ERROR_OVERLOADED);
		return;
	}
	uint32_t arm = choose(model, o, r, chosen);
	if (arm < r->n_arms)
		alts_arm(model, r, arm, outcomes);
	else if (o->has_timeout && o->timeout_ms == 0)
		say(outcomes, r, arm, STATUS_TIMEOUT);
	else
		park(model, o, r, outcomes);
}

static bool equal(const struct core_definition *a, const struct core_definition *b)
{
	return a->kind == b->kind && a->capacity == b->capacity && a->max_waiters == b->max_waiters && a->ephemeral == b->ephemeral;
}

static void create(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	struct model_channel *c = &model->channels[o->channel];
	uint32_t n = 0;
	for (int i = 0; i < SIM_CHANNELS; i++)
		n += model->channels[i].exists;
	if (c->exists && equal(&c->definition, &o->definition) && (c->owner < 0 || c->owner == o->connection)) {
		say(outcomes, r, 0, STATUS_OK);
	} else if (c->exists) {
		refuse(outcomes, r, 0, ERROR_CHANNEL_EXISTS);
	} else if (n >= model->limits.max_channels) {
		refuse(outcomes, r, 0, ERROR_OVERLOADED);
	} else {
		int owner = o->definition.ephemeral ? o->connection : -1;
		*c = (struct model_channel){.exists = true, .definition = o->definition, .owner = owner, .born = ++model->births};
		say(outcomes, r, 0, STATUS_OK)->created = true;
	}
}

/* All on one side of a channel get `closed`. */
static void end_all(struct model *model, int channel, bool is_put, struct outcomes *outcomes)
{
	uint32_t arm;
	int i;
	while ((i = oldest(model, channel, is_put, &arm)) >= 0)
		finish(model, outcomes, i, arm, STATUS_CLOSED);
}

static void remove_channel(struct model *model, int channel, struct outcomes *outcomes)
{
	end_all(model, channel, false, outcomes);
	end_all(model, channel, true, outcomes);
	model->channels[channel].exists = false;
	model->channels[channel].n = 0;
}

static void end_connection(struct model *model, int connection, struct outcomes *outcomes)
{
	for (int i = (int)model->n_parked - 1; i >= 0; i--)
		if (model->parked[i].connection == connection)
			forget(model, i);
	for (;;) {
		int first = -1;
		for (int i = 0; i < SIM_CHANNELS; i++) {
			const struct model_channel *c = &model->channels[i];
			bool is_mine = c->exists && c->definition.ephemeral && c->owner == connection;
			if (is_mine && (first < 0 || c->born < model->channels[first].born))
				first = i;
		}
		if (first < 0)
			return;
		remove_channel(model, first, outcomes);
	}
}

static void cancel(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	int i = find_id(model, o->connection, o->cancel_id);
	if (i < 0) {
		refuse(outcomes, r, 0, ERROR_NO_SUCH_REQUEST);
		return;
	}
	finish(model, outcomes, i, model->parked[i].n_arms, STATUS_CANCELLED);
	say(outcomes, r, 0, STATUS_OK);
}

static struct model_request request_from(const struct operation *o)
{
	struct model_request r = {.op = o->op, .connection = o->connection, .id = o->id, .batch = o->batch, .max = o->max};
	r.n_arms = o->op == CORE_ALTS ? o->n_arms : 1;
	r.arms[0] = (struct model_arm){.channel = o->channel, .is_put = o->op == CORE_PUT};
	for (uint32_t i = 0; i < o->n_arms; i++)
		r.arms[i] = (struct model_arm){o->arms[i].channel, o->arms[i].value != 0, o->arms[i].value};
	memcpy(r.values, o->values, sizeof(r.values));
	r.n_values = o->n_values;
	return r;
}

void model_step(struct model *model, const struct operation *o, uint32_t chosen, struct outcomes *outcomes)
{
	struct model_request r = request_from(o);
	model->now_us += o->later_us;
	for (int i; (i = first_due(model)) >= 0 && model->parked[i].deadline_us <= model->now_us;)
		finish(model, outcomes, i, model->parked[i].n_arms, STATUS_TIMEOUT);
	if (o->connection >= 0 && o->op != CORE_DISCONNECT && find_id(model, o->connection, o->id) >= 0) {
		refuse(outcomes, &r, r.n_arms, ERROR_DUPLICATE_ID);
		return;
	}
	bool needs_channel = o->channel >= 0 && o->op != CORE_CREATE;
	if (needs_channel && !model->channels[o->channel].exists) {
		refuse(outcomes, &r, 0, ERROR_NO_SUCH_CHANNEL);
		return;
	}
	switch (o->op) {
	case CORE_TICK:
		model->unsent = o->unsent;
		break;
	case CORE_DISCONNECT:
		end_connection(model, o->connection, outcomes);
		break;
	case CORE_CREATE:
		create(model, o, &r, outcomes);
		break;
	case CORE_CLOSE:
		model->channels[o->channel].closed = true;
		end_all(model, o->channel, false, outcomes);
		say(outcomes, &r, 0, STATUS_OK);
		break;
	case CORE_DELETE:
		if (!o->force && next_value(model, o->channel)) {
			refuse(outcomes, &r, 0, ERROR_NOT_EMPTY);
			break;
		}
		uint64_t discarded = model->channels[o->channel].n;
		remove_channel(model, o->channel, outcomes);
		say(outcomes, &r, 0, STATUS_OK)->discarded = discarded;
		break;
	case CORE_PUT:
		put(model, o, &r, outcomes);
		break;
	case CORE_TAKE:
		take(model, o, &r, outcomes);
		break;
	case CORE_ALTS:
		alts(model, o, &r, chosen, outcomes);
		break;
	case CORE_CANCEL:
		cancel(model, o, &r, outcomes);
	}
}
