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
	if (definition->kind != KIND_PROMISE && one_in(maker, 3)) {
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

static void make_alts(struct maker *maker, struct operation *o)
{
	o->channel = -1;
	o->n_arms = 1 + below(maker, one_in(maker, 3) ? SIM_ARMS : 3);
	o->priority = one_in(maker, 2);
	for (uint32_t i = 0; i < o->n_arms; i++) {
		o->arms[i].channel = (int)below(maker, (uint32_t)maker->script->n_channels);
		o->arms[i].value = one_in(maker, 2) ? ++maker->value : 0;
	}
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

static enum core_op pick_op(struct maker *maker)
{
	static const struct {
		enum core_op op;
		uint32_t weight;
	} weights[] = {{CORE_PUT, 192},   {CORE_TAKE, 220}, {CORE_ALTS, 196},     {CORE_CANCEL, 70}, {CORE_CREATE, 70},
		       {CORE_DELETE, 10}, {CORE_CLOSE, 4},  {CORE_DISCONNECT, 6}, {CORE_TICK, 20},   {CORE_RESUME, 10},
		       {CORE_ACK, 50},    {CORE_NACK, 60},  {CORE_EXTEND, 20},    {CORE_HANG_UP, 3}, {CORE_ABANDON, 1},
		       {CORE_ALTER, 8},   {CORE_TAP, 30},   {CORE_UNTAP, 10},     {CORE_MOVE, 20}};
	uint32_t at = below(maker, 1000), i = 0;
	for (; at >= weights[i].weight; i++)
		at -= weights[i].weight;
	return weights[i].op;
}

static void make_details(struct maker *maker, struct operation *o)
{
	switch (o->op) {
	case CORE_CREATE:
		make_create(maker, o);
		break;
	case CORE_ALTER:
		make_create(maker, o);
		o->keeps_kind = !one_in(maker, 8);
		break;
	case CORE_TAP:
		o->to = (int)below(maker, (uint32_t)maker->script->n_channels);
		o->closes = !one_in(maker, 3);
		o->state = one_in(maker, 2) ? CORE_TAP_RUN : (enum core_tap_state)below(maker, CORE_TAP_STATES);
		o->match = one_in(maker, 4) ? 1 + (int)below(maker, 2) : 0;
		break;
	case CORE_UNTAP:
		o->to = (int)below(maker, (uint32_t)maker->script->n_channels);
		break;
	case CORE_DELETE:
		o->force = !one_in(maker, 4);
		break;
	case CORE_PUT:
		o->batch = one_in(maker, maker->batches);
		o->n_values = o->batch ? 1 + below(maker, SIM_VALUES) : 1;
		for (uint32_t i = 0; i < o->n_values; i++)
			o->values[i] = ++maker->value;
		o->delay_ms = one_in(maker, 6) ? below(maker, maker->timeouts_ms) : 0;
		if (maker->puts_once && one_in(maker, 2)) {
			o->producer = 1 + (int)below(maker, 2);
			o->seq = below(maker, 60);
		}
		break;
	case CORE_MOVE:
		o->to = one_in(maker, 2) ? (int)below(maker, (uint32_t)maker->script->n_channels) : -1;
		o->max = 1 + below(maker, 8);
		break;
	case CORE_TAKE:
		o->batch = one_in(maker, maker->batches);
		o->max = o->batch ? 1 + below(maker, 8) : 1;
		o->count = !o->batch && one_in(maker, 4) ? 1 + below(maker, 12) : 0;
		make_lease(maker, o);
		break;
	case CORE_ALTS:
		make_alts(maker, o);
		make_lease(maker, o);
		break;
	case CORE_ACK:
	case CORE_NACK:
	case CORE_EXTEND:
		o->channel = -1;
		o->lease_back = below(maker, 12);
		o->delay_ms = one_in(maker, 2) ? below(maker, maker->timeouts_ms) : 0;
		o->lease_ms = 1 + below(maker, maker->timeouts_ms);
		o->is_uncounted = one_in(maker, 3);
		break;
	case CORE_CANCEL:
		o->channel = -1;
		o->cancel_id = pick_earlier(maker, o);
		break;
	case CORE_TICK:
		o->unsent = one_in(maker, 3) ? below(maker, 100) : 0;
		o->pauses = one_in(maker, 2);
		o->keeps = one_in(maker, 2);
		o->sends = !o->keeps;
		o->channel = -1;
		break;
	case CORE_DISCONNECT:
	case CORE_HANG_UP:
	case CORE_ABANDON:
	case CORE_RESUME:
		o->channel = -1;
		break;
	case CORE_CLOSE:
		break;
	case CORE_PAUSE: /* comes with a tick; scripts have none of the others */
	case CORE_CONNECT:
	case CORE_SET_LIMITS:
	case CORE_SET_QUOTA:
	case CORE_JOIN_QUOTA:
	case CORE_RESTORE:
	case CORE_CHECKPOINT:
	case CORE_REVOKE:
	case CORE_JOIN_CLUSTER:
	case CORE_ADOPT:
	case CORE_SERVE:
	case CORE_RELEASE:
	case CORE_DRAIN:
	case CORE_OP_COUNT:
		break;
	}
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
	static struct core_match matches[] = {{accepts, keep_match, {NULL, 0}}, {accepts, keep_match, {NULL, 0}}};
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

/* -- For people -- */

static void print_timeout(const struct operation *o, FILE *to)
{
	if (o->has_timeout)
		fprintf(to, " timeout %" PRIu64, o->timeout_ms);
	if (o->lease_ms)
		fprintf(to, " lease %" PRIu64 "%s", o->lease_ms, o->sticky ? " sticky" : "");
}

static void print_details(const struct operation *o, FILE *to)
{
	switch (o->op) {
	case CORE_TICK:
		fprintf(to, "tick unsent %" PRIu64 "%s%s", o->unsent, o->pauses ? " pauses" : "",
			o->keeps ? " keeps" : " sends");
		break;
	case CORE_DISCONNECT:
		fputs("leaves", to);
		break;
	case CORE_CREATE:
	case CORE_ALTER:
		fprintf(to, "%s %c %s %" PRIu64 "%s", o->op == CORE_CREATE ? "create" : "alter", 'a' + o->channel,
			o->keeps_kind ? "its kind" : channel_kind_name(o->definition.kind), o->definition.capacity,
			o->definition.ephemeral ? " ephemeral" : "");
		if (o->definition.max_waiters)
			fprintf(to, " waiters %" PRIu32, o->definition.max_waiters);
		if (o->definition.max_deliveries)
			fprintf(to, " dead %" PRIu32 " %c", o->definition.max_deliveries,
				o->definition.dead_letter.bytes[0]);
		break;
	case CORE_TAP:
		fprintf(to, "tap %c %c %s%s", 'a' + o->channel, 'a' + o->to, core_tap_state_name(o->state),
			o->closes ? "" : " stays");
		if (o->match)
			fprintf(to, " match %d", o->match);
		break;
	case CORE_UNTAP:
		fprintf(to, "untap %c %c", 'a' + o->channel, 'a' + o->to);
		break;
	case CORE_CLOSE:
		fprintf(to, "close %c", 'a' + o->channel);
		break;
	case CORE_DELETE:
		fprintf(to, "delete %c%s", 'a' + o->channel, o->force ? " force" : "");
		break;
	case CORE_PUT:
		fprintf(to, "%s %c", o->batch ? "puts" : "put", 'a' + o->channel);
		for (uint32_t i = 0; i < o->n_values; i++)
			fprintf(to, " %" PRIu32, o->values[i]);
		if (o->delay_ms)
			fprintf(to, " delay %" PRIu64, o->delay_ms);
		print_timeout(o, to);
		if (o->producer)
			fprintf(to, " once %d %" PRIu64, o->producer, o->seq);
		break;
	case CORE_TAKE:
		fprintf(to, "take %c", 'a' + o->channel);
		if (o->batch)
			fprintf(to, " max %" PRIu32, o->max);
		if (o->count)
			fprintf(to, " count %" PRIu32, o->count);
		print_timeout(o, to);
		break;
	case CORE_ALTS:
		fprintf(to, "alts%s", o->priority ? " priority" : "");
		for (uint32_t i = 0; i < o->n_arms; i++) {
			fprintf(to, " %s:%c", o->arms[i].value ? "put" : "take", 'a' + o->arms[i].channel);
			if (o->arms[i].value)
				fprintf(to, "=%" PRIu32, o->arms[i].value);
		}
		print_timeout(o, to);
		break;
	case CORE_MOVE:
		fprintf(to, "move %c to %c max %" PRIu32, 'a' + o->channel, o->to < 0 ? '-' : 'a' + o->to, o->max);
		break;
	case CORE_CANCEL:
		fprintf(to, "cancel %" PRIu64, o->cancel_id);
		break;
	case CORE_RESUME:
		fputs("resumes", to);
		break;
	case CORE_HANG_UP:
		fputs("hangs up", to);
		break;
	case CORE_ABANDON:
		fputs("abandon", to);
		break;
	case CORE_ACK:
		fprintf(to, "ack -%" PRIu32, o->lease_back);
		break;
	case CORE_NACK:
		fprintf(to, "nack -%" PRIu32 " delay %" PRIu64 "%s", o->lease_back, o->delay_ms,
			o->is_uncounted ? " uncounted" : "");
		break;
	case CORE_EXTEND:
		fprintf(to, "extend -%" PRIu32 " %" PRIu64, o->lease_back, o->lease_ms);
		break;
	case CORE_PAUSE: /* comes with a tick; scripts have none of the others */
	case CORE_CONNECT:
	case CORE_SET_LIMITS:
	case CORE_SET_QUOTA:
	case CORE_JOIN_QUOTA:
	case CORE_RESTORE:
	case CORE_CHECKPOINT:
	case CORE_REVOKE:
	case CORE_JOIN_CLUSTER:
	case CORE_ADOPT:
	case CORE_SERVE:
	case CORE_RELEASE:
	case CORE_DRAIN:
	case CORE_OP_COUNT:
		break;
	}
}

void script_print(const struct script *script, FILE *to)
{
	const struct core_limits *limits = &script->limits;
	fprintf(to,
		"limits: memory %" PRIu64 " channels %u inflight %u waiters %u take_bytes %u park_ms %" PRIu64
		" work %u\n",
		limits->max_memory, limits->max_channels, limits->max_inflight, limits->max_waiters,
		limits->max_take_bytes, limits->max_park_ms, limits->turn_work);
	uint64_t now_us = 0;
	for (size_t i = 0; i < script->n; i++) {
		const struct operation *o = &script->operations[i];
		now_us += o->later_us;
		fprintf(to, "%4zu  %6" PRIu64 " us  ", i, now_us);
		if (o->connection >= 0 && o->id == CORE_NO_ID)
			fprintf(to, "%c ", 'a' + o->connection);
		else if (o->connection >= 0)
			fprintf(to, "%c%" PRIu64 " ", 'a' + o->connection, o->id);
		else
			fputs("-  ", to);
		print_details(o, to);
		fputc('\n', to);
	}
}
