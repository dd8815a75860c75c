#include "client/cli/keeper.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { ROUNDS = 3 }; /* in the time of one lease */

static void extend_all(struct keeper *keeper)
{
	struct kept *kept;

	pthread_mutex_lock(&keeper->lock);
	TAILQ_FOREACH(kept, &keeper->held, link)
	(void)mr_extend(keeper->m, kept->token, keeper->lease_ms); /* if it has ended, who acks is told */
	pthread_mutex_unlock(&keeper->lock);
}

static void *keep(void *arg)
{
	struct keeper *keeper = arg;
	struct pollfd end = {.fd = keeper->end_fd, .events = POLLIN};
	int64_t wait_ms = keeper->lease_ms / ROUNDS < INT_MAX ? keeper->lease_ms / ROUNDS : INT_MAX;

	while (poll(&end, 1, (int)wait_ms) == 0 || !end.revents)
		extend_all(keeper);
	return NULL;
}

int keeper_init(struct keeper *keeper, mr *m, int64_t lease_ms)
{
	*keeper = (struct keeper){.m = m, .lease_ms = lease_ms, .end_fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER};
	TAILQ_INIT(&keeper->held);
	if (lease_ms == 0)
		return 0;
	keeper->end_fd = eventfd(0, EFD_CLOEXEC);
	if (keeper->end_fd < 0)
		return -1;
	errno = pthread_create(&keeper->thread, NULL, keep, keeper);
	if (errno == 0)
		return 0;
	close(keeper->end_fd);
	keeper->end_fd = -1;
	return -1;
}

void keeper_finish(struct keeper *keeper)
{
	if (keeper->end_fd < 0)
		return;
	eventfd_write(keeper->end_fd, 1);
	pthread_join(keeper->thread, NULL);
	close(keeper->end_fd);
	pthread_mutex_destroy(&keeper->lock);
}

void keeper_hold(struct keeper *keeper, struct kept *kept)
{
	if (!kept->token)
		return;
	pthread_mutex_lock(&keeper->lock);
	TAILQ_INSERT_TAIL(&keeper->held, kept, link);
	pthread_mutex_unlock(&keeper->lock);
}

void keeper_let_go(struct keeper *keeper, struct kept *kept)
{
	if (!kept->token)
		return;
	pthread_mutex_lock(&keeper->lock);
	TAILQ_REMOVE(&keeper->held, kept, link);
	pthread_mutex_unlock(&keeper->lock);
	mr_free(kept->token);
	kept->token = NULL;
}
