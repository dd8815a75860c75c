/* The ops that only look: list, stat, peek and waiters. Each answers at once. */
#ifndef MILLRACE_SESSION_QUERY_H
#define MILLRACE_SESSION_QUERY_H

#include "daemon/session/session.h"

void session_list(struct session *session, const struct message_request *request);
void session_stat(struct session *session, const struct message_request *request);
void session_peek(struct session *session, const struct message_request *request);
void session_waiters(struct session *session, const struct message_request *request);

#endif
