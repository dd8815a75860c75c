/* One connection to a daemon: the only place of the client that touches a socket once it is there, so that what lies
 * under the bytes (a socket; encryption) is its affair alone. Nothing here ever waits. */
#ifndef MILLRACE_CLIENT_NET_LINK_H
#define MILLRACE_CLIENT_NET_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

enum link_result {                       /* beside them: the negative number of an error */
		   LINK_AGAIN = 0,       /* nothing now: wait until it is readable, or writable */
		   LINK_CLOSED = -10000, /* the other side has ended it */
};

/* Connecting waits until it is writable; shaking hands waits for that or until it is readable. Beside them: the
 * negative number of an error */
enum link_progress { LINK_CONNECTED, LINK_CONNECTING, LINK_SHAKING };

struct secure;
struct ssl_st;

struct link {
	int fd;             /* to wait for; -1: there is none */
	struct ssl_st *ssl; /* of TLS; NULL: there is none */
};

/* Begins to connect. LINK_CONNECTING: wait until it is writable, then ask link_connected(): 0, or the negative number
 * of an error. After an error there is no link. */
int link_connect(struct link *link, int family, const struct sockaddr *address, socklen_t len);
int link_connected(struct link *link);

/* Makes TLS of a link that is connected, to this host, and shakes hands: to be asked on with link_shake_hands() until
 * it is LINK_CONNECTED. While it is LINK_CONNECTING wait until it is writable, while LINK_SHAKING until it is readable.
 * After an error it has still to be closed. */
int link_secure(struct link *link, const struct secure *secure, const char *host);
int link_shake_hands(struct link *link);

/* Around a socket that is connected already. */
void link_init(struct link *link, int fd);

void link_close(struct link *link); /* none is fine */

/* How many bytes were read or written, at least 1; or a link_result. */
ssize_t link_read(struct link *link, void *bytes, size_t len);
ssize_t link_write(struct link *link, const void *bytes, size_t len);

/* Whether more can be read at once, though the socket may not be readable. */
bool link_has_more(const struct link *link);

/* Ends it for whoever waits for it, in this thread or another; it still has to be closed. */
void link_shut(struct link *link);

/* What an error is, for people. Static, or of this thread until its next call. */
const char *link_words(ssize_t error);

#endif
