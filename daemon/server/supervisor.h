/* What the daemon tells whoever supervises it: systemd's protocol of readiness, sd_notify(3), a datagram for each piece
 * of news. It needs no library, and without a supervisor nothing is sent. A supervisor that does not read is given up
 * on after a moment: it never holds up the daemon. */
#ifndef MILLRACE_SERVER_SUPERVISOR_H
#define MILLRACE_SERVER_SUPERVISOR_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct service {
	int fd; /* -1: nobody supervises */
	socklen_t len;
	struct sockaddr_un address;
	uint64_t cluster_lease;  /* of the last run of this process in the cluster; 0: there was none */
	uint64_t cluster_losses; /* how often this process has lost its place in the cluster */
	uint64_t watchdog_us;    /* it wants to hear that often that the daemon is alive; 0: it does not */
};

/* Reads, and removes, NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID of the environment. What is wrong with them goes to
 * the log. */
void service_init(struct service *service);
void service_finish(struct service *service);

/* `status` is a line for people. */
void service_ready(const struct service *service, const char *status);
/* The start takes its time: for so long at least. */
void service_starting(const struct service *service, uint64_t within_us, const char *status);
void service_reloading(const struct service *service);
void service_stopping(const struct service *service, uint64_t within_us, const char *status);
void service_alive(const struct service *service, const char *status);

#endif
