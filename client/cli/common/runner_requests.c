/* What a runner's threads ask of the daemon, until somebody wants no more: a value, and room for another. */
#include <poll.h>

#include "client/cli/common/runner.h"
#include "client/net/clock.h"

enum { OVERLOAD_PAUSE_MS = 250 };

/* Waits for the request, or until the latch opens: then it is cancelled, and what was faster is its outcome. When the
 * connection is lost meanwhile, the library sends again with the next one what does no harm. */
static int wait_for(struct runner *runner, mr *m, mr_request *request, const struct latch *latch,
		    struct mr_result *result)
{
	struct pollfd fds[] = {{latch->fd, POLLIN, 0}, {-1, POLLIN, 0}};
	bool goes_on = true;

	while (goes_on && !mr_is_done(m, request)) {
		fds[1].fd = mr_fd(m);
		if (fds[1].fd < 0) {
			goes_on = recovery_wait_lost(&runner->recovery, m, latch->fd);
		} else {
			(void)poll(fds, 2, -1);
			goes_on = !fds[0].revents;
		}
	}
	if (!goes_on)
		(void)mr_cancel(m, request);
	return mr_wait(m, request, result);
}

/* The daemon may let nobody park for so long (max_park_ms): then it is asked again. */
static bool is_early(int status, int64_t timeout_ms, int64_t begun_ms)
{
	return status == MR_TIMEOUT && clock_left_ms(timeout_ms, begun_ms) != 0;
}

int runner_put(struct runner *runner, const struct job *job, const char *channel, struct slice value,
	       int64_t timeout_ms)
{
	mr *m = job->thread->m;
	int64_t begun_ms = clock_now_ms();
	int status;

	for (;;) {
		mr_request *request;

		status =
			mr_begin_put(m, &request, channel, value.bytes, value.len, clock_left_ms(timeout_ms, begun_ms));
		if (status == MR_OK)
			status = wait_for(runner, m, request, &runner->abort, NULL);
		if (is_early(status, timeout_ms, begun_ms) ||
		    recovery_wait(&runner->recovery, m, status, runner->abort.fd))
			continue;
		if ((status != MR_EOVERLOADED && status != MR_ETOO_MANY_WAITERS) || latch_is_open(&runner->abort))
			return status;
		latch_pause(&runner->abort, OVERLOAD_PAUSE_MS);
	}
}

int runner_take(struct runner_thread *thread, struct mr_result *result)
{
	struct runner *runner = thread->runner;
	const struct mr_take_options options = {.lease_ms = runner->lease_ms};
	int64_t timeout_ms = runner->call->timeout_ms, begun_ms = clock_now_ms();
	mr_request *request;
	int status;

	do {
		*result = (struct mr_result){.raw = NULL};
		status = mr_begin_take_with(thread->m, &request, runner->call->args[0], &options,
					    clock_left_ms(timeout_ms, begun_ms));
		if (status == MR_OK)
			status = wait_for(runner, thread->m, request, &runner->stop, result);
		if (status != MR_OK)
			mr_result_finish(result);
	} while (!latch_is_open(&runner->stop) &&
		 (is_early(status, timeout_ms, begun_ms) ||
		  recovery_wait(&runner->recovery, thread->m, status, runner->stop.fd)));
	if (status != MR_OK && latch_is_open(&runner->stop))
		status = MR_CANCELLED;
	return status;
}
