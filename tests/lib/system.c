#define _GNU_SOURCE
#include "tests/lib/system.h"

#include <errno.h>
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

/* Whether the call fails, with errno set; else *len may be cut. */
static int interfere(size_t *len)
{
	fake_system.calls++;
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
	return interfere(&len) < 0 ? -1 : syscall(SYS_recvfrom, fd, to, len, flags, NULL, NULL);
}

EXPORTED ssize_t send(int fd, const void *from, size_t len, int flags)
{
	return interfere(&len) < 0 ? -1 : syscall(SYS_sendto, fd, from, len, flags, NULL, 0);
}

EXPORTED int clock_gettime(clockid_t clock, struct timespec *now)
{
	if (!fake_system.now_us || clock == CLOCK_REALTIME)
		return (int)syscall(SYS_clock_gettime, clock, now);
	*now = (struct timespec){(time_t)(fake_system.now_us / 1000000), (long)(fake_system.now_us % 1000000 * 1000)};
	return 0;
}
