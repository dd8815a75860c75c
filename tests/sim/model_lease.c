/* Leases, dead letters, and what could not be sent. */
#include "tests/sim/model_parts.h"

static bool is_dead_letter_of(const struct model_request *r, int channel)
{
	return r->connection < 0 && r->op == CORE_PUT && r->source == channel;
}

uint32_t model_leased(const struct model *model, int channel)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < model->n_leases; i++)
		if (model->leases[i].channel == channel)
			n += model->leases[i].n_values;
	for (uint32_t i = 0; i < model->n_parked; i++)
		if (is_dead_letter_of(&model->parked[i], channel))
			n += model->parked[i].n_values;
	return n + model_delayed(model, channel) + (model->held[channel].value != 0);
}

void model_set_origin(struct model *model, uint32_t value, int source, int reason, uint64_t since_us)
{
	model->origins[value] = (struct model_origin){source + 1, reason, model->deliveries[value], since_us};
}

bool model_is_exhausted(struct model *model, int channel)
{
	return model->channels[channel].closed && model_leased(model, channel) == 0 &&
	       !model_next_value(model, channel);
}

struct model_lease *model_find_lease(struct model *model, uint64_t number)
{
	for (uint32_t i = 0; i < model->n_leases; i++)
		if (model->leases[i].number == number)
			return &model->leases[i];
	return NULL;
}

struct model_lease *model_first_lease_due(struct model *model)
{
	struct model_lease *first = NULL;
	for (uint32_t i = 0; i < model->n_leases; i++) {
		struct model_lease *lease = &model->leases[i];
		if (!first || lease->deadline_us < first->deadline_us ||
		    (lease->deadline_us == first->deadline_us && lease->born < first->born))
			first = lease;
	}
	return first;
}

void model_lease_begin(struct model *model, int channel, const struct model_request *taker, struct outcome *reply)
{
	assert(model->n_leases < MODEL_LEASES);
	struct model_lease *lease = &model->leases[model->n_leases++];
	*lease = (struct model_lease){
		.number = ++model->n_told,
		.channel = channel,
		.connection = taker->sticky ? -1 : taker->connection,
		.holder = taker->connection,
		.deadline_us = model->now_us + taker->lease_ms * 1000,
		.born = ++model->requests,
		.n_values = reply->n_values,
	};
	memcpy(lease->values, reply->values, sizeof(lease->values));
	reply->lease = lease->number;
	for (uint32_t i = 0; i < reply->n_values; i++)
		reply->deliveries[i] = ++model->deliveries[reply->values[i]];
}

void model_lease_end(struct model *model, struct model_lease *lease)
{
	size_t i = (size_t)(lease - model->leases);
	memmove(lease, lease + 1, (model->n_leases - i - 1) * sizeof(*lease));
	model->n_leases--;
}

/* -- Coming back -- */

static void insert(struct model *model, int channel, uint32_t value)
{
	struct model_channel *c = &model->channels[channel];
	uint32_t at = c->n++;
	assert(c->n <= MODEL_BUFFER);
	for (; at > 0 && model->seq[c->buffer[at - 1]] > model->seq[value]; at--)
		c->buffer[at] = c->buffer[at - 1];
	c->buffer[at] = value;
}

void model_shed(struct model *model, int channel)
{
	struct model_channel *c = &model->channels[channel];
	for (; c->definition.kind == KIND_SLIDING && c->n > c->definition.capacity; c->evicted++, c->n--)
		memmove(c->buffer, c->buffer + 1, (c->n - 1) * sizeof(c->buffer[0]));
}

void model_come_back(struct model *model, int channel, const uint32_t *values, uint32_t n, struct outcomes *outcomes)
{
	struct model_channel *c = &model->channels[channel];
	struct model_request *taker;
	uint32_t arm;
	for (uint32_t i = 0; i < n; i++)
		insert(model, channel, values[i]);
	while (c->n > 0 && (taker = model_oldest(model, channel, false, &arm))) {
		if (taker->op == CORE_TAP) {
			model_taps_take_buffered(model, channel, outcomes);
			continue;
		}
		if (taker->is_counted) {
			model_count_serve(model, taker, 0, outcomes);
			continue;
		}
		struct model_request terms = *taker;
		struct outcome *reply = model_finish(model, outcomes, taker, arm, STATUS_OK);
		model_take_values(model, channel, terms.op == CORE_TAKE ? terms.max : 1, &terms, reply, outcomes);
	}
	model_shed(model, channel);
}

void model_settle(struct model *model, int channel, struct outcomes *outcomes)
{
	model_refill(model, channel, outcomes);
	if (model_is_exhausted(model, channel))
		model_end_takes(model, channel, outcomes);
}

void model_settle_later(struct model *model, int channel)
{
	for (uint32_t i = 0; i < model->n_unsettled; i++)
		if (model->unsettled[i] == channel)
			return;
	model->unsettled[model->n_unsettled++] = channel;
}

void model_settle_all(struct model *model, struct outcomes *outcomes)
{
	while (model->n_unsettled > 0) {
		int channel = model->unsettled[0];
		memmove(model->unsettled, model->unsettled + 1, --model->n_unsettled * sizeof(model->unsettled[0]));
		if (model->channels[channel].exists)
			model_settle(model, channel, outcomes);
	}
}

/* -- Dead letters -- */

void model_dead_letter_entered(struct model *model, int source)
{
	model->channels[source].dead_lettered++;
	model_settle_later(model, source);
}

static void send_dead_letters(struct model *model, int source, const uint32_t *values, uint32_t n, int reason,
			      struct outcomes *outcomes)
{
	int target = model->channels[source].definition.dead_letter.bytes[0] - 'a';
	const struct model_channel *c = &model->channels[target];
	bool is_possible = c->exists && !c->closed && c->definition.kind == KIND_BOUNDED && target != source;
	struct model_request waiting = {.op = CORE_PUT,
					.connection = -1,
					.source = source,
					.id = CORE_NO_ID,
					.reason = reason,
					.gave_up_us = model->now_us,
					.deadline_us = CORE_NEVER,
					.n_arms = 1};
	waiting.arms[0] = (struct model_arm){.channel = target, .is_put = true};
	for (uint32_t i = 0; i < n; i++) {
		struct model_request one = {.values = {values[i]}, .n_values = 1};
		uint64_t evicted = 0, dropped = 0;
		uint32_t deliveries = model->deliveries[values[i]];
		struct model_origin before = model->origins[values[i]];
		if (is_possible && waiting.n_values == 0) {
			model_set_origin(model, values[i], source, reason, model->now_us);
			model->deliveries[values[i]] = 0;
			model_put_values(model, target, &one, &evicted, &dropped, outcomes);
		}
		if (one.n_values == 0) {
			model_dead_letter_entered(model, source);
			continue;
		}
		model->deliveries[values[i]] = deliveries;
		model->origins[values[i]] = before;
		waiting.values[waiting.n_values++] = values[i];
	}
	if (waiting.n_values == 0)
		return;
	if (is_possible) {
		model_append(model->parked, &model->n_parked, waiting);
		return;
	}
	outcomes->undeliverable += waiting.n_values;
	model_come_back(model, source, waiting.values, waiting.n_values, outcomes);
}

void model_dead_letters_return(struct model *model, struct model_request *r, struct outcomes *outcomes)
{
	struct model_request copy = *r;
	model_forget(model, r);
	outcomes->undeliverable += copy.n_values;
	model_come_back(model, copy.source, copy.values, copy.n_values, outcomes);
	model_settle_later(model, copy.source);
}

uint32_t model_discard_leased(struct model *model, int channel)
{
	uint32_t n = model_leased(model, channel);
	model_discard_delayed(model, channel);
	model->held[channel] = (struct model_held){0};
	for (uint32_t i = 0; i < model->n_leases;) {
		if (model->leases[i].channel == channel)
			model_lease_end(model, &model->leases[i]);
		else
			i++;
	}
	for (uint32_t i = 0; i < model->n_parked;) {
		if (is_dead_letter_of(&model->parked[i], channel))
			model_forget(model, &model->parked[i]);
		else
			i++;
	}
	return n;
}

void model_lease_return_as(struct model *model, struct model_lease *lease, bool was_sent, int reason,
			   struct outcomes *outcomes)
{
	struct model_lease copy = *lease;
	bool is_counted = was_sent && !copy.is_uncounted;
	uint32_t max = model->channels[copy.channel].definition.max_deliveries;
	uint32_t back[SIM_VALUES] = {0}, dead[SIM_VALUES] = {0}, n_back = 0, n_dead = 0;
	for (uint32_t i = 0; i < copy.n_values; i++) {
		uint32_t value = copy.values[i];
		if (!is_counted)
			model->deliveries[value]--;
		if (is_counted && max > 0 && model->deliveries[value] >= max)
			dead[n_dead++] = value;
		else
			back[n_back++] = value;
	}
	/* The dead are leased still while the others come back. */
	memcpy(lease->values, dead, sizeof(dead));
	lease->n_values = n_dead;
	lease->number = 0;
	model_come_back(model, copy.channel, back, n_back, outcomes);
	for (uint32_t i = 0; i < model->n_leases; i++)
		if (model->leases[i].born == copy.born)
			model_lease_end(model, &model->leases[i]);
	if (n_dead > 0)
		send_dead_letters(model, copy.channel, dead, n_dead, reason, outcomes);
	model_settle(model, copy.channel, outcomes);
}

/* -- What is unsent -- */

void model_keep(struct model *model, const struct outcomes *outcomes)
{
	for (; model->n_looked < outcomes->n; model->n_looked++) {
		const struct outcome *a = &outcomes->at[model->n_looked];
		bool is_kept = a->connection >= 0 && model->keeps[a->connection] && a->n_values > 0;
		if (!is_kept || (!a->lease && model->channels[a->channel].definition.kind == KIND_PROMISE))
			continue;
		assert(model->n_kept < MODEL_LEASES);
		struct model_kept *kept = &model->kept[model->n_kept++];
		*kept = (struct model_kept){a->connection, a->channel, model->channels[a->channel].born,
					    a->lease,      {0},        a->n_values};
		memcpy(kept->values, a->values, sizeof(kept->values));
	}
}

void model_send_kept(struct model *model, int connection)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < model->n_kept; i++)
		if (model->kept[i].connection != connection)
			model->kept[n++] = model->kept[i];
	model->n_kept = n;
}

static void return_kept(struct model *model, const struct model_kept *kept, struct outcomes *outcomes)
{
	struct model_channel *c = &model->channels[kept->channel];
	if (kept->lease) {
		struct model_lease *lease = model_find_lease(model, kept->lease);
		if (lease)
			model_lease_return_as(model, lease, false, 0, outcomes);
		return;
	}
	if (!c->exists || c->born != kept->channel_born)
		return;
	c->returned += kept->n_values;
	model_come_back(model, kept->channel, kept->values, kept->n_values, outcomes);
	model_settle(model, kept->channel, outcomes);
}

void model_return_kept(struct model *model, int connection, struct outcomes *outcomes)
{
	for (uint32_t i = 0; i < model->n_kept; i++)
		if (model->kept[i].connection == connection)
			return_kept(model, &model->kept[i], outcomes);
	model_send_kept(model, connection);
}
