#include "tests/sim/group_moves.h"

#include <stdlib.h>

#include "tests/lib/core_fixture.h"

void group_start(struct group_world *world, int d)
{
	struct group_daemon *daemon = &world->daemons[d];
	struct core_seed seed = core_seed_from(group_below(world, 1u << 30));
	uint64_t batch = daemon->batch + 1;
	record_buffer_finish(&daemon->records);
	*daemon = (struct group_daemon){.core = core_create(&world->limits, &seed), .batch = batch};
	struct core_event join = {.op = CORE_JOIN_CLUSTER};
	group_step(world, d, &join);
	for (int c = 0; c < CONNECTIONS; c++) {
		daemon->cookies[c] = c;
		struct core_event event = {.op = CORE_CONNECT, .cookie = &daemon->cookies[c]};
		group_step(world, d, &event);
	}
}

static void make_channels(struct group_world *world, int d, int group)
{
	for (int i = CHANNELS - 1; i >= 0; i--) {
		int c = (i + 3) % CHANNELS; /* dead letters' first */
		struct core_event event = {
			.op = CORE_CREATE,
			.connection = world->daemons[d].connections[0],
			.id = ++world->last_id,
			.channel = group_channel(group, c),
			.definition = {.kind = KIND_BOUNDED, .capacity = 4, .durable = c < CHANNELS - 1}};
		if (c == 0) {
			event.definition.max_deliveries = 2;
			event.definition.dead_letter = group_channel(group, 2);
		}
		world->asked[world->n_asked++] =
			(struct group_asked){.id = event.id, .daemon = d, .group = group, .channel = c};
		group_step(world, d, &event);
	}
}

static struct core_restore *restore_of(const struct group_world *world, int group)
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

static void serve(struct group_world *world, int d, int group)
{
	struct core_event event = {.op = CORE_SERVE, .channel = slice_from(group_names[group])};
	group_step(world, d, &event);
	world->is_served[group] = true;
	if (!world->was_made[group])
		make_channels(world, d, group);
	world->was_made[group] = true;
}

void group_look_at_comers(struct group_world *world)
{
	for (int g = 0; g < GROUPS; g++) {
		if (world->owner[g] < 0 || world->is_served[g])
			continue;
		struct core_restored restored;
		enum core_group_state state =
			core_group_state(world->daemons[world->owner[g]].core, slice_from(group_names[g]), &restored);
		world->seen->in_slices += state == CORE_GROUP_COMING;
		if (state != CORE_GROUP_RESTORED)
			continue;
		HOLDS(world, restored.lost == 0 && !restored.has_failed, "a group has come only in part");
		serve(world, world->owner[g], g);
	}
}

void group_adopt(struct group_world *world, int d, int group)
{
	struct core_event event = {
		.op = CORE_ADOPT, .channel = slice_from(group_names[group]), .restore = restore_of(world, group)};
	world->owner[group] = d;
	world->is_served[group] = false;
	world->daemons[d].floor[group] = world->logs[group].len;
	group_step(world, d, &event);
	world->seen->adopted++;
}

static void release(struct group_world *world, int group)
{
	int d = world->owner[group];
	struct core_event event = {.op = CORE_RELEASE, .channel = slice_from(group_names[group])};
	group_step(world, d, &event);
	world->owner[group] = -1;
	for (uint32_t i = 0; i < world->n_asked; i++)
		HOLDS(world, world->asked[i].daemon != d || world->asked[i].group != group, "somebody still waits");
	world->seen->released++;
}

/* The daemon is gone at once. What it has recorded is kept; nobody hears of it any more. */
static void crash(struct group_world *world, int d)
{
	group_keep_records(world, d);
	core_destroy(world->daemons[d].core);
	for (uint32_t i = 0; i < world->n_asked;) {
		struct group_asked *asked = &world->asked[i];
		if (asked->daemon == d)
			*asked = world->asked[--world->n_asked];
		else
			i++;
	}
	for (int g = 0; g < GROUPS; g++)
		if (world->owner[g] == d)
			world->owner[g] = -1;
	group_start(world, d);
	world->seen->crashed++;
}

void group_move_any(struct group_world *world)
{
	int group = (int)group_below(world, GROUPS);
	if (world->owner[group] < 0)
		group_adopt(world, (int)group_below(world, CORES), group);
	else if (group_one_in(world, 6))
		crash(world, world->owner[group]);
	else if (group_one_in(world, 2))
		release(world, group);
}
