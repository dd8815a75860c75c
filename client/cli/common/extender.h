/* Keeps leases: a thread of its own extends all that are held, three times in the time of one. */
#ifndef MILLRACE_CLI_COMMON_EXTENDER_H
#define MILLRACE_CLI_COMMON_EXTENDER_H

#include <pthread.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/cli/common/latch.h"
#include "client/millrace.h"

struct held_lease { /* a lease */
	TAILQ_ENTRY(held_lease) link;
	char *token; /* for mr_free(); NULL: none */
};

struct extender {
	mr *m;
	int64_t lease_ms;
	struct latch end; /* of the thread; its fd is -1: there is none */
	pthread_t thread;
	pthread_mutex_t lock; /* of the list */
	TAILQ_HEAD(, held_lease) held;
};

/* Starts it; lease_ms 0: there is nothing to keep. 0 or -1, with errno. extender_finish() whatever it is. */
int extender_init(struct extender *extender, mr *m, int64_t lease_ms);
void extender_finish(struct extender *extender);

/* From the one to the other a lease is extended. One without a token is left alone. */
void extender_add(struct extender *extender, struct held_lease *lease);
void extender_remove(struct extender *extender, struct held_lease *lease);

#endif
