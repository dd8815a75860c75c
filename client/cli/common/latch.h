/* A latch: closed until it is opened, once, and then open for ever. Threads wait at it in a poll(), beside what they
 * want. */
#ifndef MILLRACE_CLI_COMMON_LATCH_H
#define MILLRACE_CLI_COMMON_LATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct latch {
	int fd; /* can be read when it is open; never is */
	atomic_bool is_open;
};

/* 0, or -1 with errno. latch_finish() whatever it is; it may also follow {.fd = -1} alone. */
int latch_init(struct latch *latch);
void latch_finish(struct latch *latch);

/* Lets all through who wait, or will wait, at it. From any thread. */
void latch_open(struct latch *latch);

bool latch_is_open(const struct latch *latch);

/* Waits that long, or until it opens. */
void latch_pause(const struct latch *latch, int64_t ms);

#endif
