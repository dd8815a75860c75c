#define _GNU_SOURCE /* strerrordesc_np() */
#include "client/net/uplink.h"

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

int uplink_connect(struct uplink *uplink, int family, const struct sockaddr *address, socklen_t len)
{
	int error = 0, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*uplink = (struct uplink){.fd = -1};
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
	uplink->fd = fd;
	return error ? UPLINK_CONNECTING : UPLINK_CONNECTED;
}

int uplink_connected(struct uplink *uplink)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(uplink->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		uplink_close(uplink);
	return -error;
}

void uplink_close(struct uplink *uplink)
{
	secure_end(uplink->ssl);
	if (uplink->fd >= 0)
		close(uplink->fd);
	*uplink = (struct uplink){.fd = -1};
}

int uplink_secure(struct uplink *uplink, struct secure *secure, const char *host)
{
	uplink->ssl = secure_begin(secure, uplink->fd, host);
	return uplink->ssl ? uplink_shake_hands(uplink) : UPLINK_UNUSABLE;
}

int uplink_shake_hands(struct uplink *uplink)
{
	return secure_shake_hands(uplink->ssl);
}

bool uplink_has_more(const struct uplink *uplink)
{
	return uplink->ssl && secure_has_more(uplink->ssl);
}

ssize_t uplink_read(struct uplink *uplink, void *bytes, size_t len)
{
	ssize_t n;

	if (uplink->ssl)
		return secure_read(uplink->ssl, bytes, len);
	do {
		n = recv(uplink->fd, bytes, len, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return n;
	if (n == 0)
		return UPLINK_CLOSED;
	return errno == EAGAIN || errno == EWOULDBLOCK ? UPLINK_AGAIN : -errno;
}

ssize_t uplink_write(struct uplink *uplink, const void *bytes, size_t len)
{
	ssize_t n;

	if (uplink->ssl)
		return secure_write(uplink->ssl, bytes, len);
	do {
		n = send(uplink->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EWOULDBLOCK ? UPLINK_AGAIN : -errno;
}

void uplink_shut(struct uplink *uplink)
{
	shutdown(uplink->fd, SHUT_RDWR);
}

const char *uplink_message(ssize_t error)
{
	const char *message = secure_message(error);

	if (!message)
		message = error == UPLINK_CLOSED ? "the daemon closed it" : strerrordesc_np(-(int)error);
	return message ? message : "unknown error";
}
