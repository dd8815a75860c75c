/* One connection's TLS, by OpenSSL. For net/ alone. */
#ifndef MILLRACE_NET_TLS_H
#define MILLRACE_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "daemon/net/tls_context.h"

/* What OpenSSL needs for each connection, as measured: in the midst of a handshake, and once it is open. */
enum {
	TLS_HANDSHAKE_BYTES = 44 * 1024,
	TLS_CONNECTION_BYTES = 15 * 1024,
};

struct tls;

struct tls *tls_create(struct tls_context *context, int fd); /* NULL: no memory. The socket stays the caller's */
/* Tells the peer that it is the end, unless it has been broken: then nothing more is sent. NULL is fine. */
void tls_destroy(struct tls *tls);
void tls_break(struct tls *tls);

/* As recv() and send(), with room for 16 KiB at least: what was moved; 0 at the peer's end; -1 with errno. EAGAIN: not
 * before the socket can be read (receive), or written (send) again; EINPROGRESS (receive alone): not before it can be
 * written. After EAGAIN tls_has_more() may be true: a turn handles so many records at most, those without data among
 * them. What tls_send() took has all been given to the socket: it never keeps any of it. After EAGAIN it has to be
 * given the same bytes again, and may be given more behind them. */
ssize_t tls_receive(struct tls *tls, char *to, size_t room);
ssize_t tls_send(struct tls *tls, const char *from, size_t len);

/* Whether bytes, or an end, have come that the socket does not tell of any more. */
bool tls_has_more(const struct tls *tls);

/* How much memory the connection's TLS takes. `tls` may be NULL. */
size_t tls_bytes(const struct tls *tls);

/* Goes on with the handshake: 0 done; -1 with errno as tls_receive(); `error`: what was wrong, if it has failed. */
int tls_shake_hands(struct tls *tls, char error[TLS_ERROR_BYTES]);

/* Tells the peer that no more will come. It may still send. */
void tls_end_sending(struct tls *tls);

/* What the peer's certificate, which was verified, says that it is: its whole subject ("CN=worker,O=Example", RFC
 * 2253), then its other names ("DNS:…", "URI:…", "email:…"). Calls back for each until it returns true; false if none
 * did, or there is no certificate. */
bool tls_peer_is(const struct tls *tls, bool (*is_known)(void *arg, const char *name), void *arg);

#endif
