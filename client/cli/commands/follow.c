#define _GNU_SOURCE /* F_SETPIPE_SZ */
#include "client/cli/commands/follow.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/cli/common/interrupt.h"
#include "client/cli/common/output.h"
#include "client/cli/common/session.h"
#include "client/millrace_stream.h"

enum {
	FOLLOW_CREDIT = 16, /* on a terminal, or into a file */
	LEASE_MS = 30 * 1000,
	EXTENSIONS = 3, /* in the time of a lease, while the reader takes its time */
};

/* -- Into a pipe: nothing leaves the daemon that the reader has not read --
 *
 * The pipe is made as small as it can be, one page: it is writable again when all that was written has been read. */

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

/* Takes values one by one, each leased, writes it, and acks it when the pipe is empty again. A value whose reader has
 * gone before that is given back. */
static int follow_pipe(const struct call *call, mr *m, struct take_watch *watch, struct reconnecting *recovery)
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

/* -- Elsewhere: by a consumer with a little credit -- */

/* Prints what has come by now, or comes in time, until there is reason to stop. */
static int follow_values(const struct call *call, mr *m, mr_consumer *consumer, struct take_watch *watch)
{
	uint64_t credit = call->batch ? call->batch : FOLLOW_CREDIT, n = 0;
	struct mr_result result;
	bool is_late = false;
	int status = MR_OK;

	while (watch->reason == TAKE_GOES_ON) {
		status = mr_consumer_next(consumer, &result, 0);
		if (status == MR_OK) {
			output_taken(call, call->args[0], &result);
			take_watch_count(watch);
		}
		mr_result_finish(&result);
		if (status != MR_OK || ++n % credit == 0) {
			if (output_flush() < 0)
				return MR_OK; /* the program's end tells why */
			if (output_is_orphaned())
				watch->reason = TAKE_ORPHANED;
		}
		if ((status != MR_OK && status != MR_TIMEOUT) || (status == MR_TIMEOUT && is_late))
			break;
		is_late = false;
		if (status == MR_TIMEOUT && watch->reason == TAKE_GOES_ON)
			is_late = take_watch_wait(watch, m, call->timeout_ms);
		else
			take_watch_look(watch);
	}
	return status;
}

/* What has come since somebody wanted no more: it is printed, or, if nobody reads that and it is leased, given back. */
static void take_rest(const struct call *call, mr *m, mr_consumer *consumer, const struct take_watch *watch)
{
	struct mr_result result;

	if (mr_consumer_cancel(consumer, MR_FOREVER) != MR_OK)
		return;
	while (mr_consumer_next(consumer, &result, MR_FOREVER) == MR_OK) {
		if (watch->reason == TAKE_INTERRUPTED)
			output_taken(call, call->args[0], &result);
		else if (result.lease)
			(void)mr_nack_with(m, result.lease, &(struct mr_nack_options){.uncounted = true});
		mr_result_finish(&result);
	}
}

/* One consumer, from its beginning to its end, or that of its connection. */
static int follow_once(const struct call *call, mr *m, struct take_watch *watch)
{
	const struct mr_consumer_options options = {.credit = call->batch ? call->batch : FOLLOW_CREDIT,
						    .lease_ms = take_lease_ms(call),
						    .sticky = take_lease_ms(call) > 0};
	mr_consumer *consumer;
	int status = mr_consumer_create(&consumer, m, watch->channel, &options);

	if (status != MR_OK)
		return status;
	status = follow_values(call, m, consumer, watch);
	if (watch->reason != TAKE_GOES_ON)
		take_rest(call, m, consumer, watch);
	mr_consumer_destroy(consumer);
	return status;
}

/* -- Both -- */

int follow(const struct call *call, mr *m, struct take_watch *watch, struct reconnecting *recovery)
{
	if (output_is_pipe() && !call->batch)
		return follow_pipe(call, m, watch, recovery);
	return follow_once(call, m, watch);
}

int follow_conclude(const struct call *call, mr *m, const struct take_watch *watch, int status, bool until_closed)
{
	if (watch->reason == TAKE_INTERRUPTED || (interrupt_happened() && status == MR_ECONNECTION))
		return interrupt_code();
	if (watch->reason != TAKE_GOES_ON || (status == MR_CLOSED && until_closed))
		return EXIT_OK;
	return session_report(call, m, call->args[0], status, NULL);
}
