/* The core with its journal on a simulated disk: clients put, take, lease, ack and go; channels are created, altered,
 * closed and deleted; checkpoints run; the disk fails and fills up. Before every call that changes the disk, the power
 * goes on a copy of it, and another core is restored from that. It must be the one that there was after some batch, not
 * older than what was committed; and nothing of what clients were told may be undone:
 *
 * - whose put was answered is in its channel, unless it was taken, evicted, dead-lettered or discarded since,
 * - whose value was given plainly, or acked, is gone for good,
 * - what a lease or a peek has shown is there,
 * - what producers have put is known, and how many values of it have entered,
 * - a delayed put enters when it would have, or at once if that has passed, in the order of the delays' ends,
 * - what taps carry between durable channels is neither lost nor doubled.
 *
 * A third of the worlds has no taps. In another third taps are made once, and neither moves nor dead letters bring a
 * value to a channel by a second way: there it is known where each value has to be. In the others everything happens.
 *
 * The mutations take away the gate, or the order of replies behind it. MILLRACE_CUTS says how many cuts (100,000 if
 * nothing does), MILLRACE_SEED=n begins with that seed. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/state.h"
#include "daemon/core/tap.h"
#include "daemon/journal/recovery.h"
#include "tests/lib/suite.h"
#include "tests/sim/carrier_model.h"
#include "tests/sim/disk_model.h"
#include "tests/sim/worlds.h"

enum {
	SEGMENT = 8 * JOURNAL_BLOCK,
	CONNECTIONS = 3,
	CHANNELS = 6,
	IDS = 4000, /* values of a world */
	REQUESTS = 4000,
	TOKENS = 12,
	HISTORY = 8192,
	STEPS_A_LIFE = 220,
	LIVES_A_WORLD = 8,
	QUEUED = 256,
	TOLD_VALUES = 8,
	SNAPSHOT = 400,
};

enum mutation { NO_MUTATION, WITHOUT_GATE, WITHOUT_ORDER };

enum world_kind { WITHOUT_TAPS, WITH_FIXED_TAPS, WILD, WORLD_KINDS };

struct value_facts {
	uint64_t first_born; /* the batch in which it was first seen in a channel; 0: never */
	uint64_t born;       /* and last */
	uint64_t shown_born; /* when it was shown: that of the time */
	bool is_present, told_put;
	uint8_t told_gone; /* of which channels it was given for good: a bit each */
	uint64_t gone_in;  /* the last batch in which that was */
	uint64_t born_in_b, born_in_d;
	uint64_t due_us;    /* of a delayed put, while it is one */
	bool was_handed_on; /* taken in the step in which it was put: the journal never knew it */
};

struct request_facts {
	uint32_t first_id, n_ids; /* of a put */
	int token;                /* of an ack: -1: none */
};

struct token_facts {
	struct core_token token;
	uint32_t ids[TOLD_VALUES], n_ids;
	uint8_t channel; /* its bit */
};

struct held_reply { /* what a client will be told */
	uint64_t after_batch;
	struct core_unsent unsent;
	bool has_unsent;
	uint32_t put_first, n_put, shown[TOLD_VALUES], n_shown, gone[TOLD_VALUES], n_gone;
	uint64_t shown_born[TOLD_VALUES];
	uint8_t gone_of, shown_of; /* the bits of the channels */
	uint64_t gone_in;
	bool has_lease;
	struct core_token lease;
};

struct client {
	struct core_connection *connection;
	struct held_reply held[QUEUED];
	size_t n_held;
};

struct seen {
	uint64_t cuts, between, checkpoints, told_puts, told_gone, told_shown, values, full, dead_letters, returned,
		delayed, moved, duplicates, held, slices;
};

struct world {
	struct carrier_model carrier;
	struct disk_model disk, copy;
	struct log log;
	struct journal journal;
	struct core *core;
	struct core_recorder recorder;
	struct client clients[CONNECTIONS];
	enum mutation mutation;
	enum world_kind kind;
	uint64_t random, cut_random, now_us, n_ids, n_requests;
	struct value_facts ids[IDS];
	struct request_facts requests[REQUESTS];
	struct token_facts tokens[TOKENS];
	size_t n_tokens;
	uint64_t history[HISTORY], low, high;
	bool is_alive; /* the journal has begun */
	struct seen *seen;
	char why[WORLDS_WHY_BYTES];
};

static const char *const names[CHANNELS] = {"b", "d", "n", "s", "p", "m"};

static uint64_t pick(struct world *world, uint64_t n)
{
	return disk_model_random(&world->random) % n;
}

static uint8_t bit_of(struct slice name)
{
	for (int i = 0; i < CHANNELS; i++)
		if (slice_equal(name, slice_from(names[i])))
			return (uint8_t)(1 << i);
	return 0;
}

static void fail_world(struct world *world, const char *what, uint64_t number, uint64_t last)
{
	if (!world->why[0])
		snprintf(world->why, sizeof(world->why),
			 "%s (%" PRIu64 "): batch %" PRIu64 " is the last, of %" PRIu64 " to %" PRIu64, what, number,
			 last, world->low, world->high);
}

/* -- What is there -- */

struct snapshot_value {
	uint64_t place;
	uint32_t id, deliveries;
	bool is_leased, is_sticky, is_delayed, is_held;
	struct timer timer; /* of a delayed put */
	char origin;        /* of a dead letter: the channel that gave it up; 0: it is none */
	uint32_t origin_deliveries;
	uint8_t origin_reason;
};

struct snapshot_channel {
	const struct channel *channel;
	uint64_t last_place;
	bool is_told;  /* the journal knows that somebody has what the taps hold */
	size_t n_taps; /* that are durable */
	size_t n;
	struct snapshot_value values[SNAPSHOT];
};

static uint32_t id_of(const struct value *value)
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
	ck_assert_uint_lt(at, SNAPSHOT);
	for (; at > 0 && into->values[at - 1].place > value->seq; at--)
		into->values[at] = into->values[at - 1];
	about.place = value->seq;
	about.id = id_of(value);
	about.deliveries = value->deliveries;
	if (origin) {
		about.origin = origin->name[0];
		about.origin_deliveries = origin->deliveries;
		about.origin_reason = origin->reason;
	}
	into->values[at] = about;
}

static void look_at(struct snapshot_channel *into, const struct channel *channel)
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

static void look_at_taps(struct snapshot_channel *into, const struct mult *mult)
{
	into->n_taps = 0;
	into->is_told = mult && mult->held && mult->is_told;
	for (const struct tap *tap = mult ? tap_first(mult) : NULL; tap; tap = tap_next(mult, tap))
		into->n_taps += tap_is_durable(tap);
	if (mult && mult->held)
		add_value(into, mult->held, mult->held->origin, (struct snapshot_value){.is_held = true});
}

/* All durable channels, in the order of their numbers. */
static size_t snapshot(const struct core *core, struct snapshot_channel *channels)
{
	size_t n = 0;
	for (struct channel *channel = NULL;
	     (channel = directory_after(&core->directory, channel ? channel_name(channel) : SLICE("")));) {
		if (!channel->number)
			continue;
		size_t at = n++;
		for (; at > 0 && channels[at - 1].channel->number > channel->number; at--)
			channels[at] = channels[at - 1];
		look_at(&channels[at], channel);
		look_at_taps(&channels[at], channel->mult);
	}
	return n;
}

static struct snapshot_channel *find_snapshot(struct snapshot_channel *channels, size_t n, struct slice name)
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
static void restart(struct snapshot_channel *channels, size_t n, struct snapshot_channel *source)
{
	const struct core_definition *definition = &source->channel->definition;
	struct snapshot_channel *target = find_snapshot(channels, n, definition->dead_letter);
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
	uint64_t sum = 0;
	for (const struct tap *tap = mult ? tap_first(mult) : NULL; tap; tap = tap_next(mult, tap)) {
		bool is_done = false;
		if (!tap_is_durable(tap))
			continue;
		for (size_t v = 0; v < channel->n; v++)
			is_done = is_done || channel->values[v].place == tap->done_place;
		sum += mix(0, tap->target->number << 8 | (uint64_t)tap->state << 4 | (uint64_t)is_done << 2 |
				      (uint64_t)tap->closes << 1 | (tap->match != NULL));
	}
	return sum;
}

static uint64_t sum_of(const struct snapshot_channel *channels, size_t n)
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

static struct snapshot_channel now[CHANNELS + 1], then[CHANNELS + 1];

static void note_birth(uint64_t *born, uint64_t batch)
{
	if (*born == 0)
		*born = batch;
}

/* After a step: which values are there, and what a restart would make of it. */
static void look(struct world *world, uint64_t batch)
{
	bool is_present[IDS] = {false};
	size_t n = snapshot(world->core, now);
	for (size_t i = 0; i < n; i++)
		for (size_t v = 0; v < now[i].n; v++) {
			is_present[now[i].values[v].id] = true;
			struct value_facts *facts = &world->ids[now[i].values[v].id];
			char name = now[i].channel->name[0];
			if (now[i].values[v].is_delayed)
				facts->due_us = now[i].values[v].timer.deadline_us;
			if (name == 'b' && !now[i].values[v].is_delayed)
				note_birth(&facts->born_in_b, batch);
			if (name == 'd')
				note_birth(&facts->born_in_d, batch);
			world->seen->held += now[i].values[v].is_held;
		}
	for (uint64_t id = 0; id < world->n_ids; id++) {
		struct value_facts *facts = &world->ids[id];
		if (is_present[id] && !facts->is_present) {
			facts->born = batch;
			facts->first_born = facts->first_born ? facts->first_born : batch;
		}
		facts->is_present = is_present[id];
	}
	for (size_t i = 0; i < n; i++)
		restart(now, n, &now[i]);
	world->history[batch] = sum_of(now, n);
}

/* -- The cut -- */

static void check_facts(struct world *world, size_t n, uint64_t last)
{
	uint8_t is_there[IDS] = {0}; /* in which channels */
	for (size_t i = 0; i < n; i++)
		for (size_t v = 0; v < then[i].n; v++)
			is_there[then[i].values[v].id] |= bit_of(channel_name(then[i].channel));
	for (uint64_t id = 0; id < world->n_ids; id++) {
		const struct value_facts *facts = &world->ids[id];
		if (facts->told_put && !facts->was_handed_on && facts->first_born > last)
			fail_world(world, "a put that was answered is lost", id, last);
		if (facts->shown_born > last)
			fail_world(world, "a value that was shown was never there", id, last);
		if (is_there[id] && facts->gone_in > last)
			fail_world(world, "a value that was given is there still", id, last);
		if (world->kind == WITHOUT_TAPS ? facts->told_gone && is_there[id]
						: world->kind == WITH_FIXED_TAPS && (facts->told_gone & is_there[id]))
			fail_world(world, "a value that was given is there again", id, last);
		bool was_in_b = facts->born_in_b && facts->born_in_b <= last;
		bool is_in_d = facts->born_in_d && facts->born_in_d <= last;
		if (world->kind == WITH_FIXED_TAPS && was_in_b && !(is_there[id] & bit_of(SLICE("b"))) && !is_in_d)
			fail_world(world, "a value that was carried is lost", id, last);
	}
}

/* Whether what is delayed enters when it should, and before what should later. */
static void check_delayed(struct world *world, const struct snapshot_channel *channel, uint64_t last)
{
	for (size_t v = 0; v < channel->n; v++) {
		const struct snapshot_value *value = &channel->values[v];
		uint64_t due_us = world->ids[value->id].due_us;
		if (!value->is_delayed)
			continue;
		world->seen->delayed++;
		if (value->timer.deadline_us != (due_us > world->now_us ? due_us : world->now_us))
			fail_world(world, "a delayed put enters at another time", value->id, last);
		for (size_t w = 0; w < channel->n; w++) {
			const struct snapshot_value *other = &channel->values[w];
			if (other->is_delayed && world->ids[other->id].due_us < due_us &&
			    (other->timer.deadline_us > value->timer.deadline_us ||
			     (other->timer.deadline_us == value->timer.deadline_us &&
			      other->timer.seq > value->timer.seq)))
				fail_world(world, "of two delayed puts the later enters first", value->id, last);
		}
	}
}

static int restore_record(void *arg, const struct record *record, char *error)
{
	(void)error;
	return core_restore_record(arg, record);
}

/* A match of every second value. */
static bool accepts(const struct core_match *match, struct slice value)
{
	(void)match;
	const char *end = memchr(value.bytes, ' ', value.len);
	return (end ? end[-1] : value.bytes[value.len - 1]) % 2;
}

static void destroy_match(struct core_match *match)
{
	free(match);
}

static struct core_match *make_match(struct slice text)
{
	struct core_match *match = malloc(sizeof(*match));
	ck_assert(match && slice_equal(text, SLICE("odd")));
	*match = (struct core_match){accepts, destroy_match, SLICE("odd")};
	return match;
}

/* Restores a core from a disk. NULL: it cannot be; *log has what was found. */
static struct core *restore(struct world *world, struct disk_model *disk, struct log *log,
			    struct core_recorder *recorder, char *error)
{
	struct core_limits limits = {.max_memory = 1 << 30,
				     .max_channels = 100,
				     .max_inflight = 50,
				     .max_waiters = 50,
				     .max_producers = 100,
				     .max_taps = 1000,
				     .turn_work = world->kind == WITHOUT_TAPS ? 0 : 12,
				     .max_take_bytes = 1 << 20};
	struct core_seed seed = {.choices = 1, .tokens = {disk_model_random(&world->cut_random), 2}};
	log_init(log, &disk->disk, SEGMENT, disk_model_random(&world->cut_random));
	struct core_restore *found = core_restore_create(make_match);
	struct recovery recovery = {.log = log, .on_record = restore_record, .arg = found};
	if (recovery_read(&recovery, error) < 0) {
		core_restore_destroy(found);
		return NULL;
	}
	struct core *core = core_create(&limits, &seed);
	struct core_effects effects = {0};
	struct core_event event = {.op = CORE_RESTORE, .now_us = world->now_us, .recorder = recorder, .restore = found};
	for (struct core_restored restored = {0}; !restored.is_done;) {
		core_step(core, &event, &effects);
		restored = effects.restored;
		core_effects_release(core, &effects);
		ck_assert(!restored.has_failed && restored.lost == 0);
		world->seen->values += restored.is_done ? restored.values : 0;
		world->seen->slices += !restored.is_done;
	}
	core_restore_destroy(found);
	return core;
}

static void on_call(struct disk_model *disk, void *arg)
{
	struct world *world = arg;
	char error[RECOVERY_ERROR_BYTES] = "";
	if (world->why[0])
		return;
	disk_model_copy(&world->copy, disk);
	disk_model_cut(&world->copy, &world->cut_random);
	struct log log;
	struct record_buffer records = {0};
	struct core_recorder recorder = {.buffer = &records, .batch = 1, .wall_ms = world->now_us / 1000};
	struct core *core = restore(world, &world->copy, &log, &recorder, error);
	uint64_t last = log.next - 1;
	log_finish(&log);
	world->seen->cuts++;
	world->seen->between += last > world->low && last < world->high;
	if (!core) {
		fail_world(world, error, 0, last);
		return;
	}
	size_t n = snapshot(core, then);
	const char *wrong = core_check(core);
	if (wrong)
		fail_world(world, wrong, 0, last);
	if (last < world->low || last > world->high)
		fail_world(world, "that is not between what was committed and what was handed over", 0, last);
	else if (sum_of(then, n) != world->history[last])
		fail_world(world, "that is no state which was", 0, last);
	check_facts(world, n, last);
	for (size_t i = 0; i < n; i++)
		check_delayed(world, &then[i], last);
	core_destroy(core);
	record_buffer_finish(&records);
}

/* -- What clients are told -- */

static void note_token(struct world *world, const struct held_reply *reply)
{
	struct token_facts *token = &world->tokens[world->n_tokens < TOKENS ? world->n_tokens++ : pick(world, TOKENS)];
	token->token = reply->lease;
	token->n_ids = reply->n_shown;
	token->channel = reply->shown_of;
	memcpy(token->ids, reply->shown, sizeof(token->ids));
}

static void tell(struct world *world, struct held_reply *reply)
{
	for (uint32_t i = 0; i < reply->n_put; i++)
		world->ids[reply->put_first + i].told_put = true;
	for (uint32_t i = 0; i < reply->n_gone; i++) {
		struct value_facts *facts = &world->ids[reply->gone[i]];
		if (world->kind == WITH_FIXED_TAPS && (facts->told_gone & reply->gone_of))
			fail_world(world, "a value was given twice", reply->gone[i], 0);
		facts->told_gone |= reply->gone_of;
		if (reply->gone_in > facts->gone_in)
			facts->gone_in = reply->gone_in;
	}
	for (uint32_t i = 0; i < reply->n_shown; i++)
		if (reply->shown_born[i] > world->ids[reply->shown[i]].shown_born)
			world->ids[reply->shown[i]].shown_born = reply->shown_born[i];
	world->seen->told_puts += reply->n_put;
	world->seen->told_gone += reply->n_gone;
	world->seen->told_shown += reply->n_shown;
	if (reply->has_lease)
		note_token(world, reply);
	if (reply->has_unsent)
		core_sent(&reply->unsent);
}

/* Tells each client its replies, up to the first that has to wait. */
static void release(struct world *world)
{
	for (int c = 0; c < CONNECTIONS; c++) {
		struct client *client = &world->clients[c];
		size_t n = 0;
		while (n < client->n_held && client->held[n].after_batch <= journal_committed(&world->journal))
			tell(world, &client->held[n++]);
		client->n_held -= n;
		memmove(client->held, client->held + n, client->n_held * sizeof(client->held[0]));
	}
}

/* Those that were shown by this step's replies were born in it at the latest; and so were those that were put, or
 * never. */
static void note_births(struct world *world)
{
	for (int c = 0; c < CONNECTIONS; c++) {
		struct client *client = &world->clients[c];
		for (size_t i = 0; i < client->n_held; i++) {
			for (uint32_t p = 0; p < client->held[i].n_put; p++) {
				struct value_facts *facts = &world->ids[client->held[i].put_first + p];
				facts->was_handed_on = facts->was_handed_on || facts->first_born == 0;
			}
			for (uint32_t v = 0; v < client->held[i].n_shown; v++)
				if (!client->held[i].shown_born[v] && client->held[i].shown_of != bit_of(SLICE("m")))
					client->held[i].shown_born[v] = world->ids[client->held[i].shown[v]].born;
		}
	}
}

static void hold(struct world *world, struct client *client, struct held_reply *reply)
{
	ck_assert_uint_lt(client->n_held, QUEUED);
	if (world->mutation == WITHOUT_GATE)
		reply->after_batch = 0;
	client->held[client->n_held++] = *reply;
}

static void hold_reply(struct world *world, struct client *client, struct core_reply *reply)
{
	struct held_reply held = {.after_batch = reply->after_batch};
	const struct request_facts *request = &world->requests[reply->id];
	bool is_put = reply->op == CORE_PUT || (reply->op == CORE_ALTS && !reply->is_take);
	bool is_durable = reply->channel.len == 0 || reply->channel.bytes[0] != 'm';
	if (is_put && is_durable && reply->status != STATUS_CLOSED && reply->status != STATUS_ERROR) {
		held.put_first = request->first_id;
		held.n_put = (uint32_t)(reply->op == CORE_PUT ? reply->accepted : reply->status == STATUS_OK);
		if (reply->op == CORE_PUT && held.n_put > request->n_ids)
			held.n_put = request->n_ids; /* of one that was sent again more had entered */
		if (reply->duplicate) {
			world->seen->duplicates++;
			held.n_put = 0;
		}
	}
	bool is_promise = reply->channel.len && reply->channel.bytes[0] == 'p';
	const struct value *value = reply->value;
	held.gone_of = held.shown_of = bit_of(reply->channel);
	held.gone_in = world->recorder.batch;
	for (uint32_t i = 0; i < reply->n_values; i++, value = value->next) {
		if (reply->channel.bytes[0] == 'd')
			note_birth(&world->ids[id_of(value)].born_in_d, world->recorder.batch);
		if (reply->has_lease || is_promise)
			held.shown[held.n_shown++] = id_of(value);
		else if (reply->channel.bytes[0] != 'm')
			held.gone[held.n_gone++] = id_of(value);
	}
	if (reply->op == CORE_ACK && reply->status == STATUS_OK) {
		held.n_gone = world->tokens[request->token].n_ids;
		held.gone_of = world->tokens[request->token].channel;
		if (held.gone_of == bit_of(SLICE("m")))
			held.gone_in = 0; /* that waits for nothing */
		memcpy(held.gone, world->tokens[request->token].ids, sizeof(held.gone));
	}
	if (reply->op == CORE_MOVE && reply->status == STATUS_OK)
		world->seen->moved += reply->accepted;
	held.has_lease = reply->has_lease;
	if (reply->has_lease)
		held.lease = reply->lease;
	held.has_unsent = core_keep(reply, &held.unsent);
	hold(world, client, &held);
}

/* -- Steps -- */

/* What *effects says of its replies is gone when it returns. */
static void step(struct world *world, struct core_event *event, struct core_effects *effects)
{
	world->recorder = (struct core_recorder){
		.buffer = journal_records(&world->journal),
		.batch = journal_batch(&world->journal),
		.committed = journal_committed(&world->journal),
		.wall_ms = world->now_us / 1000,
		.is_full = world->journal.status.is_full,
	};
	event->now_us = world->now_us;
	event->recorder = &world->recorder;
	*effects = (struct core_effects){0};
	core_step(world->core, event, effects);
	for (struct core_reply *reply = effects->head; reply; reply = reply->next)
		if (reply->cookie)
			hold_reply(world, reply->cookie, reply);
	struct core_effects kept = *effects;
	core_effects_release(world->core, effects);
	*effects = kept;
	look(world, journal_batch(&world->journal));
	note_births(world);
	journal_end_step(&world->journal);
	world->history[journal_batch(&world->journal)] = world->history[world->recorder.batch];
	release(world);
}

static void connect_client(struct world *world, struct client *client)
{
	struct core_event event = {.op = CORE_CONNECT, .cookie = client};
	struct core_effects effects;
	client->n_held = 0;
	step(world, &event, &effects);
	client->connection = effects.connection;
}

static void disconnect_client(struct world *world, struct client *client)
{
	struct core_unsent unsent[QUEUED];
	size_t n = 0;
	struct core_effects effects;
	for (size_t i = 0; i < client->n_held; i++)
		if (client->held[i].has_unsent)
			unsent[n++] = client->held[i].unsent;
	world->seen->returned += n;
	client->n_held = 0;
	struct core_event event = {
		.op = CORE_DISCONNECT, .connection = client->connection, .unsent = unsent, .n_unsent = n};
	step(world, &event, &effects);
	client->n_held = 0;
	client->connection = NULL;
}

/* A client that is not served any more, for it has too much unread. */
static bool is_full(const struct client *client)
{
	return client->n_held > QUEUED - 80;
}

static struct value *make_value(struct world *world)
{
	char text[60];
	size_t len = (size_t)snprintf(text, sizeof(text), "%" PRIu64, world->n_ids++);
	size_t pad = pick(world, 40);
	memset(text + len, ' ', sizeof(text) - len);
	return value_create(text, len + pad < sizeof(text) ? len + pad : len, NULL);
}

static struct core_event request(struct world *world, struct client *client, enum core_op op, const char *name)
{
	struct core_event event = {
		.op = op, .connection = client->connection, .channel = slice_from(name), .id = world->n_requests++};
	event.has_timeout = true;
	event.timeout_ms = pick(world, 3) * 20;
	world->requests[event.id] = (struct request_facts){.token = -1};
	return event;
}

static void create(struct world *world, struct client *client, const char *name)
{
	static const enum channel_kind kinds[CHANNELS] = {KIND_BOUNDED, KIND_BOUNDED, KIND_DROPPING,
							  KIND_SLIDING, KIND_PROMISE, KIND_BOUNDED};
	struct core_event event = request(world, client, CORE_CREATE, name);
	struct core_effects effects;
	size_t i = 0;
	while (names[i] != name)
		i++;
	event.definition =
		(struct core_definition){.kind = kinds[i], .capacity = i == 4 ? 1 : 3 + i, .durable = i < CHANNELS - 1};
	if (name[0] == 'b' && world->kind != WITH_FIXED_TAPS && pick(world, 2)) {
		event.definition.max_deliveries = 2;
		event.definition.dead_letter = SLICE("d");
	}
	step(world, &event, &effects);
}

static void alter(struct world *world, struct client *client, const char *name)
{
	struct core_event event = request(world, client, CORE_ALTER, name);
	struct core_effects effects;
	if (!core_definition_of(world->core, event.channel, &event.definition) || name[0] == 'p')
		return;
	event.definition.capacity = 2 + pick(world, 6);
	step(world, &event, &effects);
}

static void put(struct world *world, struct client *client, const char *name)
{
	struct core_event event = request(world, client, CORE_PUT, name);
	struct core_effects effects;
	struct request_facts *facts = &world->requests[event.id];
	facts->first_id = (uint32_t)world->n_ids;
	facts->n_ids = 1 + (uint32_t)pick(world, 3);
	for (uint32_t i = 0; i < facts->n_ids; i++)
		value_list_push(&event.values, make_value(world));
	event.batch = true;
	if (pick(world, 2)) {
		event.producer = pick(world, 2) ? SLICE("one") : SLICE("two");
		event.seq = event.id / 32; /* many are sent again */
	}
	if (name[0] != 'p' && pick(world, 4) == 0)
		event.delay_ms = 1 + pick(world, 60);
	step(world, &event, &effects);
}

/* Where values come to a channel by one way alone. The first two are made at once; the first stays as it is. */
static const char *const fixed_taps[][2] = {{"b", "d"}, {"b", "n"}, {"n", "s"}, {"s", "m"}, {"p", "m"}};

static void tap(struct world *world, struct client *client, const char *from, const char *to)
{
	struct core_event event = request(world, client, CORE_TAP, from);
	struct core_effects effects;
	bool is_plain = world->kind == WITH_FIXED_TAPS && to[0] == 'd';
	event.tap.to = slice_from(to);
	event.tap.closes = !is_plain && pick(world, 2);
	event.tap.state = is_plain || pick(world, 2) ? CORE_TAP_RUN : (enum core_tap_state)pick(world, 4);
	if (!is_plain && pick(world, 3) == 0)
		event.tap.match = make_match(SLICE("odd"));
	step(world, &event, &effects);
}

static void plumb(struct world *world, struct client *client)
{
	struct core_effects effects;
	if (world->kind == WITHOUT_TAPS)
		return;
	if (world->kind == WITH_FIXED_TAPS) {
		const char *const *ends = fixed_taps[pick(world, 5)];
		tap(world, client, ends[0], ends[1]);
		return;
	}
	const char *from = names[pick(world, CHANNELS)], *to = names[pick(world, CHANNELS)];
	if (pick(world, 2)) {
		tap(world, client, from, to);
		return;
	}
	struct core_event event = request(world, client, CORE_UNTAP, from);
	event.tap.to = slice_from(to);
	step(world, &event, &effects);
}

static void move(struct world *world, struct client *client, const char *name)
{
	if (world->kind == WITH_FIXED_TAPS)
		return;
	struct core_event event = request(world, client, CORE_MOVE, name);
	struct core_effects effects;
	event.to = slice_from(pick(world, 2) ? names[pick(world, CHANNELS)] : "");
	event.max = 1 + (uint32_t)pick(world, 4);
	step(world, &event, &effects);
}

static void take(struct world *world, struct client *client, const char *name)
{
	struct core_event event = request(world, client, CORE_TAKE, name);
	struct core_effects effects;
	if (world->kind == WITH_FIXED_TAPS && name[0] == 'b')
		return;
	event.max = 1 + (uint32_t)pick(world, 3);
	event.batch = true;
	if (pick(world, 2) && name[0] != 'p')
		event.lease_ms = 1 + pick(world, 100);
	event.sticky = event.lease_ms && pick(world, 3) == 0;
	step(world, &event, &effects);
}

static void choose(struct world *world, struct client *client)
{
	struct core_event event = request(world, client, CORE_ALTS, "");
	struct core_effects effects;
	struct core_arm arms[2] = {{.channel = slice_from(names[pick(world, CHANNELS)])},
				   {.channel = slice_from(names[pick(world, CHANNELS)])}};
	if (world->kind == WITH_FIXED_TAPS && arms[1].channel.bytes[0] == 'b')
		return;
	world->requests[event.id].first_id = (uint32_t)world->n_ids;
	arms[0].value = make_value(world);
	event.arms = arms;
	event.n_arms = 2;
	step(world, &event, &effects);
}

static void settle_lease(struct world *world, struct client *client)
{
	static const enum core_op ops[] = {CORE_ACK, CORE_ACK, CORE_NACK, CORE_EXTEND};
	struct core_effects effects;
	if (world->n_tokens == 0)
		return;
	struct core_event event = request(world, client, ops[pick(world, 4)], "");
	size_t token = pick(world, world->n_tokens);
	world->requests[event.id].token = (int)token;
	event.token = world->tokens[token].token;
	event.lease_ms = 50;
	event.delay_ms = event.op == CORE_NACK ? pick(world, 2) * 30 : 0;
	event.is_uncounted = pick(world, 4) == 0;
	step(world, &event, &effects);
}

static void peek(struct world *world, struct client *client, const char *name)
{
	struct core_peek peeked;
	struct held_reply reply = {.after_batch = world->core->changed_in};
	const struct value *value;
	if (name[0] == 'm' || !core_peek_begin(world->core, slice_from(name), &peeked))
		return;
	while (reply.n_shown < TOLD_VALUES && (value = core_peek_next(&peeked)))
		reply.shown[reply.n_shown++] = id_of(value);
	if (world->mutation == WITHOUT_ORDER)
		reply.after_batch = 0;
	hold(world, client, &reply);
	note_births(world);
	if (world->mutation == WITHOUT_ORDER) { /* past those that wait */
		tell(world, &client->held[--client->n_held]);
	}
	release(world);
}

static void end_channel(struct world *world, struct client *client, const char *name)
{
	struct core_event event = request(world, client, pick(world, 3) ? CORE_DELETE : CORE_CLOSE, name);
	struct core_effects effects;
	if (world->kind == WITH_FIXED_TAPS)
		return;
	event.force = pick(world, 2);
	step(world, &event, &effects);
}

static void checkpoint(struct world *world)
{
	struct journal *journal = &world->journal;
	struct core_event event = {.op = CORE_CHECKPOINT};
	struct core_effects effects;
	if (!journal->checkpoint_begin && world->log.n_segments < 3)
		return;
	if (journal->checkpoint_end)
		return;
	if (!journal->checkpoint_begin)
		journal_begin_checkpoint(journal);
	step(world, &event, &effects);
	if (!effects.checkpoint_is_done)
		return;
	world->seen->checkpoints++;
	journal_end_checkpoint(journal);
	world->history[journal_batch(journal)] = world->history[world->recorder.batch];
}

static void carry(struct world *world)
{
	carrier_model_work(&world->carrier);
	world->seen->full += world->carrier.status.is_full;
	if (world->carrier.status.committed > world->low)
		world->low = world->carrier.status.committed;
	journal_notice(&world->journal);
	release(world);
}

static void tick(struct world *world)
{
	struct core_event event = {.op = CORE_TICK};
	struct core_effects effects;
	world->now_us += pick(world, 30) * 1000; /* whole milliseconds, as records have them */
	step(world, &event, &effects);
}

static void act(struct world *world)
{
	struct client *client = &world->clients[pick(world, CONNECTIONS)];
	const char *name = names[pick(world, CHANNELS)];
	uint64_t kind = pick(world, 100);
	if (kind < 14) {
		carry(world);
	} else if (kind < 24) {
		journal_end_turn(&world->journal, 0);
		world->high = world->carrier.run_last;
	} else if (kind < 28) {
		tick(world);
	} else if (kind < 31) {
		checkpoint(world);
	} else if (kind < 33 || is_full(client)) {
		disconnect_client(world, client);
		connect_client(world, client);
	} else if (kind < 38) {
		create(world, client, name);
	} else if (kind < 42) {
		plumb(world, client);
	} else if (kind < 44) {
		alter(world, client, name);
	} else if (kind < 64) {
		put(world, client, name);
	} else if (kind < 80) {
		take(world, client, name);
	} else if (kind < 86) {
		choose(world, client);
	} else if (kind < 92) {
		settle_lease(world, client);
	} else if (kind < 96) {
		peek(world, client, name);
	} else if (kind < 98) {
		move(world, client, name);
	} else {
		end_channel(world, client, name);
	}
}

/* -- Lives -- */

/* False: the disk failed meanwhile. */
static bool start(struct world *world)
{
	char error[RECOVERY_ERROR_BYTES] = "";
	struct record_buffer scratch = {0};
	struct core_recorder recorder = {.buffer = &scratch, .batch = 1, .wall_ms = world->now_us / 1000};
	/* Only to know the number with which the journal begins; what it restores is restored again below. */
	struct core *core = restore(world, &world->disk, &world->log, &recorder, error);
	if (!core) {
		fail_world(world, error, 0, 0);
		return false;
	}
	uint64_t last = world->log.next - 1;
	size_t n = snapshot(core, then);
	check_facts(world, n, last);
	for (uint64_t id = 0; id < world->n_ids; id++) {
		struct value_facts *facts = &world->ids[id];
		if (facts->first_born > last)
			facts->first_born = 0;
		if (facts->born_in_b > last)
			facts->born_in_b = 0;
		if (facts->born_in_d > last)
			facts->born_in_d = 0;
		facts->is_present = false;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t v = 0; v < then[i].n; v++) {
			struct value_facts *facts = &world->ids[then[i].values[v].id];
			facts->is_present = true;
			facts->born = last;
			facts->first_born = facts->first_born ? facts->first_born : last;
		}
	core_destroy(core);
	record_buffer_finish(&scratch);
	if (log_begin(&world->log) < 0)
		return false;
	world->low = world->high = last;
	carrier_model_init(&world->carrier, &world->log);
	if (journal_init(&world->journal, &(struct journal_settings){.max_batch = 200}, &world->carrier.carrier,
			 world->log.next) < 0)
		return false;
	struct log again;
	world->recorder = (struct core_recorder){
		.buffer = journal_records(&world->journal), .batch = last + 1, .wall_ms = world->now_us / 1000};
	uint64_t(*unused)[1] = NULL;
	(void)unused;
	void (*hook)(struct disk_model *, void *) = world->disk.on_call;
	world->disk.on_call = NULL;
	world->core = restore(world, &world->disk, &again, &world->recorder, error);
	log_finish(&again);
	world->disk.on_call = hook;
	look(world, last + 1);
	journal_end_step(&world->journal);
	world->history[journal_batch(&world->journal)] = world->history[last + 1];
	world->is_alive = true;
	for (int c = 0; c < CONNECTIONS; c++)
		connect_client(world, &world->clients[c]);
	for (int i = 0; i < 2 && world->kind == WITH_FIXED_TAPS; i++) {
		create(world, &world->clients[0], fixed_taps[i][0]);
		create(world, &world->clients[0], fixed_taps[i][1]);
		tap(world, &world->clients[0], fixed_taps[i][0], fixed_taps[i][1]);
	}
	return true;
}

static void live(struct world *world)
{
	struct disk_model *disk = &world->disk;
	disk->fail_at = pick(world, 4) == 0 ? disk->n_calls + 1 + pick(world, 60) : 0;
	disk->fail_errno = pick(world, 2) ? EIO : ENOSPC;
	uint64_t steps = 1 + pick(world, STEPS_A_LIFE);
	world->is_alive = false;
	if (start(world))
		for (uint64_t i = 0; i < steps && !world->why[0] && !world->carrier.status.failure; i++)
			act(world);
	disk->fail_at = 0;
	if (world->is_alive) { /* what the dead core does is nobody's business */
		void (*hook)(struct disk_model *, void *) = disk->on_call;
		disk->on_call = NULL;
		uint64_t n_ids = world->n_ids;
		struct value_facts facts[IDS];
		memcpy(facts, world->ids, sizeof(facts));
		uint64_t high = world->high;
		for (int c = 0; c < CONNECTIONS; c++)
			disconnect_client(world, &world->clients[c]);
		memcpy(world->ids, facts, sizeof(facts));
		world->n_ids = n_ids;
		world->high = high;
		core_destroy(world->core);
		disk->on_call = hook;
	}
	log_finish(&world->log);
	journal_finish(&world->journal);
	world->journal = (struct journal){0};
	world->carrier.status.failure = NULL;
	if (pick(world, 4))
		disk_model_cut(disk, &world->cut_random);
}

/* Runs one world. True: all went well; else `why` says what did not. */
static bool run_world(uint64_t seed, int mutation, void *seen, char why[WORLDS_WHY_BYTES])
{
	struct world *world = calloc(1, sizeof(*world));
	ck_assert_ptr_nonnull(world);
	world->random = seed;
	world->cut_random = seed ^ UINT64_C(0x5bd1e995);
	world->seen = seen;
	world->mutation = mutation;
	world->kind = (enum world_kind)(seed % WORLD_KINDS);
	world->now_us = 1000000;
	world->n_ids = 1;
	disk_model_init(&world->disk, SEGMENT * (6 + pick(world, 6)));
	disk_model_init(&world->copy, 0);
	world->disk.on_call = on_call;
	world->disk.arg = world;
	for (int i = 0; i < LIVES_A_WORLD && !world->why[0]; i++)
		live(world);
	memcpy(why, world->why, sizeof(world->why));
	disk_model_finish(&world->disk);
	disk_model_finish(&world->copy);
	free(world);
	return !why[0];
}

START_TEST(test_nothing_that_was_told_is_undone)
{
	struct seen seen = {0};
	uint64_t cuts = worlds_run(run_world, &seen);
	printf("%" PRIu64 " cuts, %" PRIu64 " between; %" PRIu64 " values restored, %" PRIu64 " checkpoints, %" PRIu64
	       " times full, %" PRIu64 " replies with values returned, %" PRIu64 " delayed, %" PRIu64 " moved, %" PRIu64
	       " sent again, %" PRIu64 " held by taps, %" PRIu64 " slices; told: %" PRIu64 " puts, %" PRIu64
	       " given, %" PRIu64 " shown\n",
	       seen.cuts, seen.between, seen.values, seen.checkpoints, seen.full, seen.returned, seen.delayed,
	       seen.moved, seen.duplicates, seen.held, seen.slices, seen.told_puts, seen.told_gone, seen.told_shown);
	ck_assert_uint_gt(seen.between, cuts / 1000);
	ck_assert_uint_gt(seen.checkpoints, cuts / 1000);
	ck_assert_uint_gt(seen.slices, cuts / 10);
	ck_assert_uint_gt(seen.told_puts, cuts / 10);
	ck_assert_uint_gt(seen.told_gone, cuts / 10);
	ck_assert_uint_gt(seen.told_shown, cuts / 10);
	ck_assert_uint_gt(seen.returned, cuts / 1000);
	ck_assert_uint_gt(seen.delayed, cuts / 10);
	ck_assert_uint_gt(seen.moved, cuts / 1000);
	ck_assert_uint_gt(seen.duplicates, cuts / 1000);
	ck_assert_uint_gt(seen.held, cuts / 100);
}
END_TEST

static void check_finds(enum mutation mutation, const char *name)
{
	struct seen seen = {0};
	worlds_find(run_world, &seen, mutation, name);
}

START_TEST(test_without_the_gate_it_finds_a_loss)
{
	check_finds(WITHOUT_GATE, "the gate");
}
END_TEST

START_TEST(test_without_the_order_of_replies_it_finds_a_loss)
{
	check_finds(WITHOUT_ORDER, "the order");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_nothing_that_was_told_is_undone, test_without_the_gate_it_finds_a_loss,
				      test_without_the_order_of_replies_it_finds_a_loss, NULL};
	Suite *suite = suite_create("sim_durable");
	suite_case(suite, "cuts", NULL, NULL, tests);
	return suite_run(suite);
}
