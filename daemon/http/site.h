/* Health, who is connected, and the pages. */
#ifndef MILLRACE_HTTP_SITE_H
#define MILLRACE_HTTP_SITE_H

#include "daemon/http/route.h"

struct http_response site_health(struct http_session *session, const struct http_request *request);
struct http_response site_ready(struct http_session *session, const struct http_request *request);
struct http_response site_clients(struct http_session *session, const struct http_request *request);
struct http_response site_dashboard(struct http_session *session, const struct http_request *request);
struct http_response site_style(struct http_session *session, const struct http_request *request);
struct http_response site_script(struct http_session *session, const struct http_request *request);
struct http_response site_openapi(struct http_session *session, const struct http_request *request);

#endif
