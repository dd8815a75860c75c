/* Connecting for those who poll(): names looked up, addresses tried, with the lock held. Nothing here waits. */
#ifndef MILLRACE_CLIENT_BLOCKING_ATTEMPT_H
#define MILLRACE_CLIENT_BLOCKING_ATTEMPT_H

#include "client/blocking/handle_state.h"

/* Begins an attempt; the machine is told how it ends. */
void attempt_begin(mr *m, struct blocking_contact *of, int64_t now_ms);

/* What to poll for: the descriptor, -1 if there is none, and the events; those of writing only while it connects. */
int attempt_fd(const struct blocking_contact *of);
short attempt_events(const struct blocking_contact *of);

/* Whoever polls what mr_fd() has given sees all of these. */
void attempt_watch(mr *m);

/* They have come. */
void attempt_go_on(mr *m, struct blocking_contact *of, int64_t now_ms);

/* When the attempt has waited long enough for the present step; and then. */
int64_t attempt_due_ms(const struct blocking_contact *of);
void attempt_expire(struct blocking_contact *of, int64_t now_ms);

/* Gives up the attempt, or hangs up. */
void attempt_end(struct blocking_contact *of);

#endif
