/* Which daemon had best have which group: where people have moved it; else the one that the configuration names; else
 * the one that wins by rendezvous hashing, so that of N daemons one that comes or goes moves an N-th of the groups. */
#ifndef MILLRACE_CLUSTER_PLACEMENT_H
#define MILLRACE_CLUSTER_PLACEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

struct placement_rule { /* of the configuration */
	struct slice group, daemon;
};

struct placement {
	const struct placement_rule *rules;
	size_t n_rules;
};

/* The index of the daemon among those that may have it; n: none of them may. `home`: where people have moved it; empty:
 * nowhere. */
size_t placement_choose(const struct placement *placement, struct slice group, struct slice home,
			const struct slice *daemons, size_t n);

/* A sum of the rules: the same on all daemons that have the same ones, in whatever order, and hardly on others. */
uint64_t placement_sum(const struct placement *placement);

#endif
