/* HTTP beside the channels: /healthz and /readyz, for orchestrators. */
#ifndef MILLRACE_HTTP_H
#define MILLRACE_HTTP_H

#include "config/config.h"
#include "daemon/net/loop.h"

enum { HTTP_ERROR_BYTES = 256 };

struct http;

/* Serves on the loop. NULL, with `error` saying why. */
struct http *http_start(struct loop *loop, const struct address *address, char error[HTTP_ERROR_BYTES]);
void http_stop(struct http *http); /* NULL is fine */

/* "http://127.0.0.1:7224", with the real port. */
const char *http_url(const struct http *http);

#endif
