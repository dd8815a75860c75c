#include "tests/sim/model_parts.h"

void model_init(struct model *model, const struct core_limits *limits)
{
	*model = (struct model){.limits = *limits};
}

/* -- Ops -- */

bool model_may_park(struct model *model, const struct model_request *request, struct outcomes *outcomes)
{
	uint32_t mine = 0;
	struct model_request *r;
	for (uint32_t i = 0; (r = model_request_at(model, i)); i++)
		mine += r->connection == request->connection;
	if (mine >= model->limits.max_inflight)
		model_refuse(outcomes, request, request->n_arms, ERROR_TOO_MANY_INFLIGHT);
	return mine < model->limits.max_inflight;
}

void model_set_deadline(struct model *model, const struct operation *o, struct model_request *r)
{
	uint64_t park_ms = model->limits.max_park_ms ? model->limits.max_park_ms : UINT64_MAX;
	if (o->has_timeout && o->timeout_ms < park_ms)
		park_ms = o->timeout_ms;
	r->deadline_us = park_ms == UINT64_MAX ? CORE_NEVER : model->now_us + park_ms * 1000;
	r->born = ++model->requests;
}

static void count(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	if (model->channels[o->channel].definition.kind == KIND_PROMISE) {
		model_refuse(outcomes, r, 0, ERROR_BAD_REQUEST);
		return;
	}
	if (!model_may_park(model, r, outcomes))
		return;
	model_set_deadline(model, o, r);
	r->is_counted = true;
	r->left = o->count;
	model_append(model->resting, &model->n_resting, *r);
	model_go_on(model, &model->resting[model->n_resting - 1], outcomes);
}

static void park(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	if (!model_may_park(model, r, outcomes))
		return;
	for (uint32_t i = 0; i < r->n_arms; i++) {
		int channel = r->arms[i].channel;
		uint32_t before = 0;
		for (uint32_t j = 0; j < i; j++)
			before += r->arms[j].channel == channel;
		if (!model_has_waiting_room(model, channel, before)) {
			model_refuse(outcomes, r, i, ERROR_TOO_MANY_WAITERS);
			return;
		}
	}
	model_set_deadline(model, o, r);
	model_append(model->parked, &model->n_parked, *r);
}

static void put(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	uint64_t evicted = 0, dropped = 0;
	if (!model_once_begins(model, o, r, outcomes))
		return;
	if (model_over_memory(model, model_cost_of_all(r->values, r->n_values))) {
		model_refuse(outcomes, r, 0, ERROR_OVERLOADED);
		return;
	}
	if (model->channels[o->channel].closed) {
		model_say(outcomes, r, 0, STATUS_CLOSED);
		return;
	}
	enum channel_kind kind = model->channels[o->channel].definition.kind;
	if (r->delay_ms && (kind == KIND_UNBUFFERED || kind == KIND_PROMISE)) {
		model_refuse(outcomes, r, 0, ERROR_BAD_REQUEST);
		return;
	}
	if (r->delay_ms)
		model_delay(model, o->channel, r);
	else
		model_put_values(model, o->channel, r, &evicted, &dropped, outcomes);
	if (r->delay_ms && kind == KIND_DROPPING) {
		dropped = r->n_values;
		model->channels[o->channel].dropped += dropped;
		r->n_values = 0;
	}
	uint32_t before = model->n_parked;
	enum status status = r->n_values ? STATUS_TIMEOUT : dropped ? STATUS_DROPPED : STATUS_OK;
	if (r->n_values > 0 && !(o->has_timeout && o->timeout_ms == 0))
		park(model, o, r, outcomes);
	else
		model_say(outcomes, r, 0, status)->evicted = evicted;
	if (model->n_parked == before)
		model_once_ends(model, r, status, evicted);
}

static void take(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	if (o->lease_ms && model->channels[o->channel].definition.kind == KIND_PROMISE)
		model_refuse(outcomes, r, 0, ERROR_BAD_REQUEST);
	else if (o->count)
		count(model, o, r, outcomes);
	else if (model_next_value(model, o->channel))
		model_take_values(model, o->channel, r->max, r, model_say(outcomes, r, 0, STATUS_OK), outcomes);
	else if (model_is_exhausted(model, o->channel))
		model_say(outcomes, r, 0, STATUS_CLOSED);
	else if (o->has_timeout && o->timeout_ms == 0)
		model_say(outcomes, r, 0, STATUS_TIMEOUT);
	else
		park(model, o, r, outcomes);
}

static bool is_ready(struct model *model, const struct model_arm *arm)
{
	const struct model_channel *c = &model->channels[arm->channel];
	if (!arm->is_put)
		return model_is_exhausted(model, arm->channel) || model_next_value(model, arm->channel);
	bool never_parks = c->definition.kind == KIND_DROPPING || c->definition.kind == KIND_SLIDING ||
			   c->definition.kind == KIND_PROMISE;
	return c->closed || never_parks || model_has_room(model, arm->channel) ||
	       model_waiters(model, arm->channel, false) > 0;
}

/* The arm that happens: the first ready one, or the core's own choice, if it is ready. */
static uint32_t choose(struct model *model, const struct operation *o, const struct model_request *r)
{
	uint32_t first = 0;
	while (first < r->n_arms && !is_ready(model, &r->arms[first]))
		first++;
	uint32_t chosen = model->chosen;
	bool is_free = !o->priority && first < r->n_arms && chosen < r->n_arms;
	return is_free && is_ready(model, &r->arms[chosen]) ? chosen : first;
}

static void alts_arm(struct model *model, struct model_request *r, uint32_t index, struct outcomes *outcomes)
{
	const struct model_arm *arm = &r->arms[index];
	if (!arm->is_put && model_next_value(model, arm->channel)) {
		model_take_values(model, arm->channel, 1, r, model_say(outcomes, r, index, STATUS_OK), outcomes);
		return;
	}
	if (!arm->is_put || model->channels[arm->channel].closed) {
		model_say(outcomes, r, index, STATUS_CLOSED);
		return;
	}
	struct model_request one = {.values = {arm->value}, .n_values = 1};
	uint64_t evicted = 0, dropped = 0;
	model_put_values(model, arm->channel, &one, &evicted, &dropped, outcomes);
	model_say(outcomes, r, index, dropped ? STATUS_DROPPED : STATUS_OK)->evicted = evicted;
}

static void alts(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	uint64_t bytes = 0;
	bool has_put = false;
	for (uint32_t i = 0; i < r->n_arms; i++) {
		if (!model->channels[r->arms[i].channel].exists) {
			model_refuse(outcomes, r, i, ERROR_NO_SUCH_CHANNEL);
			return;
		}
		if (r->lease_ms && !r->arms[i].is_put &&
		    model->channels[r->arms[i].channel].definition.kind == KIND_PROMISE) {
			model_refuse(outcomes, r, i, ERROR_BAD_REQUEST);
			return;
		}
		has_put = has_put || r->arms[i].is_put;
		bytes += r->arms[i].is_put ? model_cost_of_all(&r->arms[i].value, 1) : 0;
	}
	if (has_put && model_over_memory(model, bytes)) {
		model_refuse(outcomes, r, r->n_arms, ERROR_OVERLOADED);
		return;
	}
	uint32_t arm = choose(model, o, r);
	if (arm < r->n_arms)
		alts_arm(model, r, arm, outcomes);
	else if (o->has_timeout && o->timeout_ms == 0)
		model_say(outcomes, r, arm, STATUS_TIMEOUT);
	else
		park(model, o, r, outcomes);
}

static void hang_up(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	int connection = o->connection;
	struct model_request *other;
	(void)r;
	(void)outcomes;
	for (uint32_t i = 0; (other = model_request_at(model, i));) {
		if (other->connection == connection)
			model_forget(model, other);
		else
			i++;
	}
	model_forget_rested(model, connection);
}

static void end_connection(struct model *model, const struct operation *o, struct model_request *r,
			   struct outcomes *outcomes)
{
	int connection = o->connection;
	hang_up(model, o, r, outcomes);
	model_taps_carry_on(model, outcomes);
	model_keep(model, outcomes); /* what was due gave it */
	model_return_kept(model, connection, outcomes);
	for (uint32_t i = 0; i < model->n_leases;) {
		if (model->leases[i].connection != connection) {
			i++;
			continue;
		}
		model_lease_return_as(model, &model->leases[i], true, REASON_DISCONNECTED, outcomes);
		i = 0;
	}
	for (uint32_t i = 0; i < model->n_leases; i++)
		if (model->leases[i].holder == connection)
			model->leases[i].holder = -1;
	model->paused[connection] = model->keeps[connection] = false;
	model->connected[connection] = 0;
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
		model_remove_channel(model, first, outcomes);
	}
}

static void cancel(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	struct model_request *found = model_find_id(model, o->connection, o->cancel_id);
	if (!found) {
		model_refuse(outcomes, r, 0, ERROR_NO_SUCH_REQUEST);
		return;
	}
	model_finish(model, outcomes, found, found->n_arms, STATUS_CANCELLED);
	model_say(outcomes, r, 0, STATUS_OK);
}

static struct model_request request_from(const struct operation *o)
{
	struct model_request r = {.op = o->op,
				  .connection = o->connection,
				  .id = o->id,
				  .batch = o->batch,
				  .max = o->max,
				  .sticky = o->sticky};
	r.delay_ms = o->op == CORE_PUT ? o->delay_ms : 0;
	r.producer = o->producer;
	r.seq = o->seq;
	r.lease_ms = o->op == CORE_TAKE || o->op == CORE_ALTS ? o->lease_ms : 0;
	r.n_arms = o->op == CORE_ALTS ? o->n_arms : 1;
	r.arms[0] = (struct model_arm){.channel = o->channel, .is_put = o->op == CORE_PUT};
	for (uint32_t i = 0; i < o->n_arms; i++)
		r.arms[i] = (struct model_arm){o->arms[i].channel, o->arms[i].value != 0, o->arms[i].value};
	memcpy(r.values, o->values, sizeof(r.values));
	r.n_values = o->n_values;
	return r;
}

/* ack, nack, extend */
static void end_lease(struct model *model, const struct operation *o, struct model_request *r,
		      struct outcomes *outcomes)
{
	struct model_lease *lease = NULL;
	if (o->lease_back && o->lease_back <= model->told_before)
		lease = model_find_lease(model, model->told_before - o->lease_back + 1);
	if (!lease) {
		model_refuse(outcomes, r, 0, ERROR_NO_SUCH_LEASE);
		return;
	}
	int channel = lease->channel;
	lease->is_uncounted = o->op == CORE_NACK && o->is_uncounted;
	model_say(outcomes, r, 0, STATUS_OK);
	if (o->op == CORE_ACK) {
		model->channels[channel].taken += lease->n_values;
		model_lease_end(model, lease);
		model_settle(model, channel, outcomes);
	} else if (o->op == CORE_EXTEND) {
		lease->deadline_us = model->now_us + o->lease_ms * 1000;
		lease->born = ++model->requests;
	} else if (o->delay_ms == 0) {
		model_lease_return_as(model, lease, true, REASON_NACK, outcomes);
	} else {
		lease->number = 0;
		lease->connection = -1;
		lease->deadline_us = model->now_us + o->delay_ms * 1000;
		lease->born = ++model->requests;
	}
}

/* The request gets ERROR_DRAINING. */
static void drain(struct model *model, struct model_request *r, struct outcomes *outcomes)
{
	model_finish(model, outcomes, r, r->n_arms, STATUS_ERROR)->error = ERROR_DRAINING;
}

static void abandon(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	(void)o;
	(void)r;
	for (uint32_t i = 0; i < model->n_parked;) {
		if (model->parked[i].connection >= 0)
			drain(model, &model->parked[i], outcomes);
		else
			i++;
	}
	for (uint64_t connected = 1; connected <= model->connections; connected++)
		for (uint32_t i = 0; i < model->n_resting;) {
			struct model_request *resting = &model->resting[i];
			if (model->connected[resting->connection] == connected)
				drain(model, resting, outcomes);
			else
				i++;
		}
}

/* What is due first happens; false if nothing is. */
static bool expire_one(struct model *model, struct outcomes *outcomes)
{
	struct model_request *r = model_first_due(model);
	struct model_lease *lease = model_first_lease_due(model);
	struct model_delayed *delayed = model_first_delayed_due(model);
	const uint64_t due_us[] = {r ? r->deadline_us : CORE_NEVER, lease ? lease->deadline_us : CORE_NEVER,
				   delayed ? delayed->deadline_us : CORE_NEVER};
	const uint64_t born[] = {r ? r->born : 0, lease ? lease->born : 0, delayed ? delayed->born : 0};
	int first = 0;
	for (int i = 1; i < 3; i++)
		if (due_us[i] < due_us[first] || (due_us[i] == due_us[first] && born[i] < born[first]))
			first = i;
	if (due_us[first] > model->now_us)
		return false;
	if (first == 0)
		model_finish(model, outcomes, r, r->n_arms, STATUS_TIMEOUT);
	else if (first == 1)
		model_lease_return_as(model, lease, true, lease->number ? REASON_EXPIRED : REASON_NACK, outcomes);
	else
		model_delayed_enter(model, delayed, outcomes);
	return true;
}

static void tick(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	(void)r;
	(void)outcomes;
	model->unsent = o->unsent;
	if (o->pauses)
		model_pause(model, o->connection);
}

static void resume(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes)
{
	(void)r;
	model->paused[o->connection] = false;
	model_keep_promise(model, -1, o->connection, outcomes);
	model_go_on_all(model, o->connection, outcomes);
}

static void close_channel(struct model *model, const struct operation *o, struct model_request *r,
			  struct outcomes *outcomes)
{
	model_close(model, o->channel, outcomes);
	model_say(outcomes, r, 0, STATUS_OK);
}

static void carry_out(struct model *model, const struct operation *o, struct model_request *r,
		      struct outcomes *outcomes)
{
	static void (*const ops[CORE_OP_COUNT])(struct model *, const struct operation *, struct model_request *,
						struct outcomes *) = {
		[CORE_TICK] = tick,           [CORE_HANG_UP] = hang_up,
		[CORE_ABANDON] = abandon,     [CORE_DISCONNECT] = end_connection,
		[CORE_RESUME] = resume,       [CORE_CREATE] = model_create,
		[CORE_ALTER] = model_alter,   [CORE_CLOSE] = close_channel,
		[CORE_DELETE] = model_delete, [CORE_TAP] = model_tap,
		[CORE_UNTAP] = model_untap,   [CORE_PUT] = put,
		[CORE_TAKE] = take,           [CORE_ALTS] = alts,
		[CORE_CANCEL] = cancel,       [CORE_ACK] = end_lease,
		[CORE_NACK] = end_lease,      [CORE_EXTEND] = end_lease,
		[CORE_MOVE] = model_move,
	};
	bool needs_channel = o->channel >= 0 && o->op != CORE_CREATE;
	assert(ops[o->op]); /* scripts have no others */
	if (needs_channel && !model->channels[o->channel].exists)
		model_refuse(outcomes, r, 0, ERROR_NO_SUCH_CHANNEL);
	else
		ops[o->op](model, o, r, outcomes);
}

static void let_time_pass(struct model *model, uint64_t us, struct outcomes *outcomes)
{
	model->n_looked = 0;
	model->told_before = model->n_told;
	model->now_us += us;
	while (expire_one(model, outcomes))
		model_settle_all(model, outcomes);
	if (us > 0)
		model_new_turn(model, outcomes);
}

void model_step(struct model *model, const struct operation *o, uint32_t chosen, struct outcomes *outcomes)
{
	struct model_request r = request_from(o);
	model->chosen = chosen;
	if (o->connection >= 0 && !model->connected[o->connection])
		model->connected[o->connection] = ++model->connections;
	let_time_pass(model, o->later_us, outcomes);
	bool is_request = o->op >= CORE_CREATE && o->op <= CORE_MOVE && o->connection >= 0;
	if (is_request && model_find_id(model, o->connection, o->id)) {
		model_refuse(outcomes, &r, r.n_arms, ERROR_DUPLICATE_ID);
	} else {
		carry_out(model, o, &r, outcomes);
	}
	model_taps_carry_on(model, outcomes);
	model_keep(model, outcomes);
	if (o->op != CORE_TICK)
		return;
	if (o->sends)
		model_send_kept(model, o->connection);
	model->keeps[o->connection] = o->keeps;
}

void model_pass(struct model *model, uint64_t us, struct outcomes *outcomes)
{
	let_time_pass(model, us, outcomes);
	model_taps_carry_on(model, outcomes);
	model_keep(model, outcomes);
}

void model_tick(struct model *model, struct outcomes *outcomes)
{
	while (expire_one(model, outcomes))
		model_settle_all(model, outcomes);
	model_taps_carry_on(model, outcomes);
	model_keep(model, outcomes);
}
