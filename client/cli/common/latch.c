#include "client/cli/common/latch.h"

#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

int latch_init(struct latch *latch)
{
	*latch = (struct latch){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	return latch->fd < 0 ? -1 : 0;
}

void latch_finish(struct latch *latch)
{
	if (latch->fd >= 0)
		close(latch->fd);
}

void latch_open(struct latch *latch)
{
	if (!atomic_exchange(&latch->is_open, true))
		eventfd_write(latch->fd, 1);
}

bool latch_is_open(const struct latch *latch)
{
	return atomic_load(&latch->is_open);
}

void latch_pause(const struct latch *latch, int64_t ms)
{
	struct pollfd fd = {.fd = latch->fd, .events = POLLIN};

	(void)poll(&fd, 1, ms > INT_MAX ? INT_MAX : (int)ms);
}
