#include "tests/sim/durable_check.h"

#include <check.h>
#include <stdlib.h>

#include "daemon/journal/recovery.h"
#include "tests/sim/durable_snapshot.h"

static struct snapshot_channel now[CHANNELS + 1], then[CHANNELS + 1];

void durable_note_birth(uint64_t *born, uint64_t batch)
{
	if (*born == 0)
		*born = batch;
}

void durable_note_state(struct durable_world *world, uint64_t batch)
{
	bool is_present[IDS] = {false};
	size_t n = snapshot_take(world->core, now);
	for (size_t i = 0; i < n; i++)
		for (size_t v = 0; v < now[i].n; v++) {
			is_present[now[i].values[v].id] = true;
			struct value_facts *facts = &world->ids[now[i].values[v].id];
			char name = now[i].channel->name[0];
			if (now[i].values[v].is_delayed)
				facts->due_us = now[i].values[v].timer.deadline_us;
			if (name == 'b' && !now[i].values[v].is_delayed)
				durable_note_birth(&facts->born_in_b, batch);
			if (name == 'd')
				durable_note_birth(&facts->born_in_d, batch);
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
	snapshot_restart(now, n);
	world->history[batch] = snapshot_sum(now, n);
}

/* -- The cut -- */

static void check_facts(struct durable_world *world, size_t n, uint64_t last)
{
	uint8_t is_there[IDS] = {0}; /* in which channels */
	for (size_t i = 0; i < n; i++)
		for (size_t v = 0; v < then[i].n; v++)
			is_there[then[i].values[v].id] |= durable_bit_of(channel_name(then[i].channel));
	for (uint64_t id = 0; id < world->n_ids; id++) {
		const struct value_facts *facts = &world->ids[id];
		if (facts->told_put && !facts->was_handed_on && facts->first_born > last)
			durable_fail(world, "a put that was answered is lost", id, last);
		if (facts->shown_born > last)
			durable_fail(world, "a value that was shown was never there", id, last);
		if (is_there[id] && facts->gone_in > last)
			durable_fail(world, "a value that was given is there still", id, last);
		if (world->kind == WITHOUT_TAPS ? facts->told_gone && is_there[id]
						: world->kind == WITH_FIXED_TAPS && (facts->told_gone & is_there[id]))
			durable_fail(world, "a value that was given is there again", id, last);
		bool was_in_b = facts->born_in_b && facts->born_in_b <= last;
		bool is_in_d = facts->born_in_d && facts->born_in_d <= last;
		if (world->kind == WITH_FIXED_TAPS && was_in_b && !(is_there[id] & durable_bit_of(SLICE("b"))) &&
		    !is_in_d)
			durable_fail(world, "a value that was carried is lost", id, last);
	}
}

/* Whether what is delayed enters when it should, and before what should later. */
static void check_delayed(struct durable_world *world, const struct snapshot_channel *channel, uint64_t last)
{
	for (size_t v = 0; v < channel->n; v++) {
		const struct snapshot_value *value = &channel->values[v];
		uint64_t due_us = world->ids[value->id].due_us;
		if (!value->is_delayed)
			continue;
		world->seen->delayed++;
		if (value->timer.deadline_us != (due_us > world->now_us ? due_us : world->now_us))
			durable_fail(world, "a delayed put enters at another time", value->id, last);
		for (size_t w = 0; w < channel->n; w++) {
			const struct snapshot_value *other = &channel->values[w];
			if (other->is_delayed && world->ids[other->id].due_us < due_us &&
			    (other->timer.deadline_us > value->timer.deadline_us ||
			     (other->timer.deadline_us == value->timer.deadline_us &&
			      other->timer.seq > value->timer.seq)))
				durable_fail(world, "of two delayed puts the later enters first", value->id, last);
		}
	}
}

static int restore_record(void *arg, const struct record *record, char *error)
{
	(void)error;
	return core_restore_record(arg, record);
}

/* -- The restart -- */

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

struct core_match *durable_make_match(struct slice text)
{
	struct core_match *match = malloc(sizeof(*match));
	ck_assert(match && slice_equal(text, SLICE("odd")));
	*match = (struct core_match){accepts, destroy_match, SLICE("odd"), sizeof(*match)};
	return match;
}

struct core *durable_restore(struct durable_world *world, struct disk_model *disk, struct segment_log *log,
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
	segment_log_init(log, &disk->disk, SEGMENT, disk_model_random(&world->cut_random));
	struct core_restore *found = core_restore_create(durable_make_match);
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

void durable_check_cut(struct disk_model *disk, void *arg)
{
	struct durable_world *world = arg;
	char error[RECOVERY_ERROR_BYTES] = "";
	if (world->why[0])
		return;
	disk_model_copy(&world->copy, disk);
	disk_model_cut(&world->copy, &world->cut_random);
	struct segment_log log;
	struct record_buffer records = {0};
	struct core_recorder recorder = {.buffer = &records, .batch = 1, .wall_ms = world->now_us / 1000};
	struct core *core = durable_restore(world, &world->copy, &log, &recorder, error);
	uint64_t last = log.next - 1;
	segment_log_finish(&log);
	world->seen->cuts++;
	world->seen->between += last > world->low && last < world->high;
	if (!core) {
		durable_fail(world, error, 0, last);
		return;
	}
	size_t n = snapshot_take(core, then);
	const char *wrong = core_check(core);
	if (wrong)
		durable_fail(world, wrong, 0, last);
	if (last < world->low || last > world->high)
		durable_fail(world, "that is not between what was committed and what was handed over", 0, last);
	else if (snapshot_sum(then, n) != world->history[last])
		durable_fail(world, "that is no state which was", 0, last);
	check_facts(world, n, last);
	for (size_t i = 0; i < n; i++)
		check_delayed(world, &then[i], last);
	core_destroy(core);
	record_buffer_finish(&records);
}

void durable_note_restored(struct durable_world *world, const struct core *core, uint64_t last)
{
	size_t n = snapshot_take(core, then);
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
}
