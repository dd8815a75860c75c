/* The descriptors from 3 on, until they are claimed. */
#include "daemon/net/inherited.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/limits.h"

enum { FIRST_FD = 3 };

static struct {
	int fds[MAX_LISTENERS];
	size_t n;
} inherited;

/* A whole number; -1: it is none, or absurd. */
static long number_of(const char *text)
{
	char *end;
	errno = 0;
	long number = text[0] >= '0' && text[0] <= '9' ? strtol(text, &end, 10) : -1;
	return number >= 0 && errno == 0 && *end == '\0' ? number : -1;
}

/* The i-th of the names between colons, which say what the supervisor calls them. */
static void find_name(const char *names, long i, char name[64])
{
	for (; names && i > 0; i--) {
		names = strchr(names, ':');
		names = names ? names + 1 : NULL;
	}
	size_t len = names ? strcspn(names, ":") : 0;
	snprintf(name, 64, "%.*s", (int)(len < 63 ? len : 63), names ? names : "");
}

static int option_of(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);
	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -1 : value;
}

static int take_over(int fd)
{
	int domain = option_of(fd, SO_DOMAIN), flags = fcntl(fd, F_GETFL);
	if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX)
		return -1;
	if (option_of(fd, SO_TYPE) != SOCK_STREAM || option_of(fd, SO_ACCEPTCONN) != 1)
		return -1;
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1 : 0;
}

static int take_over_all(const char *count, const char *names, char error[INHERITED_ERROR_BYTES])
{
	long n = number_of(count);
	if (n < 0 || n > MAX_LISTENERS) {
		snprintf(error, INHERITED_ERROR_BYTES,
			 "LISTEN_FDS is \"%.32s\"; expected 0 to %d, as many sockets as are handed over", count,
			 MAX_LISTENERS);
		return -1;
	}
	for (long i = 0; i < n; i++) {
		int fd = FIRST_FD + (int)i;
		if (take_over(fd) < 0) {
			char name[64];
			find_name(names, i, name);
			snprintf(error, INHERITED_ERROR_BYTES,
				 "descriptor %d (\"%s\") that was handed over is no listening socket; expected a TCP "
				 "or Unix one "
				 "(in a systemd socket unit: ListenStream=, and not Accept=yes)",
				 fd, name);
			return -1;
		}
		inherited.fds[inherited.n++] = fd;
	}
	return (int)n;
}

int inherited_init(char error[INHERITED_ERROR_BYTES])
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int result = 0;
	if (pid && count && number_of(pid) == (long)getpid())
		result = take_over_all(count, getenv("LISTEN_FDNAMES"), error);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return result;
}

static int claim(size_t i)
{
	int fd = inherited.fds[i];
	inherited.n--;
	memmove(&inherited.fds[i], &inherited.fds[i + 1], (inherited.n - i) * sizeof(int));
	return fd;
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;
	if (a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET)
		return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	if (a->sa_family == AF_INET6)
		return a6->sin6_port == b6->sin6_port &&
		       memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
	return strcmp(((const struct sockaddr_un *)(const void *)a)->sun_path,
		      ((const struct sockaddr_un *)(const void *)b)->sun_path) == 0;
}

/* Zeros are behind what the kernel writes: a path ends. */
static int address_of(int fd, struct sockaddr_storage *address)
{
	socklen_t len = sizeof(*address) - 1;
	memset(address, 0, sizeof(*address));
	return getsockname(fd, (struct sockaddr *)address, &len);
}

int inherited_claim(const struct sockaddr *address, socklen_t len)
{
	struct sockaddr_storage wanted = {0}, there;
	if (len >= sizeof(wanted))
		return -1;
	memcpy(&wanted, address, len);
	for (size_t i = 0; i < inherited.n; i++) {
		if (address_of(inherited.fds[i], &there) == 0 &&
		    same_address((const struct sockaddr *)&wanted, (const struct sockaddr *)&there))
			return claim(i);
	}
	return -1;
}

int inherited_claim_any(void)
{
	return inherited.n > 0 ? claim(inherited.n - 1) : -1;
}

bool inherited_is_local(int fd)
{
	struct sockaddr_storage address;
	if (address_of(fd, &address) < 0)
		return false;
	if (address.ss_family == AF_INET)
		return (ntohl(((const struct sockaddr_in *)(const void *)&address)->sin_addr.s_addr) >> 24) ==
		       IN_LOOPBACKNET;
	if (address.ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)&address)->sin6_addr);
	return address.ss_family == AF_UNIX;
}

void inherited_finish(void)
{
	while (inherited.n > 0)
		close(claim(inherited.n - 1));
}
