/* See the header. Worlds are small on purpose: few channels, few places, few milliseconds, so that everything meets
 * everything. */
#include "tests/sim/script.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "daemon/core/hash.h"

const char sim_names[SIM_CHANNELS + 1] = "abcdefgh";

struct maker {
	uint64_t random;
	const struct script *script;
	uint64_t id;
	uint32_t value;
	/* The world's temper: */
	uint64_t step_us;     /* how far the clock moves at most */
	uint32_t timeouts_ms; /* time-outs are shorter than this */
	bool puts_once;       /* some puts name a producer */
	uint32_t batches;     /* one in so many puts and takes is a batch */
};

static uint32_t below(struct maker *maker, uint32_t n)
{
	return random_below(&maker->random, n);
}

static bool one_in(struct maker *maker, uint32_t n)
{
	return below(maker, n) == 0;
}

static void make_limits(struct maker *maker, struct script *script)
{
	script->n_connections = 1 + (int)below(maker, SIM_CONNECTIONS);
	script->n_channels = 1 + (int)below(maker, SIM_CHANNELS);
	script->limits = (struct core_limits){
		.max_memory = one_in(maker, 4) ? 100 + below(maker, 900) : 1000000,
		.turn_work = one_in(maker, 2) ? 1 + below(maker, 8) : 0,
		.max_channels = one_in(maker, 8) ? 1 + below(maker, SIM_CHANNELS) : SIM_CHANNELS,
		.max_taps = one_in(maker, 4) ? 1 + below(maker, 4) : 100,
		.max_inflight = one_in(maker, 3) ? 1 + below(maker, 4) : 16,
		.max_waiters = one_in(maker, 3) ? 1 + below(maker, 6) : 100,
		.max_take_bytes = one_in(maker, 2) ? 5 + below(maker, 40) : 1000,
		.max_park_ms = one_in(maker, 4) ? 1 + below(maker, 10) : 0,
		.max_producers = 1000,
	};
	/* What is remembered of producers counts towards max_memory, and the model does not know how much that is. */
	maker->puts_once = script->limits.max_memory == 1000000 && one_in(maker, 2);
	static const uint64_t steps_us[] = {0, 500, 1000, 1000, 3000};
	maker->step_us = steps_us[below(maker, 5)];
	maker->timeouts_ms = one_in(maker, 2) ? 5 : 50;
	maker->batches = one_in(maker, 2) ? 3 : 20;
}

static void make_create(struct maker *maker, struct operation *o)
{
	struct core_definition *definition = &o->definition;
	definition->kind = below(maker, 3) ? below(maker, KIND_PROMISE) : below(maker, KIND_COUNT);
	switch (definition->kind) {
	case KIND_UNBUFFERED:
	case KIND_COUNT:
		break;
	case KIND_BOUNDED:
	case KIND_DROPPING:
	case KIND_SLIDING:
		definition->capacity = 1 + below(maker, 3);
		break;
	case KIND_PROMISE:
		definition->capacity = 1;
	}
	if (one_in(maker, 8))
		definition->max_waiters = 1 + below(maker, 5);
	if (o->connection >= 0)
		definition->ephemeral = one_in(maker, 8);
	if (definition->kind != KIND_PROMISE && one_in(maker, 2)) {
		definition->max_deliveries = 1 + below(maker, 3);
		definition->dead_letter =
			(struct slice){&sim_names[below(maker, (uint32_t)maker->script->n_channels)], 1};
	}
}

static void make_lease(struct maker *maker, struct operation *o)
{
	if (!one_in(maker, 3))
		return;
	o->lease_ms = 1 + below(maker, maker->timeouts_ms);
	o->sticky = one_in(maker, 4);
}

static int any_channel(struct maker *maker)
{
	return (int)below(maker, (uint32_t)maker->script->n_channels);
}

/* The channel to which the last batch was put: some of it may be parked there. */
static int channel_of_last_batch(const struct maker *maker, const struct operation *o)
{
	const struct operation *before = o;
	while (before > maker->script->operations)
		if ((--before)->op == CORE_PUT && before->n_values > 1)
			return before->channel;
	return o->channel;
}

static void make_alter(struct maker *maker, struct operation *o)
{
	make_create(maker, o);
	if (one_in(maker, 2))
		o->channel = channel_of_last_batch(maker, o);
	if (o->definition.capacity && o->definition.kind != KIND_PROMISE && one_in(maker, 2))
		o->definition.capacity += below(maker, 12); /* many puts may enter at once */
	o->keeps_kind = !one_in(maker, 8);
}

static void make_tap(struct maker *maker, struct operation *o)
{
	o->to = any_channel(maker);
	o->closes = !one_in(maker, 3);
	o->state = one_in(maker, 2) ? CORE_TAP_RUN : (enum core_tap_state)below(maker, CORE_TAP_STATES);
	o->match = one_in(maker, 4) ? 1 + (int)below(maker, 2) : 0;
}

static void make_untap(struct maker *maker, struct operation *o)
{
	o->to = any_channel(maker);
}

static void make_delete(struct maker *maker, struct operation *o)
{
	o->force = !one_in(maker, 4);
}

static void make_put(struct maker *maker, struct operation *o)
{
	o->batch = one_in(maker, maker->batches);
	o->n_values = o->batch ? 1 + below(maker, SIM_VALUES) : 1;
	for (uint32_t i = 0; i < o->n_values; i++)
		o->values[i] = ++maker->value;
	o->delay_ms = one_in(maker, 6) ? below(maker, maker->timeouts_ms) : 0;
	if (maker->puts_once && one_in(maker, 2)) {
		o->producer = 1 + (int)below(maker, 2);
		o->seq = below(maker, 60);
	}
}

static void make_move(struct maker *maker, struct operation *o)
{
	o->to = one_in(maker, 2) ? any_channel(maker) : -1;
	o->max = 1 + below(maker, 8);
}

static void make_take(struct maker *maker, struct operation *o)
{
	o->batch = one_in(maker, maker->batches);
	o->max = o->batch ? 1 + below(maker, 8) : 1;
	o->count = !o->batch && one_in(maker, 4) ? 1 + below(maker, 12) : 0;
	make_lease(maker, o);
}

static void make_alts(struct maker *maker, struct operation *o)
{
	o->channel = -1;
	o->n_arms = 1 + below(maker, one_in(maker, 3) ? SIM_ARMS : 3);
	o->priority = one_in(maker, 2);
	for (uint32_t i = 0; i < o->n_arms; i++) {
		o->arms[i].channel = any_channel(maker);
		o->arms[i].value = one_in(maker, 2) ? ++maker->value : 0;
	}
	make_lease(maker, o);
}

/* The id of one of this connection's last requests, or of another's: then it names nothing, or the wrong thing. */
static uint64_t pick_earlier(struct maker *maker, const struct operation *o)
{
	size_t back = 1 + below(maker, 40), index = (size_t)(o - maker->script->operations);
	bool anybodys = one_in(maker, 8);
	for (; back <= index; back++) {
		const struct operation *before = o - back;
		if (before->id == CORE_NO_ID)
			continue;
		if (anybodys ||
		    (before->connection == o->connection && before->op >= CORE_PUT && before->op <= CORE_ALTS))
			return before->id;
	}
	return o->id;
}

/* An ack, a nack or an extend. */
static void make_settle(struct maker *maker, struct operation *o)
{
	o->channel = -1;
	o->lease_back = below(maker, 12);
	o->delay_ms = one_in(maker, 2) ? below(maker, maker->timeouts_ms) : 0;
	o->lease_ms = 1 + below(maker, maker->timeouts_ms);
	o->is_uncounted = one_in(maker, 3);
}

static void make_cancel(struct maker *maker, struct operation *o)
{
	o->channel = -1;
	o->cancel_id = pick_earlier(maker, o);
}

static void make_tick(struct maker *maker, struct operation *o)
{
	o->unsent = one_in(maker, 3) ? below(maker, 100) : 0;
	o->pauses = one_in(maker, 2);
	o->keeps = one_in(maker, 2);
	o->sends = !o->keeps;
	o->channel = -1;
}

/* What only its connection is asked. */
static void make_without_channel(struct maker *maker, struct operation *o)
{
	(void)maker;
	o->channel = -1;
}

/* What scripts have: how often, of 1000, and with which details. In this order a seed picks them. */
static const struct op_kind {
	enum core_op op;
	uint32_t weight;
	void (*make)(struct maker *maker, struct operation *o); /* NULL: it has a channel, and no more */
} op_kinds[] = {
	{CORE_PUT, 192, make_put},
	{CORE_TAKE, 212, make_take},
	{CORE_ALTS, 188, make_alts},
	{CORE_CANCEL, 70, make_cancel},
	{CORE_CREATE, 70, make_create},
	{CORE_DELETE, 10, make_delete},
	{CORE_CLOSE, 4, NULL},
	{CORE_DISCONNECT, 6, make_without_channel},
	{CORE_TICK, 20, make_tick},
	{CORE_RESUME, 10, make_without_channel},
	{CORE_ACK, 50, make_settle},
	{CORE_NACK, 60, make_settle},
	{CORE_EXTEND, 20, make_settle},
	{CORE_HANG_UP, 3, make_without_channel},
	{CORE_ABANDON, 1, make_without_channel},
	{CORE_ALTER, 24, make_alter},
	{CORE_TAP, 30, make_tap},
	{CORE_UNTAP, 10, make_untap},
	{CORE_MOVE, 20, make_move},
};

static enum core_op pick_op(struct maker *maker)
{
	uint32_t at = below(maker, 1000), i = 0;
	for (; at >= op_kinds[i].weight; i++)
		at -= op_kinds[i].weight;
	return op_kinds[i].op;
}

static void make_details(struct maker *maker, struct operation *o)
{
	const struct op_kind *kind = op_kinds;
	while (kind->op != o->op)
		kind++;
	if (kind->make)
		kind->make(maker, o);
}

static void make_operation(struct maker *maker, struct operation *o, size_t index)
{
	const struct script *script = maker->script;
	*o = (struct operation){
		.op = pick_op(maker),
		.connection = (int)below(maker, (uint32_t)script->n_connections),
		.channel = (int)below(maker, (uint32_t)script->n_channels),
		.id = ++maker->id,
		.later_us =
			one_in(maker, 2) && maker->step_us ? below(maker, (uint32_t)maker->step_us / 500 + 1) * 500 : 0,
		.has_timeout = one_in(maker, 2),
		.timeout_ms = one_in(maker, 6) ? 0 : below(maker, maker->timeouts_ms),
	};
	if (index < (size_t)script->n_channels) {
		o->op = CORE_CREATE;
		o->channel = (int)index;
	}
	if (o->op == CORE_ABANDON || ((o->op == CORE_CREATE || o->op == CORE_CLOSE || o->op == CORE_DELETE ||
				       o->op == CORE_ALTER || o->op == CORE_TAP || o->op == CORE_UNTAP) &&
				      one_in(maker, 10)))
		o->connection = -1;
	if (o->connection < 0)
		o->id = 0;
	else if (one_in(maker, 50))
		o->id = pick_earlier(maker, o); /* may be in use */
	else if (o->op == CORE_PUT && one_in(maker, 8))
		o->id = CORE_NO_ID;
	make_details(maker, o);
}

struct script *script_create(uint64_t seed, size_t n)
{
	struct script *script = calloc(1, sizeof(*script));
	struct operation *operations = calloc(n, sizeof(*operations));
	if (!script || !operations)
		abort();
	*script = (struct script){.seed = seed, .n = n, .operations = operations};
	struct maker maker = {.random = seed, .script = script};
	make_limits(&maker, script);
	for (size_t i = 0; i < n; i++)
		make_operation(&maker, &operations[i], i);
	return script;
}

void script_destroy(struct script *script)
{
	if (!script)
		return;
	free(script->operations);
	free(script);
}

int sim_match_of(uint32_t number)
{
	return 1 + (int)(number % 2);
}

static bool accepts(const struct core_match *match, struct slice value)
{
	uint32_t number = 0;
	for (size_t i = 0; i < value.len && value.bytes[i] >= '0' && value.bytes[i] <= '9'; i++)
		number = number * 10 + (uint32_t)(value.bytes[i] - '0');
	return match == sim_match(sim_match_of(number));
}

static void keep_match(struct core_match *match)
{
	(void)match;
}

struct core_match *sim_match(int which)
{
	static struct core_match matches[] = {{accepts, keep_match, {NULL, 0}, 100},
					      {accepts, keep_match, {NULL, 0}, 200}};
	return which ? &matches[which - 1] : NULL;
}

size_t value_text(uint32_t number, char text[SIM_VALUE_TEXT])
{
	int n = snprintf(text, SIM_VALUE_TEXT, "%" PRIu32 "%.*s", number, (int)(number % 7), "......");
	assert(n > 0 && n < SIM_VALUE_TEXT);
	return (size_t)n;
}

uint32_t value_number(const struct value *value)
{
	char digits[SIM_VALUE_TEXT], text[SIM_VALUE_TEXT];
	if (value->len >= sizeof(digits))
		return 0;
	memcpy(digits, value->bytes, value->len);
	digits[value->len] = '\0';
	uint32_t number = (uint32_t)strtoul(digits, NULL, 10);
	size_t len = value_text(number, text);
	return len == value->len && memcmp(text, value->bytes, len) == 0 ? number : 0;
}
