/* Groups that come and go between two cores, at random: by plan, and because a core is gone. What one core has recorded
 * is kept at once, and is all that the other gets. Nothing that was answered may be lost, nothing that was given may
 * come again, and nobody may record or serve what is not his. MILLRACE_OPS and MILLRACE_SEED as in test_sim.c. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/core/hash.h"
#include "tests/lib/suite.h"
#include "tests/sim/group_moves.h"
#include "tests/sim/worlds.h"

enum { OPS_A_SEED = 600 };

/* -- Requests -- */

static struct value *make_value(struct group_world *world, int group)
{
	char text[16];
	uint32_t id = world->n_ids++;
	world->ids[id] = (struct group_facts){.group = group};
	int len = snprintf(text, sizeof(text), "%u ", id);
	return value_create(text, (size_t)len, NULL);
}

static bool pick_lease(struct group_world *world, struct core_event *event, struct group_token **token)
{
	if (world->n_tokens == 0)
		return false;
	*token = &world->tokens[group_below(world, world->n_tokens)];
	event->token = (*token)->token;
	event->op = group_one_in(world, 2) ? CORE_ACK : group_one_in(world, 2) ? CORE_NACK : CORE_EXTEND;
	event->lease_ms = 1 + group_below(world, 50);
	event->delay_ms = group_one_in(world, 2) ? group_below(world, 20) : 0;
	return true;
}

static void fill_put(struct group_world *world, struct group_asked *asked, struct core_event *event)
{
	event->op = CORE_PUT;
	event->batch = group_one_in(world, 3);
	for (asked->n = event->batch ? 1 + group_below(world, 5) : 1; event->values.n < asked->n;)
		value_list_push(&event->values, make_value(world, asked->group));
	event->delay_ms = group_one_in(world, 5) ? group_below(world, 20) : 0;
}

static void fill_take(struct group_world *world, struct core_event *event)
{
	event->op = CORE_TAKE;
	event->batch = group_one_in(world, 3);
	event->max = event->batch ? 1 + group_below(world, 4) : 1;
	event->count = !event->batch && group_one_in(world, 3) ? 1 + group_below(world, 4) : 0;
	event->lease_ms = group_one_in(world, 2) ? 1 + group_below(world, 30) : 0;
	event->sticky = event->lease_ms && group_one_in(world, 2);
	world->seen->sticky += event->sticky;
}

static void fill_alts(struct group_world *world, struct group_asked *asked, struct core_event *event,
		      struct core_arm arms[2])
{
	event->op = CORE_ALTS;
	int other = group_one_in(world, 6) ? (int)group_below(world, GROUPS) : asked->group;
	arms[0] = (struct core_arm){.channel = group_channel(asked->group, asked->channel)};
	arms[1] = (struct core_arm){.channel = group_channel(other, (int)group_below(world, CHANNELS - 1))};
	if (group_one_in(world, 2)) {
		asked->n = 1;
		arms[0].value = make_value(world, asked->group);
	}
	event->arms = arms;
	event->n_arms = 2;
}

static void fill_move(struct group_world *world, const struct group_asked *asked, struct core_event *event)
{
	event->op = CORE_MOVE;
	event->channel = group_channel(asked->group, 2);
	event->to = group_one_in(world, 2) ? group_channel(asked->group, 1) : (struct slice){NULL, 0};
	event->max = 1 + group_below(world, 4);
}

static void ask(struct group_world *world)
{
	int d = (int)group_below(world, CORES), group = (int)group_below(world, GROUPS);
	int channel = (int)group_below(world, CHANNELS), connection = (int)group_below(world, CONNECTIONS);
	struct core_arm arms[2];
	struct group_asked asked = {.id = ++world->last_id,
				    .first = world->n_ids,
				    .daemon = d,
				    .connection = connection,
				    .group = group,
				    .channel = channel};
	struct core_event event = {.connection = world->daemons[d].connections[connection],
				   .id = asked.id,
				   .channel = group_channel(group, channel),
				   .has_timeout = !group_one_in(world, 3),
				   .timeout_ms = group_below(world, 10),
				   .max = 1};
	if (!group_one_in(world, 4) && world->owner[group] >= 0) { /* mostly whom it concerns */
		asked.daemon = d = world->owner[group];
		event.connection = world->daemons[d].connections[connection];
	}
	uint32_t kind = group_below(world, 10);
	if (kind < 4)
		fill_put(world, &asked, &event);
	else if (kind < 7)
		fill_take(world, &event);
	else if (kind < 8)
		fill_alts(world, &asked, &event, arms);
	else if (kind >= 9)
		fill_move(world, &asked, &event);
	else if (!pick_lease(world, &event, &asked.token))
		return;
	world->asked[world->n_asked++] = asked;
	group_step(world, d, &event);
}

static void checkpoint(struct group_world *world)
{
	int d = (int)group_below(world, CORES);
	struct group_daemon *daemon = &world->daemons[d];
	struct core_event event = {.op = CORE_CHECKPOINT};
	group_keep_records(world, d);
	if (!daemon->is_checkpointing)
		for (int g = 0; g < GROUPS; g++)
			daemon->floor[g] = world->logs[g].len;
	daemon->is_checkpointing = true;
	group_step(world, d, &event);
}

/* -- The end -- */

static void settle(struct group_world *world)
{
	for (int turns = 0; turns < 10000; turns++) {
		bool is_busy = false;
		world->now_us += 1000;
		for (int d = 0; d < CORES; d++) {
			group_tick(world, d);
			is_busy = is_busy || core_has_backlog(world->daemons[d].core);
		}
		group_look_at_comers(world);
		if (!is_busy && turns > 60)
			return;
	}
	HOLDS(world, false, "it never ends");
}

/* All that is there is taken. */
static void drain(struct group_world *world, int group)
{
	int d = world->owner[group], n_empty = 0;
	for (int n = 0; n_empty < 2 * CHANNELS; n++) {
		uint64_t given = world->seen->given;
		struct core_event event = {.op = CORE_TAKE,
					   .connection = world->daemons[d].connections[0],
					   .id = ++world->last_id,
					   .channel = group_channel(group, n % CHANNELS),
					   .has_timeout = true,
					   .batch = true,
					   .max = 5};
		world->asked[world->n_asked++] =
			(struct group_asked){.id = event.id, .daemon = d, .group = group, .channel = n % CHANNELS};
		group_step(world, d, &event);
		n_empty = world->seen->given > given ? 0 : n_empty + 1;
	}
}

static void end(struct group_world *world)
{
	for (int g = 0; g < GROUPS; g++)
		if (world->owner[g] < 0)
			group_adopt(world, (int)group_below(world, CORES), g);
	uint64_t given;
	do { /* what was parked with a delay enters only then */
		given = world->seen->given;
		settle(world);
		for (int g = 0; g < GROUPS; g++)
			drain(world, g);
	} while (world->seen->given > given);
	for (uint32_t id = 0; id < world->n_ids; id++)
		HOLDS(world, !world->ids[id].is_in || world->ids[id].is_gone, "value %u of group %d is lost", id,
		      world->ids[id].group);
	for (int d = 0; d < CORES; d++) {
		group_keep_records(world, d);
		core_destroy(world->daemons[d].core);
		record_buffer_finish(&world->daemons[d].records);
	}
	for (int g = 0; g < GROUPS; g++)
		record_buffer_finish(&world->logs[g]);
}

static void run_seed(uint64_t seed, struct group_seen *seen)
{
	static struct group_world all;
	struct group_world *world = &all;
	*world = (struct group_world){
		.random = hash_mix(seed), .seed = seed, .seen = seen, .now_us = 1000000, .n_ids = 1};
	world->limits = (struct core_limits){.max_memory = 1 << 30,
					     .max_channels = 100,
					     .max_inflight = 30,
					     .max_waiters = 100,
					     .max_take_bytes = 1000,
					     .max_producers = 100,
					     .turn_work = group_one_in(world, 2) ? 1 + group_below(world, 12) : 0};
	for (int g = 0; g < GROUPS; g++)
		world->owner[g] = -1;
	for (int d = 0; d < CORES; d++)
		group_start(world, d);
	for (int n = 0; n < OPS_A_SEED; n++, world->seen->operations++) {
		world->now_us += group_one_in(world, 2) ? group_below(world, 2000) : 0;
		uint32_t what = group_below(world, 40);
		if (what == 0)
			group_move_any(world);
		else if (what < 3)
			checkpoint(world);
		else if (what < 8)
			group_tick(world, (int)group_below(world, CORES));
		else
			ask(world);
		group_look_at_comers(world);
	}
	end(world);
}

START_TEST(what_a_group_had_goes_with_it)
{
	struct group_seen seen = {0};
	uint64_t only = worlds_setting("MILLRACE_SEED", 0), ops = worlds_setting("MILLRACE_OPS", 300000);
	for (uint64_t seed = only ? only : 1; seen.operations < ops; seed++) {
		run_seed(seed, &seen);
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
