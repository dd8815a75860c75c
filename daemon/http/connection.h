/* One connection: requests in, one after the other, and responses out. */
#ifndef MILLRACE_HTTP_CONNECTION_H
#define MILLRACE_HTTP_CONNECTION_H

#include "daemon/http/http_session.h"

/* With a context it has to speak TLS. NULL: no memory; `fd` is still the caller's. */
struct http_session *http_session_create(struct http *http, int fd, struct tls_context *tls);

/* Ends the connection, if it has stood still for too long. */
void http_sweep(struct http_session *session, uint64_t now_us);

#endif
