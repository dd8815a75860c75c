/* The pipe is made as small as it can be, one page: it is writable again when all that was written has been read. */
#define _GNU_SOURCE /* F_SETPIPE_SZ */
#include "client/cli/follow_pipe.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/cli/output.h"

enum {
	LEASE_MS = 30 * 1000,
	EXTENSIONS = 3, /* in the time of a lease, while the reader takes its time */
};

/* Whether there is anything in the pipe that nobody has read. */
static bool has_unread(void)
{
	int n = 0;

	return ioctl(STDOUT_FILENO, FIONREAD, &n) == 0 && n > 0;
}

/* Waits until the reader has read what was written, and extends the lease (NULL: that is the user's) meanwhile. False:
 * the reader has gone before, or somebody wants no more. */
static bool wait_read(mr *m, const char *lease, struct take_watch *watch)
{
	struct pollfd fds[] = {{watch->fds[0].fd, POLLIN, 0}, {STDOUT_FILENO, POLLOUT, 0}};

	while (has_unread()) {
		if (poll(fds, 2, LEASE_MS / EXTENSIONS) == 0 && lease)
			(void)mr_extend(m, lease, LEASE_MS); /* if it has ended, the ack says so */
		take_watch_look(watch);
		if (fds[1].revents & (POLLERR | POLLHUP))
			watch->reason = TAKE_ORPHANED;
		if (watch->reason != TAKE_GOES_ON)
			break;
	}
	return !has_unread();
}

/* Writes the value, and says what becomes of it. A status of the library; MR_OK if the reader has gone, too. */
static int hand_on(const struct call *call, mr *m, const struct mr_result *result, struct take_watch *watch)
{
	bool is_theirs = take_lease_ms(call) > 0, is_read; /* the lease: whoever reads it acks */

	output_taken(call, call->args[0], result);
	is_read = output_flush() == 0 && wait_read(m, is_theirs ? NULL : result->lease, watch);
	if (!is_read && watch->reason == TAKE_GOES_ON)
		watch->reason = TAKE_ORPHANED;
	if (!is_read)
		return mr_nack_with(m, result->lease, &(struct mr_nack_options){.uncounted = true});
	return is_theirs ? MR_OK : mr_ack(m, result->lease);
}

int follow_pipe(const struct call *call, mr *m, struct take_watch *watch, struct recovery *recovery)
{
	const struct mr_take_options options = {.lease_ms = take_lease_ms(call) ? take_lease_ms(call) : LEASE_MS,
						.sticky = take_lease_ms(call) > 0};
	struct mr_result result;
	int status = MR_OK;

	(void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, 1);
	while (watch->reason == TAKE_GOES_ON && status == MR_OK) {
		if (output_is_orphaned()) {
			watch->reason = TAKE_ORPHANED;
			break;
		}
		status = take_watched(watch, m, watch->is_subscription ? NULL : recovery, watch->channel, &options,
				      call->timeout_ms, &result);
		if (status == MR_OK) {
			recovery_end(recovery);
			status = hand_on(call, m, &result, watch);
			take_watch_count(watch);
		}
		mr_result_finish(&result);
		if (status == MR_ENO_SUCH_LEASE) /* the value went back meanwhile, and comes a second time */
			status = MR_OK;
		if (status == MR_UNKNOWN) /* it is gone, or comes a second time */
			status = mr_fail(MR_ECONNECTION, "the connection ended");
	}
	return status;
}
