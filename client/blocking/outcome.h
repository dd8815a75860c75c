/* What the machine tells: kept for the threads that wait, or told to a request's owner; with the lock held. */
#ifndef MILLRACE_CLIENT_BLOCKING_OUTCOME_H
#define MILLRACE_CLIENT_BLOCKING_OUTCOME_H

#include "client/blocking/handle_state.h"

/* Acts on all that the machine has to tell. */
void outcome_deliver(struct mr *m, int64_t now_ms);

/* Keeps what has come for a request that no thread may be waiting for yet. */
void request_keep(struct mr_request *request, const struct machine_event *event);
void request_finish(struct mr_request *request); /* frees what it keeps */

#endif
