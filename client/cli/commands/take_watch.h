/* What who takes watches while it waits: the connection, Ctrl-C, and whether anybody still reads its output. */
#ifndef MILLRACE_CLI_COMMANDS_TAKE_WATCH_H
#define MILLRACE_CLI_COMMANDS_TAKE_WATCH_H

#include <poll.h>

#include "client/cli/common/recovery.h"

struct take_watch {
	enum { TAKE_GOES_ON, TAKE_INTERRUPTED, TAKE_ORPHANED, TAKE_COMPLETE } reason;
	const char *channel;  /* from which it takes */
	bool is_subscription; /* the channel goes with its connection */
	uint64_t left;        /* how many values are wanted; 0: as many as come */
	struct pollfd fds[3]; /* Ctrl-C, standard output, the connection */
};

void take_watch_init(struct take_watch *watch, const char *channel);

/* A value has been printed. */
void take_watch_count(struct take_watch *watch);

/* Waits until something has come on the connection, the time (MR_FOREVER: none) is over, or there is no more use in
 * waiting: watch->reason. Returns whether the time is over. */
bool take_watch_wait(struct take_watch *watch, mr *m, int64_t timeout_ms);

/* Looks for Ctrl-C alone, without a wait. */
void take_watch_look(struct take_watch *watch);

/* A take, watched. With `recovery` (or NULL) it outlives its connection, where that does no harm. With a time-out it
 * ends at most a second after that. What was faster than the reason to stop is MR_OK; without it, MR_CANCELLED. result
 * is set, for mr_result_finish(), whatever is returned. */
int take_watched(struct take_watch *watch, mr *m, struct reconnecting *recovery, const char *channel,
		 const struct mr_take_options *options, int64_t timeout_ms, struct mr_result *result);

/* How long what is taken is leased, by --lease; 0: it is not. Such a lease has to outlive this program, so it is
 * sticky. */
int64_t take_lease_ms(const struct call *call);

#endif
