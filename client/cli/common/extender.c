#include "client/cli/common/extender.h"

#include <errno.h>

enum { ROUNDS = 3 }; /* in the time of one lease */

static void extend_all(struct extender *extender)
{
	struct held_lease *lease;

	pthread_mutex_lock(&extender->lock);
	TAILQ_FOREACH(lease, &extender->held, link)
	(void)mr_extend(extender->m, lease->token, extender->lease_ms); /* if it has ended, who acks is told */
	pthread_mutex_unlock(&extender->lock);
}

static void *keep(void *arg)
{
	struct extender *extender = arg;

	for (;;) {
		latch_pause(&extender->end, extender->lease_ms / ROUNDS);
		if (latch_is_open(&extender->end))
			return NULL;
		extend_all(extender);
	}
}

int extender_init(struct extender *extender, mr *m, int64_t lease_ms)
{
	*extender = (struct extender){.m = m, .lease_ms = lease_ms, .end.fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER};
	TAILQ_INIT(&extender->held);
	if (lease_ms == 0)
		return 0;
	if (latch_init(&extender->end) < 0)
		return -1;
	errno = pthread_create(&extender->thread, NULL, keep, extender);
	if (errno == 0)
		return 0;
	latch_finish(&extender->end);
	extender->end.fd = -1;
	return -1;
}

void extender_finish(struct extender *extender)
{
	if (extender->end.fd < 0)
		return;
	latch_open(&extender->end);
	pthread_join(extender->thread, NULL);
	latch_finish(&extender->end);
	pthread_mutex_destroy(&extender->lock);
}

void extender_add(struct extender *extender, struct held_lease *lease)
{
	if (!lease->token)
		return;
	pthread_mutex_lock(&extender->lock);
	TAILQ_INSERT_TAIL(&extender->held, lease, link);
	pthread_mutex_unlock(&extender->lock);
}

void extender_remove(struct extender *extender, struct held_lease *lease)
{
	if (!lease->token)
		return;
	pthread_mutex_lock(&extender->lock);
	TAILQ_REMOVE(&extender->held, lease, link);
	pthread_mutex_unlock(&extender->lock);
	mr_free(lease->token);
	lease->token = NULL;
}
