/* The addresses of a host, in time: getaddrinfo() itself knows no time-out, so it runs in a thread, which is left to
 * itself when the time is over. */
#ifndef MILLRACE_CLIENT_BLOCKING_LOOKUP_H
#define MILLRACE_CLIENT_BLOCKING_LOOKUP_H

#include <netdb.h>
#include <stdint.h>

/* 0 and *found, for freeaddrinfo(); or an error of getaddrinfo(), EAI_AGAIN also when the time is over. */
int lookup(const char *host, const char *port, int64_t deadline_ms, struct addrinfo **found);

#endif
