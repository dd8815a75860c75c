/* A delayed put is accepted as any other: it takes its room, and its time begins. So those of one channel with the same
 * delay enter in the order in which they were accepted. A sliding channel always accepts, and sheds its oldest when the
 * values enter. */
#include "daemon/core/delayed_put.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/charge.h"
#include "daemon/core/checkpoint_place.h"
#include "daemon/core/parked_bytes.h"
#include "daemon/core/recorder.h"

/* The values are there: their time begins. In a place for a timer that was reserved. */
static void begin(struct core *core, struct delayed_put *delayed)
{
	struct channel *channel = delayed->channel;
	list_append(&channel->delayed, &delayed->in_channel);
	timers_add(&core->timers, &delayed->timer);
	channel->n_delayed += (uint32_t)delayed->values.n;
	core->n_delayed += delayed->values.n;
	lease_count(core, channel, delayed->values.n);
}

/* With a place for its timer. NULL: no memory. */
static struct delayed_put *prepare(struct core *core, struct channel *channel, uint64_t deadline_us)
{
	if (timers_reserve(&core->timers) < 0)
		return NULL;
	struct delayed_put *delayed = malloc(sizeof(*delayed));
	if (!delayed) {
		timers_unreserve(&core->timers);
		return NULL;
	}
	*delayed = (struct delayed_put){
		.channel = channel,
		.timer = {.kind = TIMER_DELAYED_PUT, .index = TIMER_NONE, .deadline_us = deadline_us}};
	core->parked_bytes += parked_bytes_of_delayed();
	return delayed;
}

int delayed_put_accept(struct core *core, struct channel *channel, struct value_list *values, size_t n,
		       uint64_t delay_ms, bool are_counted)
{
	assert(n > 0 && n <= values->n && delay_ms > 0);
	struct delayed_put *delayed = prepare(core, channel, core->now_us + delay_ms * 1000);
	if (!delayed)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct value *value = value_list_pop(values);
		if (!are_counted) {
			charge_add(core, channel, value);
			recorder_promise(core, channel, value);
		}
		recorder_delayed(core, channel, value, delayed->timer.deadline_us);
		value_list_push(&delayed->values, value);
	}
	channel->accepted += n;
	begin(core, delayed);
	return 0;
}

int delayed_put_again(struct core *core, struct channel *channel, struct value_list *values, uint64_t deadline_us)
{
	struct delayed_put *delayed = prepare(core, channel, deadline_us);
	if (!delayed)
		return -1;
	for (const struct value *value = values->head; value; value = value->next)
		recorder_promise(core, channel, value);
	delayed->values = *values;
	*values = (struct value_list){0};
	begin(core, delayed);
	return 0;
}

int delayed_put_now(struct core *core, struct channel *channel, struct value_list *values, uint64_t delay_ms,
		    struct put_outcome *outcome)
{
	uint64_t n = channel_admits(channel) ? channel_room(channel) : 0;
	if (n > values->n || channel->definition.kind == KIND_SLIDING)
		n = values->n;
	if (!parked_bytes_fit(core, parked_bytes_of_delayed()))
		return -1;
	if (n > 0 && delayed_put_accept(core, channel, values, n, delay_ms, false) < 0)
		return -1;
	outcome->accepted = n;
	if (channel->definition.kind == KIND_DROPPING) {
		outcome->dropped = values->n;
		channel->dropped += values->n;
		value_list_clear(values);
	}
	return 0;
}

struct value_list delayed_put_take_apart(struct core *core, struct delayed_put *delayed)
{
	struct value_list values = delayed->values;
	checkpoint_passes_delayed(&core->checkpoint, delayed);
	list_remove(&delayed->in_channel);
	timers_remove(&core->timers, &delayed->timer);
	core->parked_bytes -= parked_bytes_of_delayed();
	free(delayed);
	return values;
}

void delayed_puts_forget(struct core *core, struct channel *channel)
{
	core->n_delayed -= channel->n_delayed;
	channel->n_delayed = 0;
}
