/* merge and mult inside the daemon, by its taps: all sources are carried to a channel between, which is ours and goes
 * with our connection, and from there to all targets. So nothing of it outlives the function that runs, and no target
 * misses what another gets. */
#ifndef MILLRACE_CLIENT_PATTERNS_TAPPED_H
#define MILLRACE_CLIENT_PATTERNS_TAPPED_H

#include "client/millrace_patterns.h"

struct tapped {
	mr *m;
	const char *const *from;
	size_t n_from;
	const char *const *to;
	size_t n_to;      /* one of the two is 1 */
	const char *stop; /* NULL: none */
	/* A value that had been taken when the last of `to` closed. */
	void (*lost)(void *context, const char *json, size_t len);
	void *context;
};

/* Carries until all of `from` are closed and empty: MR_OK; until all of `to` are closed: MR_CLOSED; or until `stop`
 * says so: MR_CANCELLED. Else an error. *ran: false if the daemon cannot do it, and nothing has happened: it has no
 * taps or no more of them, a channel is another daemon's, or this user may not look at what is carried. */
int tapped_run(const struct tapped *tapped, bool *ran);

#endif
