/* The channels that go with the connection, and are created anew with the next one, or where their group is then. */
#ifndef MILLRACE_CLIENT_MACHINE_EPHEMERALS_H
#define MILLRACE_CLIENT_MACHINE_EPHEMERALS_H

#include "client/machine/state.h"

/* The channel that this `create` has created; its name and members are moved out of it. Without memory it will not be
 * created anew, and MR_EVENT_CHANNEL_LOST is not told. */
void ephemerals_add(struct machine_request *create);

void ephemerals_remove(struct machine *machine, const char *channel); /* one that is not there is fine */
void ephemerals_finish(struct machine *machine);

/* The contact's daemon has none of them any more; or not that one. */
void ephemerals_miss(const struct contact *contact);
void ephemerals_miss_one(struct machine *machine, const char *channel);

/* Whether any that is missing is to be created by its daemon. */
bool ephemerals_wait_for(const struct contact *contact);

/* Asks for those that are missing and that the contact's daemon is to have. False: no memory. */
bool ephemerals_create(struct contact *contact, int64_t now_ms);

#endif
