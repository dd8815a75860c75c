#include "client/cli/commands/take_watch.h"

#include <unistd.h>

#include "client/cli/common/interrupt.h"
#include "client/net/clock.h"

enum { GRACE_MS = 1000 };

void take_watch_init(struct take_watch *watch, const char *channel)
{
	*watch = (struct take_watch){
		.reason = TAKE_GOES_ON,
		.channel = channel,
		.fds = {{.fd = interrupt_catch(), .events = POLLIN}, {.fd = STDOUT_FILENO}, {.events = POLLIN}},
	};
}

void take_watch_count(struct take_watch *watch)
{
	if (watch->left > 0 && --watch->left == 0 && watch->reason == TAKE_GOES_ON)
		watch->reason = TAKE_COMPLETE;
}

void take_watch_look(struct take_watch *watch)
{
	if (interrupt_happened())
		watch->reason = TAKE_INTERRUPTED;
}

bool take_watch_wait(struct take_watch *watch, mr *m, int64_t timeout_ms)
{
	bool is_late;

	watch->fds[2].fd = mr_fd(m);
	if (watch->fds[2].fd < 0)
		return false; /* lost: the library says so when it is asked */
	is_late = poll(watch->fds, 3, timeout_ms == MR_FOREVER || timeout_ms > INT32_MAX ? -1 : (int)timeout_ms) == 0;
	take_watch_look(watch);
	if (watch->reason == TAKE_GOES_ON && watch->fds[1].revents & (POLLERR | POLLHUP))
		watch->reason = TAKE_ORPHANED;
	if (watch->fds[1].revents & POLLNVAL)
		watch->fds[1].fd = -1;
	return is_late;
}

int64_t take_lease_ms(const struct call *call)
{
	return call->lease_ms == MR_FOREVER ? 0 : call->lease_ms;
}

int take_watched(struct take_watch *watch, mr *m, struct reconnecting *recovery, const char *channel,
		 const struct mr_take_options *options, int64_t timeout_ms, struct mr_result *result)
{
	int64_t end_ms = timeout_ms == MR_FOREVER ? INT64_MAX : clock_now_ms() + timeout_ms + GRACE_MS, left_ms;
	mr_request *request;
	int status;

	*result = (struct mr_result){.raw = NULL};
	status = mr_begin_take_with(m, &request, channel, options, timeout_ms);
	if (status != MR_OK)
		return status;
	while (watch->reason == TAKE_GOES_ON && !mr_is_done(m, request)) {
		left_ms = end_ms == INT64_MAX ? MR_FOREVER : end_ms - clock_now_ms();
		if (end_ms != INT64_MAX && left_ms <= 0)
			break; /* the library tells what is wrong */
		if (mr_fd(m) >= 0)
			(void)take_watch_wait(watch, m, left_ms);
		else if (!recovery || !recovery_wait_lost(recovery, m, watch->fds[0].fd))
			break;
	}
	take_watch_look(watch);
	if (watch->reason != TAKE_GOES_ON)
		(void)mr_cancel(m, request);
	return mr_wait(m, request, result);
}
