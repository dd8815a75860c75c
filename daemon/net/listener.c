/* Accepting connections. When the process is out of descriptors, one kept in reserve is given up to accept what is
 * queued and have it told why it is closed. Where not even that helps, the listener rests for a while: the loop never
 * spins on a socket that stays readable. */
#define _GNU_SOURCE /* accept4, AT_EMPTY_PATH */
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
#include "daemon/net/inherited.h"
#include "daemon/net/loop_base.h"
#include "daemon/net/tls_context.h"

enum {
	BACKLOG = 4096, /* the kernel caps it at net.core.somaxconn */
	ACCEPTS_A_TURN = 64,
	REST_US = 100 * 1000, /* when nothing can be accepted */
};

struct listener {
	struct listener *next;
	struct loop *loop;
	struct event *event;
	struct loop_timer *rest; /* until it accepts again */
	struct listener_handlers handlers;
	struct tls_context *tls;
	int fd;
	int reserve_fd;
	struct log_seldom log;
	char *path;        /* of a Unix socket */
	bool is_inherited; /* then its file is not ours to remove */
	dev_t device;
	ino_t inode;
};

/* -- Accepting -- */

static int open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_rested(void *arg)
{
	struct listener *listener = arg;
	if (listener->reserve_fd < 0)
		listener->reserve_fd = open_reserve();
	if (event_add(listener->event, NULL) < 0)
		loop_timer_set(listener->rest, loop_now_us(listener->loop) + REST_US);
}

static void rest(struct listener *listener)
{
	log_seldom(&listener->log, loop_now_us(listener->loop),
		   "no connections can be accepted just now: no descriptors, or no memory");
	event_del(listener->event);
	loop_timer_set(listener->rest, loop_now_us(listener->loop) + REST_US);
}

/* Returns whether it could get rid of one. */
static bool shed_connection(struct listener *listener)
{
	if (listener->reserve_fd < 0)
		return false;
	close(listener->reserve_fd);
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	bool is_shed = fd >= 0 || errno == EAGAIN || errno == ECONNABORTED;
	if (fd >= 0)
		listener->handlers.on_no_descriptor(listener->handlers.arg, fd);
	listener->reserve_fd = open_reserve();
	return is_shed;
}

static void on_connection(evutil_socket_t listening, short what, void *arg)
{
	(void)listening, (void)what;
	struct listener *listener = arg;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
		if (fd >= 0) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
				   sizeof(on)); /* a Unix socket refuses it, and needs none */
			listener->handlers.on_accept(listener->handlers.arg, fd, listener->tls);
		} else if (errno == EAGAIN) {
			return;
		} else if (errno == EMFILE || errno == ENFILE) {
			if (!shed_connection(listener)) {
				rest(listener);
				return;
			}
		} else if (errno != ECONNABORTED && errno != EINTR && errno != EPROTO && errno != EPERM) {
			rest(listener); /* those four are one connection's own trouble, which is over with it */
			return;
		}
	}
}

/* -- Listening -- */

/* Takes the descriptor over, whatever comes; a negative one is an error of before. */
static struct listener *listener_add(struct listener **chain, struct loop *loop, int fd,
				     const struct listener_handlers *handlers)
{
	struct listener *listener = fd < 0 ? NULL : calloc(1, sizeof(*listener));
	if (!listener)
		goto failed;
	*listener = (struct listener){.next = *chain, .loop = loop, .fd = fd, .handlers = *handlers};
	listener->event = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, on_connection, listener);
	listener->rest = loop_timer_create(loop, on_rested, listener);
	if (!listener->event || !listener->rest || event_add(listener->event, NULL) < 0)
		goto failed;
	listener->reserve_fd = open_reserve();
	*chain = listener;
	return listener;

failed:
	if (listener && listener->event)
		event_free(listener->event);
	if (listener)
		loop_timer_destroy(listener->rest);
	free(listener);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static int listen_at(const struct sockaddr *address, socklen_t len, int family)
{
	int fd = inherited_claim(address, len), on = 1;
	if (fd >= 0)
		return fd;
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
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

static int open_tcp(struct listener **chain, struct loop *loop, const struct address *address, struct tls_context *tls,
		    const struct listener_handlers *handlers, char error[LISTENER_ERROR_BYTES])
{
	const char *scheme = tls ? "tls" : "tcp";
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found;
	char port[8];
	snprintf(port, sizeof(port), "%u", address->port);
	int failure = getaddrinfo(address->host, port, &hints, &found);
	if (failure) {
		snprintf(error, LISTENER_ERROR_BYTES, "cannot listen on %s://%.100s:%s: %s", scheme, address->host,
			 port, gai_strerror(failure));
		return -1;
	}
	int opened = 0, result = 0;
	for (struct addrinfo *each = found; each && result == 0; each = each->ai_next) {
		int fd = listen_at(each->ai_addr, each->ai_addrlen, each->ai_family);
		/* A name may have an address of a family that this machine does not have. */
		if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL) && (each->ai_next || opened))
			continue;
		struct listener *listener = listener_add(chain, loop, fd, handlers);
		if (listener) {
			listener->tls = tls;
			opened++;
		} else {
			snprintf(error, LISTENER_ERROR_BYTES, "cannot listen on %s://%.100s:%s: %s", scheme,
				 address->host, port, strerror(errno));
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
		snprintf(error, LISTENER_ERROR_BYTES,
			 "cannot listen on unix://%s: there is a file that is not a socket", address->sun_path);
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

static int open_unix(struct listener **chain, struct loop *loop, const struct address *address,
		     const struct listener_handlers *handlers, char error[LISTENER_ERROR_BYTES])
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	if (strlen(address->host) >= sizeof(name.sun_path)) {
		snprintf(error, LISTENER_ERROR_BYTES,
			 "cannot listen on a Unix socket whose path is longer than %zu bytes",
			 sizeof(name.sun_path) - 1);
		return -1;
	}
	strcpy(name.sun_path, address->host);
	int fd = inherited_claim((struct sockaddr *)&name, sizeof(name));
	bool is_inherited = fd >= 0;
	if (!is_inherited) {
		if (clear_path(&name, error) < 0)
			return -1;
		mode_t mask = umask(0117);
		fd = listen_at((struct sockaddr *)&name, sizeof(name), AF_UNIX);
		umask(mask);
	}
	struct stat status;
	struct listener *listener = listener_add(chain, loop, fd, handlers);
	if (!listener || stat(name.sun_path, &status) < 0 || !(listener->path = strdup(name.sun_path))) {
		snprintf(error, LISTENER_ERROR_BYTES, "cannot listen on unix://%s: %s", name.sun_path, strerror(errno));
		return -1;
	}
	listener->is_inherited = is_inherited;
	listener->device = status.st_dev;
	listener->inode = status.st_ino;
	return 0;
}

int listener_open(struct listener **chain, struct loop *loop, const struct address *address, struct tls_context *tls,
		  const struct listener_handlers *handlers, char error[LISTENER_ERROR_BYTES])
{
	switch (address->scheme) {
	case ADDRESS_TCP:
	case ADDRESS_TLS:
		return open_tcp(chain, loop, address, tls, handlers, error);
	case ADDRESS_UNIX:
		return open_unix(chain, loop, address, handlers, error);
	}
	return -1;
}

/* The name of a Unix socket: its path, or what Linux keeps without a file, written with an @. To be freed; NULL: it is
 * none, or without memory. */
static char *name_of_unix(int fd)
{
	struct sockaddr_un name = {0};
	socklen_t len = sizeof(name) - 1;
	if (getsockname(fd, (struct sockaddr *)&name, &len) < 0 || name.sun_family != AF_UNIX)
		return NULL;
	if (name.sun_path[0] == '\0')
		name.sun_path[0] = '@';
	return strdup(name.sun_path);
}

int listener_open_inherited(struct listener **chain, struct loop *loop, const struct listener_handlers *handlers,
			    bool may_be_open, char error[LISTENER_ERROR_BYTES])
{
	char url[LISTENER_URL_BYTES];
	for (int fd = inherited_claim_any(); fd >= 0; fd = inherited_claim_any()) {
		bool is_open = !inherited_is_local(fd);
		struct listener *listener = listener_add(chain, loop, fd, handlers);
		if (!listener) {
			snprintf(error, LISTENER_ERROR_BYTES,
				 "cannot listen on a socket that was handed over: no memory");
			return -1;
		}
		listener->is_inherited = true;
		listener->path = name_of_unix(fd);
		listener_url(listener, url);
		if (is_open && !may_be_open) {
			snprintf(error, LISTENER_ERROR_BYTES,
				 "%.100s was handed over, and other machines can reach it; expected a loopback address "
				 "or a Unix socket, or "
				 "`insecure: true`",
				 url);
			return -1;
		}
		log_line(is_open ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "open: %s, which was handed over%s", url,
			 is_open ? "; what is said there can be read on its way" : "");
	}
	return 0;
}

void listener_hold(struct listener *chain)
{
	for (struct listener *listener = chain; listener; listener = listener->next)
		event_del(listener->event);
}

int listener_go_on(struct listener *chain)
{
	for (struct listener *listener = chain; listener; listener = listener->next) {
		if (event_add(listener->event, NULL) < 0)
			return -1;
	}
	return 0;
}

/* Whoever may write to the folder may have put something else there: nothing but our socket is given away. */
static int give(const struct listener *listener, uid_t uid, gid_t gid)
{
	int fd = open(listener->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	if (fd < 0)
		return -1;
	bool is_ours = fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) && status.st_nlink == 1 &&
		       status.st_dev == listener->device && status.st_ino == listener->inode;
	int result = is_ours ? fchownat(fd, "", uid, gid, AT_EMPTY_PATH) : -1;
	int reason = is_ours ? errno : EBUSY;
	close(fd);
	errno = reason;
	return result;
}

int listener_give(struct listener *chain, uid_t uid, gid_t gid, char error[LISTENER_ERROR_BYTES])
{
	for (struct listener *listener = chain; listener; listener = listener->next) {
		if (!listener->path || listener->is_inherited || give(listener, uid, gid) == 0)
			continue;
		snprintf(error, LISTENER_ERROR_BYTES, "unix://%.100s cannot be given to the account: %s",
			 listener->path, strerror(errno));
		return -1;
	}
	return 0;
}

/* Another daemon may have replaced the file since: that one is not ours. */
static void remove_file(const struct listener *listener)
{
	struct stat status;
	if (listener->path && !listener->is_inherited && lstat(listener->path, &status) == 0 &&
	    status.st_dev == listener->device && status.st_ino == listener->inode)
		unlink(listener->path);
}

void listener_close(struct listener *chain)
{
	struct listener *next;
	for (struct listener *listener = chain; listener; listener = next) {
		next = listener->next;
		event_free(listener->event);
		loop_timer_destroy(listener->rest);
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
	const char *scheme = listener->tls ? "tls" : "tcp";
	if (listener->path)
		snprintf(url, LISTENER_URL_BYTES, "unix://%s", listener->path);
	else if (getsockname(listener->fd, (struct sockaddr *)&address, &len) == 0 &&
		 getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
			     NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		snprintf(url, LISTENER_URL_BYTES, address.ss_family == AF_INET6 ? "%s://[%s]:%s" : "%s://%s:%s", scheme,
			 host, port);
	else
		snprintf(url, LISTENER_URL_BYTES, "%s://?", scheme);
}

bool listener_certificate_expiry(const struct listener *listener, int64_t *expiry_s)
{
	*expiry_s = listener->tls ? listener->tls->not_after_s : 0;
	return listener->tls != NULL;
}
