/* What can be asked for: the one table of paths. proto/openapi.json describes each for people and programs, and a test
 * holds the two together. */
#ifndef MILLRACE_HTTP_ROUTE_TABLE_H
#define MILLRACE_HTTP_ROUTE_TABLE_H

#include "daemon/http/route.h"

/* Finds what was asked for, by the request's head alone, and who asks: sets route and argument. False: it is not to be
 * had, and *refusal says why. */
bool http_find(struct http_session *session, struct http_request *request, struct http_response *refusal);

#endif
