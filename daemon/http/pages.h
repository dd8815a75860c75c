/* Health, who is connected, and the pages. */
#ifndef MILLRACE_HTTP_PAGES_H
#define MILLRACE_HTTP_PAGES_H

#include "daemon/http/route.h"

struct http_response page_health(struct http_session *session, const struct http_request *request);
struct http_response page_ready(struct http_session *session, const struct http_request *request);
struct http_response page_clients(struct http_session *session, const struct http_request *request);
struct http_response page_dashboard(struct http_session *session, const struct http_request *request);
struct http_response page_style(struct http_session *session, const struct http_request *request);
struct http_response page_script(struct http_session *session, const struct http_request *request);
struct http_response page_openapi(struct http_session *session, const struct http_request *request);

#endif
