/* What a script asks, carried out by the core as a shell does it, and written down in the recording as well. Each is
 * false if a reply was impossible, or the core is not whole any more. */
#ifndef MILLRACE_TESTS_SIM_REPLAY_CORE_H
#define MILLRACE_TESTS_SIM_REPLAY_CORE_H

#include "tests/sim/replay_world.h"

bool replay_tick(struct replay_world *world, uint64_t now_us);
/* What goes on in other turns does so now, before anything else: to the model it happened at once. */
bool replay_finish_backlog(struct replay_world *world, uint64_t now_us);

/* Nothing if it is there; nor for -1. */
bool replay_connect(struct replay_world *world, int connection);
void replay_send_kept(struct replay_world *world, int connection);

/* An alter as it fits the channel's kind, where it has to. */
struct operation replay_fit(const struct replay_world *world, const struct operation *o);
bool replay_act(struct replay_world *world, const struct operation *o);

#endif
