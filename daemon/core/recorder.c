#include "daemon/core/recorder.h"

#include "daemon/core/checkpoint_place.h"
#include "daemon/core/groups.h"

enum {
	STEP_BYTES = 64 * 1024, /* of records that bring no value's bytes: those of a thousand values that leave */
};

/* NULL: nothing is recorded of what is in the channel, or not any more. */
static struct record_buffer *buffer_of(const struct core *core, const struct channel *channel)
{
	return channel->definition.durable && core->recorder && !channel->is_removed ? core->recorder->buffer : NULL;
}

/* Whether what becomes of the channel itself is recorded. */
static bool is_known(const struct core *core, const struct channel *channel)
{
	return channel->number && core->recorder;
}

/* In a cluster a record that names the group comes before those of its channels, in each batch. False: the group is
 * not this daemon's any more, and nothing of it may be recorded. */
static bool name_group(struct core *core, const struct channel *channel)
{
	struct groups *groups = &core->groups;
	const struct core_recorder *recorder = core->recorder;
	if (!channel->group || group_is_leaving(channel->group))
		return false;
	if (groups->recorded == channel->group && groups->recorded_batch == recorder->batch)
		return true;
	groups->recorded = channel->group;
	groups->recorded_batch = recorder->batch;
	record_write(recorder->buffer, &(struct record){.kind = RECORD_GROUP, .name = group_name(channel->group)});
	return true;
}

/* False: it may not be. */
static bool write_record(struct core *core, const struct channel *channel, const struct record *record)
{
	if (core->groups.are_there && !name_group(core, channel))
		return false;
	record_write(core->recorder->buffer, record);
	return true;
}

enum { HEAD_BYTES = RECORD_MAX_BYTES + UINT8_MAX /* with the name of its origin's channel */ };

static size_t bytes_of(const struct value *value)
{
	return HEAD_BYTES + value->len;
}

void recorder_begin(struct core *core, struct core_recorder *recorder)
{
	core->recorder = recorder;
	core->has_changed = false;
	if (recorder) {
		recorder->buffer->promised -= core->unpromised;
		core->unpromised = 0;
	}
	if (recorder && core->n_durable > 0)
		record_reserve(recorder->buffer, STEP_BYTES); /* without memory: see record_write() */
}

enum error recorder_admits(struct core *core, const struct channel *channel, const struct value *values,
			   size_t *reserved)
{
	struct record_buffer *buffer = buffer_of(core, channel);
	if (!buffer)
		return ERROR_NONE;
	if (core->recorder->is_full)
		return core->groups.are_there ? ERROR_OVERLOADED : ERROR_UNAVAILABLE;
	for (; values; values = values->next)
		*reserved += bytes_of(values) + RECORD_MAX_BYTES; /* on a sliding channel each evicts another */
	return record_reserve(buffer, *reserved + STEP_BYTES) < 0 ? ERROR_OVERLOADED : ERROR_NONE;
}

void recorder_promise(struct core *core, const struct channel *channel, const struct value *value)
{
	struct record_buffer *buffer = buffer_of(core, channel);
	if (buffer)
		buffer->promised += bytes_of(value);
}

void recorder_release(struct core *core, const struct channel *channel, const struct value *value)
{
	recorder_release_all(core, channel, 1, value->len);
}

void recorder_release_all(struct core *core, const struct channel *channel, size_t n, uint64_t bytes)
{
	if (!channel->definition.durable)
		return;
	uint64_t promised = n * HEAD_BYTES + bytes;
	if (core->recorder) /* else what was promised is freed between steps */
		core->recorder->buffer->promised -= promised;
	else
		core->unpromised += promised;
}

/* A deadline by wall clock. What is late, and has yet to happen, is due now. */
static uint64_t wall_ms_of(const struct core *core, uint64_t deadline_us)
{
	uint64_t left_us = deadline_us > core->now_us ? deadline_us - core->now_us : 0;
	return core->recorder->wall_ms + left_us / 1000;
}

/* A record that replies about the channel have to wait for. */
static void write_awaited(struct core *core, struct channel *channel, const struct record *record)
{
	if (!write_record(core, channel, record))
		return;
	channel->changed_in = core->changed_in = core->recorder->batch;
	core->has_changed = true;
}

/* -- Channels -- */

static struct record definition_record(const struct channel *channel, enum record_kind kind)
{
	const struct core_definition *definition = &channel->definition;
	return (struct record){
		.kind = kind,
		.channel = channel->number,
		.name = channel_name(channel),
		.channel_kind = definition->kind,
		.capacity = definition->capacity,
		.max_waiters = definition->max_waiters,
		.max_deliveries = definition->max_deliveries,
		.dead_letter = definition->dead_letter,
		.closed = channel->closed,
		.place = channel->last_place,
	};
}

static enum record_kind kind_of_definition(const struct channel *channel)
{
	return channel->definition.durable ? RECORD_CREATE : RECORD_DEFINE;
}

void recorder_create(struct core *core, struct channel *channel, bool is_clients)
{
	bool is_durable = channel->definition.durable;
	bool is_kept = channel->group && is_clients && !channel->definition.ephemeral;
	if (!core->recorder || (!is_durable && !is_kept))
		return;
	channel->number = ++*(channel->group ? &channel->group->last_number : &core->last_channel_number);
	core->n_durable += is_durable;
	struct record record = definition_record(channel, kind_of_definition(channel));
	write_awaited(core, channel, &record);
}

void recorder_alter(struct core *core, struct channel *channel)
{
	struct record record = definition_record(channel, RECORD_ALTER);
	if (is_known(core, channel))
		write_awaited(core, channel, &record);
}

void recorder_close(struct core *core, struct channel *channel)
{
	if (is_known(core, channel))
		write_awaited(core, channel, &(struct record){.kind = RECORD_CLOSE, .channel = channel->number});
}

void recorder_delete(struct core *core, struct channel *channel)
{
	if (!channel->number)
		return;
	core->n_durable -= channel->definition.durable;
	core->recorded_bytes -= channel->recorded_bytes;
	checkpoint_passes_channel(&core->checkpoint, channel);
	if (is_known(core, channel))
		write_awaited(core, channel, &(struct record){.kind = RECORD_DELETE, .channel = channel->number});
}

/* -- Values -- */

static struct record value_record(const struct core *core, const struct channel *channel, const struct value *value,
				  enum record_kind kind)
{
	const struct value_origin *origin = value->origin;
	struct record record = {
		.kind = kind,
		.channel = channel->number,
		.place = value->seq,
		.deliveries = value->deliveries,
		.value = {value->bytes, value->len},
	};
	if (origin) {
		record.origin = value_origin_channel(origin);
		record.origin_deliveries = origin->deliveries;
		record.origin_reason = origin->reason;
		record.origin_ms = core->recorder->wall_ms - (core->now_us - origin->since_us) / 1000;
	}
	return record;
}

static void write_value(struct core *core, struct channel *channel, struct value *value, enum record_kind kind)
{
	struct record record = value_record(core, channel, value, kind);
	write_awaited(core, channel, &record);
	recorder_count(core, channel, value);
	value->recorded_in = core->checkpoint.number + 1;
}

void recorder_count(struct core *core, struct channel *channel, const struct value *value)
{
	channel->recorded_bytes += bytes_of(value);
	core->recorded_bytes += bytes_of(value);
}

void recorder_put(struct core *core, struct channel *channel, struct value *value)
{
	if (buffer_of(core, channel))
		write_value(core, channel, value, RECORD_PUT);
}

void recorder_back(struct core *core, struct channel *channel, struct value *value)
{
	if (buffer_of(core, channel))
		write_value(core, channel, value, RECORD_BACK);
}

static void gone_from(struct core *core, struct channel *channel, const struct value *value, uint64_t place,
		      enum record_why why)
{
	if (!buffer_of(core, channel))
		return;
	write_awaited(core, channel,
		      &(struct record){.kind = RECORD_GONE, .channel = channel->number, .place = place, .why = why});
	channel->recorded_bytes -= bytes_of(value);
	core->recorded_bytes -= bytes_of(value);
}

void recorder_gone(struct core *core, struct channel *channel, const struct value *value, enum record_why why)
{
	if (value->recorded_in)
		gone_from(core, channel, value, value->seq, why);
}

void recorder_moved(struct core *core, struct channel *source, const struct value *value, uint64_t place,
		    struct channel *target, enum record_why why)
{
	gone_from(core, source, value, place, why);
	if (buffer_of(core, source))
		target->changed_in = core->recorder->batch;
}

/* Before a value moves that the checkpoint under way has yet to record. */
static void record_before_move(struct core *core, struct channel *channel, struct value *value)
{
	if (value->recorded_in == 0)
		recorder_put(core, channel, value);
	else
		recorder_put_again(core, channel, value);
}

void recorder_leased(struct core *core, struct channel *channel, struct value *value, const struct lease *lease)
{
	if (!buffer_of(core, channel))
		return;
	record_before_move(core, channel, value);
	struct record record = {.kind = RECORD_LEASED,
				.channel = channel->number,
				.place = value->seq,
				.deliveries = value->deliveries};
	if (lease->is_sticky && lease->state == LEASE_HELD) {
		record.token[0] = lease->token.words[0];
		record.token[1] = lease->token.words[1];
		record.deadline_ms = wall_ms_of(core, lease->timer.deadline_us);
	}
	write_record(core, channel, &record);
}

void recorder_dead_letter(struct core *core, struct channel *channel, struct value *value)
{
	if (!buffer_of(core, channel))
		return;
	/* Should it not enter there it is back with the origin that it had. */
	struct value_origin *origin = value->origin;
	value->origin = origin->before;
	record_before_move(core, channel, value);
	value->origin = origin;
	write_record(core, channel,
		     &(struct record){.kind = RECORD_LEASED,
				      .channel = channel->number,
				      .place = value->seq,
				      .deliveries = value->deliveries});
}

void recorder_held(struct core *core, struct channel *channel, struct value *value)
{
	if (buffer_of(core, channel))
		record_before_move(core, channel, value);
}

void recorder_unleased(struct core *core, struct channel *channel, struct value *value)
{
	if (!buffer_of(core, channel))
		return;
	record_before_move(core, channel, value);
	write_record(core, channel,
		     &(struct record){.kind = RECORD_UNLEASED,
				      .channel = channel->number,
				      .place = value->seq,
				      .deliveries = value->deliveries});
}

/* -- Delayed puts -- */

/* Nobody waits for what a checkpoint says. */
static void write_delayed(struct core *core, struct channel *channel, struct value *value, uint64_t due_us,
			  bool is_awaited)
{
	struct record record = value_record(core, channel, value, RECORD_PUT);
	record.due_ms = wall_ms_of(core, due_us + 999); /* never earlier */
	if (is_awaited)
		write_awaited(core, channel, &record);
	else
		write_record(core, channel, &record);
	value->recorded_in = core->checkpoint.number + 1;
}

void recorder_delayed(struct core *core, struct channel *channel, struct value *value, uint64_t due_us)
{
	if (!buffer_of(core, channel))
		return;
	value->seq = ++channel->last_place;
	write_delayed(core, channel, value, due_us, true);
	recorder_count(core, channel, value);
}

void recorder_delayed_again(struct core *core, struct channel *channel, struct value *value, uint64_t due_us)
{
	if (value->recorded_in <= core->checkpoint.number)
		write_delayed(core, channel, value, due_us, false);
}

void recorder_delay_ends(struct core *core, struct channel *channel, struct value *value)
{
	recorder_release(core, channel, value);
	recorder_gone(core, channel, value, RECORD_ENTERED);
	value->recorded_in = 0;
}

/* -- Once -- */

static struct record once_record(const struct producer *producer, uint64_t seq, uint64_t flags)
{
	return (struct record){.kind = RECORD_ONCE,
			       .channel = producer->channel->number,
			       .producer = {producer->name, producer->name_len},
			       .seq = seq,
			       .status = flags};
}

void recorder_once(struct core *core, const struct producer *producer, const struct once_outcome *outcome)
{
	uint64_t flags =
		(outcome->status == STATUS_DROPPED ? RECORD_ONCE_SHED : 0) | (outcome->is_part ? RECORD_ONCE_PART : 0);
	struct record record = once_record(producer, outcome->seq, flags);
	record.accepted = outcome->accepted;
	record.evicted = outcome->evicted;
	if (buffer_of(core, producer->channel))
		write_awaited(core, producer->channel, &record);
}

void recorder_forgets_number(struct core *core, const struct producer *producer, uint64_t seq)
{
	struct record record = once_record(producer, seq, RECORD_ONCE_FORGOTTEN);
	if (buffer_of(core, producer->channel))
		write_record(core, producer->channel, &record);
}

void recorder_forgets_producer(struct core *core, const struct producer *producer)
{
	struct record record = once_record(producer, 0, RECORD_ONCE_SILENT);
	if (buffer_of(core, producer->channel))
		write_record(core, producer->channel, &record);
}

/* -- Taps -- */

static struct record tap_record(const struct tap *tap, enum record_kind kind)
{
	return (struct record){
		.kind = kind,
		.channel = tap->mult->source->number,
		.target = tap->target->number,
		.match = tap->match ? tap->match->text : (struct slice){NULL, 0},
		.closes = tap->closes,
		.state = tap->state,
	};
}

void recorder_tap(struct core *core, const struct tap *tap)
{
	struct record record = tap_record(tap, RECORD_TAP);
	if (tap_is_durable(tap) && buffer_of(core, tap->mult->source))
		write_awaited(core, tap->mult->source, &record);
}

void recorder_untap(struct core *core, const struct tap *tap)
{
	struct record record = tap_record(tap, RECORD_UNTAP);
	if (tap_is_durable(tap) && buffer_of(core, tap->mult->source))
		write_awaited(core, tap->mult->source, &record);
}

void recorder_carried(struct core *core, const struct tap *tap, enum record_carried why)
{
	if (!tap_is_durable(tap) || !buffer_of(core, tap->mult->source))
		return;
	struct record record = tap_record(tap, RECORD_CARRIED);
	record.place = tap->done_place;
	record.status = why;
	write_awaited(core, tap->target, &record);
}

/* -- Checkpoints -- */

void recorder_channel_again(struct core *core, struct channel *channel)
{
	struct record record = definition_record(channel, kind_of_definition(channel));
	write_record(core, channel, &record);
}

void recorder_taps_again(struct core *core, const struct mult *mult)
{
	const struct value *value = mult->held ? mult->held : store_first(&mult->source->buffer); /* a promise's */
	if (mult->held && mult->is_told)
		write_record(core, mult->source,
			     &(struct record){.kind = RECORD_CARRIED,
					      .channel = mult->source->number,
					      .place = mult->held->seq,
					      .status = RECORD_CARRIED_ACCEPTED});
	for (const struct tap *tap = tap_first(mult); tap; tap = tap_next(mult, tap)) {
		struct record record = tap_record(tap, RECORD_TAP);
		if (!tap_is_durable(tap))
			continue;
		write_record(core, mult->source, &record);
		record.kind = RECORD_CARRIED;
		record.status = RECORD_CARRIED_PAST;
		record.place = tap->done_place;
		if (value && value->seq == tap->done_place)
			write_record(core, mult->source, &record);
	}
}

void recorder_put_again(struct core *core, struct channel *channel, struct value *value)
{
	if (value->recorded_in > core->checkpoint.number)
		return;
	struct record record = value_record(core, channel, value, RECORD_PUT);
	write_record(core, channel, &record);
	value->recorded_in = core->checkpoint.number + 1;
}

void recorder_lease_again(struct core *core, struct channel *channel, const struct lease *lease)
{
	for (struct value *value = lease->values.head; value; value = value->next)
		if (value->recorded_in <= core->checkpoint.number)
			recorder_leased(core, channel, value, lease);
}

void recorder_dead_letter_again(struct core *core, struct channel *channel, struct value *value)
{
	if (value->recorded_in <= core->checkpoint.number)
		recorder_dead_letter(core, channel, value);
}
