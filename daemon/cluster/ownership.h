/* Who owns which group: takes those that are free or whose owner is gone and that had best be here, gives those away
 * that had best be elsewhere, and notices when one was lost. All by transactions that compare what was read: of daemons
 * that race for a group one wins.
 *
 * A group is ours when the engine says so, not when a transaction was answered: whatever is read with our own mark in
 * it is ours, be it that we took it without an answer, or that another has given it to us. */
#ifndef MILLRACE_CLUSTER_OWNERSHIP_H
#define MILLRACE_CLUSTER_OWNERSHIP_H

#include "daemon/cluster/engine.h"
#include "daemon/cluster/placement.h"
#include "daemon/cluster/table.h"

struct ownership_handlers {
	void (*on_take)(void *arg, struct slice group, struct slice owner); /* it is ours, as this value says */
	void (*on_give)(void *arg, struct slice group); /* ends it, and then says ownership_released() */
	void (*on_lost)(void *arg, const char *why);
	void *arg;
};

struct ownership {
	struct engine *engine;
	struct table *table;
	struct placement placement;
	struct ownership_handlers handlers;
	struct slice name;
	struct cluster_mark mark;
	uint64_t lease;
	uint64_t damping_us, stuck_us;
	uint64_t now_us;
	bool is_draining;
	bool wants_reading; /* something was changed, or may have been: the table is to be read again */
};

/* Decides, once the table was read, which groups to take and which to give. Returns when it has to be called again at
 * the latest. */
uint64_t ownership_decide(struct ownership *ownership);

/* All that was recorded of the group is committed, and nothing more will be. */
void ownership_released(struct ownership *ownership, struct table_group *group);

/* Whether the group had best be here. ownership_take() takes one of these that nobody owns. */
bool ownership_is_home(struct ownership *ownership, const struct table_group *group);
void ownership_take(struct ownership *ownership, struct table_group *group);

/* The daemon, of those that are up, where the group had best be. NULL: none is up. */
const struct table_member *ownership_home(struct ownership *ownership, const struct table_group *group);

/* The same for a group that need not be in the table. `home`: where people have moved it, or empty. */
const struct table_member *ownership_home_of(struct ownership *ownership, struct slice group, struct slice home);

/* How many groups are ours, or on their way. */
size_t ownership_n_ours(const struct ownership *ownership);

#endif
