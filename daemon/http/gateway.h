/* The protocol's ops by HTTP. A request becomes what a frame would have brought: so it is decoded, checked, carried out
 * and answered by the same code, with the same words. What HTTP adds are its codes. */
#ifndef MILLRACE_HTTP_GATEWAY_H
#define MILLRACE_HTTP_GATEWAY_H

#include "daemon/http/route.h"

/* Carries out the op of the request's route. The response is an error of the request's form; or HTTP_NO_RESPONSE: the
 * session answers as it answers a frame, at once or when what has parked is done. */
struct http_response gateway_serve(struct http_session *session, const struct http_request *request);

#endif
