/* What the clients of a durable world do, at random, and what its daemon does between: turns, ticks, checkpoints. */
#ifndef MILLRACE_TESTS_SIM_DURABLE_CLIENTS_H
#define MILLRACE_TESTS_SIM_DURABLE_CLIENTS_H

#include "tests/sim/durable_world.h"

void durable_connect(struct durable_world *world, struct client *client);
void durable_disconnect(struct durable_world *world, struct client *client);
/* Those that WITH_FIXED_TAPS has from the beginning, with their channels. */
void durable_make_fixed_taps(struct durable_world *world);
/* One thing happens. */
void durable_act(struct durable_world *world);

#endif
