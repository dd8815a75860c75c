/* What the patterns have in common: taking from channels that may end, until somebody says stop; and looking whether
 * channels exist. */
#ifndef MILLRACE_CLIENT_PATTERNS_SOURCES_H
#define MILLRACE_CLIENT_PATTERNS_SOURCES_H

#include "client/millrace_patterns.h"

struct sources {
	const char *guards[2]; /* channels that end the pattern; NULL: none */
	const char **channels; /* NULL: closed, and left out */
	size_t n;
	size_t first; /* whose turn it is to be the first that is looked at */
};

/* Takes one value. MR_OK: choice->arm is the index in `channels`. MR_CLOSED: all are. MR_CANCELLED: a guard is, or gave
 * one. MR_TIMEOUT, unless it is MR_FOREVER. */
int patterns_take(mr *m, const struct sources *sources, int64_t timeout_ms, struct mr_choice *choice);

/* Whether a channel is there to be put to: MR_OK, MR_CLOSED, MR_ENO_SUCH_CHANNEL … */
int patterns_find(mr *m, const char *channel);

/* For how long a put may park before it is put anew: a close does not wake the puts that are parked already, and a new
 * one is told of it. Each time twice as long as the last (0: there was none), since the put loses its place. */
int64_t patterns_patience_ms(int64_t last_ms);

/* A moment of a monotonic clock in so many milliseconds; and how many are left until it. MR_FOREVER stays what it is.
 */
int64_t patterns_deadline_ms(int64_t timeout_ms);
int64_t patterns_left_ms(int64_t deadline_ms);

#endif
