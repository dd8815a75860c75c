/* Datagrams to the socket that NOTIFY_SOCKET names. The address is kept and not connected to: a supervisor that starts
 * anew makes a new socket there. */
#include "daemon/server/supervisor.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"

enum {
	MESSAGE_BYTES = 2048,
	PATIENCE_US =
		500 * 1000, /* how long a supervisor whose queue is full is waited for, if the news is not to be lost */
	LEAST_WATCHDOG_US = 1000,
};

/* A path, or a name of Linux's abstract ones, which begins with '@'. -1: it is neither. */
static int set_address(struct service *service, const char *name)
{
	size_t len = strlen(name);
	if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(service->address.sun_path))
		return -1;
	service->address.sun_family = AF_UNIX;
	memcpy(service->address.sun_path, name, len + 1);
	service->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	if (name[0] == '@') { /* the name ends where the address does */
		service->address.sun_path[0] = '\0';
		service->len--;
	}
	return 0;
}

/* A whole number above 0; else 0. */
static uint64_t number_of(const char *text)
{
	char *end;
	errno = 0;
	unsigned long long number = text && text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
	return number && errno == 0 && *end == '\0' ? number : 0;
}

/* Times longer than half of what a clock can count are as good as no watchdog. */
static uint64_t watchdog_of(const char *watchdog_us, const char *pid)
{
	uint64_t us = number_of(watchdog_us);
	if (!watchdog_us || (pid && number_of(pid) != (uint64_t)getpid()))
		return 0;
	if (us == 0)
		log_warning("WATCHDOG_USEC is \"%.32s\", which is no time: there is no watchdog", watchdog_us);
	if (us > INT64_MAX)
		return 0;
	return us > 0 && us < LEAST_WATCHDOG_US ? LEAST_WATCHDOG_US : us;
}

void service_init(struct service *service)
{
	const char *name = getenv("NOTIFY_SOCKET");
	const struct timeval patience = {.tv_usec = PATIENCE_US};
	*service = (struct service){.fd = -1};
	if (name && name[0] != '\0') {
		if (set_address(service, name) < 0)
			log_warning("NOTIFY_SOCKET is \"%.120s\", which is no Unix socket's address: nobody is told "
				    "how this daemon is",
				    name);
		else
			service->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (service->fd >= 0)
			setsockopt(service->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		if (service->fd >= 0)
			service->watchdog_us = watchdog_of(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void service_finish(struct service *service)
{
	if (service->fd >= 0)
		close(service->fd);
	service->fd = -1;
}

__attribute__((format(printf, 3, 4))) static void tell(const struct service *service, int flags, const char *format,
						       ...)
{
	char message[MESSAGE_BYTES];
	va_list arguments;
	if (service->fd < 0)
		return;
	va_start(arguments, format);
	int wanted = vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	size_t len = (size_t)wanted < sizeof(message) ? (size_t)wanted : sizeof(message) - 1;
	if (sendto(service->fd, message, len, flags | MSG_NOSIGNAL, (const struct sockaddr *)&service->address,
		   service->len) < 0 &&
	    !(flags & MSG_DONTWAIT))
		log_warning("the supervisor cannot be told \"%.20s\": %s", message, strerror(errno));
}

void service_ready(const struct service *service, const char *status)
{
	tell(service, 0, "READY=1\nSTATUS=%s", status);
}

void service_starting(const struct service *service, uint64_t within_us, const char *status)
{
	tell(service, 0, "EXTEND_TIMEOUT_USEC=%llu\nSTATUS=%s", (unsigned long long)within_us, status);
}

/* With the time, so that the supervisor knows that it was its own signal that brought this about. */
void service_reloading(const struct service *service)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	tell(service, 0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading",
	     (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
}

void service_stopping(const struct service *service, uint64_t within_us, const char *status)
{
	tell(service, 0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu\nSTATUS=%s", (unsigned long long)within_us, status);
}

/* One that is lost because the supervisor is busy is followed by the next. */
void service_alive(const struct service *service, const char *status)
{
	tell(service, MSG_DONTWAIT, "%sSTATUS=%s", service->watchdog_us ? "WATCHDOG=1\n" : "", status);
}
