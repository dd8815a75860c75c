/* Parked puts: their values, the oldest first, go to whoever takes, or into the buffer where room has come up. What a
 * step takes out of a channel is not much, and lets in no more; but where a channel is altered very many may enter, so
 * that goes on in other turns. Meanwhile the channel has room, and who comes to put parks behind those who are still to
 * enter. */
#include "daemon/core/channel_buffer.h"
#include "daemon/core/recorder.h"
#include "daemon/core/tap.h"

enum { ENTER_WORK = 4 }; /* for a put to end with its last value costs as much as to free so many values, and one */

struct value *parked_puts_first(const struct channel *channel)
{
	struct arm *arm = LIST_ITEM(channel->puts.next, struct arm, link);
	return arm->value ? arm->value : arm_request(arm)->parked.values.head;
}

struct value *parked_puts_pop(struct core *core, struct channel *channel, struct core_effects *effects)
{
	struct arm *arm = LIST_ITEM(channel->puts.next, struct arm, link);
	struct request *request = arm_request(arm);
	bool is_dead_letter = request_is_dead_letter(request);
	struct value *value = arm->value;
	if (value) {
		arm->value = NULL;
	} else {
		value = value_list_pop(&request->parked.values);
		request->parked.values_bytes -= value->len;
		request->parked.accepted++;
		once_enters(core, request);
	}
	recorder_release(core, channel, value);
	if (is_dead_letter) {
		dead_letter_left(core, request->parked.source, channel, value);
		value_origin_commit(value);
		dead_letter_entered(core, request->parked.source);
	}
	channel_enter(channel, value);
	if (request_is_tap(request)) {
		tap_entered(core, request->parked.tap);
		return value;
	}
	if (request->parked.op == CORE_PUT && request->parked.values.n > 0)
		return value;
	if (is_dead_letter)
		park_forget(core, request);
	else
		park_complete(core, request, arm, STATUS_OK, effects);
	return value;
}

static uint64_t first_seq(struct link *queue)
{
	return list_is_empty(queue) ? UINT64_MAX : arm_request(LIST_ITEM(queue->next, struct arm, link))->parked.seq;
}

static uint64_t bytes_of_first(const struct value_list *values, uint64_t n)
{
	uint64_t bytes = 0;
	for (const struct value *value = values->head; n > 0; value = value->next, n--)
		bytes += value->len;
	return bytes;
}

/* The oldest parked put with a delay is accepted, as far as there is room. Without memory it ends. */
static void accept_delayed(struct core *core, struct channel *channel, struct core_effects *effects)
{
	struct arm *arm = LIST_ITEM(channel->delayed_puts.next, struct arm, link);
	struct request *request = arm_request(arm);
	struct parked *parked = &request->parked;
	uint64_t n = channel_room(channel);
	if (n > parked->values.n)
		n = parked->values.n;
	uint64_t bytes = bytes_of_first(&parked->values, n);
	if (delayed_put_accept(core, channel, &parked->values, n, request_terms(request)->delay_ms, true) < 0) {
		park_complete(core, request, arm, STATUS_ERROR, effects)->error = ERROR_OVERLOADED;
		return;
	}
	parked->accepted += (uint32_t)n;
	parked->values_bytes -= bytes;
	once_enters(core, request);
	if (parked->values.n == 0)
		park_complete(core, request, arm, STATUS_OK, effects);
}

static bool can_refill(const struct channel *channel)
{
	return channel_parked_puts(channel) > 0 && channel_has_room(channel);
}

/* Returns what it costs, in values that are freed. */
static uint32_t refill_next(struct core *core, struct channel *channel, struct core_effects *effects)
{
	uint32_t n_before = channel_parked_puts(channel), n_delayed = channel->n_delayed;
	if (channel->n_delayed_puts > 0 && first_seq(&channel->delayed_puts) < first_seq(&channel->puts))
		accept_delayed(core, channel, effects);
	else
		channel_buffer_push(core, channel, parked_puts_pop(core, channel, effects));
	return 1 + (channel->n_delayed - n_delayed) + (channel_parked_puts(channel) < n_before ? ENTER_WORK : 0);
}

void channel_refill(struct core *core, struct channel *channel, struct core_effects *effects)
{
	while (!channel_is_refilling(channel) && can_refill(channel))
		refill_next(core, channel, effects);
}

/* -- In slices -- */

/* Whether all have entered for whom there is room. */
static bool go_on(struct core *core, struct channel *channel, struct core_effects *effects)
{
	while (can_refill(channel) && work_is_left(core))
		work_spend(core, refill_next(core, channel, effects));
	return !can_refill(channel);
}

void channel_refill_in_slices(struct core *core, struct channel *channel, struct core_effects *effects)
{
	if (channel_is_refilling(channel) || (!work_waits_for_departing(core) && go_on(core, channel, effects)))
		return;
	list_append(&core->refilling, &channel->in_refilling);
}

void refills_go_on(struct core *core, struct core_effects *effects)
{
	while (!list_is_empty(&core->refilling) && work_is_left(core)) {
		struct channel *channel = LIST_ITEM(core->refilling.next, struct channel, in_refilling);
		if (go_on(core, channel, effects))
			list_remove(&channel->in_refilling);
	}
}
