/* Worlds that end in cuts, or in whatever else they count: one after the other, each of its own seed, until there were
 * enough; or until one shows that what was broken on purpose loses something. */
#ifndef MILLRACE_TESTS_SIM_WORLDS_H
#define MILLRACE_TESTS_SIM_WORLDS_H

#include <stdbool.h>
#include <stdint.h>

enum { WORLDS_CUTS = 100000, WORLDS_WHY_BYTES = 400 };

/* Runs one; `seen` is the test's, and begins with a uint64_t: how many cuts there were. True: all went well; else `why`
 * says what did not. */
typedef bool world_run_cb(uint64_t seed, int mutation, void *seen, char why[WORLDS_WHY_BYTES]);

/* A number of the environment. */
uint64_t worlds_setting(const char *name, uint64_t otherwise);

/* As many cuts as $MILLRACE_CUTS says (WORLDS_CUTS), from $MILLRACE_SEED (1) on, without any mutation; all have to go
 * well. How many. */
uint64_t worlds_run(world_run_cb *run, void *seen);
/* The same, of which each part, from 0 on, runs its share, so that they can do so at a time; of seeds of its own, if
 * the environment names none. */
uint64_t worlds_run_part(world_run_cb *run, void *seen, unsigned part, unsigned parts);

/* With this mutation one has to go wrong before there were so many cuts. */
void worlds_find(world_run_cb *run, void *seen, int mutation, const char *name, uint64_t cuts);

#endif
