/* Deletes from the engine what is not needed any more of a group: first the floor rises, from which on nobody reads
 * what is below; then the batches up to it are deleted, some at a time; in the end the engine may forget their history.
 */
#ifndef MILLRACE_CLUSTER_GROUP_TRIM_H
#define MILLRACE_CLUSTER_GROUP_TRIM_H

#include "daemon/cluster/engine.h"
#include "daemon/cluster/cluster_keys.h"

/* The engine's history, which all groups share. */
struct log_compact {
	struct engine *engine;
	uint64_t newest; /* revision that was seen */
	uint64_t wanted; /* up to this one it may be forgotten; 0: nothing new */
	uint64_t due_us; /* not before */
	bool is_under_way;
};

void log_compact_init(struct log_compact *compact, struct engine *engine);
void log_compact_finish(struct log_compact *compact);
void log_compact_saw(struct log_compact *compact, uint64_t revision);
/* Returns when it has to be called again at the latest. */
uint64_t log_compact_tick(struct log_compact *compact, uint64_t now_us);

enum trim_stage { TRIM_RESTS, TRIM_RAISES, TRIM_LISTS, TRIM_DELETES };

struct group_trim {
	struct engine *engine;
	struct log_compact *compact;
	struct slice group, owner; /* of whoever has this */
	struct batch_position floor, wanted;
	struct batch_position raised; /* what the call under way raises the floor to */
	enum trim_stage stage;
	bool is_under_way;
	uint64_t due_us;                /* the stage's call: not before */
	struct cluster_key first, last; /* to be deleted */
	uint64_t now_us;
};

void group_trim_init(struct group_trim *trim, struct engine *engine, struct log_compact *compact, struct slice group,
		     struct slice owner, struct batch_position floor);
void group_trim_finish(struct group_trim *trim);

/* Says that the batches up to that one are not needed any more. */
void group_trim_raise(struct group_trim *trim, struct batch_position floor);

/* Returns when it has to be called again at the latest. */
uint64_t group_trim_tick(struct group_trim *trim, uint64_t now_us);

#endif
