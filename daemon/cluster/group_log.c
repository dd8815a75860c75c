#include "daemon/cluster/group_log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cluster/group_trim.h"

enum {
	UNDER_WAY_OF_GROUP = 2, /* more gain nothing over etcd's gateway */
	UNDER_WAY = 64,
	FIRST_RETRY_US = 20 * 1000,
	LAST_RETRY_US = 500 * 1000,
	FULL_RETRY_US = 1000 * 1000,
	STATUS_US = 2 * 1000 * 1000,
	FULL_PART = 3, /* of the quota */
};
static const uint64_t DEFAULT_QUOTA_BYTES = UINT64_C(2) << 30; /* of an engine that does not say */

struct piece { /* of a batch: the value of one key */
	struct piece *next;
	struct log_group *group;
	uint64_t batch; /* the daemon's, of which it is a part */
	uint64_t seq;
	enum { PIECE_WAITS, PIECE_IS_UNDER_WAY, PIECE_IS_KEPT } state;
	uint64_t retry_us, due_us; /* when it waits: not before */
	size_t len;
	char bytes[];
};

struct log_group {
	struct log_group *next;
	struct group_log *log;
	struct group_trim trim;
	uint64_t epoch, seq; /* seq: the last that was given */
	struct piece *first, **last;
	unsigned under_way;
	uint64_t bytes;
	uint64_t first_batch; /* of the daemon's, that may have records of it */
	/* Since a checkpoint began, while this daemon owned the group: */
	bool has_begun;
	uint64_t seq_at_begin, bytes_at_begin;
	/* While batches are parted: */
	struct record_buffer records;
	bool is_touched, is_released;
	struct log_group *next_touched;
	size_t owner_len;
	char owner[OWNER_BYTES];
	size_t name_len;
	char name[];
};

struct group_log {
	struct carrier carrier; /* must come first */
	struct engine *engine;
	struct group_log_settings settings;
	struct carrier_status status;
	uint64_t now_us;
	struct log_group *groups;
	unsigned under_way;
	bool has_reached_bound; /* of what is under way: others wait for that */
	/* The run: how many pieces of each of its batches are not kept yet. */
	uint64_t first_batch, last_batch, begun_us;
	uint32_t *missing;
	size_t cap_missing;
	bool run_is_timed;
	uint64_t status_due_us, used_bytes, quota_bytes;
	bool asks_status;
	struct log_compact compact;
	char trouble[200];
};

static struct slice name_of(const struct log_group *group)
{
	return (struct slice){group->name, group->name_len};
}

static struct slice owner_of(const struct log_group *group)
{
	return (struct slice){group->owner, group->owner_len};
}

static struct log_group *find_group(const struct group_log *log, struct slice name)
{
	struct log_group *group = log->groups;
	while (group && !slice_equal(name_of(group), name))
		group = group->next;
	return group;
}

static void tell(struct group_log *log)
{
	log->settings.on_change(log->settings.arg);
}

static void fail(struct group_log *log, const char *why)
{
	if (log->status.failure)
		return;
	log->status.failure = why;
	tell(log);
}

/* -- Writing -- */

static void on_written(void *arg, const struct engine_answer *answer);

static void write_piece(struct group_log *log, struct piece *piece)
{
	struct log_group *group = piece->group;
	struct batch_position position = {group->epoch, piece->seq};
	struct cluster_key owner = key_of_group(name_of(group), "owner"), floor = key_of_group(name_of(group), "floor"),
			   batch = key_of_batch(name_of(group), position);
	char text[POSITION_BYTES + 1];
	position_write(position, text);
	const struct engine_compare compares[] = {
		{ENGINE_IS, key_slice(&owner), owner_of(group)},
		{ENGINE_BELOW, key_slice(&floor), {text, POSITION_BYTES}},
	};
	const struct engine_write write = {.key = key_slice(&batch), .value = {piece->bytes, piece->len}};
	const struct engine_transaction transaction = {compares, 2, &write, 1};
	piece->state = PIECE_IS_UNDER_WAY;
	group->under_way++;
	log->under_way++;
	log->engine->calls->transact(log->engine, group, &transaction, on_written, piece);
}

/* Writes what may be on its way. Returns when the first that has to wait for a time may go. */
static uint64_t write_group(struct group_log *log, struct log_group *group)
{
	uint64_t due_us = UINT64_MAX;
	unsigned looked_at = 0;
	for (struct piece *piece = group->first; piece && looked_at < UNDER_WAY_OF_GROUP; piece = piece->next) {
		looked_at += piece->state != PIECE_IS_KEPT;
		if (piece->state != PIECE_WAITS)
			continue;
		if (piece->due_us > log->now_us)
			due_us = piece->due_us < due_us ? piece->due_us : due_us;
		else if (log->under_way < UNDER_WAY)
			write_piece(log, piece);
		else
			log->has_reached_bound = true;
	}
	return due_us;
}

static uint64_t write_all(struct group_log *log)
{
	uint64_t due_us = UINT64_MAX;
	log->has_reached_bound = false;
	for (struct log_group *group = log->groups; group; group = group->next) {
		uint64_t at_us = group->first ? write_group(log, group) : UINT64_MAX;
		due_us = at_us < due_us ? at_us : due_us;
	}
	return due_us;
}

/* Pieces that are kept go, up to the first that is not. */
static void forget_kept(struct log_group *group)
{
	while (group->first && group->first->state == PIECE_IS_KEPT) {
		struct piece *piece = group->first;
		group->first = piece->next;
		free(piece);
	}
	if (!group->first)
		group->last = &group->first;
}

/* Batches are committed in order. */
static void commit(struct group_log *log)
{
	uint64_t before = log->status.committed;
	while (log->status.committed < log->last_batch &&
	       log->missing[log->status.committed + 1 - log->first_batch] == 0)
		log->status.committed++;
	if (log->status.committed > before)
		tell(log);
}

static void on_kept(struct group_log *log, struct piece *piece)
{
	struct log_group *group = piece->group;
	piece->state = PIECE_IS_KEPT;
	group->bytes += piece->len + GROUP_LOG_ROW_BYTES;
	log->status.bytes += piece->len + GROUP_LOG_ROW_BYTES;
	log->missing[piece->batch - log->first_batch]--;
	forget_kept(group);
	if (log->has_reached_bound)
		write_all(log);
	else
		write_group(log, group);
	commit(log);
}

/* The same will be asked again. */
static void put_off(struct group_log *log, struct piece *piece, const struct engine_answer *answer)
{
	uint64_t next_us = piece->retry_us * 2;
	piece->state = PIECE_WAITS;
	piece->retry_us = next_us < FIRST_RETRY_US ? FIRST_RETRY_US : next_us > LAST_RETRY_US ? LAST_RETRY_US : next_us;
	piece->due_us = log->now_us + (answer->is_full ? FULL_RETRY_US : piece->retry_us);
	snprintf(log->trouble, sizeof(log->trouble), "%s", answer->message ? answer->message : "no answer");
	if (answer->is_full && !log->status.is_full) {
		log->status.is_full = true;
		tell(log);
	}
}

static void on_written(void *arg, const struct engine_answer *answer)
{
	struct piece *piece = arg;
	struct group_log *log = piece->group->log;
	piece->group->under_way--;
	log->under_way--;
	switch (answer->result) {
	case ENGINE_DONE:
		log_compact_saw(&log->compact, answer->revision);
		on_kept(log, piece);
		break;
	case ENGINE_NOT_SO:
		fail(log, "another daemon has taken over a group of this one");
		break;
	case ENGINE_UNKNOWN:
	case ENGINE_REFUSED:
		put_off(log, piece, answer);
		tell(log); /* so that the time to ask again is known */
		break;
	}
}

/* -- Parting a run -- */

static int add_piece(struct log_group *group, uint64_t batch, struct slice records, bool goes_on)
{
	struct group_log *log = group->log;
	struct piece *piece = malloc(sizeof(*piece) + GROUP_BATCH_HEAD_BYTES + records.len);
	if (!piece)
		return -1;
	*piece = (struct piece){
		.group = group, .batch = batch, .seq = ++group->seq, .len = GROUP_BATCH_HEAD_BYTES + records.len};
	piece->bytes[0] = GROUP_BATCH_FORMAT;
	piece->bytes[1] = goes_on ? GROUP_BATCH_GOES_ON : GROUP_BATCH_ENDS;
	memcpy(piece->bytes + GROUP_BATCH_HEAD_BYTES, records.bytes, records.len);
	*group->last = piece;
	group->last = &piece->next;
	log->missing[batch - log->first_batch]++;
	return 0;
}

/* What was gathered of the group becomes pieces. */
static int end_batch(struct log_group *group, uint64_t batch)
{
	struct slice left = {group->records.bytes, group->records.len};
	size_t most = group->log->settings.piece_bytes;
	group->records.len = 0;
	group->is_touched = false;
	while (left.len > 0) {
		size_t len = left.len > most ? most : left.len;
		if (add_piece(group, batch, (struct slice){left.bytes, len}, len < left.len) < 0)
			return -1;
		left = (struct slice){left.bytes + len, left.len - len};
	}
	return 0;
}

static int gather(struct log_group *group, struct slice record)
{
	if (record_reserve(&group->records, record.len) < 0)
		return -1;
	memcpy(group->records.bytes + group->records.len, record.bytes, record.len);
	group->records.len += record.len;
	return 0;
}

static void note_begin(struct group_log *log, uint64_t batch)
{
	for (struct log_group *group = log->groups; group; group = group->next) {
		if (group->first_batch >= batch || group->is_released)
			continue;
		group->has_begun = true;
		group->seq_at_begin = group->seq;
		group->bytes_at_begin = group->bytes;
	}
}

/* Records of the batch go to their groups; those of checkpoints are the daemon's own. -1: no memory. */
static int part_batch(struct group_log *log, struct slice left, uint64_t batch)
{
	struct log_group *group = NULL, *touched = NULL;
	int result = 0;
	while (left.len > 0 && result == 0) {
		struct record record;
		ptrdiff_t len = record_read(left, &record);
		assert(len > 0);
		struct slice bytes = {left.bytes, (size_t)len};
		left = (struct slice){left.bytes + len, left.len - (size_t)len};
		if (record.kind == RECORD_CHECKPOINT_BEGIN) {
			note_begin(log, batch);
		} else if (record.kind == RECORD_GROUP) {
			group = find_group(log, record.name);
			assert(group);
			if (!group->is_touched)
				group->next_touched = touched, touched = group;
			group->is_touched = true;
		} else if (record.kind != RECORD_CHECKPOINT_END) {
			assert(group);
			result = gather(group, bytes);
		}
	}
	for (; touched; touched = touched->next_touched)
		result = result == 0 ? end_batch(touched, batch) : result;
	return result;
}

static int reserve_missing(struct group_log *log, uint64_t last)
{
	size_t n = (size_t)(last - log->status.committed);
	log->first_batch = log->status.committed + 1;
	if (n > log->cap_missing) {
		uint32_t *grown = realloc(log->missing, n * sizeof(*grown));
		if (!grown)
			return -1;
		log->missing = grown;
		log->cap_missing = n;
	}
	memset(log->missing, 0, n * sizeof(*log->missing));
	log->last_batch = last;
	return 0;
}

static void append(struct carrier *carrier, char *run, size_t len, uint64_t last)
{
	struct group_log *log = (struct group_log *)carrier;
	assert(log->status.committed == log->last_batch);
	int result = reserve_missing(log, last);
	for (size_t at = 0; at < len && result == 0;) {
		struct batch_head head;
		batch_head_read(run + at, 0, &head);
		result = part_batch(log, (struct slice){run + at + BATCH_HEAD_BYTES, head.len}, head.number);
		at += batch_span(head.len);
	}
	if (result < 0) {
		fail(log, "no memory for batches that are on their way to the engine");
		return;
	}
	log->begun_us = log->now_us;
	log->run_is_timed = true;
	write_all(log);
	commit(log);
}

/* -- Dropping -- */

static void drop_before(struct carrier *carrier, uint64_t number)
{
	struct group_log *log = (struct group_log *)carrier;
	(void)number; /* the batch in which the last checkpoint began, which every group has noted */
	for (struct log_group *group = log->groups; group; group = group->next) {
		if (!group->has_begun)
			continue;
		group->has_begun = false;
		group->bytes -= group->bytes_at_begin;
		log->status.bytes -= group->bytes_at_begin;
		group_trim_raise(&group->trim, (struct batch_position){group->epoch, group->seq_at_begin});
	}
}

static void status(struct carrier *carrier, struct carrier_status *out)
{
	*out = ((struct group_log *)carrier)->status;
}

/* -- Time -- */

static void on_status(void *arg, const struct engine_answer *answer)
{
	struct group_log *log = arg;
	log->asks_status = false;
	if (answer->result != ENGINE_DONE)
		return;
	log->used_bytes = answer->used_bytes;
	log->quota_bytes = answer->quota_bytes;
	uint64_t quota = answer->quota_bytes ? answer->quota_bytes : DEFAULT_QUOTA_BYTES;
	uint64_t bound = quota / FULL_PART - (log->status.is_full ? quota / FULL_PART / 16 : 0);
	bool is_full = answer->is_full || answer->used_bytes > bound;
	log->status.left = answer->used_bytes < quota ? quota - answer->used_bytes : 0;
	if (is_full != log->status.is_full) {
		log->status.is_full = is_full;
		tell(log);
	}
}

static uint64_t look_for_room(struct group_log *log)
{
	if (log->now_us >= log->status_due_us) {
		log->status_due_us = log->now_us + STATUS_US;
		if (!log->asks_status)
			log->engine->calls->status(log->engine, log, on_status, log);
		log->asks_status = true;
	}
	return log->status_due_us;
}

static void time_run(struct group_log *log)
{
	if (!log->run_is_timed || log->status.committed < log->last_batch)
		return;
	uint64_t us = log->now_us - log->begun_us;
	size_t i = 0;
	while (i < CARRIER_BOUNDS && us > carrier_bounds_us[i])
		i++;
	log->status.commits[i]++;
	log->status.commits_us += us;
	log->run_is_timed = false;
}

uint64_t group_log_tick(struct group_log *log, uint64_t now_us)
{
	log->now_us = now_us;
	if (log->status.failure)
		return UINT64_MAX;
	time_run(log);
	uint64_t due_us = write_all(log), at_us = look_for_room(log);
	due_us = at_us < due_us ? at_us : due_us;
	for (struct log_group *group = log->groups; group; group = group->next) {
		at_us = group_trim_tick(&group->trim, now_us);
		due_us = at_us < due_us ? at_us : due_us;
	}
	at_us = log_compact_tick(&log->compact, now_us);
	return at_us < due_us ? at_us : due_us;
}

/* -- Groups -- */

int group_log_add(struct group_log *log, struct slice name, struct slice owner, const struct group_position *position,
		  uint64_t batch)
{
	struct cluster_owner as_owner;
	bool is_owner = owner.len < OWNER_BYTES && owner_read(owner, &as_owner);
	assert(is_owner && !find_group(log, name));
	struct log_group *group = is_owner ? calloc(1, sizeof(*group) + name.len) : NULL;
	if (!group)
		return -1;
	memcpy(group->name, name.bytes, name.len);
	group->name_len = name.len;
	memcpy(group->owner, owner.bytes, owner.len);
	group->owner_len = owner.len;
	group->log = log;
	group->epoch = as_owner.epoch;
	group->last = &group->first;
	group->bytes = position->bytes;
	group->first_batch = batch;
	group_trim_init(&group->trim, log->engine, &log->compact, name_of(group), owner_of(group), position->floor);
	log->status.bytes += group->bytes;
	group->next = log->groups;
	log->groups = group;
	return 0;
}

static void destroy_group(struct group_log *log, struct log_group *group)
{
	log->engine->calls->cancel_all(log->engine, group);
	group_trim_finish(&group->trim);
	for (struct piece *piece = group->first, *next; piece; piece = next) {
		next = piece->next;
		free(piece);
	}
	record_buffer_finish(&group->records);
	free(group);
}

void group_log_release(struct group_log *log, struct slice name)
{
	struct log_group *group = find_group(log, name);
	if (group) {
		group->is_released = true;
		group->has_begun = false;
	}
}

void group_log_remove(struct group_log *log, struct slice name)
{
	for (struct log_group **at = &log->groups; *at; at = &(*at)->next) {
		struct log_group *group = *at;
		if (!slice_equal(name_of(group), name))
			continue;
		assert(!group->first);
		*at = group->next;
		log->status.bytes -= group->bytes;
		destroy_group(log, group);
		return;
	}
}

bool group_log_lag(const struct group_log *log, struct slice name, uint64_t *batches, uint64_t *bytes,
		   uint64_t *since_us)
{
	const struct log_group *group = find_group(log, name);
	if (!group)
		return false;
	*batches = 0;
	for (const struct piece *piece = group->first; piece; piece = piece->next)
		*batches += piece->state != PIECE_IS_KEPT;
	*bytes = group->bytes;
	*since_us = log->begun_us;
	return true;
}

void group_log_room(const struct group_log *log, uint64_t *used_bytes, uint64_t *quota_bytes)
{
	*used_bytes = log->used_bytes;
	*quota_bytes = log->quota_bytes;
}

void group_log_take_trouble(struct group_log *log, char text[200])
{
	memcpy(text, log->trouble, sizeof(log->trouble));
	log->trouble[0] = '\0';
}

/* -- Life -- */

static const struct carrier_calls calls = {append, drop_before, status};

struct carrier *group_log_carrier(struct group_log *log)
{
	return &log->carrier;
}

struct group_log *group_log_create(const struct group_log_settings *settings)
{
	struct group_log *log = calloc(1, sizeof(*log));
	if (!log)
		return NULL;
	log->carrier.calls = &calls;
	log->settings = *settings;
	if (!settings->piece_bytes)
		log->settings.piece_bytes = GROUP_LOG_PIECE_BYTES;
	log->engine = settings->engine;
	log->last_batch = log->status.committed = settings->first - 1;
	log->status.segments = 2; /* there is always something that a checkpoint could drop */
	log_compact_init(&log->compact, settings->engine);
	return log;
}

void group_log_destroy(struct group_log *log)
{
	if (!log)
		return;
	for (struct log_group *group = log->groups, *next; group; group = next) {
		next = group->next;
		destroy_group(log, group);
	}
	log->engine->calls->cancel_all(log->engine, log);
	log_compact_finish(&log->compact);
	free(log->missing);
	free(log);
}
