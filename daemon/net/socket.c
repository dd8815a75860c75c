/* What the system does for a stream's socket, and what it knows about it. */
#define _GNU_SOURCE /* struct ucred */
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

#include "daemon/net/stream_workspace.h"
#include "daemon/net/tls.h"

enum { KEEPALIVE_PROBES = 4 }; /* in the second half of the time */

void stream_set_timeout(struct stream *stream, uint64_t timeout_ms)
{
	/* Keepalive asks a peer that is silent; the user timeout bounds how long what was sent may stay without an
	 * answer. */
	int on = 1, seconds = (int)(timeout_ms / 1000), idle = seconds / 2,
	    interval = (seconds - idle) / KEEPALIVE_PROBES;
	int probes = KEEPALIVE_PROBES;
	unsigned timeout = (unsigned)timeout_ms;
	idle = idle > 0 ? idle : 1;
	interval = interval > 0 ? interval : 1;
	setsockopt(stream->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(stream->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(stream->fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(stream->fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	setsockopt(stream->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
}

void stream_peer(const struct stream *stream, char *text, size_t size)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char host[INET6_ADDRSTRLEN + 32], port[16];
	if (getpeername(stream->fd, (struct sockaddr *)&address, &len) < 0)
		snprintf(text, size, "gone");
	else if (address.ss_family == AF_UNIX)
		snprintf(text, size, "unix");
	else if (getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
			     NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(text, size, "unknown");
	else
		snprintf(text, size, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

bool stream_peer_uid(const struct stream *stream, uint32_t *uid)
{
	struct sockaddr_storage address;
	struct ucred peer;
	socklen_t len = sizeof(address), peer_len = sizeof(peer);
	if (getsockname(stream->fd, (struct sockaddr *)&address, &len) < 0 || address.ss_family != AF_UNIX)
		return false;
	if (getsockopt(stream->fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_len) < 0 || peer_len != sizeof(peer))
		return false;
	*uid = peer.uid;
	return true;
}

bool stream_peer_is(const struct stream *stream, bool (*is_known)(void *arg, const char *name), void *arg)
{
	return stream_tls(stream) && tls_peer_is(stream_tls(stream), is_known, arg);
}
