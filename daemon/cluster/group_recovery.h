/* Recovery of a group: reads what its batches in the engine say, page by page, once this daemon owns the group.
 *
 * From then on the batches of earlier epochs stay as they are: whoever writes them compares the owner. Of each epoch
 * the contiguous prefix counts, from the floor on; what follows a gap was never told to anybody, and is left out, by
 * whoever reads it, until the floor rises above it. Pure: the time comes in. */
#ifndef MILLRACE_CLUSTER_GROUP_RECOVERY_H
#define MILLRACE_CLUSTER_GROUP_RECOVERY_H

#include "daemon/cluster/engine.h"
#include "daemon/cluster/group_log.h"
#include "daemon/cluster/cluster_keys.h"

enum group_recovery_end {
	GROUP_RECOVERED,
	GROUP_IS_LOST, /* another daemon has taken it over since */
	GROUP_FAILED,  /* see `error` */
};

struct group_recovery;

struct group_recovery_handlers {
	int (*on_record)(void *arg, const struct record *record); /* -1: no memory */
	/* Once; it may destroy the recovery, and with it what position and error point to. */
	void (*on_end)(void *arg, enum group_recovery_end end, const struct group_position *position,
		       const char *error);
	void *arg;
};

/* NULL: no memory. `owner`: as this daemon's key says. */
struct group_recovery *group_recovery_start(struct engine *engine, struct slice group, struct slice owner,
					    const struct group_recovery_handlers *handlers);
void group_recovery_destroy(struct group_recovery *recovery); /* NULL is fine */

/* Asks again where there was no answer. Returns when it has to be called again at the latest. */
uint64_t group_recovery_tick(struct group_recovery *recovery, uint64_t now_us);

/* How far it is, for who waits. */
uint64_t group_recovery_records(const struct group_recovery *recovery);

#endif
