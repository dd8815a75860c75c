/* Requests to core events. */
#ifndef MILLRACE_SESSION_OPERATIONS_H
#define MILLRACE_SESSION_OPERATIONS_H

#include "daemon/session/session.h"

/* Carries out one request that was decoded; every answer but those of parked requests is written when it returns. Not
 * while replies are delivered. */
void session_handle(struct session *session, const struct message_request *request);

#endif
