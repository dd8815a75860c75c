/* What clients are told, and when: each reply is held until the batch is committed that it waits for, and what it says
 * is known to be told from then on. */
#ifndef MILLRACE_TESTS_SIM_DURABLE_REPLIES_H
#define MILLRACE_TESTS_SIM_DURABLE_REPLIES_H

#include "tests/sim/durable_world.h"

void durable_hold(struct durable_world *world, struct client *client, struct held_reply *reply);
void durable_hold_reply(struct durable_world *world, struct client *client, struct core_reply *reply);
/* Those that were shown by this step's replies were born in it at the latest; and so were those that were put, or
 * never. */
void durable_note_births(struct durable_world *world);

void durable_tell(struct durable_world *world, struct held_reply *reply);
/* Tells each client its replies, up to the first that has to wait. */
void durable_release(struct durable_world *world);

#endif
