/* The load of `millrace bench`: threads, a connection each, that put and take through one channel. */
#ifndef MILLRACE_CLI_COMMON_LOAD_H
#define MILLRACE_CLI_COMMON_LOAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "client/cli/common/command.h"
#include "client/cli/common/histogram.h"
#include "client/millrace.h"

enum { LOAD_MIN_SIZE = 24 }; /* bytes of a value: it carries the time at which it was put */

struct load { /* `call` and `channel` are set by its owner; the rest is load.c's */
	const struct call *call;
	const char *channel;
	atomic_bool is_over;  /* producers begin no more puts */
	pthread_mutex_t lock; /* of the next two; and no worker begins while it is held */
	int status;           /* of the worker that failed first; MR_OK */
	char message[512];
	struct load_worker *workers;
	size_t n_workers;
};

struct load_sums {
	uint64_t taken, dropped, evicted;
};

/* Connects all workers, which then begin together. EXIT_OK, or another exit code, told; load_finish() in any case. */
int load_begin(struct load *load);

/* What has happened so far. Any time. */
struct load_sums load_sums(const struct load *load);

/* Whether a worker has failed: it is then time to end. */
bool load_has_failed(const struct load *load);

/* Ends it in order: producers see their puts through while consumers still take; then `control` closes the channel, and
 * the consumers end. After a failure the channel is deleted at once, so that nobody waits for ever. */
void load_end(struct load *load, mr *control);

/* The latencies in nanoseconds, from a put to the value's arrival. After load_end(). */
void load_latencies(const struct load *load, struct histogram *histogram);

void load_finish(struct load *load);

#endif
