/* Keeps leases: a thread of its own extends all that are held, three times in the time of one. */
#ifndef MILLRACE_CLI_KEEPER_H
#define MILLRACE_CLI_KEEPER_H

#include <pthread.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/millrace.h"

struct kept { /* a lease */
	TAILQ_ENTRY(kept) link;
	char *token; /* for mr_free(); NULL: none */
};

struct keeper {
	mr *m;
	int64_t lease_ms;
	int end_fd; /* can be read when the thread shall end; -1: there is none */
	pthread_t thread;
	pthread_mutex_t lock; /* of the list */
	TAILQ_HEAD(, kept) held;
};

/* Starts it; lease_ms 0: there is nothing to keep. 0 or -1, with errno. keeper_finish() whatever it is. */
int keeper_init(struct keeper *keeper, mr *m, int64_t lease_ms);
void keeper_finish(struct keeper *keeper);

/* From the one to the other a lease is extended. A `kept` without a token is left alone. */
void keeper_hold(struct keeper *keeper, struct kept *kept);
void keeper_let_go(struct keeper *keeper, struct kept *kept);

#endif
