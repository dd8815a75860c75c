/* One connection to a daemon: the only place of the client that touches a socket once it is there, so that what lies under the bytes (a
 * socket; encryption) is its affair alone. Nothing here ever waits. */
#ifndef MILLRACE_CLIENT_LINK_H
#define MILLRACE_CLIENT_LINK_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

enum link_result {                       /* beside them: the negative number of an error */
		   LINK_AGAIN = 0,       /* nothing now: wait until it is readable, or writable */
		   LINK_CLOSED = -10000, /* the other side has ended it */
};

enum link_progress { LINK_CONNECTED, LINK_CONNECTING }; /* beside them: the negative number of an error */

struct link {
	int fd; /* to wait for; -1: there is none */
};

/* Begins to connect. LINK_CONNECTING: wait until it is writable, then ask link_connected(): 0, or the negative number of an error. After an
 * error there is no link. */
int link_connect(struct link *link, int family, const struct sockaddr *address, socklen_t len);
int link_connected(struct link *link);

/* Around a socket that is connected already. */
void link_init(struct link *link, int fd);

void link_close(struct link *link); /* none is fine */

/* How many bytes were read or written, at least 1; or a link_result. */
ssize_t link_read(struct link *link, void *bytes, size_t len);
ssize_t link_write(struct link *link, const void *bytes, size_t len);

/* Ends it for whoever waits for it, in this thread or another; it still has to be closed. */
void link_shut(struct link *link);

/* What an error is, for people. Static. */
const char *link_words(ssize_t error);

#endif
