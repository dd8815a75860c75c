#include "tests/sim/durable_snapshot.h"

#include <check.h>

#include "daemon/core/tap.h"
#include "tests/sim/disk_model.h"

uint32_t snapshot_id_of(const struct value *value)
{
	uint32_t id = 0;
	for (uint32_t i = 0; i < value->len && value->bytes[i] != ' '; i++)
		id = id * 10 + (uint32_t)(value->bytes[i] - '0');
	return id;
}

/* `about`: what is not the value's own. */
static void add_value(struct snapshot_channel *into, const struct value *value, const struct value_origin *origin,
		      struct snapshot_value about)
{
	size_t at = into->n++;
	ck_assert_uint_lt(at, SNAPSHOT_VALUES);
	for (; at > 0 && into->values[at - 1].place > value->seq; at--)
		into->values[at] = into->values[at - 1];
	about.place = value->seq;
	about.id = snapshot_id_of(value);
	about.deliveries = value->deliveries;
	if (origin) {
		about.origin = origin->name[0];
		about.origin_deliveries = origin->deliveries;
		about.origin_reason = origin->reason;
	}
	into->values[at] = about;
}

static void add_channel(struct snapshot_channel *into, const struct channel *channel)
{
	into->channel = channel;
	into->last_place = channel->last_place;
	into->n = 0;
	struct store_cursor cursor = {channel->buffer.entered.head, 0};
	for (const struct value *value; (value = store_next(&channel->buffer, &cursor));)
		add_value(into, value, value->origin, (struct snapshot_value){0});
	for (const struct link *at = channel->leases.next; at != &channel->leases; at = at->next) {
		const struct lease *lease = LIST_ITEM(at, struct lease, in_channel);
		bool is_sticky = lease->is_sticky && lease->state == LEASE_HELD;
		for (const struct value *value = lease->values.head; value; value = value->next)
			add_value(into, value, value->origin,
				  (struct snapshot_value){.is_leased = true, .is_sticky = is_sticky});
	}
	for (const struct link *at = channel->dead_letters.next; at != &channel->dead_letters; at = at->next) {
		const struct request *request = LIST_ITEM(at, struct request, parked.in_connection);
		for (const struct value *value = request->parked.values.head; value; value = value->next)
			add_value(into, value, value->origin->before, (struct snapshot_value){.is_leased = true});
	}
	for (const struct link *at = channel->delayed.next; at != &channel->delayed; at = at->next) {
		const struct delayed_put *delayed = LIST_ITEM(at, struct delayed_put, in_channel);
		for (const struct value *value = delayed->values.head; value; value = value->next)
			add_value(into, value, value->origin,
				  (struct snapshot_value){
					  .is_leased = true, .is_delayed = true, .timer = delayed->timer});
	}
}

static void add_taps(struct snapshot_channel *into, const struct mult *mult)
{
	into->n_taps = 0;
	into->is_told = mult && mult->held && mult->is_told;
	for (const struct tap *tap = mult ? tap_first(mult) : NULL; tap; tap = tap_next(mult, tap))
		into->n_taps += tap_is_durable(tap);
	if (mult && mult->held)
		add_value(into, mult->held, mult->held->origin, (struct snapshot_value){.is_held = true});
}

size_t snapshot_take(const struct core *core, struct snapshot_channel *channels)
{
	size_t n = 0;
	for (struct channel *channel = NULL;
	     (channel = directory_after(&core->directory, channel ? channel_name(channel) : SLICE("")));) {
		if (!channel->number)
			continue;
		size_t at = n++;
		for (; at > 0 && channels[at - 1].channel->number > channel->number; at--)
			channels[at] = channels[at - 1];
		add_channel(&channels[at], channel);
		add_taps(&channels[at], channel->mult);
	}
	return n;
}

static struct snapshot_channel *find_channel(struct snapshot_channel *channels, size_t n, struct slice name)
{
	for (size_t i = 0; i < n; i++)
		if (slice_equal(channel_name(channels[i].channel), name))
			return &channels[i];
	return NULL;
}

/* A sliding channel sheds the oldest. */
static void shed(struct snapshot_channel *channel)
{
	const struct core_definition *definition = &channel->channel->definition;
	size_t n_buffered = 0;
	for (size_t i = 0; i < channel->n; i++)
		n_buffered += !channel->values[i].is_leased && !channel->values[i].is_held;
	for (size_t i = 0; definition->kind == KIND_SLIDING && n_buffered > definition->capacity; n_buffered--) {
		while (channel->values[i].is_leased || channel->values[i].is_held)
			i++;
		memmove(&channel->values[i], &channel->values[i + 1], (--channel->n - i) * sizeof(channel->values[0]));
	}
}

/* What the taps hold goes back if the journal knows of nobody who has it, or if they end with the daemon and somebody
 * has it is gone. */
static void restart_taps(struct snapshot_channel *channel)
{
	for (size_t i = 0; i < channel->n; i++) {
		struct snapshot_value *value = &channel->values[i];
		if (!value->is_held || (channel->is_told && channel->n_taps > 0))
			continue;
		value->is_held = false;
		if (channel->is_told)
			memmove(value, value + 1, (--channel->n - i) * sizeof(*value));
		return;
	}
}

/* What a restart makes of a channel: its leases end, but for sticky ones, and values may go to its dead letters. */
static void restart_channel(struct snapshot_channel *channels, size_t n, struct snapshot_channel *source)
{
	const struct core_definition *definition = &source->channel->definition;
	struct snapshot_channel *target = find_channel(channels, n, definition->dead_letter);
	bool is_possible = target && target != source && !target->channel->closed, is_waiting = false;
	restart_taps(source);
	for (size_t i = 0; i < source->n; i++) {
		struct snapshot_value *value = &source->values[i];
		if (!value->is_leased || value->is_sticky || value->is_delayed)
			continue;
		bool is_dead = definition->max_deliveries && value->deliveries >= definition->max_deliveries;
		value->is_leased = false;
		if (!is_dead || !is_possible)
			continue;
		if (is_waiting || target->n >= target->channel->definition.capacity) {
			is_waiting = value->is_leased = true;
			continue;
		}
		target->values[target->n++] = (struct snapshot_value){.place = ++target->last_place,
								      .id = value->id,
								      .origin = channel_name(source->channel).bytes[0],
								      .origin_deliveries = value->deliveries,
								      .origin_reason = REASON_DISCONNECTED};
		memmove(value, value + 1, (--source->n - i) * sizeof(*value));
		i--;
	}
	shed(source);
}

void snapshot_restart(struct snapshot_channel *channels, size_t n)
{
	for (size_t i = 0; i < n; i++)
		restart_channel(channels, n, &channels[i]);
}

/* -- Their sum -- */

static uint64_t mix(uint64_t sum, uint64_t number)
{
	uint64_t state = sum ^ number;
	return disk_model_random(&state);
}

/* In whatever order. */
static uint64_t sum_of_producers(const struct channel *channel)
{
	uint64_t sum = 0;
	for (const struct link *at = channel->producers.next; at != &channel->producers; at = at->next) {
		const struct producer *producer = LIST_ITEM(at, struct producer, in_channel);
		for (uint32_t i = 0; i < producer->n; i++) {
			const struct once_outcome *outcome = &producer->outcomes[i];
			uint64_t what = mix(outcome->seq, (uint64_t)producer->name[0] << 32 | outcome->accepted);
			sum += mix(what, (uint64_t)outcome->evicted << 2 | (uint64_t)outcome->is_part << 1 |
						 (outcome->status == STATUS_DROPPED));
		}
	}
	return sum;
}

/* In whatever order. */
static uint64_t sum_of_taps(const struct snapshot_channel *channel)
{
	const struct mult *mult = channel->channel->mult;
	bool is_promise = channel->channel->definition.kind == KIND_PROMISE;
	uint64_t sum = 0;
	for (const struct tap *tap = mult ? tap_first(mult) : NULL; tap; tap = tap_next(mult, tap)) {
		bool is_done = false;
		if (!tap_is_durable(tap))
			continue;
		for (size_t v = 0; v < channel->n; v++)
			is_done = is_done || (channel->values[v].place == tap->done_place &&
					      (channel->values[v].is_held || is_promise));
		sum += mix(0, tap->target->number << 8 | (uint64_t)tap->state << 4 | (uint64_t)is_done << 2 |
				      (uint64_t)tap->closes << 1 | (tap->match != NULL));
	}
	return sum;
}

uint64_t snapshot_sum(const struct snapshot_channel *channels, size_t n)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++) {
		const struct channel *channel = channels[i].channel;
		sum = mix(sum, channel->number << 32 | (uint64_t)channel->definition.kind << 8 | channel->closed);
		sum = mix(sum, channel->definition.capacity << 32 | channel->definition.max_deliveries);
		sum = mix(sum, (uint64_t)(unsigned char)channel->name[0]);
		sum += sum_of_producers(channel);
		sum = mix(sum, sum_of_taps(&channels[i]));
		for (size_t v = 0; v < channels[i].n; v++) {
			const struct snapshot_value *value = &channels[i].values[v];
			sum = mix(sum, value->id); /* in the order of the places */
			sum = mix(sum, (uint64_t)value->deliveries << 4 | (uint64_t)value->is_held << 3 |
					       (uint64_t)value->is_delayed << 2 | (uint64_t)value->is_leased << 1 |
					       value->is_sticky);
			sum = mix(sum, (uint64_t)value->origin_deliveries << 16 | (uint64_t)value->origin_reason << 8 |
					       (uint64_t)value->origin);
		}
	}
	return sum;
}
