/* Requests that a daemon of a cluster has sent elsewhere: it does not have their group, or no daemon has it just now.
 * They wait for the daemon that has it, or until they may be asked again. */
#ifndef MILLRACE_CLIENT_MACHINE_FOLLOWING_H
#define MILLRACE_CLIENT_MACHINE_FOLLOWING_H

#include "client/machine/machine_state.h"

/* Whether a reply says that nothing was done, since another daemon has the group, or none just now. */
bool following_is_direction(const struct message_reply *reply);

/* Looks at a request's last reply. True: it says no more than whom to ask, or when, and the request waits for that. */
bool following_reply(struct machine_request *request, const struct message_reply *reply, int64_t now_ms);

/* The same for what a daemon says of a put without an id, and of creating an ephemeral channel anew. */
bool following_notice(struct contact *contact, const struct message_reply *reply, int64_t now_ms);
bool following_own(struct machine_request *create, const struct message_reply *reply, int64_t now_ms);

#endif
