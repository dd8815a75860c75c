#include "daemon/net/transport.h"

#include <poll.h>
#include <sys/socket.h>

#include "daemon/net/tls.h"

ssize_t transport_receive(int fd, struct tls *tls, char *to, size_t room)
{
	return tls ? tls_receive(tls, to, room) : recv(fd, to, room, 0);
}

ssize_t transport_send(int fd, struct tls *tls, const char *from, size_t len)
{
	return tls ? tls_send(tls, from, len) : send(fd, from, len, MSG_NOSIGNAL);
}

ssize_t transport_send_slices(int fd, struct tls *tls, struct iovec *slices, int n)
{
	if (tls)
		return tls_send(tls, slices[0].iov_base, slices[0].iov_len);
	struct msghdr message = {.msg_iov = slices, .msg_iovlen = (size_t)n};
	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

bool transport_has_room(int fd)
{
	struct pollfd socket = {.fd = fd, .events = POLLOUT};
	return poll(&socket, 1, 0) > 0 && (socket.revents & POLLOUT);
}

bool transport_has_more(const struct tls *tls)
{
	return tls && tls_has_more(tls);
}

void transport_end_sending(int fd, struct tls *tls)
{
	if (tls)
		tls_end_sending(tls);
	shutdown(fd, SHUT_WR);
}
