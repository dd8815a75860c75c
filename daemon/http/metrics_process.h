/* The metrics that are of no channel: of the daemon, its requests, its certificates, its process. */
#ifndef MILLRACE_HTTP_METRICS_PROCESS_H
#define MILLRACE_HTTP_METRICS_PROCESS_H

#include "daemon/http/http_session.h"

/* `n_fds`: open file descriptors; 0: it is not known. */
void metrics_process(struct buffer *out, const struct http *http, unsigned n_fds);

#endif
