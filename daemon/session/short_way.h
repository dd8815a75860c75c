/* Puts and takes that concern nobody but the one who asks, and a take that waits: the core's short way, with the reply
 * in one piece. For frames alone; whatever cannot go here goes by the core's events, and means the same there. */
#ifndef MILLRACE_SESSION_SHORT_WAY_H
#define MILLRACE_SESSION_SHORT_WAY_H

#include "daemon/session/session.h"

/* Carries out a put of one value, which was admitted, and takes the value over. False: nothing has happened, and the
 * value is still the caller's. Not while replies are delivered. */
bool short_way_put(struct session *session, const struct message_request *request, struct value *value);

/* The same for a take. */
bool short_way_take(struct session *session, const struct message_request *request);

#endif
