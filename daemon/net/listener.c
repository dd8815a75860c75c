/* Accepting connections. When the process is out of descriptors, one kept in reserve is given up to accept and close what is queued: the
 * peers see an end at once instead of a silence, and the loop does not spin on a socket that stays readable. */
#define _GNU_SOURCE /* accept4 */
#include "daemon/net/listener.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/log.h"

enum {
	BACKLOG = 4096, /* the kernel caps it at net.core.somaxconn */
	ACCEPTS_A_TURN = 64,
	LOG_EVERY_US = 1000000, /* what can happen to every connection is told at most so often */
	KEEPALIVE_IDLE_S = 60,
	KEEPALIVE_INTERVAL_S = 15,
	KEEPALIVE_PROBES = 4, /* a host that died without a word is noticed after two minutes */
};

struct listener {
	struct listener *next;
	struct loop *loop;
	struct event *event;
	listener_cb *on_accept;
	void *arg;
	int fd;
	int reserve_fd;
	uint64_t last_log_us;
	char *path; /* of a Unix socket that is ours to remove */
	dev_t device;
	ino_t inode;
};

/* -- Accepting -- */

static void set_options(int fd)
{
	/* A Unix socket refuses these; it needs none. */
	int on = 1, idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S, probes = KEEPALIVE_PROBES;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static void log_sometimes(struct listener *listener, const char *what)
{
	uint64_t now_us = loop_now_us(listener->loop);
	if (listener->last_log_us && now_us - listener->last_log_us < LOG_EVERY_US)
		return;
	listener->last_log_us = now_us;
	log_warning("%s: %s", what, strerror(errno));
}

static int open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Returns whether it could get rid of one. */
static bool shed_connection(struct listener *listener)
{
	log_sometimes(listener, "a connection was closed at once, for lack of descriptors (raise the limit on open files)");
	if (listener->reserve_fd >= 0)
		close(listener->reserve_fd);
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	listener->reserve_fd = open_reserve();
	return fd >= 0;
}

static void on_connection(evutil_socket_t listening, short what, void *arg)
{
	(void)listening, (void)what;
	struct listener *listener = arg;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			set_options(fd);
			listener->on_accept(listener->arg, fd);
		} else if (errno == EMFILE || errno == ENFILE) {
			if (!shed_connection(listener))
				return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			if (errno != EAGAIN)
				log_sometimes(listener, "accept");
			return;
		}
	}
}

/* -- Listening -- */

/* Takes the descriptor over, whatever comes; a negative one is an error of before. */
static struct listener *listener_add(struct listener **chain, struct loop *loop, int fd, listener_cb *on_accept, void *arg)
{
	struct listener *listener = fd < 0 ? NULL : calloc(1, sizeof(*listener));
	if (!listener)
		goto failed;
	*listener = (struct listener){.next = *chain, .loop = loop, .fd = fd, .on_accept = on_accept, .arg = arg};
	listener->event = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, on_connection, listener);
	if (!listener->event || event_add(listener->event, NULL) < 0)
		goto failed;
	listener->reserve_fd = open_reserve();
	*chain = listener;
	return listener;

failed:
	if (listener && listener->event)
		event_free(listener->event);
	free(listener);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static int listen_at(const struct sockaddr *address, socklen_t len, int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	if (fd < 0)
		return -1;
	if (family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, address, len) < 0 || listen(fd, BACKLOG) < 0) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static int open_tcp(struct listener **chain, struct loop *loop, const struct address *address, listener_cb *on_accept, void *arg,
		    char error[LISTENER_ERROR_BYTES])
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found;
	char port[8];
	snprintf(port, sizeof(port), "%u", address->port);
	int failure = getaddrinfo(address->host, port, &hints, &found);
	if (failure) {
		snprintf(error, LISTENER_ERROR_BYTES, "cannot listen on tcp://%.100s:%s: %s", address->host, port, gai_strerror(failure));
		return -1;
	}
	int opened = 0, result = 0;
	for (struct addrinfo *each = found; each && result == 0; each = each->ai_next) {
		int fd = listen_at(each->ai_addr, each->ai_addrlen, each->ai_family);
		/* A name may have an address of a family that this machine does not have. */
		if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL) && (each->ai_next || opened))
			continue;
		if (listener_add(chain, loop, fd, on_accept, arg)) {
			opened++;
		} else {
			snprintf(error, LISTENER_ERROR_BYTES, "cannot listen on tcp://%.100s:%s: %s", address->host, port, strerror(errno));
			result = -1;
		}
	}
	freeaddrinfo(found);
	return result;
}

/* Whether the path is free to be bound: a socket's file that nobody listens on is removed, if it is one. */
static int clear_path(const struct sockaddr_un *address, char error[LISTENER_ERROR_BYTES])
{
	struct stat status;
	if (lstat(address->sun_path, &status) < 0)
		return 0;
	if (!S_ISSOCK(status.st_mode)) {
		snprintf(error, LISTENER_ERROR_BYTES, "cannot listen on unix://%s: there is a file that is not a socket", address->sun_path);
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)address, sizeof(*address));
	int reason = errno;
	if (fd >= 0)
		close(fd);
	if (result < 0 && reason == ECONNREFUSED && unlink(address->sun_path) == 0)
		return 0;
	snprintf(error, LISTENER_ERROR_BYTES, "cannot listen on unix://%s: %s", address->sun_path,
		 result == 0 ? "another process listens there" : strerror(reason));
	return -1;
}

static int open_unix(struct listener **chain, struct loop *loop, const struct address *address, listener_cb *on_accept, void *arg,
		     char error[LISTENER_ERROR_BYTES])
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	if (strlen(address->host) >= sizeof(name.sun_path)) {
		snprintf(error, LISTENER_ERROR_BYTES, "cannot listen on a Unix socket whose path is longer than %zu bytes",
			 sizeof(name.sun_path) - 1);
		return -1;
	}
	strcpy(name.sun_path, address->host);
	if (clear_path(&name, error) < 0)
		return -1;

	mode_t mask = umask(0117);
	int fd = listen_at((struct sockaddr *)&name, sizeof(name), AF_UNIX);
	umask(mask);
	struct stat status;
	struct listener *listener = listener_add(chain, loop, fd, on_accept, arg);
	if (!listener || stat(name.sun_path, &status) < 0 || !(listener->path = strdup(name.sun_path))) {
		snprintf(error, LISTENER_ERROR_BYTES, "cannot listen on unix://%s: %s", name.sun_path, strerror(errno));
		return -1;
	}
	listener->device = status.st_dev;
	listener->inode = status.st_ino;
	return 0;
}

int listener_open(struct listener **chain, struct loop *loop, const struct address *address, listener_cb *on_accept, void *arg,
		  char error[LISTENER_ERROR_BYTES])
{
	switch (address->scheme) {
	case ADDRESS_TCP:
		return open_tcp(chain, loop, address, on_accept, arg, error);
	case ADDRESS_UNIX:
		return open_unix(chain, loop, address, on_accept, arg, error);
	}
	return -1;
}

/* Another daemon may have replaced the file since: that one is not ours. */
static void remove_file(const struct listener *listener)
{
	struct stat status;
	if (listener->path && lstat(listener->path, &status) == 0 && status.st_dev == listener->device && status.st_ino == listener->inode)
		unlink(listener->path);
}

void listener_close(struct listener *chain)
{
	struct listener *next;
	for (struct listener *listener = chain; listener; listener = next) {
		next = listener->next;
		event_free(listener->event);
		close(listener->fd);
		if (listener->reserve_fd >= 0)
			close(listener->reserve_fd);
		remove_file(listener);
		free(listener->path);
		free(listener);
	}
}

struct listener *listener_next(const struct listener *listener)
{
	return listener->next;
}

void listener_url(const struct listener *listener, char url[LISTENER_URL_BYTES])
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char host[INET6_ADDRSTRLEN + 32], port[16];
	if (listener->path)
		snprintf(url, LISTENER_URL_BYTES, "unix://%s", listener->path);
	else if (getsockname(listener->fd, (struct sockaddr *)&address, &len) == 0 &&
		 getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		snprintf(url, LISTENER_URL_BYTES, address.ss_family == AF_INET6 ? "tcp://[%s]:%s" : "tcp://%s:%s", host, port);
	else
		snprintf(url, LISTENER_URL_BYTES, "tcp://?");
}
