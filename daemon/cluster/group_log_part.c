/* A run of the daemon's batches, parted: what each says of a group becomes pieces of that group's own batch. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cluster/group_log_private.h"

struct log_group *group_log_find(const struct group_log *log, struct slice name)
{
	struct log_group *group = log->groups;
	while (group && !slice_equal(log_group_name(group), name))
		group = group->next;
	return group;
}

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
			group = group_log_find(log, record.name);
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

void group_log_append(struct carrier *carrier, char *run, size_t len, uint64_t last)
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
		group_log_fail(log, "no memory for batches that are on their way to the engine");
		return;
	}
	log->begun_us = log->now_us;
	log->run_is_timed = true;
	group_log_write(log);
	group_log_commit(log);
}
