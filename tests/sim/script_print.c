/* Scripts for people. */
#include "tests/sim/script.h"

#include <assert.h>
#include <inttypes.h>

static void print_timeout(const struct operation *o, FILE *to)
{
	if (o->has_timeout)
		fprintf(to, " timeout %" PRIu64, o->timeout_ms);
	if (o->lease_ms)
		fprintf(to, " lease %" PRIu64 "%s", o->lease_ms, o->sticky ? " sticky" : "");
}

static void print_tick(const struct operation *o, FILE *to)
{
	fprintf(to, "tick unsent %" PRIu64 "%s%s", o->unsent, o->pauses ? " pauses" : "",
		o->keeps ? " keeps" : " sends");
}

/* And an alter. */
static void print_create(const struct operation *o, FILE *to)
{
	fprintf(to, "%s %c %s %" PRIu64 "%s", o->op == CORE_CREATE ? "create" : "alter", 'a' + o->channel,
		o->keeps_kind ? "its kind" : channel_kind_name(o->definition.kind), o->definition.capacity,
		o->definition.ephemeral ? " ephemeral" : "");
	if (o->definition.max_waiters)
		fprintf(to, " waiters %" PRIu32, o->definition.max_waiters);
	if (o->definition.max_deliveries)
		fprintf(to, " dead %" PRIu32 " %c", o->definition.max_deliveries, o->definition.dead_letter.bytes[0]);
}

static void print_tap(const struct operation *o, FILE *to)
{
	fprintf(to, "tap %c %c %s%s", 'a' + o->channel, 'a' + o->to, core_tap_state_name(o->state),
		o->closes ? "" : " stays");
	if (o->match)
		fprintf(to, " match %d", o->match);
}

static void print_untap(const struct operation *o, FILE *to)
{
	fprintf(to, "untap %c %c", 'a' + o->channel, 'a' + o->to);
}

static void print_close(const struct operation *o, FILE *to)
{
	fprintf(to, "close %c", 'a' + o->channel);
}

static void print_delete(const struct operation *o, FILE *to)
{
	fprintf(to, "delete %c%s", 'a' + o->channel, o->force ? " force" : "");
}

static void print_put(const struct operation *o, FILE *to)
{
	fprintf(to, "%s %c", o->batch ? "puts" : "put", 'a' + o->channel);
	for (uint32_t i = 0; i < o->n_values; i++)
		fprintf(to, " %" PRIu32, o->values[i]);
	if (o->delay_ms)
		fprintf(to, " delay %" PRIu64, o->delay_ms);
	print_timeout(o, to);
	if (o->producer)
		fprintf(to, " once %d %" PRIu64, o->producer, o->seq);
}

static void print_take(const struct operation *o, FILE *to)
{
	fprintf(to, "take %c", 'a' + o->channel);
	if (o->batch)
		fprintf(to, " max %" PRIu32, o->max);
	if (o->count)
		fprintf(to, " count %" PRIu32, o->count);
	print_timeout(o, to);
}

static void print_alts(const struct operation *o, FILE *to)
{
	fprintf(to, "alts%s", o->priority ? " priority" : "");
	for (uint32_t i = 0; i < o->n_arms; i++) {
		fprintf(to, " %s:%c", o->arms[i].value ? "put" : "take", 'a' + o->arms[i].channel);
		if (o->arms[i].value)
			fprintf(to, "=%" PRIu32, o->arms[i].value);
	}
	print_timeout(o, to);
}

static void print_move(const struct operation *o, FILE *to)
{
	fprintf(to, "move %c to %c max %" PRIu32, 'a' + o->channel, o->to < 0 ? '-' : 'a' + o->to, o->max);
}

static void print_cancel(const struct operation *o, FILE *to)
{
	fprintf(to, "cancel %" PRIu64, o->cancel_id);
}

static void print_ack(const struct operation *o, FILE *to)
{
	fprintf(to, "ack -%" PRIu32, o->lease_back);
}

static void print_nack(const struct operation *o, FILE *to)
{
	fprintf(to, "nack -%" PRIu32 " delay %" PRIu64 "%s", o->lease_back, o->delay_ms,
		o->is_uncounted ? " uncounted" : "");
}

static void print_extend(const struct operation *o, FILE *to)
{
	fprintf(to, "extend -%" PRIu32 " %" PRIu64, o->lease_back, o->lease_ms);
}

static void print_details(const struct operation *o, FILE *to)
{
	static const struct {
		const char *text; /* all that there is to say; NULL: print() says it */
		void (*print)(const struct operation *o, FILE *to);
	} ops[CORE_OP_COUNT] = {
		[CORE_TICK] = {NULL, print_tick},     [CORE_DISCONNECT] = {"leaves", NULL},
		[CORE_HANG_UP] = {"hangs up", NULL},  [CORE_ABANDON] = {"abandon", NULL},
		[CORE_RESUME] = {"resumes", NULL},    [CORE_CREATE] = {NULL, print_create},
		[CORE_ALTER] = {NULL, print_create},  [CORE_TAP] = {NULL, print_tap},
		[CORE_UNTAP] = {NULL, print_untap},   [CORE_CLOSE] = {NULL, print_close},
		[CORE_DELETE] = {NULL, print_delete}, [CORE_PUT] = {NULL, print_put},
		[CORE_TAKE] = {NULL, print_take},     [CORE_ALTS] = {NULL, print_alts},
		[CORE_MOVE] = {NULL, print_move},     [CORE_CANCEL] = {NULL, print_cancel},
		[CORE_ACK] = {NULL, print_ack},       [CORE_NACK] = {NULL, print_nack},
		[CORE_EXTEND] = {NULL, print_extend},
	};
	if (ops[o->op].text) {
		fputs(ops[o->op].text, to);
		return;
	}
	assert(ops[o->op].print); /* scripts have no others */
	ops[o->op].print(o, to);
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
