/* How the bytes of a stream travel: as they are, or by TLS. For net/ alone. In all of these, `tls` is NULL for a socket
 * whose bytes travel as they are. */
#ifndef MILLRACE_NET_TRANSPORT_H
#define MILLRACE_NET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct tls;

/* As recv() and send(); but transport_receive() may fail with EINPROGRESS too: it has to wait until the socket can be
 * written. All bytes that transport_send() took have been given to the socket. */
ssize_t transport_receive(int fd, struct tls *tls, char *to, size_t room);
ssize_t transport_send(int fd, struct tls *tls, const char *from, size_t len);

/* The same of several slices, `n` at least 1, one behind the other. By TLS it sends of the first alone. */
ssize_t transport_send_slices(int fd, struct tls *tls, struct iovec *slices, int n);

/* Whether input, or its end, has come that the socket does not tell of any more. */
bool transport_has_more(const struct tls *tls);

/* Whether the socket would take more now. */
bool transport_has_room(int fd);

/* Tells the peer that no more comes; it may still send. */
void transport_end_sending(int fd, struct tls *tls);

#endif
