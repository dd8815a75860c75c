/* The ops that only look: list, stat, peek, waiters, leases, taps and cluster. Each answers at once. */
#ifndef MILLRACE_SESSION_QUERY_H
#define MILLRACE_SESSION_QUERY_H

#include "daemon/session/session.h"

void session_list(struct session *session, const struct message_request *request);
void session_stat(struct session *session, const struct message_request *request);
void session_peek(struct session *session, const struct message_request *request);
void session_taps(struct session *session, const struct message_request *request);
void session_waiters(struct session *session, const struct message_request *request);
void session_leases(struct session *session, const struct message_request *request);
void session_cluster(struct session *session, const struct message_request *request);

/* Appends the members of a row that say whose it is. */
void session_write_owner(struct buffer *out, const struct session *owner);

#endif
