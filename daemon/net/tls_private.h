/* What tls_context.c and tls.c share. */
#ifndef MILLRACE_NET_TLS_PRIVATE_H
#define MILLRACE_NET_TLS_PRIVATE_H

#include <openssl/ssl.h>

#include "daemon/net/tls.h"

struct tls_context {
	SSL_CTX *ssl;
};

#endif
