#include "client/cli/gate.h"

#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000 };

int gate_init(struct gate *gate, mr *m)
{
	struct mr_definition definition = {.kind = "unbuffered", .ephemeral = true};

	*gate = (struct gate){.m = m, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	return mr_create(m, NULL, &definition, NULL, &gate->channel);
}

void gate_finish(struct gate *gate)
{
	if (gate->fd >= 0)
		close(gate->fd);
	mr_free(gate->channel);
}

void gate_open(struct gate *gate)
{
	if (atomic_exchange(&gate->is_open, true))
		return;
	eventfd_write(gate->fd, 1);
	(void)mr_ping(gate->m, PATIENCE_MS); /* which, other than a close, does not wait for ever */
	(void)mr_close(gate->m, gate->channel);
}

bool gate_is_open(const struct gate *gate)
{
	return atomic_load(&gate->is_open);
}

void gate_pause(const struct gate *gate, int64_t ms)
{
	struct pollfd fd = {.fd = gate->fd, .events = POLLIN};

	(void)poll(&fd, 1, ms > INT_MAX ? INT_MAX : (int)ms);
}
