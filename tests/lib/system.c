#define _GNU_SOURCE
#include "tests/lib/system.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

struct system fake_system;

static uint64_t below(uint64_t n)
{
	fake_system.random = fake_system.random * 6364136223846793005u + 1442695040888963407u;
	return (fake_system.random >> 33) % n;
}

/* Whether the countdown has come to its end with this call. */
static bool fails_now(unsigned *countdown)
{
	if (*countdown == 0)
		return false;
	return --*countdown == 0;
}

/* Whether the call fails, with errno set; else *len may be cut. */
static int interfere(unsigned *countdown, int error, size_t *len)
{
	fake_system.calls++;
	if (fails_now(countdown)) {
		errno = error;
		return -1;
	}
	if (fake_system.again && below(fake_system.again) == 0) {
		errno = below(2) ? EAGAIN : EINTR;
		return -1;
	}
	if (fake_system.max_bytes && *len > 0) {
		size_t cut = 1 + below(fake_system.max_bytes);
		*len = *len < cut ? *len : cut;
	}
	return 0;
}

EXPORTED ssize_t recv(int fd, void *to, size_t len, int flags)
{
	return interfere(&fake_system.recv_fails_in, ECONNRESET, &len) < 0
		       ? -1
		       : syscall(SYS_recvfrom, fd, to, len, flags, NULL, NULL);
}

EXPORTED ssize_t send(int fd, const void *from, size_t len, int flags)
{
	return interfere(&fake_system.send_fails_in, EPIPE, &len) < 0
		       ? -1
		       : syscall(SYS_sendto, fd, from, len, flags, NULL, 0);
}

/* Where it is cut, something of the first slice alone is sent. */
EXPORTED ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	size_t whole = 0;
	for (size_t i = 0; i < message->msg_iovlen; i++)
		whole += message->msg_iov[i].iov_len;
	size_t len = whole;
	if (interfere(&fake_system.send_fails_in, EPIPE, &len) < 0)
		return -1;
	if (len == whole)
		return syscall(SYS_sendmsg, fd, message, flags);
	const struct iovec *first = message->msg_iov;
	return syscall(SYS_sendto, fd, first->iov_base, len < first->iov_len ? len : first->iov_len, flags, NULL, 0);
}

EXPORTED int accept4(int listening, struct sockaddr *address, socklen_t *len, int flags)
{
	static const int errors[] = {EMFILE, ENOMEM, ECONNABORTED};
	fake_system.calls++;
	if (fails_now(&fake_system.accept_fails_in)) {
		errno = errors[below(3)];
		return -1;
	}
	int fd = (int)syscall(SYS_accept4, listening, address, len, flags);
	if (fd >= 0 && fake_system.send_buffer)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &fake_system.send_buffer, sizeof(fake_system.send_buffer));
	return fd;
}

EXPORTED int clock_gettime(clockid_t clock, struct timespec *now)
{
	if (!fake_system.now_us || clock == CLOCK_REALTIME)
		return (int)syscall(SYS_clock_gettime, clock, now);
	*now = (struct timespec){(time_t)(fake_system.now_us / 1000000), (long)(fake_system.now_us % 1000000 * 1000)};
	return 0;
}
