#include "tests/sim/worlds.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { CUTS = 100000 };

uint64_t worlds_setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

uint64_t worlds_run(world_run_cb *run, void *seen)
{
	const uint64_t *n_cuts = seen, cuts = worlds_setting("MILLRACE_CUTS", CUTS);
	char why[WORLDS_WHY_BYTES];
	for (uint64_t seed = worlds_setting("MILLRACE_SEED", 1); *n_cuts < cuts; seed++)
		ck_assert_msg(run(seed, 0, seen, why), "MILLRACE_SEED=%" PRIu64 ": %s", seed, why);
	return cuts;
}

void worlds_find(world_run_cb *run, void *seen, int mutation, const char *name)
{
	const uint64_t *n_cuts = seen;
	char why[WORLDS_WHY_BYTES];
	for (uint64_t seed = 1; *n_cuts < CUTS; seed++)
		if (!run(seed, mutation, seen, why)) {
			printf("%s: found after %" PRIu64 " cuts: %s\n", name, *n_cuts, why);
			return;
		}
	ck_abort_msg("%s is not missed in %" PRIu64 " cuts", name, *n_cuts);
}
