/* What has become of the core against what has become of the model: channels, who is parked, leases, taps, totals. */
#ifndef MILLRACE_TESTS_SIM_REPLAY_STATES_H
#define MILLRACE_TESTS_SIM_REPLAY_STATES_H

#include "tests/sim/replay_world.h"

bool replay_compare_states(struct replay_world *world, const struct script *script);

#endif
