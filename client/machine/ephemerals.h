/* The channels that go with the connection, and are created anew with the next one. */
#ifndef MILLRACE_CLIENT_MACHINE_EPHEMERALS_H
#define MILLRACE_CLIENT_MACHINE_EPHEMERALS_H

#include "client/machine/state.h"

/* The channel that this `create` has created; its name and members are moved out of it. Without memory it will not be
 * created anew, and MR_EVENT_CHANNEL_LOST is not told. */
void ephemerals_add(struct machine *machine, struct client_operation *create);

void ephemerals_remove(struct machine *machine, const char *channel); /* one that is not there is fine */
void ephemerals_finish(struct machine *machine);

#endif
