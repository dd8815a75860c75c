#include "client/cli/latch.h"

#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000 };

int latch_init(struct latch *gate, mr *m)
{
	struct mr_definition definition = {.kind = "unbuffered", .ephemeral = true};

	*gate = (struct latch){.m = m, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	return mr_create(m, NULL, &definition, NULL, &gate->channel);
}

void latch_finish(struct latch *gate)
{
	if (gate->fd >= 0)
		close(gate->fd);
	mr_free(gate->channel);
}

void latch_open(struct latch *gate)
{
	if (atomic_exchange(&gate->is_open, true))
		return;
	eventfd_write(gate->fd, 1);
	(void)mr_ping(gate->m, PATIENCE_MS); /* which, other than a close, does not wait for ever */
	(void)mr_close(gate->m, gate->channel);
}

bool latch_is_open(const struct latch *gate)
{
	return atomic_load(&gate->is_open);
}

void latch_pause(const struct latch *gate, int64_t ms)
{
	struct pollfd fd = {.fd = gate->fd, .events = POLLIN};

	(void)poll(&fd, 1, ms > INT_MAX ? INT_MAX : (int)ms);
}
