/* GET /metrics, in Prometheus' text format. The format wants all samples of a metric together, and the numbers of a
 * channel are to be of one moment: so the channels are copied first, and written then; both in slices, one a turn of
 * the loop.
 *
 * Reply channels, whose names the daemon makes up, are left out: each would be a time series of its own for one
 * request. */
#ifndef MILLRACE_HTTP_METRICS_H
#define MILLRACE_HTTP_METRICS_H

#include "daemon/http/route.h"

struct http_response metrics_serve(struct http_session *session, const struct http_request *request);

#endif
