/* The ops put, take and cancel. */
#include <assert.h>

#include "daemon/core/charge.h"
#include "daemon/core/recorder.h"

static bool fits_memory(const struct core *core, const struct value_list *values)
{
	uint64_t bytes = core->bytes + core->unsent_bytes + core->producers.bytes;
	for (const struct value *value = values->head; value; value = value->next)
		bytes += charge_of(value);
	return bytes <= core->limits.max_memory;
}

/* Parks what is left of a put, and takes it over; or says why not. */
static enum error park_put(struct core *core, const struct core_event *event, struct channel *channel,
			   struct value_list *values, size_t accepted, struct once *once)
{
	enum error error;
	struct request *request = park_begin(core, event, 1, &error);
	if (!request)
		return error;
	if ((error = park_arm(core, request, 0, channel, true, NULL)) != ERROR_NONE) {
		park_abandon(core, request);
		return error;
	}
	request->parked.accepted = (uint32_t)accepted;
	request->parked.values = *values;
	for (const struct value *value = values->head; value; value = value->next) {
		request->parked.values_bytes += value->len;
		charge_add(core, channel, value);
		recorder_promise(core, channel, value);
	}
	*values = (struct value_list){0};
	once_park(core, event, once, request);
	park_commit(core, request, event);
	return ERROR_NONE;
}

/* Why a put that would change the channel may not; ERROR_NONE: it may. */
static enum error why_not(struct core *core, const struct core_event *event, struct channel *channel,
			  const struct value_list *values)
{
	enum channel_kind kind = channel->definition.kind;
	size_t reserved = 0;
	if (core->is_draining)
		return ERROR_DRAINING;
	if (!fits_memory(core, values))
		return ERROR_OVERLOADED;
	if (channel->closed)
		return ERROR_NONE;
	if (event->delay_ms > 0 && (kind == KIND_UNBUFFERED || kind == KIND_PROMISE))
		return ERROR_BAD_REQUEST;
	return recorder_admits(core, channel, values->head, &reserved);
}

/* A put with its values, of which what is not moved out of the list is destroyed by the caller. */
static void put(struct core *core, const struct core_event *event, struct value_list *values,
		struct core_effects *effects)
{
	struct channel *channel = channel_find(core, event->channel);
	if (!channel) {
		reply_error(core, event, ERROR_NO_SUCH_CHANNEL, effects);
		return;
	}
	struct once once;
	if (!once_begin(core, event, channel, values, &once, effects))
		return;
	enum error refusal = why_not(core, event, channel, values);
	if (refusal == ERROR_NONE && channel->closed) {
		reply_now(core, event, STATUS_CLOSED, effects)->accepted = once.accepted;
		return;
	}
	if (refusal == ERROR_NONE && once_reserve(core, event, channel, &once) < 0)
		refusal = ERROR_OVERLOADED;
	if (refusal != ERROR_NONE) {
		reply_error(core, event, refusal, effects);
		core->immediate.accepted = once.accepted;
		return;
	}
	struct put_outcome outcome = {0};
	enum status status = STATUS_OK;
	enum error error = ERROR_NONE;
	if (event->delay_ms == 0)
		outcome = transfer_put(core, channel, values, effects);
	else if (delayed_put_now(core, channel, values, event->delay_ms, &outcome) < 0)
		error = ERROR_OVERLOADED;
	if (outcome.dropped > 0)
		status = STATUS_DROPPED;
	if (error == ERROR_NONE && values->n > 0 && event->has_timeout && event->timeout_ms == 0) {
		status = STATUS_TIMEOUT;
	} else if (error == ERROR_NONE && values->n > 0) {
		error = park_put(core, event, channel, values, once.accepted + outcome.accepted, &once);
		if (error == ERROR_NONE)
			return;
	}
	if (error != ERROR_NONE)
		status = STATUS_ERROR;
	struct core_reply *reply = reply_now(core, event, status, effects);
	reply_set_error(core, reply, error);
	reply->accepted = once.accepted + outcome.accepted;
	reply->evicted = outcome.evicted;
	once_end(core, event, &once,
		 &(struct once_outcome){.accepted = (uint32_t)reply->accepted,
					.evicted = (uint32_t)outcome.evicted,
					.status = status == STATUS_ERROR ? STATUS_TIMEOUT : status,
					.is_part = values->n > 0});
}

void op_put(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	assert(event->values.n > 0);
	struct value_list values = event->values;
	put(core, event, &values, effects);
	value_list_clear(&values);
}

/* The channel of a request that may be carried out between steps: in a turn that has had one, and while nothing is due.
 * NULL: it may not. */
static struct channel *alone_on(struct core *core, const struct core_alone *request)
{
	const struct timer *first = timers_first(&core->timers);
	assert(!core->outstanding);
	if (request->now_us != core->alone_us || (first && first->deadline_us <= request->now_us))
		return NULL;
	core->unsent_bytes = request->unsent_bytes;
	struct channel *channel = channel_find(core, request->channel);
	return channel && channel_is_quiet(channel) ? channel : NULL;
}

bool core_put_alone(struct core *core, const struct core_alone *put, struct value *value, struct core_reply *handed)
{
	struct value_list values = {value, value, 1};
	struct channel *channel = core->is_draining ? NULL : alone_on(core, put);
	handed->cookie = NULL;
	return channel && fits_memory(core, &values) && transfer_put_alone(core, channel, value, handed);
}

bool core_take_alone(struct core *core, const struct core_alone *take, struct value **value)
{
	struct channel *channel = alone_on(core, take);
	if (!channel)
		return false;
	if (channel->buffer.n > 0)
		return (*value = transfer_take_alone(core, channel));
	*value = NULL;
	bool waits = !channel->closed && !(take->has_timeout && take->timeout_ms == 0);
	return waits && park_take_alone(core, take, channel);
}

static enum error park_take(struct core *core, const struct core_event *event, struct channel *channel)
{
	enum error error;
	struct request *request = park_begin(core, event, 1, &error);
	if (!request)
		return error;
	if ((error = park_arm(core, request, 0, channel, false, NULL)) != ERROR_NONE) {
		park_abandon(core, request);
		return error;
	}
	request->parked.max = event->max;
	park_commit(core, request, event);
	return ERROR_NONE;
}

void op_take(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	assert(event->max >= 1 && event->max <= CORE_MAX_TAKE && event->count <= CORE_MAX_COUNT &&
	       !(event->count && event->batch));
	struct channel *channel = channel_find(core, event->channel);
	if (!channel) {
		reply_error(core, event, ERROR_NO_SUCH_CHANNEL, effects);
		return;
	}
	if (event->lease_ms > 0 && channel->definition.kind == KIND_PROMISE) {
		reply_error(core, event, ERROR_BAD_REQUEST, effects);
		return;
	}
	if (event->count) {
		credit_begin(core, event, channel, effects);
		return;
	}
	if (channel_can_take(channel)) {
		/* The take's reply goes before those of the puts that it lets in. */
		struct lease *lease = event->lease_ms > 0 ? lease_prepare(core, event) : NULL;
		if (event->lease_ms > 0 && !lease) {
			reply_error(core, event, ERROR_OVERLOADED, effects);
			return;
		}
		struct core_reply *reply = reply_now(core, event, STATUS_OK, effects);
		transfer_take(core, channel, event->max, lease, reply, effects);
		return;
	}
	if (channel_is_exhausted(channel)) {
		reply_now(core, event, STATUS_CLOSED, effects);
		return;
	}
	if (event->has_timeout && event->timeout_ms == 0) {
		reply_now(core, event, STATUS_TIMEOUT, effects);
		return;
	}
	enum error error = park_take(core, event, channel);
	if (error != ERROR_NONE)
		reply_error(core, event, error, effects);
}

void op_cancel(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct request *request = ids_find(&core->ids, event->connection, event->cancel_id);
	if (!request) {
		reply_error(core, event, ERROR_NO_SUCH_REQUEST, effects);
		return;
	}
	park_complete(core, request, NULL, STATUS_CANCELLED, effects);
	reply_now(core, event, STATUS_OK, effects);
}
