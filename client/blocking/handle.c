/* Handles: opened and destroyed. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "client/blocking/call.h"
#include "client/blocking/attempt.h"
#include "client/machine/failure.h"
#include "client/machine/machine.h"
#include "client/net/entropy.h"
#include "client/net/process.h"
#include "client/net/secure.h"

static int init_machine(mr *m, const struct mr_options *options)
{
	struct machine_settings settings = {
		.name = options->name,
		.token = options->token,
		.seed = entropy_number(),
		.urls = m->urls.urls,
		.n_urls = m->urls.n,
		.contact_bytes = sizeof(struct blocking_contact),
		.reopens = options->reconnect,
		.is_impatient = true,
		.connect_timeout_ms =
			options->connect_timeout_ms ? options->connect_timeout_ms : MACHINE_CONNECT_TIMEOUT_MS,
		.backoff_min_ms = MACHINE_BACKOFF_MIN_MS,
		.backoff_max_ms = MACHINE_BACKOFF_MAX_MS,
		.heartbeat_ms = options->heartbeat_ms < 0 ? 0
				: options->heartbeat_ms   ? options->heartbeat_ms
							  : MACHINE_HEARTBEAT_MS,
		.window = MACHINE_NO_WINDOW,
		.max_waiting_bytes = SIZE_MAX,
	};

	if (settings.connect_timeout_ms < 1 || settings.connect_timeout_ms > (int64_t)MESSAGE_MAX_MS)
		return fail(MR_EARGUMENT, "connect_timeout_ms is 1 to 2147483647, or 0 for the default");
	if (settings.heartbeat_ms > (int64_t)MESSAGE_MAX_MS)
		return fail(MR_EARGUMENT, "heartbeat_ms is 1 to 2147483647, or 0 for the default");
	entropy_digits(settings.producer, sizeof settings.producer - 1);
	return machine_init(&m->machine, &settings);
}

/* A handle without a connection, and without a machine yet. NULL without memory. */
static mr *create(void)
{
	mr *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->wake_fd < 0) {
		free(m);
		return NULL;
	}
	m->process = process_number();
	m->ready_fd = m->timer_fd = -1;
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&m->monotonic);
	pthread_condattr_setclock(&m->monotonic, CLOCK_MONOTONIC);
	TAILQ_INIT(&m->followers);
	TAILQ_INIT(&m->begun);
	LIST_INIT(&m->listeners);
	return m;
}

static void close_ready_fd(mr *m)
{
	if (m->ready_fd >= 0)
		close(m->ready_fd);
	if (m->timer_fd >= 0)
		close(m->timer_fd);
	m->ready_fd = m->timer_fd = -1;
}

static void destroy(mr *m)
{
	url_list_finish(&m->urls);
	secure_destroy(m->secure);
	close(m->wake_fd);
	close_ready_fd(m);
	pthread_condattr_destroy(&m->monotonic);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

int mr_connect(mr **out, const char *urls, const struct mr_options *options)
{
	static const struct mr_options none;
	const struct mr_options *chosen = options ? options : &none;
	mr *m = create();
	int status;

	*out = NULL;
	if (!m)
		return fail(MR_EMEMORY, "not enough memory for a connection");
	status = url_list_read(&m->urls, urls);
	if (status == MR_OK)
		status = secure_create(&m->secure, &chosen->tls, &m->urls);
	if (status == MR_OK)
		status = init_machine(m, chosen);
	if (status != MR_OK) {
		destroy(m);
		return status;
	}
	pthread_mutex_lock(&m->lock);
	status = driver_open(m);
	driver_unlock(m);
	if (status == MR_OK)
		*out = m;
	else
		mr_destroy(m);
	return status;
}

/* Threads that are not here may have left it in any state. */
static void destroy_copy(mr *m)
{
	struct contact *contact;

	TAILQ_FOREACH(contact, &m->machine.contacts, entry)
	{
		const struct dial *dial = &((struct blocking_contact *)contact)->dial;

		if (dial->url && dial->uplink.fd >= 0)
			close(dial->uplink.fd);
	}
	close(m->wake_fd);
	close_ready_fd(m);
}

void mr_destroy(mr *m)
{
	struct machine_request *request;
	struct contact *contact;
	struct mr_request *begun;

	if (!m)
		return;
	if (m->process != process_number()) {
		destroy_copy(m);
		return;
	}
	while ((request = requests_abandon(&m->machine)))
		;
	while ((begun = TAILQ_FIRST(&m->begun))) {
		TAILQ_REMOVE(&m->begun, begun, begun);
		request_finish(begun);
		free(begun);
	}
	TAILQ_FOREACH(contact, &m->machine.contacts, entry)
	{
		attempt_end((struct blocking_contact *)contact);
	}
	machine_finish(&m->machine);
	destroy(m);
}

/* -1 stays where it cannot be made. */
static void make_ready_fd(mr *m)
{
	struct epoll_event wanted = {.events = EPOLLIN};

	m->ready_fd = epoll_create1(EPOLL_CLOEXEC);
	m->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (m->ready_fd >= 0 && m->timer_fd >= 0 && epoll_ctl(m->ready_fd, EPOLL_CTL_ADD, m->timer_fd, &wanted) == 0)
		return;
	close_ready_fd(m);
}

int mr_fd(mr *m)
{
	int fd = -1;

	if (driver_lock(m) != MR_OK)
		return fd;
	if (m->machine.is_of_cluster && m->ready_fd < 0)
		make_ready_fd(m);
	driver_watch(m);
	if (contact_has_connection(m->machine.home))
		fd = m->machine.is_of_cluster ? m->ready_fd : attempt_fd((struct blocking_contact *)m->machine.home);
	driver_unlock(m);
	return fd;
}

int mr_hello(mr *m, json_t **hello)
{
	int status = driver_lock(m);

	*hello = NULL;
	if (status != MR_OK)
		return status;
	*hello = json_deep_copy(m->machine.hello);
	driver_unlock(m);
	return *hello ? MR_OK : fail(MR_EMEMORY, "not enough memory");
}

int mr_ping(mr *m, int64_t timeout_ms)
{
	struct client_operation operation;

	return call_plain(m, operation_ping(&operation, timeout_ms), &operation);
}
