/* Groups that come and go between two cores, at random: by plan, and because a core is gone. What one core has recorded
 * is kept at once, and is all that the other gets. Nothing that was answered may be lost, nothing that was given may
 * come again, and nobody may record or serve what is not his. MILLRACE_OPS and MILLRACE_SEED as in test_sim.c. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/hash.h"
#include "daemon/journal/record.h"
#include "tests/lib/core_fixture.h"
#include "tests/lib/suite.h"
#include "tests/sim/worlds.h"

enum { CORES = 2, GROUPS = 3, CONNECTIONS = 3, OPS_A_SEED = 600, IDS = 4096, TOKENS = 512, ASKED = 1024, CHANNELS = 4 };

static const char *const group_names[GROUPS] = {"default", "g", "h"};
static const char *const suffixes[CHANNELS] = {"a", "b", "dead", "loose"}; /* the last one is not durable */

struct daemon {
	struct core *core;
	struct record_buffer records;
	uint64_t batch;
	struct core_connection *connections[CONNECTIONS];
	int cookies[CONNECTIONS];
	bool is_checkpointing;
	size_t floor[GROUPS]; /* the length of the group's log since when all is written again */
};

struct facts {
	bool is_in;   /* it was said to have entered a durable channel */
	bool is_gone; /* it was plainly taken, or acknowledged */
	bool never;   /* it was said not to have entered */
	int group;
};

struct token {
	struct core_token token;
	uint32_t ids[8];
	uint32_t n;
	int group;
};

struct asked {
	uint64_t id;
	uint32_t first, n; /* of a put: its values */
	int daemon, connection, group, channel;
	struct token *token; /* of an ack, nack or extend */
};

struct world {
	uint64_t random, now_us, last_id;
	struct daemon daemons[CORES];
	int owner[GROUPS]; /* -1: nobody */
	bool is_served[GROUPS], was_made[GROUPS];
	struct record_buffer logs[GROUPS];
	struct facts ids[IDS];
	uint32_t n_ids;
	struct token tokens[TOKENS];
	uint32_t n_tokens;
	struct asked asked[ASKED];
	uint32_t n_asked;
	struct core_limits limits;
	uint64_t seed;
};

static struct seen {
	uint64_t operations, released, crashed, adopted, in_slices, moved, cross, checkpoints, given, acked, sticky;
} seen;

static uint32_t below(struct world *world, uint32_t n)
{
	return random_below(&world->random, n);
}

static bool one_in(struct world *world, uint32_t n)
{
	return below(world, n) == 0;
}

#define HOLDS(world, what, ...) ck_assert_msg(what, "seed %" PRIu64 ": " __VA_ARGS__)

static struct slice name_of(int group, int channel)
{
	static char names[GROUPS][CHANNELS][32];
	char *name = names[group][channel];
	snprintf(name, 32, group ? "{%s}%s" : "%s%s", group ? group_names[group] : "", suffixes[channel]);
	return slice_from(name);
}

/* -- Records -- */

/* What has gathered is kept, in the logs of its groups, which have to be this daemon's. */
static void keep_records(struct world *world, int d)
{
	struct daemon *daemon = &world->daemons[d];
	struct slice left = {daemon->records.bytes, daemon->records.len};
	struct record record;
	int group = -1;
	for (ptrdiff_t len; left.len > 0; left.bytes += len, left.len -= (size_t)len) {
		len = record_read(left, &record);
		HOLDS(world, len > 0, "a record is none", world->seed);
		if (record.kind == RECORD_GROUP) {
			for (group = 0; !slice_equal(record.name, slice_from(group_names[group])); group++)
				;
			continue;
		}
		HOLDS(world, group >= 0, "a record is of no group", world->seed);
		HOLDS(world, world->owner[group] == d, "daemon %d records of group %s, which is not its own",
		      world->seed, d, group_names[group]);
		struct record_buffer *log = &world->logs[group];
		ck_assert_int_eq(record_reserve(log, (size_t)len), 0);
		memcpy(log->bytes + log->len, left.bytes, (size_t)len);
		log->len += (size_t)len;
	}
	daemon->records.len = 0;
	daemon->batch++;
}

/* -- Replies -- */

static void read_put(struct world *world, const struct asked *asked, const struct core_reply *reply)
{
	uint32_t in = reply->status == STATUS_OK ? asked->n : reply->op == CORE_ALTS ? 0 : (uint32_t)reply->accepted;
	bool is_kept = asked->channel < CHANNELS - 1;
	for (uint32_t i = 0; i < asked->n; i++) {
		world->ids[asked->first + i].is_in = is_kept && i < in;
		world->ids[asked->first + i].never = i >= in;
	}
}

static void read_take(struct world *world, const struct asked *asked, const struct core_reply *reply)
{
	const struct value *value = reply->value;
	struct token *token = NULL;
	if (reply->has_lease) {
		uint32_t at = world->n_tokens < TOKENS ? world->n_tokens++ : below(world, TOKENS);
		token = &world->tokens[at];
		*token = (struct token){.token = reply->lease, .group = asked->group};
	}
	for (uint32_t i = 0; i < reply->n_values; i++, value = value->next) {
		uint32_t id = (uint32_t)strtoul(value->bytes, NULL, 10);
		struct facts *facts = &world->ids[id];
		HOLDS(world, facts->group == asked->group, "value %u is in another group", world->seed, id);
		HOLDS(world, !facts->is_gone, "value %u comes again", world->seed, id);
		HOLDS(world, !facts->never, "value %u had not entered", world->seed, id);
		if (!token)
			facts->is_gone = true;
		else if (token->n < 8)
			token->ids[token->n++] = id;
	}
	seen.given += reply->n_values;
}

static void read_reply(struct world *world, int d, const struct core_reply *reply)
{
	int connection = *(const int *)reply->cookie;
	for (uint32_t i = 0; i < world->n_asked; i++) {
		struct asked *asked = &world->asked[i];
		if (asked->id != reply->id)
			continue;
		HOLDS(world, asked->daemon == d && asked->connection == connection, "a reply goes elsewhere",
		      world->seed);
		seen.moved += reply->error == ERROR_MOVED;
		seen.cross += reply->error == ERROR_CROSS_GROUP;
		HOLDS(world, reply->error != ERROR_NO_SUCH_CHANNEL, "%.*s is not there", world->seed,
		      (int)reply->channel.len, reply->channel.bytes);
		bool is_put = reply->op == CORE_PUT || (reply->op == CORE_ALTS && asked->n > 0);
		if (is_put && !(reply->op == CORE_ALTS && reply->is_take))
			read_put(world, asked, reply);
		else if (is_put) /* the other arm happened */
			world->ids[asked->first].never = true;
		read_take(world, asked, reply);
		for (uint32_t k = 0; reply->op == CORE_ACK && reply->status == STATUS_OK && k < asked->token->n; k++)
			world->ids[asked->token->ids[k]].is_gone = true;
		seen.acked += reply->op == CORE_ACK && reply->status == STATUS_OK;
		if (!(reply->has_left && reply->status == STATUS_OK && reply->left > 0))
			*asked = world->asked[--world->n_asked];
		return;
	}
	HOLDS(world, false, "a reply to nobody", world->seed);
}

static void step(struct world *world, int d, struct core_event *event)
{
	struct daemon *daemon = &world->daemons[d];
	struct core_recorder recorder = {.buffer = &daemon->records,
					 .batch = daemon->batch,
					 .committed = daemon->batch - 1,
					 .wall_ms = world->now_us / 1000};
	struct core_effects effects = {0};
	event->now_us = world->now_us;
	event->recorder = &recorder;
	core_step(daemon->core, event, &effects);
	for (struct core_reply *reply = effects.head; reply; reply = reply->next)
		if (reply->cookie)
			read_reply(world, d, reply);
	if (event->op == CORE_CONNECT)
		daemon->connections[*(int *)event->cookie] = effects.connection;
	if (effects.checkpoint_is_done) {
		/* All that is there was written since then. */
		for (int g = 0; g < GROUPS; g++) {
			struct record_buffer *log = &world->logs[g];
			if (world->owner[g] != d)
				continue;
			keep_records(world, d);
			memmove(log->bytes, log->bytes + daemon->floor[g], log->len - daemon->floor[g]);
			log->len -= daemon->floor[g];
		}
		daemon->is_checkpointing = false;
		seen.checkpoints++;
	}
	core_effects_release(daemon->core, &effects);
	if (one_in(world, 3) || event->op == CORE_RELEASE)
		keep_records(world, d);
	const char *wrong = core_check(daemon->core);
	HOLDS(world, !wrong, "after op %d: %s", world->seed, (int)event->op, wrong);
}

static void tick(struct world *world, int d)
{
	struct core_event event = {.op = CORE_TICK};
	step(world, d, &event);
}

/* -- Daemons and groups -- */

static void start(struct world *world, int d)
{
	struct daemon *daemon = &world->daemons[d];
	struct core_seed seed = core_seed_from(below(world, 1u << 30));
	uint64_t batch = daemon->batch + 1;
	record_buffer_finish(&daemon->records);
	*daemon = (struct daemon){.core = core_create(&world->limits, &seed), .batch = batch};
	struct core_event join = {.op = CORE_JOIN_CLUSTER};
	step(world, d, &join);
	for (int c = 0; c < CONNECTIONS; c++) {
		daemon->cookies[c] = c;
		struct core_event event = {.op = CORE_CONNECT, .cookie = &daemon->cookies[c]};
		step(world, d, &event);
	}
}

static void make_channels(struct world *world, int d, int group)
{
	for (int i = CHANNELS - 1; i >= 0; i--) {
		int c = (i + 3) % CHANNELS; /* dead letters' first */
		struct core_event event = {
			.op = CORE_CREATE,
			.connection = world->daemons[d].connections[0],
			.id = ++world->last_id,
			.channel = name_of(group, c),
			.definition = {.kind = KIND_BOUNDED, .capacity = 4, .durable = c < CHANNELS - 1}};
		if (c == 0) {
			event.definition.max_deliveries = 2;
			event.definition.dead_letter = name_of(group, 2);
		}
		world->asked[world->n_asked++] =
			(struct asked){.id = event.id, .daemon = d, .group = group, .channel = c};
		step(world, d, &event);
	}
}

static struct core_restore *restore_of(const struct world *world, int group)
{
	struct core_restore *restore = core_restore_create(NULL);
	struct slice left = {world->logs[group].bytes, world->logs[group].len};
	struct record record;
	for (ptrdiff_t len; left.len > 0; left.bytes += len, left.len -= (size_t)len) {
		len = record_read(left, &record);
		ck_assert(len > 0 && core_restore_record(restore, &record) == 0);
	}
	return restore;
}

static void serve(struct world *world, int d, int group)
{
	struct core_event event = {.op = CORE_SERVE, .channel = slice_from(group_names[group])};
	step(world, d, &event);
	world->is_served[group] = true;
	if (!world->was_made[group])
		make_channels(world, d, group);
	world->was_made[group] = true;
}

static void look_at_comers(struct world *world)
{
	for (int g = 0; g < GROUPS; g++) {
		if (world->owner[g] < 0 || world->is_served[g])
			continue;
		struct core_restored restored;
		enum core_group_state state =
			core_group_state(world->daemons[world->owner[g]].core, slice_from(group_names[g]), &restored);
		seen.in_slices += state == CORE_GROUP_COMING;
		if (state != CORE_GROUP_RESTORED)
			continue;
		HOLDS(world, restored.lost == 0 && !restored.has_failed, "a group has come only in part", world->seed);
		serve(world, world->owner[g], g);
	}
}

static void adopt(struct world *world, int d, int group)
{
	struct core_event event = {
		.op = CORE_ADOPT, .channel = slice_from(group_names[group]), .restore = restore_of(world, group)};
	world->owner[group] = d;
	world->is_served[group] = false;
	world->daemons[d].floor[group] = world->logs[group].len;
	step(world, d, &event);
	seen.adopted++;
}

static void release(struct world *world, int group)
{
	int d = world->owner[group];
	struct core_event event = {.op = CORE_RELEASE, .channel = slice_from(group_names[group])};
	step(world, d, &event);
	world->owner[group] = -1;
	for (uint32_t i = 0; i < world->n_asked; i++)
		HOLDS(world, world->asked[i].daemon != d || world->asked[i].group != group, "somebody still waits",
		      world->seed);
	seen.released++;
}

/* The daemon is gone at once. What it has recorded is kept; nobody hears of it any more. */
static void crash(struct world *world, int d)
{
	keep_records(world, d);
	core_destroy(world->daemons[d].core);
	for (uint32_t i = 0; i < world->n_asked;) {
		struct asked *asked = &world->asked[i];
		if (asked->daemon == d)
			*asked = world->asked[--world->n_asked];
		else
			i++;
	}
	for (int g = 0; g < GROUPS; g++)
		if (world->owner[g] == d)
			world->owner[g] = -1;
	start(world, d);
	seen.crashed++;
}

static void move_group(struct world *world)
{
	int group = (int)below(world, GROUPS);
	if (world->owner[group] < 0)
		adopt(world, (int)below(world, CORES), group);
	else if (one_in(world, 6))
		crash(world, world->owner[group]);
	else if (one_in(world, 2))
		release(world, group);
}

/* -- Requests -- */

static struct value *make_value(struct world *world, int group)
{
	char text[16];
	uint32_t id = world->n_ids++;
	world->ids[id] = (struct facts){.group = group};
	int len = snprintf(text, sizeof(text), "%u ", id);
	return value_create(text, (size_t)len, NULL);
}

static bool pick_lease(struct world *world, struct core_event *event, struct token **token)
{
	if (world->n_tokens == 0)
		return false;
	*token = &world->tokens[below(world, world->n_tokens)];
	event->token = (*token)->token;
	event->op = one_in(world, 2) ? CORE_ACK : one_in(world, 2) ? CORE_NACK : CORE_EXTEND;
	event->lease_ms = 1 + below(world, 50);
	event->delay_ms = one_in(world, 2) ? below(world, 20) : 0;
	return true;
}

static void ask(struct world *world)
{
	int d = (int)below(world, CORES), group = (int)below(world, GROUPS), channel = (int)below(world, CHANNELS);
	int connection = (int)below(world, CONNECTIONS);
	struct core_arm arms[2];
	struct token *token = NULL;
	struct asked asked = {.id = ++world->last_id,
			      .first = world->n_ids,
			      .daemon = d,
			      .connection = connection,
			      .group = group,
			      .channel = channel};
	struct core_event event = {.connection = world->daemons[d].connections[connection],
				   .id = asked.id,
				   .channel = name_of(group, channel),
				   .has_timeout = !one_in(world, 3),
				   .timeout_ms = below(world, 10),
				   .max = 1};
	if (!one_in(world, 4) && world->owner[group] >= 0) { /* mostly whom it concerns */
		asked.daemon = d = world->owner[group];
		event.connection = world->daemons[d].connections[connection];
	}
	uint32_t kind = below(world, 10);
	if (kind < 4) {
		event.op = CORE_PUT;
		event.batch = one_in(world, 3);
		for (asked.n = event.batch ? 1 + below(world, 5) : 1; event.values.n < asked.n;)
			value_list_push(&event.values, make_value(world, group));
		event.delay_ms = one_in(world, 5) ? below(world, 20) : 0;
	} else if (kind < 7) {
		event.op = CORE_TAKE;
		event.batch = one_in(world, 3);
		event.max = event.batch ? 1 + below(world, 4) : 1;
		event.count = !event.batch && one_in(world, 3) ? 1 + below(world, 4) : 0;
		event.lease_ms = one_in(world, 2) ? 1 + below(world, 30) : 0;
		event.sticky = event.lease_ms && one_in(world, 2);
		seen.sticky += event.sticky;
	} else if (kind < 8) {
		event.op = CORE_ALTS;
		int other = one_in(world, 6) ? (int)below(world, GROUPS) : group;
		arms[0] = (struct core_arm){.channel = name_of(group, channel)};
		arms[1] = (struct core_arm){.channel = name_of(other, (int)below(world, CHANNELS - 1))};
		if (one_in(world, 2)) {
			asked.n = 1;
			arms[0].value = make_value(world, group);
		}
		event.arms = arms;
		event.n_arms = 2;
	} else if (kind < 9) {
		if (!pick_lease(world, &event, &token))
			return;
	} else {
		event.op = CORE_MOVE;
		event.channel = name_of(group, 2);
		event.to = one_in(world, 2) ? name_of(group, 1) : (struct slice){NULL, 0};
		event.max = 1 + below(world, 4);
	}
	asked.token = token;
	world->asked[world->n_asked++] = asked;
	step(world, d, &event);
}

static void checkpoint(struct world *world)
{
	int d = (int)below(world, CORES);
	struct daemon *daemon = &world->daemons[d];
	struct core_event event = {.op = CORE_CHECKPOINT};
	keep_records(world, d);
	if (!daemon->is_checkpointing)
		for (int g = 0; g < GROUPS; g++)
			daemon->floor[g] = world->logs[g].len;
	daemon->is_checkpointing = true;
	step(world, d, &event);
}

/* -- The end -- */

static void settle(struct world *world)
{
	for (int turns = 0; turns < 10000; turns++) {
		bool is_busy = false;
		world->now_us += 1000;
		for (int d = 0; d < CORES; d++) {
			tick(world, d);
			is_busy = is_busy || core_has_backlog(world->daemons[d].core);
		}
		look_at_comers(world);
		if (!is_busy && turns > 60)
			return;
	}
	HOLDS(world, false, "it never ends", world->seed);
}

/* All that is there is taken. */
static void drain(struct world *world, int group)
{
	int d = world->owner[group], n_empty = 0;
	for (int n = 0; n_empty < 2 * CHANNELS; n++) {
		uint64_t given = seen.given;
		struct core_event event = {.op = CORE_TAKE,
					   .connection = world->daemons[d].connections[0],
					   .id = ++world->last_id,
					   .channel = name_of(group, n % CHANNELS),
					   .has_timeout = true,
					   .batch = true,
					   .max = 5};
		world->asked[world->n_asked++] =
			(struct asked){.id = event.id, .daemon = d, .group = group, .channel = n % CHANNELS};
		step(world, d, &event);
		n_empty = seen.given > given ? 0 : n_empty + 1;
	}
}

static void end(struct world *world)
{
	for (int g = 0; g < GROUPS; g++)
		if (world->owner[g] < 0)
			adopt(world, (int)below(world, CORES), g);
	uint64_t given;
	do { /* what was parked with a delay enters only then */
		given = seen.given;
		settle(world);
		for (int g = 0; g < GROUPS; g++)
			drain(world, g);
	} while (seen.given > given);
	for (uint32_t id = 0; id < world->n_ids; id++)
		HOLDS(world, !world->ids[id].is_in || world->ids[id].is_gone, "value %u of group %d is lost",
		      world->seed, id, world->ids[id].group);
	for (int d = 0; d < CORES; d++) {
		keep_records(world, d);
		core_destroy(world->daemons[d].core);
		record_buffer_finish(&world->daemons[d].records);
	}
	for (int g = 0; g < GROUPS; g++)
		record_buffer_finish(&world->logs[g]);
}

static void run_seed(uint64_t seed)
{
	static struct world all;
	struct world *world = &all;
	*world = (struct world){.random = hash_mix(seed), .seed = seed, .now_us = 1000000, .n_ids = 1};
	world->limits = (struct core_limits){.max_memory = 1 << 30,
					     .max_channels = 100,
					     .max_inflight = 30,
					     .max_waiters = 100,
					     .max_take_bytes = 1000,
					     .max_producers = 100,
					     .turn_work = one_in(world, 2) ? 1 + below(world, 12) : 0};
	for (int g = 0; g < GROUPS; g++)
		world->owner[g] = -1;
	for (int d = 0; d < CORES; d++)
		start(world, d);
	for (int n = 0; n < OPS_A_SEED; n++, seen.operations++) {
		world->now_us += one_in(world, 2) ? below(world, 2000) : 0;
		uint32_t what = below(world, 40);
		if (what == 0)
			move_group(world);
		else if (what < 3)
			checkpoint(world);
		else if (what < 8)
			tick(world, (int)below(world, CORES));
		else
			ask(world);
		look_at_comers(world);
	}
	end(world);
}

START_TEST(what_a_group_had_goes_with_it)
{
	uint64_t only = worlds_setting("MILLRACE_SEED", 0), ops = worlds_setting("MILLRACE_OPS", 300000);
	for (uint64_t seed = only ? only : 1; seen.operations < ops; seed++) {
		run_seed(seed);
		if (only)
			return;
	}
	printf("%" PRIu64 " operations; groups came %" PRIu64 " times (%" PRIu64 " turns between), went %" PRIu64
	       " times, crashes %" PRIu64 "; %" PRIu64 " checkpoints; values given %" PRIu64 ", acked %" PRIu64
	       "; moved %" PRIu64 ", cross_group %" PRIu64 "\n",
	       seen.operations, seen.adopted, seen.in_slices, seen.released, seen.crashed, seen.checkpoints, seen.given,
	       seen.acked, seen.moved, seen.cross);
	fflush(stdout);
	uint64_t some = seen.operations / 2000;
	ck_assert(seen.adopted > some && seen.in_slices > some && seen.released > some / 2 && seen.crashed > some / 8 &&
		  seen.checkpoints > some && seen.given > some && seen.acked > some && seen.moved > some &&
		  seen.cross > some && seen.sticky > some);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {what_a_group_had_goes_with_it, NULL};
	Suite *suite = suite_create("simulation of groups");
	suite_case_within(suite, "simulation of groups", NULL, NULL, tests, 600);
	return suite_run(suite);
}
