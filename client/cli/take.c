/* millrace take: one request at a time, and nothing taken that cannot be printed, as far as that can be known: while it waits it watches
 * standard output and Ctrl-C too, and then cancels the request before it ends. */
#include <poll.h>
#include <unistd.h>

#include "client/cli/interrupt.h"
#include "client/cli/output.h"
#include "client/cli/report.h"
#include "client/cli/session.h"

enum {
	BATCH_FOLLOWING = 16, /* values at most in one request: what may be lost if the reader of our output goes away just then */
	BATCH_COUNTED = 1000, /* somebody asked for so many */
};

enum wake { WAKE_DONE, WAKE_INTERRUPTED, WAKE_ORPHANED };

/* Waits until the request is done or there is no more use in waiting. With a time-out it ends soon after that: the library tells what is wrong then. */
static enum wake wait_done(mr *m, mr_request *request, int interrupt_fd, int64_t timeout_ms)
{
	struct pollfd fds[] = {{.fd = interrupt_fd, .events = POLLIN}, {.fd = STDOUT_FILENO}, {.events = POLLIN}};
	int patience_ms = timeout_ms == MR_FOREVER || timeout_ms > INT32_MAX - 1000 ? -1 : (int)timeout_ms + 1000;

	while (!mr_is_done(m, request)) {
		fds[2].fd = mr_fd(m);
		if (poll(fds, 3, patience_ms) == 0)
			break;
		if (interrupt_happened())
			return WAKE_INTERRUPTED;
		if (fds[1].revents & (POLLERR | POLLHUP))
			return WAKE_ORPHANED;
		if (fds[1].revents & POLLNVAL)
			fds[1].fd = -1;
	}
	return WAKE_DONE;
}

/* One request, and its values printed. *n counts them. Returns the library's status; MR_CANCELLED also if it ended in vain, *wake says why. */
static int take_some(const struct call *call, mr *m, size_t max, int interrupt_fd, enum wake *wake, uint64_t *n)
{
	const char *channel = call->args[0];
	struct mr_result result;
	mr_request *request;
	int status = mr_begin_take(m, &request, channel, max == 1 ? 0 : max, call->timeout_ms);

	if (status != MR_OK)
		return status;
	*wake = wait_done(m, request, interrupt_fd, call->timeout_ms);
	if (*wake != WAKE_DONE)
		(void)mr_cancel(m, request); /* if a value was faster, it is printed */
	status = mr_wait(m, request, &result);
	if (status == MR_OK) {
		struct slice raw = {result.raw, result.raw_len};

		if (max == 1) {
			output_value(call, channel, raw);
			*n += 1;
		} else {
			*n += output_values(call, channel, raw);
		}
	}
	mr_result_finish(&result);
	return status;
}

int run_take(const struct call *call)
{
	uint64_t wanted = call->number ? call->number : call->follow ? UINT64_MAX : 1;
	uint64_t batch = call->number ? BATCH_COUNTED : BATCH_FOLLOWING;
	enum wake wake = WAKE_DONE;
	int status = MR_OK, interrupt_fd, code;
	uint64_t n = 0;
	mr *m;

	code = session_open_for(call, call->args[0], &m);
	if (code != EXIT_OK)
		return code;
	interrupt_fd = interrupt_catch();
	while (n < wanted && status == MR_OK && wake == WAKE_DONE) {
		uint64_t left = wanted - n;

		if (output_is_orphaned()) {
			wake = WAKE_ORPHANED;
			break;
		}
		status = take_some(call, m, left < batch ? left : batch, interrupt_fd, &wake, &n);
		if (status == MR_OK && output_flush() < 0)
			break; /* the program's end tells why */
	}
	if (wake == WAKE_ORPHANED)
		code = EXIT_OK;
	else if (wake == WAKE_INTERRUPTED)
		code = EXIT_INTERRUPTED;
	else if (status == MR_CLOSED && call->follow)
		code = EXIT_OK;
	else
		code = report_status(call, call->args[0], status, NULL);
	mr_destroy(m);
	return code;
}
