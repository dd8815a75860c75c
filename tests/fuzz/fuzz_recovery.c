/* Recovery: whatever a folder has in it, the journal is refused with a sentence, or read; what it says becomes channels
 * again, whose invariants hold, then and in whatever is done with them; and a checkpoint of these is read again, and
 * has as much in it. Whole batches may say whatever records can say: nothing but a fault of ours writes such, and yet
 * it must not end the daemon.
 *
 * The input is a list of instructions, each a byte and what follows it. Heads and checksums are made here, so that
 * changed inputs come as far as true ones. */
#include <errno.h>

#include "daemon/core/core.h"
#include "daemon/core/state.h"
#include "daemon/journal/recovery.h"
#include "daemon/session/tap_match.h"
#include "tests/fuzz/fuzz.h"

enum instruction {
	SEGMENT,   /* begins a segment: how (enum segment_how) */
	BATCH,     /* a batch: its length (2 bytes), and its records */
	ODD_BATCH, /* likewise, and before the records: how (enum batch_how) */
	RAW,       /* a block: its length (2 bytes), and its bytes */
	CUT,       /* the segment is shorter by so many bytes (2 bytes) */
	FLIP,      /* a byte of the segment changes: where (2 bytes), and its bits */
	OTHER,     /* another file: a byte says which */
	INSTRUCTIONS,
};

enum segment_how {
	SEGMENT_OF_ANOTHER_NUMBER = 1,
	SEGMENT_BEHIND_A_GAP = 2,
	SEGMENT_OF_ANOTHER_CHAIN = 4,
	SEGMENT_OF_A_NEWER_FORMAT = 8,
	SEGMENT_OF_SOMEBODY_ELSE = 16,
};

enum batch_how {
	BATCH_OF_ANOTHER_NUMBER = 1,
	BATCH_OF_ANOTHER_CHAIN = 2,
	BATCH_OF_ANOTHER_SALT = 4,
	BATCH_SYNCED = 8, /* all before it were on the disk */
	BATCH_BROKEN = 16,
	BATCH_BEHIND_A_GAP = 32,
};

enum {
	MAX_SEGMENTS = 6,
	SEGMENT_BYTES = 32 * JOURNAL_BLOCK,
	MAX_CHANNELS = 20, /* of which something is done with each */
	MAX_SLICES = 100000,
	CIRCLING_SLICES = 50,
	WALL_MS = 1000000,
	FAR_US = 1000000000,
};

struct kept_segment {
	char name[SEGMENT_NAME_BYTES];
	char bytes[SEGMENT_BYTES];
	size_t size;
	uint64_t salt;
};

static struct folder {
	struct disk disk;
	struct kept_segment segments[MAX_SEGMENTS];
	int n;
	bool has_other;
	uint64_t next; /* number, and chain, of what follows */
	uint32_t chain;
} folder;

/* -- The folder, as a disk that is only read -- */

static int folder_open(struct disk *disk, const char *name, bool create)
{
	(void)disk;
	fuzz_assert(!create, "%s was to be made", name);
	for (int i = 0; i < folder.n; i++)
		if (strcmp(folder.segments[i].name, name) == 0)
			return i;
	return -ENOENT;
}

static void folder_close(struct disk *disk, int handle)
{
	(void)disk;
	(void)handle;
}

static int64_t folder_read(struct disk *disk, int handle, void *bytes, size_t len, uint64_t offset)
{
	(void)disk;
	const struct kept_segment *segment = &folder.segments[handle];
	size_t left = offset < segment->size ? segment->size - offset : 0;
	len = len < left ? len : left;
	memcpy(bytes, segment->bytes + (len ? offset : 0), len);
	return (int64_t)len;
}

static int folder_list(struct disk *disk, disk_name_cb *cb, void *arg)
{
	(void)disk;
	if (folder.has_other)
		cb(arg, "spare", SEGMENT_BYTES);
	cb(arg, "lock", 4);
	for (int i = folder.n; i > 0; i--)
		cb(arg, folder.segments[i - 1].name, folder.segments[i - 1].size);
	return 0;
}

static const struct disk_calls calls = {
	.open = folder_open, .close = folder_close, .read = folder_read, .list = folder_list};

/* -- The input -- */

static struct slice input;

static unsigned take_byte(void)
{
	if (input.len == 0)
		return 0;
	input.len--;
	return (unsigned char)*input.bytes++;
}

static size_t take_number(void)
{
	size_t low = take_byte();
	return low | (size_t)take_byte() << 8;
}

static struct slice take_bytes(size_t most)
{
	size_t len = take_number();
	len = len < input.len ? len : input.len;
	len = len < most ? len : most;
	struct slice bytes = {input.bytes, len};
	input.bytes += len;
	input.len -= len;
	return bytes;
}

static void begin_segment(unsigned how)
{
	if (folder.n == MAX_SEGMENTS)
		return;
	struct kept_segment *segment = &folder.segments[folder.n++];
	folder.next += how & SEGMENT_BEHIND_A_GAP ? 1 : 0;
	segment->salt = 1000 + (uint64_t)folder.n;
	segment->size = JOURNAL_BLOCK;
	segment_name(segment->name, folder.next + (how & SEGMENT_OF_ANOTHER_NUMBER ? 1 : 0));
	for (int i = 0; i < folder.n - 1; i++)
		if (strcmp(folder.segments[i].name, segment->name) == 0) { /* a folder has a name once */
			folder.n--;
			return;
		}
	segment_head_write(segment->bytes,
			   &(struct segment_head){.salt = segment->salt,
						  .first = folder.next,
						  .chain = folder.chain ^ (how & SEGMENT_OF_ANOTHER_CHAIN)});
	if (how & SEGMENT_OF_A_NEWER_FORMAT)
		segment->bytes[16]++;
	if (how & SEGMENT_OF_SOMEBODY_ELSE)
		segment->bytes[0]++;
}

static struct kept_segment *last_segment(void)
{
	if (folder.n == 0)
		begin_segment(0);
	return &folder.segments[folder.n - 1];
}

static size_t room_of(const struct kept_segment *segment)
{
	return SEGMENT_BYTES - segment->size;
}

static void append_batch(unsigned how)
{
	struct kept_segment *segment = last_segment();
	size_t room = room_of(segment);
	if (room < JOURNAL_BLOCK)
		return;
	struct slice records = take_bytes(room - BATCH_HEAD_BYTES);
	size_t span = batch_span((uint32_t)records.len);
	char *batch = segment->bytes + segment->size;
	if (span > room)
		return;
	memset(batch, 0, span);
	memcpy(batch + BATCH_HEAD_BYTES, records.bytes, records.len);
	folder.next += how & BATCH_BEHIND_A_GAP ? 1 : 0;
	folder.chain = batch_seal(batch, (struct batch_head){
						 .salt = segment->salt + (how & BATCH_OF_ANOTHER_SALT),
						 .number = folder.next + (how & BATCH_OF_ANOTHER_NUMBER),
						 .synced = how & BATCH_SYNCED ? folder.next - 1 : 0,
						 .len = (uint32_t)records.len,
						 .chain = folder.chain ^ (how & BATCH_OF_ANOTHER_CHAIN),
					 });
	folder.next++;
	segment->size += span;
	if (how & BATCH_BROKEN)
		batch[span / 2]++;
}

static void append_raw(void)
{
	struct kept_segment *segment = last_segment();
	struct slice bytes = take_bytes(room_of(segment));
	size_t end = (segment->size + bytes.len + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
	memset(segment->bytes + segment->size, 0, end - segment->size);
	memcpy(segment->bytes + segment->size, bytes.bytes, bytes.len);
	segment->size = end;
}

static void cut(size_t n)
{
	struct kept_segment *segment = last_segment();
	segment->size -= n < segment->size ? n : segment->size;
}

static void flip(size_t at, unsigned bits)
{
	struct kept_segment *segment = last_segment();
	if (at < segment->size)
		segment->bytes[at] = (char)(segment->bytes[at] ^ (int)bits);
}

static void make_folder(void)
{
	folder.disk.calls = &calls;
	folder.n = 0;
	folder.has_other = false;
	folder.next = 1;
	folder.chain = 0;
	while (input.len > 0) {
		unsigned how;
		size_t at;
		switch ((enum instruction)(take_byte() % INSTRUCTIONS)) {
		case SEGMENT:
			begin_segment(take_byte());
			break;
		case BATCH:
			append_batch(0);
			break;
		case ODD_BATCH:
			how = take_byte();
			append_batch(how);
			break;
		case RAW:
			append_raw();
			break;
		case CUT:
			cut(take_number());
			break;
		case FLIP:
			at = take_number();
			flip(at, take_byte());
			break;
		case OTHER:
			folder.has_other = true;
			break;
		case INSTRUCTIONS:
			break;
		}
	}
}

/* -- Reading -- */

static bool may_circle; /* taps that only lead to younger channels do not */

static int on_record(void *arg, const struct record *record, char *error)
{
	(void)error;
	may_circle = may_circle || (record->kind == RECORD_TAP && record->target <= record->channel);
	return core_restore_record(arg, record);
}

static void on_lost(void *arg, const char *what)
{
	(void)arg;
	fuzz_assert(what[0], "something is lost, and nothing said");
}

/* NULL: it was refused. */
static struct core_restore *read_folder(bool is_salvaging)
{
	char error[RECOVERY_ERROR_BYTES] = "";
	struct segment_log log;
	struct core_restore *restore = core_restore_create(tap_match_again);
	fuzz_assert(restore, "no memory");
	segment_log_init(&log, &folder.disk, SEGMENT_BYTES, 1);
	struct recovery recovery = {
		.log = &log, .on_record = on_record, .on_lost = is_salvaging ? on_lost : NULL, .arg = restore};
	int result = recovery_read(&recovery, error);
	fuzz_assert(log.n_segments <= MAX_SEGMENTS, "%zu segments", log.n_segments);
	segment_log_finish(&log);
	if (result == 0)
		return restore;
	core_restore_destroy(restore);
	return NULL;
}

/* -- The core -- */

static uint64_t now_us;
static struct record_buffer records;
static uint64_t batch;

static void step(struct core *core, struct core_event *event, struct core_effects *effects)
{
	struct core_recorder recorder = {.buffer = &records, .batch = ++batch, .wall_ms = WALL_MS + now_us / 1000};
	struct core_effects kept;
	event->now_us = now_us;
	event->recorder = &recorder;
	*effects = (struct core_effects){0};
	core_step(core, event, effects);
	kept = *effects;
	core_effects_release(core, effects);
	*effects = kept;
	fuzz_assert(!records.has_failed, "records without memory");
}

static void check(const struct core *core)
{
	const char *wrong = core_check(core);
	fuzz_assert(!wrong, "%s", wrong);
}

/* What was restored becomes a core's. NULL: there was something that cannot be. */
static struct core *make_core(struct core_restore *restore, unsigned turn_work)
{
	struct core_limits limits = {.max_memory = 1 << 30,
				     .max_channels = 1000,
				     .max_inflight = 50,
				     .max_waiters = 50,
				     .max_producers = 100,
				     .max_taps = 1000,
				     .turn_work = turn_work,
				     .max_take_bytes = 1 << 20};
	struct core *core = core_create(&limits, &(struct core_seed){.choices = 1, .tokens = {1, 2}});
	struct core_event event = {.op = CORE_RESTORE, .restore = restore};
	struct core_effects effects;
	fuzz_assert(core, "no memory");
	for (int i = 0;; i++) {
		fuzz_assert(i < MAX_SLICES, "it does not end");
		step(core, &event, &effects);
		if (effects.restored.is_done)
			break;
	}
	fuzz_assert(!effects.restored.has_failed, "there is memory");
	core_restore_destroy(restore);
	check(core);
	return core;
}

static void tick(struct core *core, uint64_t us)
{
	struct core_event event = {.op = CORE_TICK};
	struct core_effects effects;
	now_us += us;
	for (int i = 0; i == 0 || core_has_backlog(core); i++) {
		if (i == CIRCLING_SLICES && may_circle)
			break; /* nobody can make a circle of taps, but records can say that there is one */
		fuzz_assert(i < MAX_SLICES, "it does not end");
		step(core, &event, &effects);
	}
	check(core);
}

/* What a checkpoint of the core records, read into another. */
static void check_checkpoint(struct core *core, unsigned turn_work)
{
	struct core_event event = {.op = CORE_CHECKPOINT};
	struct core_effects effects;
	struct core_restore *restore = core_restore_create(tap_match_again);
	struct core_totals totals, again;
	fuzz_assert(restore, "no memory");
	records.len = 0;
	for (int i = 0; i == 0 || !effects.checkpoint_is_done; i++) {
		fuzz_assert(i < MAX_SLICES, "it does not end");
		step(core, &event, &effects);
	}
	check(core);
	for (struct slice left = {records.bytes, records.len}; left.len > 0;) {
		struct record record;
		ptrdiff_t len = record_read(left, &record);
		fuzz_assert(len > 0, "what was recorded is no record");
		fuzz_assert(core_restore_record(restore, &record) == 0, "no memory");
		left.bytes += len;
		left.len -= (size_t)len;
	}
	core_totals(core, &totals);
	struct core *other = make_core(restore, turn_work);
	core_totals(other, &again);
	bool are_durable = core->n_durable == totals.channels;
	fuzz_assert(other->n_durable == core->n_durable, "%zu channels are %zu", (size_t)core->n_durable,
		    (size_t)other->n_durable);
	fuzz_assert(!are_durable || again.buffered + again.leased == totals.buffered + totals.leased,
		    "%lu and %lu values are %lu and %lu", totals.buffered, totals.leased, again.buffered, again.leased);
	core_destroy(other);
}

/* Something is done with each channel. */
static void use(struct core *core)
{
	struct core_effects effects;
	struct core_event event = {.op = CORE_CONNECT, .cookie = core};
	char name[UINT8_MAX + 1] = "";
	size_t name_len = 0;
	step(core, &event, &effects);
	struct core_connection *connection = effects.connection;
	for (int i = 0; i < MAX_CHANNELS; i++) {
		struct channel *channel = directory_after(&core->directory, (struct slice){name, name_len});
		if (!channel)
			break;
		name_len = channel_name(channel).len;
		memcpy(name, channel_name(channel).bytes, name_len);
		event = (struct core_event){.op = CORE_TAKE,
					    .connection = connection,
					    .id = (uint64_t)i,
					    .channel = {name, name_len},
					    .max = 2,
					    .batch = true,
					    .lease_ms = channel->definition.kind == KIND_PROMISE ? 0 : 10,
					    .has_timeout = true};
		step(core, &event, &effects);
		event = (struct core_event){.op = CORE_MOVE,
					    .connection = connection,
					    .id = (uint64_t)i,
					    .channel = {name, name_len},
					    .max = 3};
		step(core, &event, &effects);
	}
	tick(core, FAR_US);
	event = (struct core_event){.op = CORE_DISCONNECT, .connection = connection};
	step(core, &event, &effects);
	check(core);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(data, size);
	input = (struct slice){copy, size};
	unsigned how = take_byte();
	unsigned turn_work = how & 2 ? 3 : 100; /* so that taps in a circle end soon */
	make_folder();
	free(copy);
	now_us = 1000;
	batch = 0;
	may_circle = false;
	struct core_restore *restore = read_folder(how & 1);
	if (restore) {
		struct core *core = make_core(restore, turn_work);
		check_checkpoint(core, turn_work);
		tick(core, 1);
		use(core);
		check_checkpoint(core, turn_work);
		core_destroy(core);
	}
	record_buffer_finish(&records);
	return 0;
}
