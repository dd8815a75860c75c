/* What the core replies, written down as the model's outcomes are, and held against those. */
#ifndef MILLRACE_TESTS_SIM_REPLAY_REPLIES_H
#define MILLRACE_TESTS_SIM_REPLAY_REPLIES_H

#include "tests/sim/replay_world.h"

/* Without the model: a request is about to be made, of which there has to be one outcome. */
void replay_ask(struct replay_world *world, int connection, uint64_t id, enum core_op op);
/* All of a connection end, or the one that a reply is about. False: nobody has asked. */
bool replay_unask(struct replay_world *world, int connection, const struct core_reply *reply);

bool replay_read_reply(struct replay_world *world, const struct core_reply *reply);
/* The arm that the core picked for this very alts; n_arms if it parked, or was refused. */
uint32_t replay_chosen_arm(const struct replay_world *world, const struct operation *o);
bool replay_compare_replies(struct replay_world *world);

#endif
