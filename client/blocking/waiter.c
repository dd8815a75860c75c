#include "client/blocking/waiter.h"

#include <sys/eventfd.h>

void waiter_wake_leader(struct mr *m)
{
	if (!m->leader || m->is_leader_woken)
		return;
	m->is_leader_woken = true;
	eventfd_write(m->wake_fd, 1);
}

/* Its thread looks again whether its waiting is over. */
void waiter_nudge(struct mr *m, struct waiter *waiter)
{
	if (waiter == m->leader)
		waiter_wake_leader(m);
	else
		pthread_cond_signal(&waiter->woken);
}

void waiter_wake(struct mr *m, struct waiter *waiter)
{
	waiter->is_done = true;
	waiter_nudge(m, waiter);
}
