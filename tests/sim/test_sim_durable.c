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

#include "daemon/journal/recovery.h"
#include "tests/lib/suite.h"
#include "tests/sim/durable_check.h"
#include "tests/sim/durable_clients.h"

enum { STEPS_A_LIFE = 220, LIVES_A_WORLD = 8 };

/* -- Lives -- */

/* False: the disk failed meanwhile. */
static bool start(struct durable_world *world)
{
	char error[RECOVERY_ERROR_BYTES] = "";
	struct record_buffer scratch = {0};
	struct core_recorder recorder = {.buffer = &scratch, .batch = 1, .wall_ms = world->now_us / 1000};
	/* Only to know the number with which the journal begins; what it restores is restored again below. */
	struct core *core = durable_restore(world, &world->disk, &world->log, &recorder, error);
	if (!core) {
		durable_fail(world, error, 0, 0);
		return false;
	}
	uint64_t last = world->log.next - 1;
	durable_note_restored(world, core, last);
	core_destroy(core);
	record_buffer_finish(&scratch);
	if (segment_log_begin(&world->log) < 0)
		return false;
	world->low = world->high = last;
	carrier_model_init(&world->carrier, &world->log);
	if (journal_init(&world->journal, &(struct journal_settings){.max_batch = 200}, &world->carrier.carrier,
			 world->log.next) < 0)
		return false;
	struct segment_log again;
	world->recorder = (struct core_recorder){
		.buffer = journal_records(&world->journal), .batch = last + 1, .wall_ms = world->now_us / 1000};
	void (*hook)(struct disk_model *, void *) = world->disk.on_call;
	world->disk.on_call = NULL;
	world->core = durable_restore(world, &world->disk, &again, &world->recorder, error);
	segment_log_finish(&again);
	world->disk.on_call = hook;
	durable_note_state(world, last + 1);
	journal_end_step(&world->journal);
	world->history[journal_batch(&world->journal)] = world->history[last + 1];
	world->is_alive = true;
	for (int c = 0; c < CONNECTIONS; c++)
		durable_connect(world, &world->clients[c]);
	if (world->kind == WITH_FIXED_TAPS)
		durable_make_fixed_taps(world);
	return true;
}

/* Whoever was connected leaves, and the core goes; what a dead core does is nobody's business. */
static void end_core(struct durable_world *world)
{
	void (*hook)(struct disk_model *, void *) = world->disk.on_call;
	uint64_t n_ids = world->n_ids, high = world->high;
	struct value_facts facts[IDS];
	world->disk.on_call = NULL;
	memcpy(facts, world->ids, sizeof(facts));
	for (int c = 0; c < CONNECTIONS; c++)
		durable_disconnect(world, &world->clients[c]);
	memcpy(world->ids, facts, sizeof(facts));
	world->n_ids = n_ids;
	world->high = high;
	core_destroy(world->core);
	world->disk.on_call = hook;
}

static void live(struct durable_world *world)
{
	struct disk_model *disk = &world->disk;
	disk->fail_at = durable_pick(world, 4) == 0 ? disk->n_calls + 1 + durable_pick(world, 60) : 0;
	disk->fail_errno = durable_pick(world, 2) ? EIO : ENOSPC;
	uint64_t steps = 1 + durable_pick(world, STEPS_A_LIFE);
	world->is_alive = false;
	if (start(world))
		for (uint64_t i = 0; i < steps && !world->why[0] && !world->carrier.status.failure; i++)
			durable_act(world);
	disk->fail_at = 0;
	if (world->is_alive)
		end_core(world);
	segment_log_finish(&world->log);
	journal_finish(&world->journal);
	world->journal = (struct journal){0};
	world->carrier.status.failure = NULL;
	if (durable_pick(world, 4))
		disk_model_cut(disk, &world->cut_random);
}

/* Runs one world. True: all went well; else `why` says what did not. */
static bool run_world(uint64_t seed, int mutation, void *seen, char why[WORLDS_WHY_BYTES])
{
	struct durable_world *world = calloc(1, sizeof(*world));
	ck_assert_ptr_nonnull(world);
	world->random = seed;
	world->cut_random = seed ^ UINT64_C(0x5bd1e995);
	world->seen = seen;
	world->mutation = mutation;
	world->kind = (enum durable_kind)(seed % WORLD_KINDS);
	world->now_us = 1000000;
	world->n_ids = 1;
	disk_model_init(&world->disk, SEGMENT * (6 + durable_pick(world, 6)));
	disk_model_init(&world->copy, 0);
	world->disk.on_call = durable_check_cut;
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
	struct durable_seen seen = {0};
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

START_TEST(test_without_the_gate_it_finds_a_loss)
{
	worlds_find(run_world, &(struct durable_seen){0}, WITHOUT_GATE, "the gate", WORLDS_CUTS);
}
END_TEST

START_TEST(test_without_the_order_of_replies_it_finds_a_loss)
{
	worlds_find(run_world, &(struct durable_seen){0}, WITHOUT_ORDER, "the order", WORLDS_CUTS);
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