/* Requests about channels of a group of the cluster that is not here: nothing has happened, and whoever asks is told
 * where to ask, or when to try again. */
#ifndef MILLRACE_SESSION_MOVED_H
#define MILLRACE_SESSION_MOVED_H

#include "daemon/session/session.h"

/* Whether requests about this channel are for this daemon: always so without a cluster. */
bool session_serves(const struct session *session, struct slice channel);

/* Begins the answer to one that is not: `moved` with `address`, or `unavailable` with `retry_ms`, or what is to be said
 * of a group that there is not: who creates something in it brings it about. */
struct answer moved_begin(struct session *session, uint64_t id, struct slice channel, bool creates);
void moved_answer(struct session *session, uint64_t id, struct slice channel);

#endif
