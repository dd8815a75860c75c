/* Pieces of batches to the engine, those of a group in order and all of them again until they are kept; and what is
 * committed by that. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/cluster/sooner.h"
#include "daemon/cluster/group_log_private.h"

enum {
	UNDER_WAY_OF_GROUP = 2, /* more gain nothing over etcd's gateway */
	UNDER_WAY = 64,
	FIRST_RETRY_US = 20 * 1000,
	LAST_RETRY_US = 500 * 1000,
	FULL_RETRY_US = 1000 * 1000,
};

void group_log_tell(struct group_log *log)
{
	log->settings.on_change(log->settings.arg);
}

void group_log_fail(struct group_log *log, const char *why)
{
	if (log->status.failure)
		return;
	log->status.failure = why;
	group_log_tell(log);
}

static void on_written(void *arg, const struct engine_answer *answer);

static void write_piece(struct group_log *log, struct piece *piece)
{
	struct log_group *group = piece->group;
	struct batch_position position = {group->epoch, piece->seq};
	struct cluster_key owner = key_of_group(log_group_name(group), "owner"),
			   floor = key_of_group(log_group_name(group), "floor"),
			   batch = key_of_batch(log_group_name(group), position);
	char text[POSITION_BYTES + 1];
	position_write(position, text);
	const struct engine_compare compares[] = {
		{ENGINE_IS, key_slice(&owner), log_group_owner(group)},
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
			due_us = sooner_us(due_us, piece->due_us);
		else if (log->under_way < UNDER_WAY)
			write_piece(log, piece);
		else
			log->has_reached_bound = true;
	}
	return due_us;
}

uint64_t group_log_write(struct group_log *log)
{
	uint64_t due_us = UINT64_MAX;
	log->has_reached_bound = false;
	for (struct log_group *group = log->groups; group; group = group->next)
		if (group->first)
			due_us = sooner_us(due_us, write_group(log, group));
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

void group_log_commit(struct group_log *log)
{
	uint64_t before = log->status.committed;
	while (log->status.committed < log->last_batch &&
	       log->missing[log->status.committed + 1 - log->first_batch] == 0)
		log->status.committed++;
	if (log->status.committed > before)
		group_log_tell(log);
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
		group_log_write(log);
	else
		write_group(log, group);
	group_log_commit(log);
}

/* The same will be asked again. */
static void put_off(struct group_log *log, struct piece *piece, const struct engine_answer *answer)
{
	uint64_t next_us = piece->retry_us * 2;
	piece->state = PIECE_WAITS;
	piece->retry_us = next_us < FIRST_RETRY_US ? FIRST_RETRY_US : next_us > LAST_RETRY_US ? LAST_RETRY_US : next_us;
	piece->due_us = log->now_us + (answer->is_full ? FULL_RETRY_US : piece->retry_us);
	snprintf(log->trouble, sizeof(log->trouble), "%s", engine_message(answer));
	log->status.is_full |= answer->is_full;
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
		group_log_fail(log, "another daemon has taken over a group of this one");
		break;
	case ENGINE_UNKNOWN:
	case ENGINE_REFUSED:
		put_off(log, piece, answer);
		group_log_tell(log); /* whether there is room, and when to ask again */
		break;
	}
}
