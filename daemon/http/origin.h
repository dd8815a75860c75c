/* Who may ask. A browser must not become a tool against a daemon on its own machine: a page from elsewhere can send
 * requests to 127.0.0.1, or have its own name point there, but it can forge neither Host nor Origin, nor send JSON
 * without asking first (and there are no CORS headers that would allow it). */
#ifndef MILLRACE_HTTP_ORIGIN_H
#define MILLRACE_HTTP_ORIGIN_H

#include "daemon/http/response.h"

/* The one place where it is decided whether a request is let in at all: 403 if not, with this text, and nothing has
 * happened. NULL: it is. The request's route is known, if there is one. */
const char *http_access(const struct http_session *session, const struct http_request *request);

/* What changes anything says that it is JSON, as no form can: else 415. */
bool http_brings_json(const struct http_request *request);

#endif
