/* HTTP beside the frames, on an address of its own: health, metrics, the gateway for curl, and the dashboard.
 *
 * A connection is a session (daemon/session_parts.h) with another wire: what it asks becomes the request that a frame
 * would have brought, is carried out by the same ops, and counted in the same books. */
#ifndef MILLRACE_HTTP_H
#define MILLRACE_HTTP_H

#include "config/config.h"
#include "daemon/net/loop.h"
#include "daemon/session/session.h"

enum { HTTP_ERROR_BYTES = 256 };

struct http;
struct listener;
struct tls_context;

/* Serves. `hosts` are the names, beside those of loopback, by which it may be asked: they are the caller's, until
 * http_set_hosts(). `tls`, of an https:// address alone, has to stay for as long as it serves. NULL, with `error`
 * saying why. */
struct http *http_start(struct sessions *sessions, const struct address *address, struct tls_context *tls,
			char *const *hosts, size_t n_hosts, char error[HTTP_ERROR_BYTES]);
void http_set_hosts(struct http *http, char *const *hosts, size_t n_hosts);

/* The daemon's other listeners, of whose certificates /metrics tells. They are the caller's. */
void http_set_listeners(struct http *http, struct listener *const *listeners);

/* Its sessions are gone before: session_drop_all(). NULL is fine. */
void http_stop(struct http *http);

/* "http://127.0.0.1:7224", or "https://…", with the real port. */
const char *http_url(const struct http *http);

#endif
