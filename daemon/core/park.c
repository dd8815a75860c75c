/* Parking: a request that cannot proceed is linked into everything that can complete it. */
#include <assert.h>
#include <stdlib.h>

#include "daemon/core/charge.h"
#include "daemon/core/checkpoint_place.h"
#include "daemon/core/parked_bytes.h"
#include "daemon/core/recorder.h"

enum { REQUEST_WORK = 4 }; /* to end a request with its reply costs as much as to free so many values */

bool park_has_room(const struct core *core, const struct channel *channel)
{
	uint32_t allowed = channel->definition.max_waiters ? channel->definition.max_waiters : core->limits.max_waiters;
	return channel_parked_puts(channel) + channel->n_takes < allowed;
}

static void destroy(struct core *core, struct request *request)
{
	request_pool_put(&core->requests, request, request_is_small(request->parked.n_arms, request->parked.has_terms));
}

static uint64_t deadline_of(const struct core *core, bool has_timeout, uint64_t timeout_ms)
{
	uint64_t park_ms = core->limits.max_park_ms;
	if (has_timeout && (park_ms == 0 || timeout_ms < park_ms))
		park_ms = timeout_ms;
	else if (park_ms == 0)
		return CORE_NEVER;
	return core->now_us + park_ms * 1000;
}

/* A request of this connection, and room for it everywhere. */
static struct request *create(struct core *core, const struct core_connection *connection, enum core_op op,
			      uint32_t n_arms, bool has_terms, uint64_t deadline_us, enum error *error)
{
	const struct core_quota *quota = connection->quota;
	if (connection->n_parked >= core->limits.max_inflight ||
	    (quota && quota->n_parked >= quota->limits.max_parked)) {
		*error = ERROR_TOO_MANY_INFLIGHT;
		return NULL;
	}
	*error = ERROR_OVERLOADED;
	if (!parked_bytes_fit(core, parked_bytes_of_request(n_arms, has_terms)) || order_reserve(&core->order) < 0 ||
	    (deadline_us != CORE_NEVER && timers_reserve(&core->timers) < 0))
		return NULL;
	struct request *request = request_pool_get(&core->requests, n_arms, has_terms);
	if (!request) {
		if (deadline_us != CORE_NEVER)
			timers_unreserve(&core->timers);
		return NULL;
	}
	request->parked = (struct parked){
		.op = op,
		.has_terms = has_terms,
		.timer = {.deadline_us = deadline_us, .index = TIMER_NONE, .kind = TIMER_REQUEST},
	};
	return request;
}

struct request *park_begin(struct core *core, const struct core_event *event, uint32_t n_arms, enum error *error)
{
	assert(n_arms >= 1 && n_arms <= CORE_MAX_ARMS);
	bool has_terms = event->op == CORE_PUT && (event->delay_ms > 0 || event->producer.len > 0);
	struct request *request = create(core, event->connection, event->op, n_arms, has_terms,
					 deadline_of(core, event->has_timeout, event->timeout_ms), error);
	if (!request)
		return NULL;
	if (has_terms)
		*request_terms(request) = (struct put_terms){.delay_ms = event->delay_ms};
	if (event->lease_ms > 0 && !(request->parked.lease = lease_prepare(core, event))) {
		park_abandon(core, request);
		return NULL;
	}
	return request;
}

enum error park_arm(struct core *core, struct request *request, uint32_t index, struct channel *channel, bool is_put,
		    struct value *value)
{
	assert(index == request->parked.n_arms);
	if (!park_has_room(core, channel))
		return ERROR_TOO_MANY_WAITERS;
	if (!channel_expect_waits(channel))
		return ERROR_OVERLOADED;
	struct arm *arm = &request->arms[index];
	*arm = (struct arm){.channel = channel, .value = value, .index = (uint8_t)index, .is_put = is_put};
	arm->is_delayed = request->parked.has_terms && request_terms(request)->delay_ms > 0;
	list_append(arm_queue(arm), &arm->link);
	if (is_put) {
		++*(arm->is_delayed ? &channel->n_delayed_puts : &channel->n_puts);
		core->n_puts++;
	} else {
		channel->n_takes++;
	}
	if (value) {
		charge_add(core, channel, value);
		recorder_promise(core, channel, value);
	}
	request->parked.n_arms++;
	return ERROR_NONE;
}

void park_resting(struct request *request, struct channel *channel)
{
	request->arms[0] = (struct arm){.channel = channel};
	list_append(&channel->resting, &request->arms[0].link);
	request->parked.n_arms = 1;
	request->parked.is_counted = request->parked.is_resting = true;
}

void park_before(struct core *core, struct request *request, struct request *other)
{
	const struct arm *place = &other->arms[0];
	struct arm *arm = &request->arms[0];
	assert(place->is_put && !place->value && other->parked.n_arms == 1);
	*arm = (struct arm){.channel = place->channel, .is_put = true, .is_delayed = place->is_delayed};
	list_append(&other->arms[0].link, &arm->link);
	++*(arm->is_delayed ? &arm->channel->n_delayed_puts : &arm->channel->n_puts);
	core->n_puts++;
	request->parked.n_arms = 1;
}

static void commit(struct core *core, struct request *request, struct core_connection *connection, uint64_t id)
{
	struct parked *parked = &request->parked;
	parked->connection = connection;
	parked->id = id;
	parked->parked_us = core->now_us;
	list_append(parked->is_resting ? &connection->consumer->resting : &connection->parked, &parked->in_connection);
	core->parked_bytes += parked_bytes_of_request(parked->n_arms, parked->has_terms);
	connection->n_parked++;
	if (connection->quota)
		connection->quota->n_parked++;
	core->n_parked++;
	if (parked->id != CORE_NO_ID)
		ids_insert(&core->ids, request);
	if (!parked->is_resting)
		order_append(&core->order, request);
	if (parked->timer.deadline_us != CORE_NEVER)
		timers_add(&core->timers, &parked->timer);
}

void park_commit(struct core *core, struct request *request, const struct core_event *event)
{
	request->parked.batch = event->batch;
	commit(core, request, event->connection, event->id);
}

bool park_take_alone(struct core *core, const struct core_alone *take, struct channel *channel)
{
	enum error error;
	struct request *request = create(core, take->connection, CORE_TAKE, 1, false,
					 deadline_of(core, take->has_timeout, take->timeout_ms), &error);
	if (!request)
		return false;
	if (park_arm(core, request, 0, channel, false, NULL) != ERROR_NONE) {
		park_abandon(core, request);
		return false;
	}
	request->parked.max = 1;
	commit(core, request, take->connection, take->id);
	return true;
}

/* Values that were to be put will not enter; `bytes` is the sum of their lengths. */
static void give_up(struct core *core, struct channel *channel, struct value_list *values, uint64_t bytes)
{
	channel->bytes -= bytes;
	recorder_release_all(core, channel, values->n, bytes);
	graveyard_bury_values(core, values);
}

/* Takes an arm out of its channel, with its value if it still has one. */
static void arm_unlink(struct core *core, struct arm *arm, bool is_resting)
{
	struct channel *channel = arm->channel;
	list_remove(&arm->link);
	if (arm->is_put) {
		--*(arm->is_delayed ? &channel->n_delayed_puts : &channel->n_puts);
		core->n_puts--;
		if (channel->closed && channel->mult)
			channel_settle_at_end(core, channel);
	} else if (!is_resting) {
		channel->n_takes--;
	}
	if (arm->value) {
		struct value_list one = {0};
		value_list_push(&one, arm->value);
		arm->value = NULL;
		give_up(core, channel, &one, one.head->len);
	}
}

/* Takes a request out of every queue. Its `parked` stays readable until the reply is written over it. */
static void unlink_everywhere(struct core *core, struct request *request)
{
	for (uint32_t i = 0; i < request->parked.n_arms; i++)
		arm_unlink(core, &request->arms[i], request->parked.is_resting);
	if (request->parked.op == CORE_PUT) {
		if (request->parked.has_terms)
			once_leave(core, request, request->parked.values.n == 0);
		if (request->parked.values.n > 0)
			give_up(core, request->arms[0].channel, &request->parked.values, request->parked.values_bytes);
	} else {
		lease_forget(core, request->parked.lease);
		request->parked.lease = NULL;
	}
	struct core_connection *connection = request->parked.connection;
	if (connection) {
		connection->n_parked--;
		if (connection->quota)
			connection->quota->n_parked--;
	} else if (request_is_dead_letter(request)) {
		checkpoint_passes_dead_letter(&core->checkpoint, request);
	}
	list_remove(&request->parked.in_connection);
	core->parked_bytes -= parked_bytes_of_request(request->parked.n_arms, request->parked.has_terms);
	core->n_parked--;
	if (request->parked.id != CORE_NO_ID)
		ids_remove(&core->ids, request);
	timers_remove(&core->timers, &request->parked.timer);
	if (!request->parked.is_resting)
		order_remove(&core->order, request);
}

struct core_reply *park_complete(struct core *core, struct request *request, struct arm *arm, enum status status,
				 struct core_effects *effects)
{
	unlink_everywhere(core, request);
	struct parked was = request->parked;
	if (status == STATUS_OK && arm && !was.is_counted)
		channel_count_wait(arm->channel, arm->is_put, core->now_us - was.parked_us);
	struct core_reply *reply = &request->reply;
	*reply = (struct core_reply){
		.cookie = was.connection->cookie,
		.id = was.id,
		.op = was.op,
		.status = status,
		.batch = was.batch,
		.is_take = arm ? !arm->is_put : was.op == CORE_TAKE,
		.arm = arm ? arm->index : was.n_arms,
		.channel = arm || was.op != CORE_ALTS ? channel_name(request->arms[arm ? arm->index : 0].channel)
						      : (struct slice){NULL, 0},
		.accepted = was.op == CORE_PUT ? was.accepted : 0,
		.has_left = was.is_counted,
		.left = was.is_counted ? was.left : 0,
		.is_small = request_is_small(was.n_arms, was.has_terms),
	};
	effects_append(effects, reply);
	return reply;
}

uint32_t park_work(const struct request *request)
{
	return REQUEST_WORK + request->parked.n_arms;
}

void park_forget(struct core *core, struct request *request)
{
	unlink_everywhere(core, request);
	destroy(core, request);
}

void park_forget_served(struct core *core, struct request *request)
{
	channel_count_wait(request->arms[0].channel, false, core->now_us - request->parked.parked_us);
	park_forget(core, request);
}

void park_abandon(struct core *core, struct request *request)
{
	for (uint32_t i = 0; i < request->parked.n_arms; i++)
		arm_unlink(core, &request->arms[i], false);
	if (request->parked.timer.deadline_us != CORE_NEVER)
		timers_unreserve(&core->timers);
	if (request->parked.op != CORE_PUT)
		lease_forget(core, request->parked.lease);
	destroy(core, request);
}

bool park_dead_letters(struct core *core, struct channel *source, struct channel *target, struct value_list *values)
{
	if (order_reserve(&core->order) < 0)
		return false;
	struct request *request = request_pool_get(&core->requests, 1, false);
	if (!request)
		return false;
	request->parked = (struct parked){
		.op = CORE_PUT,
		.id = CORE_NO_ID,
		.source = source,
		.values = *values,
		.parked_us = core->now_us,
		.timer = {.deadline_us = CORE_NEVER, .index = TIMER_NONE},
	};
	for (struct value *value = values->head; value; value = value->next) {
		request->parked.values_bytes += value->len;
		charge_move(source, target, value);
		recorder_promise(core, target, value);
		recorder_dead_letter(core, source, value);
	}
	*values = (struct value_list){0};
	request->parked.n_arms = 1;
	request->arms[0] = (struct arm){.channel = target, .is_put = true};
	list_append(&target->puts, &request->arms[0].link);
	target->n_puts++;
	core->n_puts++;
	list_append(&source->dead_letters, &request->parked.in_connection);
	core->n_parked++;
	core->parked_bytes += parked_bytes_of_request(1, false);
	order_append(&core->order, request);
	return true;
}
