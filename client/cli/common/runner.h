/* What `work` and `serve` have in common: values are taken from a channel, and each is given to a command, -j of them
 * at a time.
 *
 * Each of the threads has a connection of its own. It takes a value, runs the command until it has done it or the
 * attempts are used up, hands on what came of it, and only then takes the next: so no more values are in here than
 * commands run. The first signal opens the latch `stop`: who waits for a value cancels that, and ends. The second opens
 * `abort`, which ends the commands, and whoever waits for room. A request that is cancelled has one outcome: a value
 * that was faster is done, or goes back.
 *
 * When a connection is lost its leases end, and with them the right to the values: a command that runs goes on, and its
 * result is put when the daemon is back; but its value is delivered once more.
 *
 * All that differs between the two commands is in struct runner_kind.
 */
#ifndef MILLRACE_CLI_COMMON_RUNNER_H
#define MILLRACE_CLI_COMMON_RUNNER_H

#include <pthread.h>

#include "client/cli/common/command.h"
#include "client/cli/common/latch.h"
#include "client/cli/common/recovery.h"
#include "client/cli/common/extender.h"
#include "client/cli/common/value_text.h"
#include "client/millrace.h"
#include "proto/buffer.h"
#include "proto/name.h"

enum { RUNNER_WHY_BYTES = VALUE_TEXT_ERROR_BYTES + 64 };

struct runner_thread {
	struct runner *runner;
	mr *m;
	pthread_t thread;
	char number[40]; /* as the command's environment has it */
};

struct job { /* a value on its way */
	struct runner_thread *thread;
	struct slice taken;             /* as it came, for mr_free() */
	struct slice value;             /* the part of it that the command gets */
	char reply[NAME_MAX_BYTES + 1]; /* of serve: where the answer goes */
	struct held_lease lease;
	uint64_t delivery; /* 0: without a lease */
	uint64_t attempt;
	char why[RUNNER_WHY_BYTES]; /* of an attempt that failed */
	bool is_hopeless;           /* another attempt, or another value, would be no better */
};

struct runner {
	const struct call *call;
	const struct runner_kind *kind;
	mr *m; /* the main thread's, and the extender's */
	struct reconnecting recovery;
	size_t max_value_bytes;
	struct latch stop, abort;
	int64_t lease_ms;
	struct extender extender;
	int ended_fd; /* counts threads that have ended */
	_Atomic uint64_t n_done, n_failed, n_dropped, n_lost, n_returned;

	pthread_mutex_t lock; /* of what follows */
	uint64_t n_left;      /* values that may still be taken */
	bool is_interrupted;  /* by Ctrl-C */
	bool has_told;        /* an error that stopped it all */
	int code;             /* of the error that stopped it all, or EXIT_OK */
};

struct runner_kind {
	bool is_server; /* what the command writes is wanted even without --to, and may be null */

	/* Finds the value in what was taken. False: there is none, and what there was to do about that is done. NULL:
	 * all of it is the value. */
	bool (*open)(struct runner *runner, struct job *job);

	/* The command has done it; `result` is one JSON value, or nothing (bytes are NULL). */
	void (*succeed)(struct runner *runner, struct job *job, struct slice result);

	/* It failed for good: job->why. */
	void (*fail)(struct runner *runner, struct job *job);
};

/* Waits for a value, in result, as long as the call says. A status of the library; MR_CANCELLED: no more are taken. */
int runner_take(struct runner_thread *thread, struct mr_result *result);

/* Runs the command once, and hands on its result. False if it failed: job->why. */
bool runner_attempt(struct runner *runner, struct job *job);

/* Of struct command: whether the call's command can be run, so many at a time. */
int runner_check(const struct call *call);

/* Runs until the channel is closed, -n values are done, a time-out, an error or a signal. Returns the exit code. */
int runner_run(const struct call *call, mr *m, const struct runner_kind *kind);

/* -- for the kinds, from any of the threads -- */

/* Puts a value; waits for room, but not longer than timeout_ms, nor when all is to be ended: then MR_CANCELLED. A
 * daemon that has no room is asked again. */
int runner_put(struct runner *runner, const struct job *job, const char *channel, struct slice value,
	       int64_t timeout_ms);

/* The value is done with: it is the daemon's no more. */
void runner_settle(struct runner *runner, struct job *job);

/* Gives the value back to its channel. False: it is not leased, or no more. */
bool runner_return(struct runner *runner, struct job *job);

/* Gives back a value on which no work was done: at once, and as if it had not been taken. It must be leased. */
void runner_return_untouched(struct runner *runner, struct job *job);

/* The pause behind the n-th failure, from 1: it doubles each time. */
int64_t runner_pause_ms(const struct runner *runner, uint64_t n);

/* No more is taken, because of this status; told, if it is the first. */
void runner_stop_for(struct runner *runner, mr *m, const char *channel, int status);

void runner_stop_with(struct runner *runner, int code); /* the same for something else that has been told */

#endif
