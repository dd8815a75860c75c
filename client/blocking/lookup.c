#include "client/blocking/lookup.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct host_lookup { /* of both threads; the last one to let go frees it */
	pthread_mutex_t lock;
	int done_fd;
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
	if (job->done_fd >= 0)
		close(job->done_fd);
	free(job->host);
	free(job->port);
	free(job);
}

static struct host_lookup *job_create(const char *host, const char *port)
{
	struct host_lookup *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	pthread_mutex_init(&job->lock, NULL);
	job->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	job->host = strdup(host);
	job->port = strdup(port);
	if (job->done_fd >= 0 && job->host && job->port)
		return job;
	job_destroy(job);
	return NULL;
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
	eventfd_write(job->done_fd, 1);
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

bool lookup_number(const char *host, const char *port, struct addrinfo **found)
{
	return look(host, port, AI_NUMERICHOST | AI_NUMERICSERV, found) == 0;
}

struct host_lookup *lookup_begin(const char *host, const char *port)
{
	struct host_lookup *job = job_create(host, port);

	if (job && start(job) != 0) {
		job_destroy(job);
		job = NULL;
	}
	return job;
}

int lookup_fd(const struct host_lookup *lookup)
{
	return lookup->done_fd;
}

int lookup_end(struct host_lookup *lookup, struct addrinfo **found)
{
	int result = EAI_AGAIN;
	bool is_done;

	pthread_mutex_lock(&lookup->lock);
	is_done = lookup->is_done;
	lookup->is_left = true;
	if (is_done) {
		result = lookup->result;
		*found = lookup->found;
		lookup->found = NULL;
	}
	pthread_mutex_unlock(&lookup->lock);
	if (is_done)
		job_destroy(lookup);
	return result;
}
