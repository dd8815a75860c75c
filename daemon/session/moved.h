/* Requests about channels of a group of the cluster that is not here: nothing has happened, and whoever asks is told
 * where to ask, or when to try again. */
#ifndef MILLRACE_SESSION_MOVED_H
#define MILLRACE_SESSION_MOVED_H

#include "daemon/session/session.h"

/* Whether requests about this channel are for this daemon: always so without a cluster. */
bool session_serves(const struct session *session, struct slice channel);

/* Begins the answer to a request about a channel that is not for this daemon: `moved` with `address`; or `unavailable`
 * with `retry_ms`; or that there is no such channel, if there is no such group. A request that `creates` something in a
 * group that there is not brings it about. moved_answer() is the whole answer to one that creates nothing. */
struct answer moved_begin(struct session *session, uint64_t id, struct slice channel, bool creates);
void moved_answer(struct session *session, uint64_t id, struct slice channel);

#endif
