/* One connection to a daemon: the only place of the client that touches a socket once it is there, so that what lies
 * under the bytes (a socket; encryption) is its affair alone. Nothing here ever waits. */
#ifndef MILLRACE_CLIENT_NET_UPLINK_H
#define MILLRACE_CLIENT_NET_UPLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "client/net/uplink_result.h"

struct secure;
struct ssl_st;

struct uplink {
	int fd;             /* to wait for; -1: there is none */
	struct ssl_st *ssl; /* of TLS; NULL: there is none */
};

/* Begins to connect. UPLINK_CONNECTING: wait until it is writable, then ask uplink_connected(): 0, or the negative
 * number of an error. After an error there is no uplink. */
int uplink_connect(struct uplink *uplink, int family, const struct sockaddr *address, socklen_t len);
int uplink_connected(struct uplink *uplink);

/* Makes TLS of an uplink that is connected, to this host, and shakes hands: to be asked on with uplink_shake_hands()
 * until it is UPLINK_CONNECTED. While it is UPLINK_CONNECTING wait until it is writable, while UPLINK_SHAKING until it
 * is readable. After an error it has still to be closed. */
int uplink_secure(struct uplink *uplink, struct secure *secure, const char *host);
int uplink_shake_hands(struct uplink *uplink);

void uplink_close(struct uplink *uplink); /* none is fine */

/* How many bytes were read or written, at least 1; or an uplink_result. */
ssize_t uplink_read(struct uplink *uplink, void *bytes, size_t len);
ssize_t uplink_write(struct uplink *uplink, const void *bytes, size_t len);

/* Whether more can be read at once, though the socket may not be readable. */
bool uplink_has_more(const struct uplink *uplink);

/* Ends it for whoever waits for it, in this thread or another; it still has to be closed. */
void uplink_shut(struct uplink *uplink);

/* What an error is, for people. Static, or of this thread until its next call. */
const char *uplink_message(ssize_t error);

#endif
