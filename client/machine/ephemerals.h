/* The channels that go with the connection, and are created anew with the next one, or where their group is then. */
#ifndef MILLRACE_CLIENT_MACHINE_EPHEMERALS_H
#define MILLRACE_CLIENT_MACHINE_EPHEMERALS_H

#include "client/machine/machine_state.h"

/* Remembers the channel that this request has created; the request's operation is moved out of it. Without memory the
 * channel will not be created anew, and MR_EVENT_CHANNEL_LOST is not told. */
void ephemerals_add(struct machine_request *create);

void ephemerals_remove(struct machine *machine, const char *channel); /* one that is not there is fine */
void ephemerals_finish(struct machine *machine);

/* The contact's daemon has none of its channels any more; or nobody has this one. */
void ephemerals_miss(const struct contact *contact);
void ephemerals_miss_one(struct machine *machine, const char *channel);

/* Whether any channel that is missing is to be created by the contact's daemon. */
bool ephemerals_wait_for(const struct contact *contact);

/* Asks the contact's daemon to create the channels that are missing and that it is to have. False: no memory. */
bool ephemerals_create(struct contact *contact, int64_t now_ms);

#endif
