#include "tests/sim/worlds.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEEDS_A_PART = 1000000 };

uint64_t worlds_setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

uint64_t worlds_run_part(world_run_cb *run, void *seen, unsigned part, unsigned parts)
{
	const uint64_t *n_cuts = seen, cuts = worlds_setting("MILLRACE_CUTS", WORLDS_CUTS) / parts;
	uint64_t seed = worlds_setting("MILLRACE_SEED", 1 + (uint64_t)part * SEEDS_A_PART);
	char why[WORLDS_WHY_BYTES];
	for (; *n_cuts < cuts; seed++)
		ck_assert_msg(run(seed, 0, seen, why), "MILLRACE_SEED=%" PRIu64 ": %s", seed, why);
	return cuts;
}

uint64_t worlds_run(world_run_cb *run, void *seen)
{
	return worlds_run_part(run, seen, 0, 1);
}

void worlds_find(world_run_cb *run, void *seen, int mutation, const char *name, uint64_t cuts)
{
	const uint64_t *n_cuts = seen;
	char why[WORLDS_WHY_BYTES];
	for (uint64_t seed = 1; *n_cuts < cuts; seed++)
		if (!run(seed, mutation, seen, why)) {
			printf("%s: found after %" PRIu64 " cuts: %s\n", name, *n_cuts, why);
			return;
		}
	ck_abort_msg("%s is not missed in %" PRIu64 " cuts", name, *n_cuts);
}
