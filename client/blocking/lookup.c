#include "client/blocking/lookup.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct host_lookup { /* of both threads; the last one to let go frees it */
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool is_done, is_left; /* by the thread that works; by the one that waits */
	char *host, *port;
	int result;
	struct addrinfo *found;
};

static int look(const char *host, const char *port, int flags, struct addrinfo **found)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};

	*found = NULL;
	return getaddrinfo(host, port, &hints, found);
}

static void job_destroy(struct host_lookup *job)
{
	if (job->found)
		freeaddrinfo(job->found);
	pthread_mutex_destroy(&job->lock);
	pthread_cond_destroy(&job->done);
	free(job->host);
	free(job->port);
	free(job);
}

static struct host_lookup *job_create(const char *host, const char *port)
{
	struct host_lookup *job = calloc(1, sizeof(*job));
	pthread_condattr_t monotonic;

	if (!job)
		return NULL;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&job->lock, NULL);
	pthread_cond_init(&job->done, &monotonic);
	pthread_condattr_destroy(&monotonic);
	job->host = strdup(host);
	job->port = strdup(port);
	if (!job->host || !job->port) {
		job_destroy(job);
		return NULL;
	}
	return job;
}

static void *work(void *argument)
{
	struct host_lookup *job = argument;
	struct addrinfo *found;
	int result = look(job->host, job->port, 0, &found);
	bool is_left;

	pthread_mutex_lock(&job->lock);
	job->result = result;
	job->found = found;
	job->is_done = true;
	is_left = job->is_left;
	pthread_cond_signal(&job->done);
	pthread_mutex_unlock(&job->lock);
	if (is_left)
		job_destroy(job);
	return NULL;
}

/* Signals are for the program's own threads. */
static int start(struct host_lookup *job)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;
	int problem;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	problem = pthread_create(&thread, &attributes, work, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return problem;
}

int lookup(const char *host, const char *port, int64_t deadline_ms, struct addrinfo **found)
{
	struct timespec deadline = {.tv_sec = (time_t)(deadline_ms / 1000),
				    .tv_nsec = (long)(deadline_ms % 1000) * 1000000};
	struct host_lookup *job;
	bool is_done;
	int result = EAI_AGAIN;

	if (look(host, port, AI_NUMERICHOST | AI_NUMERICSERV, found) == 0)
		return 0;
	job = job_create(host, port);
	if (!job)
		return EAI_MEMORY;
	if (start(job) != 0) {
		job_destroy(job);
		return EAI_MEMORY;
	}
	pthread_mutex_lock(&job->lock);
	while (!job->is_done && pthread_cond_timedwait(&job->done, &job->lock, &deadline) == 0)
		;
	is_done = job->is_done;
	job->is_left = true;
	if (is_done) {
		result = job->result;
		*found = job->found;
		job->found = NULL;
	}
	pthread_mutex_unlock(&job->lock);
	if (is_done)
		job_destroy(job);
	return result;
}
