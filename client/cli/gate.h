/* A gate: closed until it is opened, once, and then open for ever. Threads wait at it in an alts, as one arm beside
 * what they want, by its channel; or in a poll(), by its descriptor. */
#ifndef MILLRACE_CLI_GATE_H
#define MILLRACE_CLI_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/millrace.h"

struct gate {
	mr *m;
	char *channel; /* ephemeral and empty: taking from it waits until the gate opens, which closes it */
	int fd;        /* can be read when it is open; never is */
	atomic_bool is_open;
};

/* A status of the library. gate_finish() whatever it is; it may also follow {.fd = -1} alone. */
int gate_init(struct gate *gate, mr *m);
void gate_finish(struct gate *gate);

/* Lets all through who wait, or will wait, at it. Where the daemon does not answer, the handle breaks in time, which
 * lets them go too. */
void gate_open(struct gate *gate);

bool gate_is_open(const struct gate *gate);

/* Waits that long, or until it opens. */
void gate_pause(const struct gate *gate, int64_t ms);

#endif
