/* The journal on a simulated disk: lives of a daemon that puts values, takes them and makes checkpoints, each of which
 * ends when the power goes, the process is killed, or the disk fails. Before every call that changes the disk, the
 * power goes on a copy of it, and what is recovered from that must be a state which the daemon went through: not older
 * than what it was told is kept, and not newer than what it handed over.
 *
 * The mutations show that the check can fail: each takes one thing away that the journal relies on. MILLRACE_CUTS says
 * how many cuts (100,000 and more if nothing does); MILLRACE_SEED=n begins with that seed. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/journal/journal.h"
#include "daemon/journal/recovery.h"
#include "tests/lib/suite.h"
#include "tests/sim/carrier_model.h"
#include "tests/sim/disk_model.h"
#include "tests/sim/worlds.h"

enum {
	SEGMENT = 6 * JOURNAL_BLOCK,
	PLACES = 48, /* values that are there at a time, at most */
	STEPS_A_LIFE = 240,
	LIVES_A_WORLD = 24,
	HISTORY = 1 << 16, /* batches of a world */
};

enum mutation { NO_MUTATION, WITHOUT_CHAIN, WITHOUT_SYNC, WITHOUT_GATE, WITHOUT_ORDER };

struct values {                               /* of one channel: which value is at each place */
	uint64_t places[PLACES], ids[PLACES]; /* id 0: none */
};

struct seen {
	uint64_t cuts, partial, torn, checkpoints, full, waits, failures, kills, lives;
};

struct world {
	struct carrier_model carrier;
	struct disk_model disk, copy;
	struct segment_log log;
	struct journal journal;
	enum mutation mutation;
	uint64_t random, cut_random;
	struct values now;
	uint64_t last_place, cursor;
	uint64_t *history;  /* what was there after each batch: a sum of it */
	uint64_t low, high; /* the numbers of batches that may be the last one to come back */
	struct seen *seen;
	char why[WORLDS_WHY_BYTES]; /* empty: all is well */
};

static uint64_t pick(struct world *world, uint64_t n)
{
	return disk_model_random(&world->random) % n;
}

/* -- What is there, and its sum -- */

static uint64_t sum_of(const struct values *values)
{
	uint64_t sum = 0;
	for (int i = 0; i < PLACES; i++) {
		uint64_t mixed = values->places[i] << 32 ^ values->ids[i];
		sum ^= values->ids[i] ? disk_model_random(&mixed) : 0;
	}
	return sum;
}

static int replay_record(void *arg, const struct record *record, char *error)
{
	struct values *values = arg;
	(void)error;
	uint64_t i = record->place % PLACES;
	if (record->kind == RECORD_PUT) {
		values->places[i] = record->place;
		values->ids[i] = record->seq;
		memcpy(&values->ids[i], record->value.bytes, sizeof(uint64_t));
	} else if (record->kind == RECORD_GONE && values->places[i] == record->place) {
		values->ids[i] = 0;
	}
	return 0;
}

/* -- The cut -- */

static void fail_world(struct world *world, const char *what, uint64_t last)
{
	if (!world->why[0])
		snprintf(world->why, sizeof(world->why),
			 "%s: batch %" PRIu64 " is the last, of %" PRIu64 " to %" PRIu64, what, last, world->low,
			 world->high);
}

/* What may be there after the power went on this disk. */
static void check_cut(struct world *world, struct disk_model *disk)
{
	struct values values = {0};
	char error[RECOVERY_ERROR_BYTES] = "";
	struct segment_log log;
	segment_log_init(&log, &disk->disk, SEGMENT, 0);
	struct recovery recovery = {.log = &log, .on_record = replay_record, .arg = &values};
	if (world->mutation == WITHOUT_CHAIN)
		disk_model_forget_chains(disk);
	int result = recovery_read(&recovery, error);
	uint64_t last = log.next - 1;
	segment_log_finish(&log);
	if (result < 0)
		fail_world(world, error, last);
	else if (last < world->low)
		fail_world(world, "what was kept is lost", last);
	else if (last > world->high)
		fail_world(world, "what was given up is there again", last);
	else if (sum_of(&values) != world->history[last])
		fail_world(world, "that is no state which was", last);
	world->seen->cuts++;
	world->seen->partial += last > world->low && last < world->high;
}

static void on_call(struct disk_model *disk, void *arg)
{
	struct world *world = arg;
	if (world->why[0])
		return;
	disk_model_copy(&world->copy, disk);
	disk_model_cut(&world->copy, &world->cut_random);
	check_cut(world, &world->copy);
}

/* -- The carrier -- */

/* What was handed over may be what comes back. */
static void end_turn(struct world *world)
{
	journal_end_turn(&world->journal, 0);
	world->high = world->carrier.run_last;
	if (world->mutation == WITHOUT_GATE)
		world->low = world->high;
}

static void carry(struct world *world)
{
	carrier_model_work(&world->carrier);
	world->seen->full += world->carrier.status.is_full;
	world->seen->waits += world->carrier.status.waits_for_room;
	if (world->carrier.status.committed > world->low)
		world->low = world->carrier.status.committed;
	journal_notice(&world->journal);
}

/* -- A life -- */

static void write_value(struct world *world, uint64_t place, uint64_t id)
{
	char bytes[400] = {0};
	memcpy(bytes, &id, sizeof(id));
	record_write(journal_records(&world->journal),
		     &(struct record){.kind = RECORD_PUT,
				      .channel = 1,
				      .place = place,
				      .value = {bytes, sizeof(id) + (size_t)(id % 300)}});
}

static void put(struct world *world)
{
	uint64_t place = ++world->last_place, i = place % PLACES;
	if (world->now.ids[i] || world->carrier.status.is_full)
		return;
	world->now.places[i] = place;
	world->now.ids[i] = disk_model_random(&world->random) | 1;
	write_value(world, place, world->now.ids[i]);
}

static void take(struct world *world)
{
	uint64_t i = pick(world, PLACES);
	if (!world->now.ids[i])
		return;
	record_write(journal_records(&world->journal),
		     &(struct record){.kind = RECORD_GONE, .channel = 1, .place = world->now.places[i]});
	world->now.ids[i] = 0;
}

/* A checkpoint goes on by some values a step. */
static void checkpoint(struct world *world)
{
	struct journal *journal = &world->journal;
	if (!journal->checkpoint_begin) {
		if (world->log.n_segments < 4)
			return;
		world->cursor = 0;
		journal_begin_checkpoint(journal);
	}
	if (journal->checkpoint_end)
		return;
	uint64_t end = world->cursor + 1 + pick(world, PLACES / 2);
	for (; world->cursor < end && world->cursor < PLACES; world->cursor++)
		if (world->now.ids[world->cursor])
			write_value(world, world->now.places[world->cursor], world->now.ids[world->cursor]);
	if (world->cursor < PLACES)
		return;
	journal_end_checkpoint(journal);
	if (world->mutation == WITHOUT_ORDER)
		world->carrier.drop_before = journal->checkpoint_begin;
	world->seen->checkpoints++;
}

static void step(struct world *world)
{
	uint64_t kind = pick(world, 16);
	if (kind < 7)
		put(world);
	else if (kind < 12)
		take(world);
	else if (kind < 13)
		checkpoint(world);
	else if (kind < 14)
		end_turn(world);
	else
		carry(world);
	world->history[journal_batch(&world->journal)] = sum_of(&world->now);
	journal_end_step(&world->journal);
	world->history[journal_batch(&world->journal)] = sum_of(&world->now);
}

/* False: the disk failed meanwhile. */
static bool start(struct world *world)
{
	struct values values = {0};
	char error[RECOVERY_ERROR_BYTES] = "";
	segment_log_init(&world->log, &world->disk.disk, SEGMENT, disk_model_random(&world->random));
	struct recovery recovery = {.log = &world->log, .on_record = replay_record, .arg = &values};
	if (world->mutation == WITHOUT_CHAIN)
		disk_model_forget_chains(&world->disk);
	if (recovery_read(&recovery, error) < 0) {
		fail_world(world, error, 0);
		return false;
	}
	world->now = values;
	if (segment_log_begin(&world->log) < 0)
		return false;
	world->low = world->high = world->log.next - 1;
	world->history[world->log.next - 1] = world->history[world->log.next] = sum_of(&values);
	carrier_model_init(&world->carrier, &world->log);
	/* Zeros ahead of short runs leave nothing behind of what was given up: the chain is for longer ones. */
	world->carrier.fills_ahead &= world->mutation != WITHOUT_CHAIN;
	return journal_init(&world->journal, &(struct journal_settings){.max_batch = 500}, &world->carrier.carrier,
			    world->log.next) == 0;
}

static void live(struct world *world)
{
	struct disk_model *disk = &world->disk;
	world->seen->lives++;
	disk->fail_at = pick(world, 3) == 0 ? disk->n_calls + 1 + pick(world, 60) : 0;
	disk->fail_errno = pick(world, 2) ? EIO : ENOSPC;
	uint64_t steps = 1 + pick(world, 1 + pick(world, STEPS_A_LIFE));
	if (start(world))
		for (uint64_t i = 0; i < steps && !world->why[0] && !world->carrier.status.failure; i++)
			step(world);
	world->seen->failures += world->carrier.status.failure != NULL;
	disk->fail_at = 0;
	world->carrier.status.failure = NULL;
	segment_log_finish(&world->log);
	journal_finish(&world->journal);
	world->journal = (struct journal){0};
	if (pick(world, 4) == 0)
		world->seen->kills++; /* what was written is in the page cache */
	else
		disk_model_cut(disk, &world->cut_random);
}

static struct world *world_create(uint64_t seed, enum mutation mutation, struct seen *seen)
{
	struct world *world = calloc(1, sizeof(*world));
	ck_assert_ptr_nonnull(world);
	world->history = calloc(HISTORY, sizeof(*world->history));
	ck_assert_ptr_nonnull(world->history);
	world->random = seed;
	world->cut_random = seed ^ UINT64_C(0x5bd1e995);
	world->seen = seen;
	world->mutation = mutation;
	disk_model_init(&world->disk, SEGMENT * (6 + pick(world, 6)));
	disk_model_init(&world->copy, 0);
	world->disk.skips_syncs = mutation == WITHOUT_SYNC;
	world->disk.on_call = on_call;
	world->disk.arg = world;
	return world;
}

static void world_destroy(struct world *world)
{
	disk_model_finish(&world->disk);
	disk_model_finish(&world->copy);
	free(world->history);
	free(world);
}

/* Runs one world. True: all went well; else `why` says what did not. */
static bool run_world(uint64_t seed, int mutation, void *seen, char why[WORLDS_WHY_BYTES])
{
	struct world *world = world_create(seed, mutation, seen);
	for (int i = 0; i < LIVES_A_WORLD && !world->why[0]; i++)
		live(world);
	memcpy(why, world->why, sizeof(world->why));
	world_destroy(world);
	return !why[0];
}

START_TEST(test_every_cut_leaves_a_state_that_was)
{
	struct seen seen = {0};
	uint64_t cuts = worlds_run(run_world, &seen);
	printf("%" PRIu64 " cuts in %" PRIu64 " lives; %" PRIu64 " between; %" PRIu64 " checkpoints, %" PRIu64
	       " times full, %" PRIu64 " without room for a run, %" PRIu64 " failures, %" PRIu64 " kills\n",
	       seen.cuts, seen.lives, seen.partial, seen.checkpoints, seen.full, seen.waits, seen.failures, seen.kills);
	/* A simulation that never gets to a place proves nothing about it. */
	ck_assert_uint_gt(seen.partial, cuts / 1000);
	ck_assert_uint_gt(seen.checkpoints, cuts / 1000);
	ck_assert_uint_gt(seen.full, cuts / 1000);
	ck_assert_uint_gt(seen.waits, cuts / 10000);
	ck_assert_uint_gt(seen.failures, cuts / 10000);
	ck_assert_uint_gt(seen.kills, cuts / 10000);
}
END_TEST

/* -- Bits that flip -- */

/* A world that has ended well, and in it a bit that has flipped: that is refused, or what comes back was a state; and
 * of what was kept it lacks nothing but what the last write has written, which nothing proves to be more than torn. */
static void check_flip(struct world *world, uint64_t before_last_write, uint64_t *refused)
{
	struct values values = {0};
	char error[RECOVERY_ERROR_BYTES] = "";
	struct segment_log log;
	disk_model_copy(&world->copy, &world->disk);
	struct disk_model_name *name;
	do
		name = &world->copy.cached[pick(world, DISK_MODEL_NAMES)];
	while (!name->name[0]);
	struct disk_model_file *file = &world->copy.files[name->file];
	file->cached[pick(world, file->cached_size)] ^= (char)(1 << pick(world, 8));
	segment_log_init(&log, &world->copy.disk, SEGMENT, 0);
	struct recovery recovery = {.log = &log, .on_record = replay_record, .arg = &values};
	int result = recovery_read(&recovery, error);
	uint64_t last = log.next - 1;
	segment_log_finish(&log);
	*refused += result < 0;
	ck_assert_msg(result < 0 || (last >= before_last_write && sum_of(&values) == world->history[last]),
		      "%s: %" PRIu64 " is the last of %" PRIu64, name->name, last, world->low);
}

START_TEST(test_a_flipped_bit_is_refused_or_changes_nothing)
{
	struct seen seen = {0};
	uint64_t refused = 0, before_last_write = 0;
	struct world *world = world_create(worlds_setting("MILLRACE_SEED", 1), NO_MUTATION, &seen);
	world->disk.on_call = NULL;
	ck_assert(start(world));
	for (int i = 0; i < 2000; i++) {
		uint64_t low = world->low;
		step(world);
		before_last_write = low < world->low ? low : before_last_write;
	}
	for (int i = 0; i < 20000; i++)
		check_flip(world, before_last_write, &refused);
	ck_assert_uint_gt(refused, 100);
	segment_log_finish(&world->log);
	journal_finish(&world->journal);
	world_destroy(world);
}
END_TEST

START_TEST(test_without_the_chain_it_finds_a_loss)
{
	worlds_find(run_world, &(struct seen){0}, WITHOUT_CHAIN, "the chain", WORLDS_CUTS);
}
END_TEST

START_TEST(test_without_syncs_it_finds_a_loss)
{
	worlds_find(run_world, &(struct seen){0}, WITHOUT_SYNC, "fdatasync", WORLDS_CUTS);
}
END_TEST

START_TEST(test_without_the_gate_it_finds_a_loss)
{
	worlds_find(run_world, &(struct seen){0}, WITHOUT_GATE, "the gate", WORLDS_CUTS);
}
END_TEST

START_TEST(test_without_the_order_it_finds_a_loss)
{
	worlds_find(run_world, &(struct seen){0}, WITHOUT_ORDER, "the order", WORLDS_CUTS);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_every_cut_leaves_a_state_that_was,
				      test_a_flipped_bit_is_refused_or_changes_nothing,
				      test_without_the_chain_it_finds_a_loss,
				      test_without_syncs_it_finds_a_loss,
				      test_without_the_gate_it_finds_a_loss,
				      test_without_the_order_it_finds_a_loss,
				      NULL};
	Suite *suite = suite_create("sim_journal");
	suite_case(suite, "cuts", NULL, NULL, tests);
	return suite_run(suite);
}
