/* How a daemon says in the engine that it is up: by a key of its name, which goes with its lease. It joins as soon as
 * the engine answers and no other daemon has its name; from then on it keeps the lease alive.
 *
 * It is sure to be in the cluster until sure_until_us, by its own clock: the last time that it asked for the lease to
 * be kept alive, and was told so, and what the lease lasts from then on, less a little, since clocks differ. Until then
 * the engine has not ended the lease, and nobody else owns what this daemon does. */
#ifndef MILLRACE_CLUSTER_JOINING_H
#define MILLRACE_CLUSTER_JOINING_H

#include "daemon/cluster/engine.h"
#include "daemon/cluster/cluster_keys.h"

enum joining_stage {
	JOINING_READS_STATUS,
	JOINING_MAKES_FORMAT,
	JOINING_READS_FORMAT,
	JOINING_LOOKS_FOR_NAME,
	JOINING_ENDS_OLD_LEASE,
	JOINING_GETS_LEASE,
	JOINING_TAKES_NAME,
	JOINED,
	JOINING_HAS_FAILED,
	JOINING_HAS_LEFT,
};

struct joining_handlers {
	void (*on_joined)(void *arg);
	/* `is_lost`: it was in the cluster, and may join anew; else it cannot join. */
	void (*on_end)(void *arg, bool is_lost, const char *why);
	void *arg;
};

enum { JOINING_TEXT_BYTES = 300 };

struct joining {
	struct engine *engine;
	struct joining_handlers handlers;
	struct cluster_key key;
	enum joining_stage stage;
	bool is_under_way;
	bool lease_is_doubtful; /* it may have ended before the name was taken */
	uint64_t old_lease;     /* of a run before this one in the same process, which has ended; 0: there was none */
	uint64_t ttl_ms, lease, now_us, due_us, asked_us, sure_until_us;
	uint64_t refused_since_us, taken_since_us; /* UINT64_MAX: it is not */
	size_t value_len, taken_len;
	char value[MEMBER_BYTES];         /* of our key */
	char taken[MEMBER_BYTES];         /* of the same key, while it is another's */
	char trouble[JOINING_TEXT_BYTES]; /* why it goes no further; empty: it does */
	bool wants_value_written;         /* it has changed since we have joined */
};

void joining_init(struct joining *joining, struct engine *engine, struct slice name, uint64_t ttl_ms,
		  const struct joining_handlers *handlers);
void joining_finish(struct joining *joining);

/* Sets what our key says. */
void joining_set_value(struct joining *joining, struct slice value);

/* Returns when it has to be called again at the latest. */
uint64_t joining_tick(struct joining *joining, uint64_t now_us);

/* Looks at what was read as our key's value: if another wrote it, our place is lost. */
void joining_look_at_key(struct joining *joining, struct slice value);

/* Gives name and lease back, without waiting for it. */
void joining_leave(struct joining *joining);

#endif
