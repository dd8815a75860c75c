#include "daemon/cluster/group_recovery.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAGE_BYTES = 256 * 1024, /* about; so that others are not held up */
	FIRST_ROWS = 4,
	MOST_ROWS = 1000,
	RETRY_US = 50 * 1000,
	ERROR_BYTES = 300,
};

enum stage { READS_FLOOR, MAKES_FLOOR, READS_BATCHES, HAS_ENDED };

struct group_recovery {
	struct engine *engine;
	struct group_recovery_handlers handlers;
	struct cluster_owner as_owner;
	enum stage stage;
	bool is_under_way;
	uint64_t due_us, now_us;
	struct group_position position;
	struct batch_position last; /* that was read, or the floor */
	bool has_gap;               /* in the epoch of the last */
	size_t rows;                /* of the next page */
	uint64_t records;
	struct record_buffer begun; /* of a batch, whose other pieces are still to come */
	char error[ERROR_BYTES];
	size_t name_len, owner_len;
	char owner[OWNER_BYTES];
	char name[];
};

static struct slice name_of(const struct group_recovery *recovery)
{
	return (struct slice){recovery->name, recovery->name_len};
}

static struct slice owner_of(const struct group_recovery *recovery)
{
	return (struct slice){recovery->owner, recovery->owner_len};
}

static void end(struct group_recovery *recovery, enum group_recovery_end how)
{
	recovery->stage = HAS_ENDED;
	recovery->handlers.on_end(recovery->handlers.arg, how, &recovery->position, recovery->error);
}

static void fail(struct group_recovery *recovery, const char *what, struct slice key)
{
	snprintf(recovery->error, sizeof(recovery->error), "%s: %.*s", what, (int)key.len, key.bytes);
	end(recovery, GROUP_FAILED);
}

static void ask_again(struct group_recovery *recovery)
{
	recovery->due_us = recovery->now_us + RETRY_US;
}

/* -- The floor -- */

static void on_floor(void *arg, const struct engine_answer *answer)
{
	struct group_recovery *recovery = arg;
	recovery->is_under_way = false;
	if (answer->result != ENGINE_DONE) {
		ask_again(recovery);
	} else if (answer->n_rows == 0) {
		recovery->stage = MAKES_FLOOR;
	} else if (!position_read(answer->rows[0].value, &recovery->position.floor)) {
		fail(recovery, "this is no floor of Millrace", answer->rows[0].key);
	} else {
		recovery->last = recovery->position.floor;
		recovery->stage = READS_BATCHES;
	}
}

/* It is always there, since an engine may hold that nothing is not below anything. */
static void on_floor_made(void *arg, const struct engine_answer *answer)
{
	struct group_recovery *recovery = arg;
	recovery->is_under_way = false;
	recovery->stage = READS_FLOOR;
	/* Not so: it is there by now; or the group is another's, as the batches will say. */
	if (answer->result != ENGINE_DONE)
		ask_again(recovery);
}

static void read_floor(struct group_recovery *recovery)
{
	struct cluster_key key = key_of_group(name_of(recovery), "floor");
	recovery->engine->calls->range(recovery->engine, recovery, key_slice(&key), (struct slice){0}, 1, false,
				       on_floor, recovery);
}

static void make_floor(struct group_recovery *recovery)
{
	struct cluster_key owner = key_of_group(name_of(recovery), "owner"),
			   floor = key_of_group(name_of(recovery), "floor");
	char text[POSITION_BYTES + 1];
	position_write((struct batch_position){0, 0}, text);
	const struct engine_compare compares[] = {
		{ENGINE_IS, key_slice(&owner), owner_of(recovery)},
		{.how = ENGINE_ABSENT, .key = key_slice(&floor)},
	};
	const struct engine_write write = {.key = key_slice(&floor), .value = {text, POSITION_BYTES}};
	const struct engine_transaction transaction = {compares, 2, &write, 1};
	recovery->engine->calls->transact(recovery->engine, recovery, &transaction, on_floor_made, recovery);
}

/* -- Batches -- */

/* -1: it has ended. */
static int give_records(struct group_recovery *recovery, struct slice left, struct slice key)
{
	while (left.len > 0) {
		struct record record;
		ptrdiff_t len = record_read(left, &record);
		if (len < 0) {
			fail(recovery,
			     "it has records that this version does not know: start the version that has "
			     "written them",
			     key);
			return -1;
		}
		if (recovery->handlers.on_record(recovery->handlers.arg, &record) < 0) {
			fail(recovery, "no memory for what it says was there", key);
			return -1;
		}
		recovery->records++;
		left = (struct slice){left.bytes + len, left.len - (size_t)len};
	}
	return 0;
}

/* A piece of a batch, which may be all of it: -1: it has ended. */
static int read_piece(struct group_recovery *recovery, const struct engine_row *row)
{
	struct slice value = row->value;
	struct record_buffer *begun = &recovery->begun;
	if (value.len < GROUP_BATCH_HEAD_BYTES || value.bytes[0] != GROUP_BATCH_FORMAT) {
		fail(recovery, "this is no batch, or of a newer version", row->key);
		return -1;
	}
	bool goes_on = value.bytes[1] == GROUP_BATCH_GOES_ON;
	struct slice records = {value.bytes + GROUP_BATCH_HEAD_BYTES, value.len - GROUP_BATCH_HEAD_BYTES};
	if (!goes_on && begun->len == 0)
		return give_records(recovery, records, row->key);
	if (record_reserve(begun, records.len) < 0) {
		fail(recovery, "no memory for what it says was there", row->key);
		return -1;
	}
	memcpy(begun->bytes + begun->len, records.bytes, records.len);
	begun->len += records.len;
	if (goes_on)
		return 0;
	struct slice all = {begun->bytes, begun->len};
	begun->len = 0;
	return give_records(recovery, all, row->key);
}

/* -1: it has ended. */
static int read_row(struct group_recovery *recovery, const struct engine_row *row)
{
	struct batch_position at;
	if (key_read_position(row->key, &at) && at.epoch > recovery->as_owner.epoch) {
		end(recovery, GROUP_IS_LOST);
		return -1;
	}
	if (!key_read_position(row->key, &at) || at.epoch == recovery->as_owner.epoch) {
		fail(recovery, "this is no batch of an earlier epoch", row->key);
		return -1;
	}
	bool is_same = at.epoch == recovery->last.epoch;
	recovery->has_gap = (is_same && recovery->has_gap) || at.seq != (is_same ? recovery->last.seq : 0) + 1;
	if (!is_same || recovery->has_gap)
		recovery->begun.len = 0; /* the rest of that batch is not there */
	recovery->last = at;
	recovery->position.bytes += row->value.len + GROUP_LOG_ROW_BYTES;
	return recovery->has_gap ? 0 : read_piece(recovery, row);
}

static void on_page(void *arg, const struct engine_answer *answer)
{
	struct group_recovery *recovery = arg;
	recovery->is_under_way = false;
	if (answer->result != ENGINE_DONE) {
		ask_again(recovery);
		return;
	}
	size_t bytes = 0;
	for (size_t i = 0; i < answer->n_rows; i++) {
		bytes += answer->rows[i].value.len + 1;
		if (read_row(recovery, &answer->rows[i]) < 0)
			return;
	}
	if (!answer->has_more) {
		end(recovery, GROUP_RECOVERED);
		return;
	}
	size_t rows = answer->n_rows ? PAGE_BYTES / (bytes / answer->n_rows + 1) : FIRST_ROWS;
	recovery->rows = rows < 1 ? 1 : rows > MOST_ROWS ? MOST_ROWS : rows;
}

static void read_page(struct group_recovery *recovery)
{
	struct batch_position next = {recovery->last.epoch, recovery->last.seq + 1};
	struct cluster_key begin = key_of_batch(name_of(recovery), next), last = key_after_batches(name_of(recovery));
	recovery->engine->calls->range(recovery->engine, recovery, key_slice(&begin), key_slice(&last), recovery->rows,
				       false, on_page, recovery);
}

/* -- Life -- */

uint64_t group_recovery_tick(struct group_recovery *recovery, uint64_t now_us)
{
	recovery->now_us = now_us;
	if (recovery->is_under_way || recovery->stage == HAS_ENDED)
		return UINT64_MAX;
	if (recovery->due_us > now_us)
		return recovery->due_us;
	recovery->is_under_way = true;
	switch (recovery->stage) {
	case READS_FLOOR:
		read_floor(recovery);
		break;
	case MAKES_FLOOR:
		make_floor(recovery);
		break;
	case READS_BATCHES:
		read_page(recovery);
		break;
	case HAS_ENDED:
		break;
	}
	return UINT64_MAX;
}

struct group_recovery *group_recovery_start(struct engine *engine, struct slice group, struct slice owner,
					    const struct group_recovery_handlers *handlers)
{
	struct cluster_owner as_owner;
	if (owner.len >= OWNER_BYTES || !owner_read(owner, &as_owner))
		return NULL;
	struct group_recovery *recovery = calloc(1, sizeof(*recovery) + group.len);
	if (!recovery)
		return NULL;
	recovery->engine = engine;
	recovery->handlers = *handlers;
	recovery->as_owner.epoch = as_owner.epoch;
	recovery->rows = FIRST_ROWS;
	memcpy(recovery->name, group.bytes, recovery->name_len = group.len);
	memcpy(recovery->owner, owner.bytes, recovery->owner_len = owner.len);
	return recovery;
}

void group_recovery_destroy(struct group_recovery *recovery)
{
	if (!recovery)
		return;
	recovery->engine->calls->cancel_all(recovery->engine, recovery);
	record_buffer_finish(&recovery->begun);
	free(recovery);
}

uint64_t group_recovery_records(const struct group_recovery *recovery)
{
	return recovery->records;
}
