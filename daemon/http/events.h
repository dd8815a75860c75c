/* GET /api/v1/events: server-sent events with what changes, for pages that look at the daemon all the time.
 *
 *   event: reset    forget all: everything comes anew
 *   event: rows     an array of channels' rows, as `list` has them: they are so now, whatever was told before
 *   event: gone     an array of names: these channels are no more
 *   event: synced   all channels have been told
 *   event: tick     once a second, an object: the whole daemon
 *
 * Once a second, while anybody listens, all channels are looked at, in slices, and what differs from the time before
 * (the baseline) goes to all. Who is new gets all channels, at the pace at which it reads, and what changes from then
 * on. Who does not read fast enough for the changes misses some, and is told all anew. */
#ifndef MILLRACE_HTTP_EVENTS_H
#define MILLRACE_HTTP_EVENTS_H

#include "daemon/http/route.h"

struct http_response events_serve(struct http_session *session, const struct http_request *request);

void events_destroy(struct events *events); /* NULL is fine */

#endif
