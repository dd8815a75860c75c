/* The books of the simulation itself. */
#ifndef MILLRACE_TESTS_SIM_REPLAY_SEEN_H
#define MILLRACE_TESTS_SIM_REPLAY_SEEN_H

#include "tests/sim/replay_world.h"

/* After a step, before which so many requests were parked. */
void replay_see(const struct replay_world *world, const struct operation *o, uint32_t was_parked,
		struct replay_seen *seen);
/* What can be read only at the end. */
void replay_see_end(const struct replay_world *world, struct replay_seen *seen);

#endif
