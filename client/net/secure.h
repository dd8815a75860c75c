/* TLS: what all connections of a client share, made of its options; and the handshake and the bytes of one, for
 * uplink.c alone. */
#ifndef MILLRACE_CLIENT_NET_SECURE_H
#define MILLRACE_CLIENT_NET_SECURE_H

#include <stdbool.h>
#include <sys/types.h>

#include "client/millrace.h"
#include "client/machine/url.h"

struct secure;
struct ssl_st; /* OpenSSL's, of one connection */

/* The options are copied. Files are read at once if one of the addresses asks for TLS, else when another daemon that
 * does has been named. MR_OK, or MR_EARGUMENT or MR_EMEMORY with its words. */
int secure_create(struct secure **out, const struct mr_tls_options *options, const struct url_list *urls);
void secure_destroy(struct secure *secure); /* NULL is fine; connections go on */

/* A connection over this socket to this host, whose name the certificate has to have. NULL: no memory, or the files
 * cannot be used, as mr_message() says. */
struct ssl_st *secure_begin(struct secure *secure, int fd, const char *host);
void secure_end(struct ssl_st *ssl); /* tells the other side, as well as it goes at once. NULL is fine */

/* What these return is as uplink.h says it of uplink_shake_hands(), uplink_read() and uplink_write(). */
int secure_shake_hands(struct ssl_st *ssl);
ssize_t secure_read(struct ssl_st *ssl, void *bytes, size_t len);
ssize_t secure_write(struct ssl_st *ssl, const void *bytes, size_t len);
bool secure_has_more(const struct ssl_st *ssl);

/* What an error of these is, for people; NULL: it is none of theirs. Static, or of this thread until its next call. */
const char *secure_message(ssize_t error);

#endif
