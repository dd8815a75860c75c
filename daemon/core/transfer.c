/* Values move: from puts to takes, into buffers, out of them, and back. Every change to the books' counters of values
 * is here, in channel_buffer.c or in parked_puts.c (but for channel_remove(), which discards, lease_hold.c, which knows
 * what is leased, and restore.c, which counts what was there before). */
#include <assert.h>

#include "daemon/core/channel_buffer.h"
#include "daemon/core/charge.h"
#include "daemon/core/recorder.h"
#include "daemon/core/tap.h"

/* -- Alone -- */

/* A value that comes is what the reply gives: it goes on at once, so it is never charged. */
static void hand_over(struct core *core, struct channel *channel, struct value *value, struct core_reply *reply)
{
	channel_enter(channel, value);
	recorder_gone(core, channel, value, RECORD_TAKEN);
	value->channel = channel;
	channel->taken++;
	channel->n_kept++;
	reply->value = value;
	reply->owns_values = true;
	reply->n_values = 1;
}

/* To the take that parked first, if that is a plain one. */
static bool hand_over_alone(struct core *core, struct channel *channel, struct value *value, struct core_reply *handed)
{
	struct request *request = arm_request(LIST_ITEM(channel->takes.next, struct arm, link));
	const struct parked *parked = &request->parked;
	__builtin_prefetch(request->arms[0].link.next); /* see taker_begin() */
	if (parked->op != CORE_TAKE || parked->batch || parked->is_counted || parked->lease)
		return false;
	*handed = (struct core_reply){.cookie = parked->connection->cookie,
				      .id = parked->id,
				      .op = CORE_TAKE,
				      .status = STATUS_OK,
				      .is_take = true,
				      .channel = channel_name(channel)};
	hand_over(core, channel, value, handed);
	park_forget_served(core, request);
	return true;
}

bool transfer_put_alone(struct core *core, struct channel *channel, struct value *value, struct core_reply *handed)
{
	if (channel->closed)
		return false;
	if (!list_is_empty(&channel->takes))
		return hand_over_alone(core, channel, value, handed);
	if (!channel_has_room(channel))
		return false;
	channel_buffer_enter(core, channel, value);
	return true;
}

struct value *transfer_take_alone(struct core *core, struct channel *channel)
{
	if (store_first(&channel->buffer)->origin)
		return NULL;
	struct value *value = channel_buffer_pop(core, channel);
	charge_sub(core, channel, value);
	value->channel = channel;
	channel->taken++;
	channel->n_kept++;
	return value;
}

/* -- Many -- */

/* A reply's values: a run that is linked, and grows at its end. */
struct reply_run {
	struct value_list values;
	uint64_t bytes;   /* as they will stand in a reply's arrays, a comma each */
	bool is_leased;   /* each has its deliveries, too */
	bool has_origins; /* some are dead letters: then each says where it came from, or null */
};

enum {
	DELIVERIES_BYTES = 11,
	ORIGIN_BYTES = 100, /* with its longest numbers, and without the channel's name */
	NO_ORIGIN_BYTES = 5,
};

size_t core_origin_bytes(const struct value *value)
{
	return value->origin ? ORIGIN_BYTES + value->origin->name_len : NO_ORIGIN_BYTES;
}

static uint64_t run_cost(const struct reply_run *run, const struct value *value)
{
	uint64_t cost = (uint64_t)value->len + 1 + (run->is_leased ? DELIVERIES_BYTES : 0);
	if (value->origin || run->has_origins)
		cost += core_origin_bytes(value) + (run->has_origins ? 0 : run->values.n * NO_ORIGIN_BYTES);
	return cost;
}

/* Whether a value still fits. One always does. */
static bool run_fits(const struct core *core, const struct reply_run *run, const struct value *value)
{
	return run->values.n == 0 || run->bytes + run_cost(run, value) <= core->limits.max_take_bytes;
}

static void run_add(struct reply_run *run, struct value *value)
{
	run->bytes += run_cost(run, value);
	run->has_origins = run->has_origins || value->origin;
	value_list_push(&run->values, value);
}

/* The run, whose bytes are still the channel's, becomes what the reply gives. */
static void run_give(struct core *core, struct channel *channel, struct reply_run *run, struct lease *lease,
		     struct core_reply *reply)
{
	if (lease) {
		lease_begin(core, lease, channel, &run->values, reply);
		return;
	}
	for (struct value *value = run->values.head; value; value = value->next) {
		charge_sub(core, channel, value);
		recorder_gone(core, channel, value, RECORD_TAKEN);
		value->channel = channel;
	}
	channel->taken += run->values.n;
	channel->n_kept += run->values.n;
	reply->value = run->values.head;
	reply->owns_values = true;
	reply->n_values = (uint32_t)run->values.n;
}

/* The value has left its place for the taps of the channel. */
static void count_held(struct core *core, struct channel *channel, struct value *value)
{
	lease_count(core, channel, 1);
	recorder_held(core, channel, value);
}

/* -- Parked takes -- */

/* The take that parked first on a channel, while it is served. */
struct taker {
	struct request *request;
	struct core_reply *reply;
	struct lease *lease;
	uint32_t max;
	bool is_counted;
};

/* False: there was no memory for its reply; it has ended, and gets nothing. */
static bool taker_begin(struct core *core, struct channel *channel, struct taker *taker, struct core_effects *effects)
{
	struct arm *arm = LIST_ITEM(channel->takes.next, struct arm, link);
	struct request *request = arm_request(arm);
	__builtin_prefetch(arm->link.next); /* who is served next: among many waiters it is long out of the cache */
	*taker = (struct taker){
		.request = request,
		.max = request->parked.op == CORE_TAKE ? request->parked.max : 1,
		.is_counted = request->parked.is_counted,
	};
	if (taker->is_counted) {
		taker->reply = credit_reply(core, request, &taker->lease, effects);
	} else {
		taker->lease = request->parked.lease;
		request->parked.lease = NULL;
		taker->reply = park_complete(core, request, arm, STATUS_OK, effects);
	}
	return taker->reply;
}

static void taker_end(struct core *core, struct taker *taker)
{
	if (taker->is_counted)
		credit_served(core, taker->request, taker->reply);
}

/* The taps of the channel, if their take is the one that parked first; else NULL. */
static struct mult *mult_in_front(const struct channel *channel)
{
	struct request *first = arm_request(LIST_ITEM(channel->takes.next, struct arm, link));
	return request_is_tap(first) ? channel->mult : NULL;
}

/* Hands values from the front of the list to the take that parked first. */
static void serve_from_put(struct core *core, struct channel *channel, struct value_list *values,
			   struct core_effects *effects)
{
	struct taker taker;
	struct mult *mult = mult_in_front(channel);
	if (mult) {
		struct value *value = value_list_pop(values);
		channel_enter(channel, value);
		charge_add(core, channel, value);
		count_held(core, channel, value);
		mult_take_value(core, mult, value);
		return;
	}
	if (!taker_begin(core, channel, &taker, effects))
		return;
	if (taker.max == 1 && !taker.lease) {
		hand_over(core, channel, value_list_pop(values), taker.reply);
		taker_end(core, &taker);
		return;
	}
	struct reply_run run = {.is_leased = taker.lease != NULL};
	while (run.values.n < taker.max && values->head && run_fits(core, &run, values->head)) {
		struct value *value = value_list_pop(values);
		channel_enter(channel, value);
		charge_add(core, channel, value);
		run_add(&run, value);
	}
	run_give(core, channel, &run, taker.lease, taker.reply);
	taker_end(core, &taker);
}

/* The same from the buffer, to which something has come back. */
static void serve_from_buffer(struct core *core, struct channel *channel, struct core_effects *effects)
{
	struct taker taker;
	struct mult *mult = mult_in_front(channel);
	if (mult) {
		mult_take_value(core, mult, transfer_hold(core, channel, effects));
		return;
	}
	if (!taker_begin(core, channel, &taker, effects))
		return;
	transfer_take(core, channel, taker.max, taker.lease, taker.reply, effects);
	taker_end(core, &taker);
}

/* -- Puts -- */

static struct put_outcome put_promise(struct core *core, struct channel *channel, struct value_list *values,
				      struct core_effects *effects)
{
	struct put_outcome outcome = {0};
	if (channel->buffer.n == 0) {
		channel_buffer_enter(core, channel, value_list_pop(values));
		core->n_promised++;
		outcome.accepted = 1;
		if (channel->mult)
			mult_is_due(core, channel->mult);
		promise_serve(core, channel, effects);
	}
	outcome.dropped = values->n;
	channel->dropped += values->n;
	value_list_clear(values);
	return outcome;
}

struct put_outcome transfer_put(struct core *core, struct channel *channel, struct value_list *values,
				struct core_effects *effects)
{
	assert(!channel->closed && values->n > 0);
	enum channel_kind kind = channel->definition.kind;
	if (kind == KIND_PROMISE)
		return put_promise(core, channel, values, effects);

	struct put_outcome outcome = {0};
	size_t n = values->n;
	while (values->n > 0 && !list_is_empty(&channel->takes))
		serve_from_put(core, channel, values, effects);
	while (values->n > 0 && (kind == KIND_SLIDING || channel_admits(channel))) {
		if (!channel_has_room(channel)) {
			channel_buffer_evict_oldest(core, channel);
			outcome.evicted++;
		}
		channel_buffer_enter(core, channel, value_list_pop(values));
	}
	outcome.accepted = n - values->n;
	if (kind == KIND_DROPPING) {
		outcome.dropped = values->n;
		channel->dropped += values->n;
		value_list_clear(values);
	}
	return outcome;
}

void transfer_fill(struct core *core, struct channel *channel, struct value_list *values, struct core_effects *effects)
{
	assert(!channel->closed);
	if (channel->definition.kind == KIND_PROMISE) {
		struct value_list one = {0};
		if (channel->buffer.n > 0 || values->n == 0)
			return;
		value_list_push(&one, value_list_pop(values));
		put_promise(core, channel, &one, effects);
		return;
	}
	while (values->n > 0 && !list_is_empty(&channel->takes))
		serve_from_put(core, channel, values, effects);
	while (values->n > 0 && channel_admits(channel))
		channel_buffer_enter(core, channel, value_list_pop(values));
}

void transfer_enter(struct core *core, struct channel *channel, struct value_list *values, struct core_effects *effects)
{
	for (const struct value *value = values->head; value; value = value->next)
		charge_sub(core, channel, value);
	while (values->n > 0 && !list_is_empty(&channel->takes))
		serve_from_put(core, channel, values, effects);
	while (values->n > 0) {
		if (channel->definition.kind == KIND_SLIDING && !channel_has_room(channel))
			channel_buffer_evict_oldest(core, channel);
		channel_buffer_enter(core, channel, value_list_pop(values));
	}
}

/* -- Takes -- */

void transfer_take(struct core *core, struct channel *channel, uint32_t max, struct lease *lease,
		   struct core_reply *reply, struct core_effects *effects)
{
	assert(channel_can_take(channel) && max >= 1);
	if (channel->definition.kind == KIND_PROMISE) {
		promise_lend(core, channel, reply);
		return;
	}
	struct reply_run run = {.is_leased = lease != NULL};
	while (run.values.n < max && channel_can_take(channel)) {
		bool is_buffered = channel->buffer.n > 0;
		if (!run_fits(core, &run, is_buffered ? store_first(&channel->buffer) : parked_puts_first(channel)))
			break;
		run_add(&run,
			is_buffered ? channel_buffer_pop(core, channel) : parked_puts_pop(core, channel, effects));
		if (is_buffered && !lease)
			channel_refill(core, channel, effects);
	}
	run_give(core, channel, &run, lease, reply);
	if (lease)
		channel_refill(core, channel, effects);
	if (channel->closed && channel->mult)
		channel_settle_at_end(core, channel);
}

/* -- Taps -- */

struct value *transfer_hold(struct core *core, struct channel *channel, struct core_effects *effects)
{
	bool is_buffered = channel->buffer.n > 0;
	struct value *value = is_buffered ? channel_buffer_pop(core, channel) : parked_puts_pop(core, channel, effects);
	count_held(core, channel, value);
	if (is_buffered)
		channel_refill(core, channel, effects);
	return value;
}

void transfer_give_back(struct core *core, struct channel *channel, struct value *value, struct core_effects *effects)
{
	struct value_list one = {0};
	lease_uncount(core, channel, 1);
	recorder_unleased(core, channel, value);
	value_list_push(&one, value);
	transfer_back(core, channel, &one, effects);
	channel_settle_at_end(core, channel);
}

/* -- Coming back -- */

void transfer_back(struct core *core, struct channel *channel, struct value_list *values, struct core_effects *effects)
{
	struct value *value;
	while ((value = value_list_pop(values))) {
		store_return(&channel->buffer, value);
		core->n_buffered++;
		core->n_durable_buffered += channel_counts_as_kept(channel);
	}
	while (channel->buffer.n > 0 && !list_is_empty(&channel->takes))
		serve_from_buffer(core, channel, effects);
	channel_shed(core, channel);
}
