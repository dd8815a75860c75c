#include "tests/lib/stand_in.h"

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/buffer.h"
#include "tests/lib/cluster_model.h"
#include "tests/lib/frames.h"

enum { MOST_CONNECTIONS = 32, READ_BYTES = 65536 };

struct visitor {
	int fd, daemon; /* fd 0: the place is free; the number of a connection is its place, and how often it was used
			 */
	unsigned n_uses;
	struct buffer in;
};

static struct {
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t changed;
	pthread_t thread;
	int n, wake_fd;
	int listeners[CLUSTER_DAEMONS];
	char urls[CLUSTER_DAEMONS][32], all[CLUSTER_DAEMONS * 32];
	struct visitor visitors[MOST_CONNECTIONS];
	bool is_over;
} stand = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int number_of(const struct visitor *visitor)
{
	return (int)(visitor->n_uses * MOST_CONNECTIONS + (unsigned)(visitor - stand.visitors));
}

static void on_reply(int connection, json_t *reply)
{
	struct visitor *visitor = &stand.visitors[connection % MOST_CONNECTIONS];
	struct buffer out = {0};

	frames_append(&out, reply);
	if (visitor->fd && number_of(visitor) == connection)
		send(visitor->fd, buffer_front(&out), buffer_len(&out), MSG_NOSIGNAL);
	buffer_finish(&out);
}

static void hang_up(struct visitor *visitor)
{
	cluster_hang_up(number_of(visitor));
	close(visitor->fd);
	buffer_finish(&visitor->in);
	*visitor = (struct visitor){.n_uses = visitor->n_uses + 1};
}

static void admit(int daemon)
{
	int fd = accept(stand.listeners[daemon], NULL, NULL);

	for (int i = 0; fd > 0 && i < MOST_CONNECTIONS; i++) {
		if (!stand.visitors[i].fd) {
			stand.visitors[i].fd = fd;
			stand.visitors[i].daemon = daemon;
			return;
		}
	}
	close(fd);
}

static void hear(struct visitor *visitor)
{
	static char bytes[READ_BYTES];
	ssize_t n = recv(visitor->fd, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n <= 0) {
		hang_up(visitor);
		return;
	}
	buffer_append(&visitor->in, bytes, (size_t)n);
	for (json_t *request; (request = frames_next(&visitor->in)); json_decref(request))
		cluster_request(visitor->daemon, number_of(visitor), request);
	pthread_cond_broadcast(&stand.changed);
}

/* What poll() waits for: the wake-up, listeners, and visitors, each at its place. */
static nfds_t list(struct pollfd *ready)
{
	nfds_t n = 0;

	ready[n++] = (struct pollfd){.fd = stand.wake_fd, .events = POLLIN};
	for (int i = 0; i < CLUSTER_DAEMONS; i++)
		ready[n++] = (struct pollfd){.fd = stand.listeners[i] ? stand.listeners[i] : -1, .events = POLLIN};
	for (int i = 0; i < MOST_CONNECTIONS; i++)
		ready[n++] = (struct pollfd){.fd = stand.visitors[i].fd ? stand.visitors[i].fd : -1, .events = POLLIN};
	return n;
}

static void *run(void *argument)
{
	struct pollfd ready[1 + CLUSTER_DAEMONS + MOST_CONNECTIONS];
	eventfd_t times;

	(void)argument;
	pthread_mutex_lock(&stand.lock);
	while (!stand.is_over) {
		nfds_t n = list(ready);

		pthread_mutex_unlock(&stand.lock);
		poll(ready, n, -1);
		pthread_mutex_lock(&stand.lock);
		if (ready[0].revents)
			eventfd_read(stand.wake_fd, &times);
		for (int i = 0; i < CLUSTER_DAEMONS; i++) {
			if (ready[1 + i].revents && ready[1 + i].fd == stand.listeners[i])
				admit(i);
		}
		for (int i = 0; i < MOST_CONNECTIONS; i++) {
			if (ready[1 + CLUSTER_DAEMONS + i].revents &&
			    ready[1 + CLUSTER_DAEMONS + i].fd == stand.visitors[i].fd)
				hear(&stand.visitors[i]);
		}
	}
	pthread_mutex_unlock(&stand.lock);
	return NULL;
}

static void listen_at(int daemon)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t used = strlen(stand.all);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(fd, MOST_CONNECTIONS), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	stand.listeners[daemon] = fd;
	snprintf(stand.urls[daemon], sizeof stand.urls[daemon], "tcp://127.0.0.1:%d", ntohs(address.sin_port));
	snprintf(stand.all + used, sizeof stand.all - used, "%s%s", used ? "," : "",
		 stand.urls[daemon] + (used ? strlen("tcp://") : 0));
}

void stand_in_start(int n)
{
	const char *urls[CLUSTER_DAEMONS];

	stand.n = n;
	stand.is_over = false;
	stand.all[0] = '\0';
	stand.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (int i = 0; i < n; i++) {
		listen_at(i);
		urls[i] = stand.urls[i];
	}
	cluster_begin(urls, n, on_reply);
	ck_assert_int_eq(pthread_create(&stand.thread, NULL, run, NULL), 0);
}

void stand_in_stop(void)
{
	pthread_mutex_lock(&stand.lock);
	stand.is_over = true;
	eventfd_write(stand.wake_fd, 1);
	pthread_mutex_unlock(&stand.lock);
	pthread_join(stand.thread, NULL);
	for (int i = 0; i < MOST_CONNECTIONS; i++) {
		if (stand.visitors[i].fd)
			hang_up(&stand.visitors[i]);
	}
	for (int i = 0; i < CLUSTER_DAEMONS; i++) {
		if (stand.listeners[i])
			close(stand.listeners[i]);
		stand.listeners[i] = 0;
	}
	close(stand.wake_fd);
	cluster_end();
}

const char *stand_in_url(int daemon)
{
	return stand.urls[daemon];
}

const char *stand_in_urls(void)
{
	return stand.all;
}

void stand_in_own(const char *group, int daemon)
{
	pthread_mutex_lock(&stand.lock);
	cluster_own(group, daemon);
	pthread_mutex_unlock(&stand.lock);
}

void stand_in_kill(int daemon)
{
	pthread_mutex_lock(&stand.lock);
	close(stand.listeners[daemon]);
	stand.listeners[daemon] = 0;
	for (int i = 0; i < MOST_CONNECTIONS; i++) {
		if (stand.visitors[i].fd && stand.visitors[i].daemon == daemon)
			hang_up(&stand.visitors[i]);
	}
	eventfd_write(stand.wake_fd, 1);
	pthread_mutex_unlock(&stand.lock);
}

size_t stand_in_count(const char *channel)
{
	size_t n;

	pthread_mutex_lock(&stand.lock);
	n = json_array_size(cluster_values(channel));
	pthread_mutex_unlock(&stand.lock);
	return n;
}

void stand_in_await(int daemon, const char *ops)
{
	pthread_mutex_lock(&stand.lock);
	while (!strstr(cluster_ops(daemon), ops))
		pthread_cond_wait(&stand.changed, &stand.lock);
	pthread_mutex_unlock(&stand.lock);
}
