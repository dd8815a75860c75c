/* Values move: from puts to takes, into buffers, out of them. Every change to a buffer and to the books' counters of values is here (but
 * for channel_remove, which discards). */
#include <assert.h>

#include "daemon/core/state.h"

static void bytes_add(struct core *core, struct channel *channel, uint32_t len)
{
	channel->bytes += len;
	core->bytes += len;
}

static void bytes_sub(struct core *core, struct channel *channel, uint32_t len)
{
	channel->bytes -= len;
	core->bytes -= len;
}

static void buffer_push(struct core *core, struct channel *channel, struct value *value)
{
	value_list_push(&channel->buffer, value);
	core->n_buffered++;
}

static struct value *buffer_pop(struct core *core, struct channel *channel)
{
	core->n_buffered--;
	return value_list_pop(&channel->buffer);
}

/* A reply's values: a run that is linked, and grows at its end. */
struct run {
	struct value_list values;
	uint64_t bytes; /* as they will stand in a reply's array, a comma each */
};

/* Whether a value still fits. One always does. */
static bool run_fits(const struct core *core, const struct run *run, const struct value *value)
{
	return run->values.n == 0 || run->bytes + value->len + 1 <= core->limits.max_take_bytes;
}

static void run_add(struct run *run, struct value *value)
{
	run->bytes += (uint64_t)value->len + 1;
	value_list_push(&run->values, value);
}

static void run_give(struct run *run, struct core_reply *reply)
{
	reply->value = run->values.head;
	reply->owns_values = true;
	reply->n_values = (uint32_t)run->values.n;
}

/* The promise's one value: lent to every take, and given to none. */
static void promise_lend(struct channel *channel, struct core_reply *reply)
{
	reply->value = channel->buffer.head;
	reply->n_values = 1;
	channel->taken++;
}

/* Hands values from the front of the list to the take that parked first. */
static void serve_first_take(struct core *core, struct channel *channel, struct value_list *values, struct core_effects *effects)
{
	struct arm *arm = LIST_ITEM(channel->takes.next, struct arm, link);
	struct request *request = arm_request(arm);
	uint32_t max = request->parked.op == CORE_TAKE ? request->parked.max : 1;
	bool is_counted = request->parked.is_counted;
	struct core_reply *reply = is_counted ? count_reply(core, request, effects) : park_complete(core, request, arm, STATUS_OK, effects);
	if (!reply)
		return;
	struct run run = {0};
	while (run.values.n < max && values->head && run_fits(core, &run, values->head))
		run_add(&run, value_list_pop(values));
	channel->accepted += run.values.n;
	channel->taken += run.values.n;
	run_give(&run, reply);
	if (is_counted)
		count_served(core, request, reply);
}

static struct put_outcome put_promise(struct core *core, struct channel *channel, struct value_list *values, struct core_effects *effects)
{
	struct put_outcome outcome = {0};
	if (channel->buffer.n == 0) {
		struct value *value = value_list_pop(values);
		bytes_add(core, channel, value->len);
		buffer_push(core, channel, value);
		channel->accepted++;
		outcome.accepted = 1;
		while (!list_is_empty(&channel->takes)) {
			struct arm *arm = LIST_ITEM(channel->takes.next, struct arm, link);
			promise_lend(channel, park_complete(core, arm_request(arm), arm, STATUS_OK, effects));
		}
	}
	outcome.dropped = values->n;
	channel->dropped += values->n;
	value_list_clear(values);
	return outcome;
}

static void evict_oldest(struct core *core, struct channel *channel)
{
	struct value *value = buffer_pop(core, channel);
	bytes_sub(core, channel, value->len);
	value_destroy(value);
	channel->evicted++;
}

struct put_outcome transfer_put(struct core *core, struct channel *channel, struct value_list *values, struct core_effects *effects)
{
	assert(!channel->closed && values->n > 0);
	enum channel_kind kind = channel->definition.kind;
	if (kind == KIND_PROMISE)
		return put_promise(core, channel, values, effects);

	struct put_outcome outcome = {0};
	size_t n = values->n;
	while (values->n > 0 && !list_is_empty(&channel->takes))
		serve_first_take(core, channel, values, effects);
	while (values->n > 0 && (kind == KIND_SLIDING || channel_has_room(channel))) {
		if (!channel_has_room(channel)) {
			evict_oldest(core, channel);
			outcome.evicted++;
		}
		struct value *value = value_list_pop(values);
		bytes_add(core, channel, value->len);
		buffer_push(core, channel, value);
		channel->accepted++;
	}
	outcome.accepted = n - values->n;
	if (kind == KIND_DROPPING) {
		outcome.dropped = values->n;
		channel->dropped += values->n;
		value_list_clear(values);
	}
	return outcome;
}

/* The value that the oldest parked put would give next. */
static struct value *first_put_value(const struct channel *channel)
{
	struct arm *arm = LIST_ITEM(channel->puts.next, struct arm, link);
	return arm->value ? arm->value : arm_request(arm)->parked.values.head;
}

/* Takes that value out of its put, which completes if it was the last. The value's bytes still count as the channel's. */
static struct value *first_put_pop(struct core *core, struct channel *channel, struct core_effects *effects)
{
	struct arm *arm = LIST_ITEM(channel->puts.next, struct arm, link);
	struct request *request = arm_request(arm);
	struct value *value = arm->value;
	channel->accepted++;
	if (value) {
		arm->value = NULL;
	} else {
		value = value_list_pop(&request->parked.values);
		request->parked.accepted++;
		if (request->parked.values.n > 0)
			return value;
	}
	park_complete(core, request, arm, STATUS_OK, effects);
	return value;
}

/* Parked puts enter where room has come up. */
static void refill(struct core *core, struct channel *channel, struct core_effects *effects)
{
	while (channel->n_puts > 0 && channel_has_room(channel))
		buffer_push(core, channel, first_put_pop(core, channel, effects));
}

void transfer_take(struct core *core, struct channel *channel, uint32_t max, struct core_reply *reply, struct core_effects *effects)
{
	assert(channel_can_take(channel) && max >= 1);
	if (channel->definition.kind == KIND_PROMISE) {
		promise_lend(channel, reply);
		return;
	}
	struct run run = {0};
	while (run.values.n < max && channel_can_take(channel)) {
		bool is_buffered = channel->buffer.n > 0;
		if (!run_fits(core, &run, is_buffered ? channel->buffer.head : first_put_value(channel)))
			break;
		struct value *value = is_buffered ? buffer_pop(core, channel) : first_put_pop(core, channel, effects);
		bytes_sub(core, channel, value->len);
		channel->taken++;
		run_add(&run, value);
		if (is_buffered)
			refill(core, channel, effects);
	}
	run_give(&run, reply);
}
