/* A gate: closed until it is opened, once, and then open for ever. Threads wait at it in an alts, as one arm beside
 * what they want, by its channel; or in a poll(), by its descriptor. */
#ifndef MILLRACE_CLI_LATCH_H
#define MILLRACE_CLI_LATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/millrace.h"

struct latch {
	mr *m;
	char *channel; /* ephemeral and empty: taking from it waits until the gate opens, which closes it */
	int fd;        /* can be read when it is open; never is */
	atomic_bool is_open;
};

/* A status of the library. latch_finish() whatever it is; it may also follow {.fd = -1} alone. */
int latch_init(struct latch *gate, mr *m);
void latch_finish(struct latch *gate);

/* Lets all through who wait, or will wait, at it. Where the daemon does not answer, the handle breaks in time, which
 * lets them go too. */
void latch_open(struct latch *gate);

bool latch_is_open(const struct latch *gate);

/* Waits that long, or until it opens. */
void latch_pause(const struct latch *gate, int64_t ms);

#endif
