#define _GNU_SOURCE /* strerrordesc_np() */
#include "client/net/link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "client/net/secure.h"

enum {
	DEAD_PEER_MS = 60 * 1000, /* a network that takes nothing for so long is dead */
	KEEPALIVE_IDLE_S = 60,
	KEEPALIVE_INTERVAL_S = 15,
	KEEPALIVE_PROBES = 4,
};

static void tune(int fd)
{
	int on = 1, idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S, probes = KEEPALIVE_PROBES,
	    dead = DEAD_PEER_MS;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof(dead));
}

void link_init(struct link *link, int fd)
{
	*link = (struct link){.fd = fd};
}

int link_connect(struct link *link, int family, const struct sockaddr *address, socklen_t len)
{
	int error = 0, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*link = (struct link){.fd = -1};
	if (fd < 0)
		return -errno;
	if (family != AF_UNIX)
		tune(fd);
	if (connect(fd, address, len) < 0)
		error = errno;
	if (error && error != EINPROGRESS && error != EINTR) {
		close(fd);
		return -error;
	}
	link->fd = fd;
	return error ? LINK_CONNECTING : LINK_CONNECTED;
}

int link_connected(struct link *link)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		link_close(link);
	return -error;
}

void link_close(struct link *link)
{
	secure_end(link->ssl);
	if (link->fd >= 0)
		close(link->fd);
	*link = (struct link){.fd = -1};
}

int link_secure(struct link *link, const struct secure *secure, const char *host)
{
	link->ssl = secure_begin(secure, link->fd, host);
	return link->ssl ? link_shake_hands(link) : -ENOMEM;
}

int link_shake_hands(struct link *link)
{
	return secure_shake_hands(link->ssl);
}

bool link_has_more(const struct link *link)
{
	return link->ssl && secure_has_more(link->ssl);
}

ssize_t link_read(struct link *link, void *bytes, size_t len)
{
	ssize_t n;

	if (link->ssl)
		return secure_read(link->ssl, bytes, len);
	do {
		n = recv(link->fd, bytes, len, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return n;
	if (n == 0)
		return LINK_CLOSED;
	return errno == EAGAIN || errno == EWOULDBLOCK ? LINK_AGAIN : -errno;
}

ssize_t link_write(struct link *link, const void *bytes, size_t len)
{
	ssize_t n;

	if (link->ssl)
		return secure_write(link->ssl, bytes, len);
	do {
		n = send(link->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EWOULDBLOCK ? LINK_AGAIN : -errno;
}

void link_shut(struct link *link)
{
	shutdown(link->fd, SHUT_RDWR);
}

const char *link_words(ssize_t error)
{
	const char *words = secure_words(error);

	if (!words)
		words = error == LINK_CLOSED ? "the daemon closed it" : strerrordesc_np(-(int)error);
	return words ? words : "unknown error";
}
