/* What the files of group_log.h share: the log itself, its groups, and the pieces of batches that are on their way. */
#ifndef MILLRACE_CLUSTER_GROUP_LOG_PRIVATE_H
#define MILLRACE_CLUSTER_GROUP_LOG_PRIVATE_H

#include "daemon/cluster/group_log.h"
#include "daemon/cluster/group_trim.h"

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
	char trouble[GROUP_LOG_TROUBLE_BYTES];
};

static inline struct slice log_group_name(const struct log_group *group)
{
	return (struct slice){group->name, group->name_len};
}

static inline struct slice log_group_owner(const struct log_group *group)
{
	return (struct slice){group->owner, group->owner_len};
}

/* NULL: it is not there. */
struct log_group *group_log_find(const struct group_log *log, struct slice name);

/* Tells whoever listens that the status has changed; group_log_fail(): that it has failed, for good. */
void group_log_tell(struct group_log *log);
void group_log_fail(struct group_log *log, const char *why);

/* -- group_log_write.c -- */

/* Sends the pieces that may go now. Returns when the first of those that have to wait for a time may. */
uint64_t group_log_write(struct group_log *log);

/* Commits the batches that are kept, in order, up to the first that is not. */
void group_log_commit(struct group_log *log);

/* -- group_log_part.c -- */

/* The carrier's call: takes a run of the daemon's batches. */
void group_log_append(struct carrier *carrier, char *run, size_t len, uint64_t last);

#endif
