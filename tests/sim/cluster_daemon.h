/* A daemon of a simulated cluster: the real journal, group log, recovery and membership around groups that are queues
 * of numbers. Its clients put, take and look; what they are told waits until what it shows is committed, and while the
 * daemon is not sure of its place. */
#ifndef MILLRACE_TESTS_CLUSTER_DAEMON_H
#define MILLRACE_TESTS_CLUSTER_DAEMON_H

#include "daemon/cluster/group_log.h"
#include "daemon/cluster/group_recovery.h"
#include "daemon/cluster/membership.h"
#include "tests/sim/engine_model.h"

enum { CLUSTER_DAEMONS = 3, CLUSTER_GROUPS = 3, QUEUE_VALUES = 64 };

enum cluster_mutation {
	CLUSTER_AS_IT_IS,
	WITHOUT_FENCE,  /* the engine writes for whoever asks */
	WITHOUT_PREFIX, /* what follows a gap is recovered too */
	WITHOUT_GATE,   /* replies do not wait for the engine */
	WITHOUT_DOUBT,  /* a daemon trusts that it owns what it owned */
	CLUSTER_MUTATIONS,
};

struct queue { /* a group's only channel */
	uint64_t ids[QUEUE_VALUES], places[QUEUE_VALUES];
	size_t n;
	uint64_t last_place;
};
uint64_t queue_sum(const struct queue *queue);

enum group_service { GROUP_ELSEWHERE, GROUP_RECOVERS, GROUP_SERVES, GROUP_LEAVES };

struct cluster_reply {
	enum { REPLY_PUT, REPLY_TAKE, REPLY_LOOK } kind;
	unsigned group;
	uint64_t id;       /* put, take */
	uint64_t batch;    /* it waits for */
	uint64_t asked_us; /* by the true time */
	uint64_t shown[QUEUE_VALUES];
	size_t n_shown;
};

enum { REPLIES = 64 };

struct cluster_group {
	struct cluster_daemon *daemon;
	unsigned index;
	enum group_service service;
	struct queue queue;
	struct group_recovery *recovery;
	uint64_t epoch, changed_in, released_after;
	char owner[OWNER_BYTES];
	size_t owner_len;
};

/* What the world wants to know. */
struct cluster_observer {
	void (*on_recovered)(void *arg, unsigned group, uint64_t epoch, const struct queue *queue);
	void (*on_state)(void *arg, unsigned group, uint64_t epoch, uint64_t batch, uint64_t sum);
	void (*on_committed)(void *arg, unsigned group, uint64_t epoch, uint64_t batch);
	void (*on_reply)(void *arg, const struct cluster_reply *reply);
	void (*on_failure)(void *arg, const char *why);
	void *arg;
};

struct cluster_daemon {
	unsigned index;
	const struct cluster_observer *observer;
	enum cluster_mutation mutation;
	struct engine_client *client;
	struct group_log *log;
	struct journal journal;
	struct membership *membership;
	struct cluster_group groups[CLUSTER_GROUPS];
	struct cluster_reply replies[REPLIES];
	size_t n_replies;
	int64_t drift_ppm;
	uint64_t offset_us, due_us, started_us;
	bool is_up, is_paused, has_ended, is_draining;
	struct group_count {
		uint64_t group, batch;
	} last; /* whose record was the last, in which batch */
	unsigned checkpoint_group;
	uint64_t checkpoints, given, lost;
	uint64_t old_lease; /* of the run before, if that was in the same process */
};

/* Another run begins. */
void cluster_daemon_start(struct cluster_daemon *daemon, struct engine_model *model, uint64_t random);
/* As if it were killed. */
void cluster_daemon_stop(struct cluster_daemon *daemon);

/* One turn of its loop. */
void cluster_daemon_turn(struct cluster_daemon *daemon, uint64_t true_us, uint64_t random);
/* When it has something to do by itself, in true time. */
uint64_t cluster_daemon_due_us(const struct cluster_daemon *daemon);

/* False: it does not serve the group, or is full, or the queue is. */
bool cluster_daemon_put(struct cluster_daemon *daemon, unsigned group, uint64_t id, uint64_t asked_us);
/* The value's number; 0: there is none, or the daemon does not serve the group. */
uint64_t cluster_daemon_take(struct cluster_daemon *daemon, unsigned group, uint64_t asked_us);
bool cluster_daemon_look(struct cluster_daemon *daemon, unsigned group, uint64_t asked_us);

extern const char *const cluster_group_names[CLUSTER_GROUPS];
extern const char *const cluster_daemon_names[CLUSTER_DAEMONS];

#endif
