/* The journal's carrier in a cluster: it parts each of the daemon's batches into its groups' own, and writes these to
 * the engine, each by a transaction that says no unless the daemon still owns the group. Pure: the time comes in.
 *
 * What another daemon relies on when it takes the group over:
 *
 * - Fencing. A transaction compares the owner's value, in which epoch and mark are unlike those of any other ownership.
 *   Once somebody else owns the group, what was written in an epoch stays as it is for good.
 * - Order. Two transactions of a group may be under way, and arrive in any order: the daemon's batch counts as
 *   committed when all of it and of the batches before it is there. So what follows a gap was never told to anybody,
 *   and group_recovery.c leaves it out.
 * - Again. A transaction without an answer is asked again, the same. Should one of them arrive late, when the batch
 *   was dropped, the floor has risen above it, which it compares too.
 *
 * A batch that is too large for one key is in several, each of which but the last says that it goes on. */
#ifndef MILLRACE_CLUSTER_GROUP_LOG_H
#define MILLRACE_CLUSTER_GROUP_LOG_H

#include "daemon/cluster/engine.h"
#include "daemon/cluster/cluster_keys.h"
#include "daemon/journal/journal.h"

enum {
	GROUP_LOG_PIECE_BYTES = 512 * 1024, /* of records in one key; etcd takes 1.5 MiB in a request */
	GROUP_LOG_BATCH_BYTES = 64 * 1024,  /* journal_settings.max_batch */
	GROUP_LOG_ROW_BYTES = 300,          /* what a key costs beside its value, about */
};

/* Before a batch's records in its key. */
enum { GROUP_BATCH_FORMAT = 1, GROUP_BATCH_GOES_ON = 2, GROUP_BATCH_ENDS = 3, GROUP_BATCH_HEAD_BYTES = 2 };

struct group_log;

struct group_log_settings {
	struct engine *engine;
	uint64_t first;               /* the number of the daemon's first batch */
	size_t piece_bytes;           /* of records in one key; 0: GROUP_LOG_PIECE_BYTES */
	void (*on_change)(void *arg); /* the status has changed */
	void *arg;
};

/* NULL: no memory. */
struct group_log *group_log_create(const struct group_log_settings *settings);
/* Nothing more is asked of the engine, and no callback comes. NULL is fine. */
void group_log_destroy(struct group_log *log);

struct carrier *group_log_carrier(struct group_log *log);

/* What group_recovery.c has found of a group. */
struct group_position {
	struct batch_position floor;
	uint64_t bytes; /* of the batches above it, with what their keys cost */
};

/* Begins to write the group's batches: the daemon owns it, as `owner` says, and `batch` is the first of its own that
 * may have records of the group. A checkpoint that has begun in that batch or before may have passed the group. -1: no
 * memory. */
int group_log_add(struct group_log *log, struct slice group, struct slice owner, const struct group_position *position,
		  uint64_t batch);
/* The daemon is about to give the group away: no checkpoint records it any more, and so none drops anything of it. */
void group_log_release(struct group_log *log, struct slice group);
/* The daemon owns the group no more, or is about to give it up, and all that was recorded of it is committed. */
void group_log_remove(struct group_log *log, struct slice group);

/* Goes on with what time alone brings: asking again, deleting what is not needed, looking for room. Returns when it has
 * to be called again at the latest. */
uint64_t group_log_tick(struct group_log *log, uint64_t now_us);

/* How many batches of the group are not committed yet, since when the first of them is on its way, and how many bytes
 * the engine has of the group. False: the group is not there. */
bool group_log_lag(const struct group_log *log, struct slice group, uint64_t *batches, uint64_t *bytes,
		   uint64_t *since_us);

/* How much of its room the engine has used, as it last said. */
void group_log_room(const struct group_log *log, uint64_t *used_bytes, uint64_t *quota_bytes);

enum { GROUP_LOG_TROUBLE_BYTES = 200 };

/* Why the engine last refused to write, for a log line; empty: it has not since the last time this was asked. */
void group_log_take_trouble(struct group_log *log, char text[GROUP_LOG_TROUBLE_BYTES]);

#endif
