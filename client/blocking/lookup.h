/* The addresses of a host, while others wait: getaddrinfo() itself knows no time-out, so it runs in a thread, which is
 * left to itself when nobody wants to know any more. */
#ifndef MILLRACE_CLIENT_BLOCKING_LOOKUP_H
#define MILLRACE_CLIENT_BLOCKING_LOOKUP_H

#include <netdb.h>
#include <stdbool.h>

struct host_lookup;

/* Whether the host is an address already, and then *found, for freeaddrinfo(). */
bool lookup_number(const char *host, const char *port, struct addrinfo **found);

/* NULL: no memory. It is to be ended. */
struct host_lookup *lookup_begin(const char *host, const char *port);

/* What can be read when it is done. */
int lookup_fd(const struct host_lookup *lookup);

/* 0 and *found, for freeaddrinfo(); or an error of getaddrinfo(): EAI_AGAIN also if it is not done, and given up. */
int lookup_end(struct host_lookup *lookup, struct addrinfo **found);

#endif
