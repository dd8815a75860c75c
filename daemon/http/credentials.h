/* Who asks: each request says so itself, as requests of several users may come by one connection of a proxy. By
 * `Authorization: Bearer TOKEN`, or Basic with the token as the password, which is what browsers can ask for; or by
 * what the connection is. Health is everybody's; without users all is. */
#ifndef MILLRACE_HTTP_CREDENTIALS_H
#define MILLRACE_HTTP_CREDENTIALS_H

#include "daemon/http/response.h"

/* Finds who asks. False: nobody who may, and *refusal says so. */
bool http_login(struct http_session *session, const struct http_request *request, struct http_response *refusal);

#endif
