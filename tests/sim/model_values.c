/* The searches, the outcomes, and the values on their ways. */
#include "tests/sim/model_parts.h"

#include <assert.h>

static const struct outcome no_outcome;

/* -- Searches -- */

static bool is_on(const struct model_arm *arm, int channel, bool is_put)
{
	return arm->channel == channel && arm->is_put == is_put;
}

/* Who has waited longest on one side of a channel, and with which arm; NULL: nobody. Puts with a delay do not count. */
struct model_request *model_oldest(struct model *model, int channel, bool is_put, uint32_t *arm)
{
	*arm = 0;
	for (uint32_t i = 0; i < model->n_parked; i++)
		for (*arm = 0; *arm < model->parked[i].n_arms; ++*arm)
			if (is_on(&model->parked[i].arms[*arm], channel, is_put) && !model->parked[i].delay_ms)
				return &model->parked[i];
	return NULL;
}

struct model_request *model_oldest_put(struct model *model, int channel, uint32_t *arm)
{
	for (uint32_t i = 0; i < model->n_parked; i++)
		for (*arm = 0; *arm < model->parked[i].n_arms; ++*arm)
			if (is_on(&model->parked[i].arms[*arm], channel, true))
				return &model->parked[i];
	return NULL;
}

uint32_t model_waiters(const struct model *model, int channel, bool is_put)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < model->n_parked; i++)
		for (uint32_t arm = 0; arm < model->parked[i].n_arms; arm++)
			n += is_on(&model->parked[i].arms[arm], channel, is_put);
	return n;
}

/* Request number i of those parked and then those at rest; NULL behind the last. */
struct model_request *model_request_at(struct model *model, uint32_t i)
{
	if (i < model->n_parked)
		return &model->parked[i];
	i -= model->n_parked;
	return i < model->n_resting ? &model->resting[i] : NULL;
}

/* The first to be due; NULL: nobody ever. */
struct model_request *model_first_due(struct model *model)
{
	struct model_request *first = NULL, *r;
	for (uint32_t i = 0; (r = model_request_at(model, i)); i++) {
		if (r->deadline_us == CORE_NEVER)
			continue;
		if (!first || r->deadline_us < first->deadline_us ||
		    (r->deadline_us == first->deadline_us && r->born < first->born))
			first = r;
	}
	return first;
}

uint64_t model_deadline(struct model *model)
{
	const struct model_request *first = model_first_due(model);
	const struct model_lease *lease = model_first_lease_due(model);
	uint64_t deadline_us = first ? first->deadline_us : CORE_NEVER;
	if (lease && lease->deadline_us < deadline_us)
		deadline_us = lease->deadline_us;
	const struct model_delayed *delayed = model_first_delayed_due(model);
	if (delayed && delayed->deadline_us < deadline_us)
		deadline_us = delayed->deadline_us;
	return model->n_rested && model->now_us + 1 < deadline_us ? model->now_us + 1 : deadline_us;
}

struct model_request *model_find_id(struct model *model, int connection, uint64_t id)
{
	struct model_request *r;
	for (uint32_t i = 0; (r = model_request_at(model, i)); i++)
		if (id != CORE_NO_ID && r->connection == connection && r->id == id)
			return r;
	return NULL;
}

/* -- Outcomes -- */

/* `arm` is the one that happened or was refused; n_arms: none in particular. */
struct outcome *model_say(struct outcomes *outcomes, const struct model_request *r, uint32_t arm, enum status status)
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
	outcome->has_left = r->is_counted;
	outcome->left = r->left;
	outcome->channel = r->op != CORE_ALTS ? r->arms[0].channel : has_arm ? r->arms[arm].channel : -1;
	outcome->is_take =
		r->op == CORE_TAKE || (r->op == CORE_ALTS && status != STATUS_ERROR && has_arm && !r->arms[arm].is_put);
	return outcome;
}

void model_refuse(struct outcomes *outcomes, const struct model_request *r, uint32_t arm, enum error error)
{
	model_say(outcomes, r, arm, STATUS_ERROR)->error = error;
}

static void drop(struct model_request *all, uint32_t *n, const struct model_request *r)
{
	size_t i = (size_t)(r - all);
	memmove(&all[i], &all[i + 1], (*n - i - 1) * sizeof(*r));
	--*n;
}

void model_append(struct model_request *all, uint32_t *n, struct model_request r)
{
	assert(*n < MODEL_PARKED);
	all[(*n)++] = r;
}

/* Takes it out of the list that it is in. */
void model_forget(struct model *model, const struct model_request *r)
{
	for (uint32_t i = 0; i < r->n_arms && r->op != CORE_TAP; i++) {
		int channel = r->arms[i].channel;
		if (r->arms[i].is_put && model->channels[channel].closed && model_has_taps(model, channel))
			model_settle_later(model, channel);
	}
	if (r->op == CORE_PUT)
		model_once_ends(model, r, r->n_values ? STATUS_TIMEOUT : STATUS_OK, 0);
	if (r < &model->parked[MODEL_PARKED])
		drop(model->parked, &model->n_parked, r);
	else
		drop(model->resting, &model->n_resting, r);
}

struct outcome *model_finish(struct model *model, struct outcomes *outcomes, struct model_request *r, uint32_t arm,
			     enum status status)
{
	struct outcome *outcome = model_say(outcomes, r, arm, status);
	model_forget(model, r);
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
uint32_t model_next_value(struct model *model, int channel)
{
	uint32_t arm;
	if (model->channels[channel].n > 0)
		return model->channels[channel].buffer[0];
	const struct model_request *r = model_oldest(model, channel, true, &arm);
	if (!r)
		return 0;
	return r->op != CORE_ALTS ? r->values[0] : r->arms[arm].value;
}

void model_enter(struct model *model, int channel, uint32_t value)
{
	model->channels[channel].accepted++;
	model->seq[value] = ++model->channels[channel].entered;
}

bool model_has_room(const struct model *model, int channel)
{
	const struct model_channel *c = &model->channels[channel];
	bool counts_leases = c->definition.kind == KIND_BOUNDED || c->definition.kind == KIND_DROPPING;
	return c->n + (counts_leases ? model_leased(model, channel) : 0) < c->definition.capacity;
}

/* The oldest parked put gives a value: it has entered. */
static uint32_t from_put(struct model *model, int channel, struct outcomes *outcomes)
{
	uint32_t arm;
	struct model_request *r = model_oldest(model, channel, true, &arm);
	bool is_dead_letter = r->connection < 0 && r->op == CORE_PUT;
	uint32_t value = r->op != CORE_ALTS ? shift(r->values, &r->n_values) : r->arms[arm].value;
	model_enter(model, channel, value);
	r->accepted += r->op == CORE_PUT;
	if (is_dead_letter) {
		model_set_origin(model, value, r->source, r->reason, r->gave_up_us);
		model->deliveries[value] = 0;
		model_dead_letter_entered(model, r->source);
	}
	if (r->op == CORE_PUT && r->n_values > 0)
		return value;
	if (r->op == CORE_TAP) {
		int from = r->source;
		model_forget(model, r);
		model_tap_entered(model, from, channel);
		return value;
	}
	if (is_dead_letter)
		model_forget(model, r);
	else
		model_finish(model, outcomes, r, arm, STATUS_OK);
	return value;
}

uint32_t model_pop(struct model *model, int channel, struct outcomes *outcomes)
{
	struct model_channel *c = &model->channels[channel];
	return c->n > 0 ? shift(c->buffer, &c->n) : from_put(model, channel, outcomes);
}

void model_refill(struct model *model, int channel, struct outcomes *outcomes)
{
	struct model_channel *c = &model->channels[channel];
	uint32_t arm;
	struct model_request *r;
	while (model_has_room(model, channel) && (r = model_oldest_put(model, channel, &arm))) {
		if (!r->delay_ms) {
			c->buffer[c->n++] = from_put(model, channel, outcomes);
			continue;
		}
		model_delay(model, channel, r);
		if (r->n_values == 0)
			model_finish(model, outcomes, r, arm, STATUS_OK);
	}
}

/* Whether a reply that gives the value says where it came from: it is a dead letter, or about to enter as one. */
static bool has_origin(const struct model *model, uint32_t value)
{
	for (uint32_t i = 0; i < model->n_parked; i++)
		for (uint32_t k = 0; model->parked[i].connection < 0 && model->parked[i].op == CORE_PUT &&
				     k < model->parked[i].n_values;
		     k++)
			if (model->parked[i].values[k] == value)
				return true;
	return model->origins[value].channel > 0;
}

static bool fits(const struct model *model, const struct model_request *taker, const struct outcome *reply,
		 uint32_t value)
{
	uint64_t each = taker->lease_ms ? 12 : 1; /* a comma, and the deliveries with theirs */
	uint64_t bytes =
		model_size_of_all(reply->values, reply->n_values) + model_size_of(value) + each * (reply->n_values + 1);
	bool has_origins = has_origin(model, value);
	for (uint32_t i = 0; i < reply->n_values; i++)
		has_origins = has_origins || has_origin(model, reply->values[i]);
	for (uint32_t i = 0; has_origins && i <= reply->n_values; i++) /* each says where it came from, or null */
		bytes += has_origin(model, i < reply->n_values ? reply->values[i] : value) ? 101 : 5;
	return reply->n_values == 0 || bytes <= model->limits.max_take_bytes;
}

void model_give(struct model *model, int channel, const struct model_request *taker, struct outcome *reply)
{
	for (uint32_t i = 0; i < reply->n_values; i++)
		reply->origins[i] = model->origins[reply->values[i]];
	if (taker->lease_ms)
		model_lease_begin(model, channel, taker, reply);
	else
		model->channels[channel].taken += reply->n_values;
}

void model_take_values(struct model *model, int channel, uint32_t max, const struct model_request *taker,
		       struct outcome *reply, struct outcomes *outcomes)
{
	struct model_channel *c = &model->channels[channel];
	struct model_request terms = *taker;
	uint32_t value;
	while (reply->n_values < max && (value = model_next_value(model, channel)) &&
	       fits(model, &terms, reply, value)) {
		reply->values[reply->n_values++] = value;
		if (c->definition.kind == KIND_PROMISE) {
			c->taken++;
			return;
		}
		if (c->n > 0)
			shift(c->buffer, &c->n);
		else
			from_put(model, channel, outcomes);
		if (!terms.lease_ms)
			model_refill(model, channel, outcomes);
	}
	model_give(model, channel, &terms, reply);
	model_refill(model, channel, outcomes);
	if (c->closed && model_has_taps(model, channel))
		model_settle_later(model, channel);
}

/* The first of its arms that takes from a promise that is fulfilled, from this one if channel is not negative; n_arms:
 * none. */
static uint32_t promised_arm(const struct model *model, const struct model_request *r, int channel)
{
	uint32_t arm = 0;
	for (; arm < r->n_arms; arm++) {
		int on = r->arms[arm].channel;
		const struct model_channel *c = &model->channels[on];
		if (!r->arms[arm].is_put && (channel < 0 || on == channel) && c->exists &&
		    c->definition.kind == KIND_PROMISE && c->n > 0)
			break;
	}
	return arm;
}

/* Those who wait for the promise get its value, but those of connections that are paused; or, once one has resumed, its
 * own, for any promise. Who is not asked for is -1. */
void model_keep_promise(struct model *model, int channel, int connection, struct outcomes *outcomes)
{
	for (uint32_t i = 0; i < model->n_parked;) {
		struct model_request *r = &model->parked[i];
		uint32_t arm = r->is_counted || r->connection < 0 || model->paused[r->connection] ||
					       (connection >= 0 && r->connection != connection)
				       ? r->n_arms
				       : promised_arm(model, r, channel);
		if (arm == r->n_arms) {
			i++;
			continue;
		}
		int from = r->arms[arm].channel;
		struct outcome *reply = model_finish(model, outcomes, r, arm, STATUS_OK);
		reply->values[reply->n_values++] = model->channels[from].buffer[0];
		model->channels[from].taken++;
	}
}

/* To the take that waits longest. */
static void put_to_taker(struct model *model, int channel, struct model_request *r, struct model_request *taker,
			 uint32_t arm, struct outcomes *outcomes)
{
	struct model_request terms = *taker;
	if (taker->op == CORE_TAP) {
		uint32_t value = shift(r->values, &r->n_values);
		model_enter(model, channel, value);
		r->accepted++;
		model_taps_take(model, channel, value);
		return;
	}
	if (taker->is_counted) {
		uint32_t value = shift(r->values, &r->n_values);
		model_enter(model, channel, value);
		r->accepted++;
		model_count_serve(model, taker, value, outcomes);
		return;
	}
	uint32_t max = taker->op == CORE_TAKE ? taker->max : 1;
	struct outcome *reply = model_finish(model, outcomes, taker, arm, STATUS_OK);
	while (r->n_values > 0 && reply->n_values < max && fits(model, &terms, reply, r->values[0])) {
		model_enter(model, channel, r->values[0]);
		reply->values[reply->n_values++] = shift(r->values, &r->n_values);
		r->accepted++;
	}
	model_give(model, channel, &terms, reply);
}

void model_put_to_takers(struct model *model, int channel, struct model_request *r, struct outcomes *outcomes)
{
	uint32_t arm;
	struct model_request *taker;
	while (r->n_values > 0 && (taker = model_oldest(model, channel, false, &arm)))
		put_to_taker(model, channel, r, taker, arm, outcomes);
}

void model_put_values(struct model *model, int channel, struct model_request *r, uint64_t *evicted, uint64_t *dropped,
		      struct outcomes *outcomes)
{
	struct model_channel *c = &model->channels[channel];
	enum channel_kind kind = c->definition.kind;
	if (kind != KIND_PROMISE)
		model_put_to_takers(model, channel, r, outcomes);
	for (; r->n_values > 0 && (model_has_room(model, channel) || kind == KIND_SLIDING); r->accepted++) {
		if (!model_has_room(model, channel)) {
			shift(c->buffer, &c->n);
			c->evicted++;
			++*evicted;
		}
		model_enter(model, channel, r->values[0]);
		c->buffer[c->n++] = shift(r->values, &r->n_values);
		if (kind == KIND_PROMISE && model_has_taps(model, channel))
			model_taps_due(model, channel);
		if (kind == KIND_PROMISE)
			model_keep_promise(model, channel, -1, outcomes);
	}
	if (kind != KIND_DROPPING && kind != KIND_PROMISE)
		return;
	*dropped = r->n_values;
	c->dropped += r->n_values;
	r->n_values = 0;
}

void model_end_all(struct model *model, int channel, bool is_put, struct outcomes *outcomes)
{
	uint32_t arm;
	struct model_request *r;
	while ((r = model_oldest(model, channel, is_put, &arm))) {
		if (r->connection < 0)
			model_dead_letters_return(model, r, outcomes);
		else
			model_finish(model, outcomes, r, arm, STATUS_CLOSED);
	}
	while (is_put && (r = model_oldest_put(model, channel, &arm))) /* those with a delay */
		model_finish(model, outcomes, r, arm, STATUS_CLOSED);
}
