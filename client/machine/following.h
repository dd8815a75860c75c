/* What becomes of a request that was asked of a daemon of a cluster that does not have its group, or of a group that
 * no daemon has just now: it waits for whom it has to be asked of, or until it may be asked again. */
#ifndef MILLRACE_CLIENT_MACHINE_FOLLOWING_H
#define MILLRACE_CLIENT_MACHINE_FOLLOWING_H

#include "client/machine/state.h"

/* A request has got its last reply. True: it says no more than whom to ask, or when, and the request waits for that. */
bool following_reply(struct machine_request *request, const struct message_reply *reply, int64_t now_ms);

/* The same of what a daemon says of a put without an id, and of the creation of a channel that has to be there. */
bool following_notice(struct contact *contact, const struct message_reply *reply, int64_t now_ms);
bool following_own(struct machine_request *create, const struct message_reply *reply, int64_t now_ms);

#endif
