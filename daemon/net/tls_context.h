/* What a TLS listener needs, made of the configuration's files: a certificate with its key, and whom to ask for
 * certificates. */
#ifndef MILLRACE_NET_TLS_CONTEXT_H
#define MILLRACE_NET_TLS_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

enum { TLS_ERROR_BYTES = 320 };

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

struct tls_context {
	struct ssl_ctx_st *ssl;
	int64_t not_before_s, not_after_s; /* when the certificate holds, in seconds since 1970 */
};

/* NULL, with `error` saying why. Files are read here, and in tls_context_reload(): a key that everybody can read is
 * refused. */
struct tls_context *tls_context_create(const struct tls_settings *settings, char error[TLS_ERROR_BYTES]);
void tls_context_destroy(struct tls_context *context); /* NULL is fine. Connections that it made go on */

/* Connections that are made from now on have what the files say now. -1, with `error`: they have what they had. */
int tls_context_reload(struct tls_context *context, const struct tls_settings *settings, char error[TLS_ERROR_BYTES]);

/* Whether the certificate does not hold now: then `text` says why, with the date. */
bool tls_context_is_out_of_date(const struct tls_context *context, int64_t now_s, char text[TLS_ERROR_BYTES]);

const char *tls_library_version(void); /* OpenSSL's */

#endif
