/* What outlives the daemon, or the network to it: a command that has lost its connection waits until there is another,
 * and goes on. It says so once when the connection is lost and once when it is back. Any number of threads, each with a
 * connection of its own, may share one: whoever is first waits and tells, the others wait for that. */
#ifndef MILLRACE_CLI_COMMON_RECOVERY_H
#define MILLRACE_CLI_COMMON_RECOVERY_H

#include <pthread.h>

#include "client/cli/common/command.h"
#include "client/millrace.h"

struct reconnecting {
	const struct call *call;
	pthread_mutex_t lock; /* of what follows */
	bool is_lost;
	int64_t lost_ms, returned_ms;
	int64_t pause_ms;
};

void recovery_init(struct reconnecting *recovery, const struct call *call);
void recovery_finish(struct reconnecting *recovery);

/* A library call with this handle, the last of this thread, has ended with this status. True: the connection was lost,
 * or the daemon was about to end, and there is one again; so the call should be made again.
 * False: the status is to be reported. That is so for any other status, with --no-reconnect, if the daemon was not back
 * within --timeout, and when stop_fd
 * (-1: none) can be read. */
bool recovery_wait(struct reconnecting *recovery, mr *m, int status, int stop_fd);

/* The same for a connection that is known to be lost, while the library has a request that it is to send again. */
bool recovery_wait_lost(struct reconnecting *recovery, mr *m, int stop_fd);

/* Whether it is a status that another connection, or another daemon at its place, would help against. */
bool recovery_is_loss(int status);

/* A library call has ended well: the next loss is a new one. */
void recovery_end(struct reconnecting *recovery);

#endif
