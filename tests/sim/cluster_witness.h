/* What has been seen of a cluster, and what must hold of it: a group is recovered in a state that it was in, and what
 * clients are told agrees with what they were told before. The first thing that does not is kept, in `why`. */
#ifndef MILLRACE_TESTS_SIM_CLUSTER_WITNESS_H
#define MILLRACE_TESTS_SIM_CLUSTER_WITNESS_H

#include "tests/sim/cluster_daemon.h"
#include "tests/sim/worlds.h"

enum {
	IDS = 1 << 13,
	STATES = 512, /* that may be recovered, of a group */
};

struct cluster_facts {                       /* of a value */
	uint64_t told_put_us, told_taken_us; /* 0: not yet */
	bool was_taken;                      /* by a daemon, be it that nobody heard of it */
	uint8_t group;
};

struct cluster_state { /* of a group, after a batch */
	uint64_t batch, sum;
};

struct cluster_lineage { /* the states of a group that may be recovered, the one known to be committed first */
	uint64_t epoch;
	struct cluster_state states[STATES];
	size_t n;
};

struct cluster_witnessed { /* in all worlds */
	uint64_t recoveries, between, told_puts, told_takes, told_looks;
};

struct cluster_witness {
	struct cluster_observer observer; /* for the daemons */
	uint64_t now_us;                  /* the true time */
	struct cluster_facts facts[IDS];
	uint64_t n_ids;
	struct cluster_lineage lineages[CLUSTER_GROUPS];
	struct cluster_witnessed *seen;
	char why[WORLDS_WHY_BYTES]; /* empty: all is well */
};

void cluster_witness_init(struct cluster_witness *witness, struct cluster_witnessed *seen);

/* The number that the next value will have; 0: there were enough. */
uint64_t cluster_witness_next_id(const struct cluster_witness *witness);
/* A daemon has it; then, a daemon has given it to somebody, who may not hear of it. */
void cluster_witness_put(struct cluster_witness *witness, unsigned group);
void cluster_witness_taken(struct cluster_witness *witness, uint64_t id);

/* What is there, or was shown, against what was told before a time. */
void cluster_witness_check(struct cluster_witness *witness, unsigned group, const uint64_t *ids, size_t n,
			   uint64_t before_us, const char *where);
__attribute__((format(printf, 2, 3))) void cluster_witness_fail(struct cluster_witness *witness, const char *format,
								...);

#endif
