/* Waking the threads that wait; with the lock held. */
#ifndef MILLRACE_CLIENT_BLOCKING_WAITER_H
#define MILLRACE_CLIENT_BLOCKING_WAITER_H

#include "client/blocking/handle_state.h"

/* What it waits for has happened. */
void waiter_wake(struct mr *m, struct waiter *waiter);

/* Its thread looks again whether its waiting is over. */
void waiter_nudge(struct mr *m, struct waiter *waiter);

/* The leader looks again at what it waits for. */
void waiter_wake_leader(struct mr *m);

#endif
