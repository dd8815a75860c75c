/* Overload, told in the log while it happens, with the client and the channel: who sheds values, and who does not read
 * its replies. Each client at most once in a while, and all together not more than a few lines: what was left out is
 * counted. */
#ifndef MILLRACE_SESSION_OVERLOAD_LOG_H
#define MILLRACE_SESSION_OVERLOAD_LOG_H

#include "daemon/session/session.h"

/* A put of this session has shed values. */
void overload_log_shed(struct session *session, const struct core_reply *reply);

/* A reply about this channel has made the session's output full. That says little yet, since one large reply does so
 * until the turn's end. */
void overload_log_full(struct session *session, struct slice channel);

/* The output is full even after sending: the peer is slow, which is told with the channel of overload_log_full(). */
void overload_log_slow(struct session *session);

/* The session is at its end. */
void overload_log_forget(struct session *session);

#endif
