/* A live subscription: what enters a channel, as server-sent events, for as long as the connection lasts.
 *
 * The request is the op tap without `to`: the daemon makes an ephemeral channel of the kind that was asked for, taps
 * it, and takes from it for the connection, some values at a time and only while little is unsent. So what a slow
 * reader misses, or whom it holds up, is that channel's business, and what it makes the daemon keep is bounded. */
#ifndef MILLRACE_HTTP_LIVE_H
#define MILLRACE_HTTP_LIVE_H

#include "daemon/http/response.h"

struct http_response live_serve(struct http_session *session, const struct http_request *request);

/* Writes a reply of the core's, if it is a subscription's beginning or one of its values. False: it is an answer like
 * others. */
bool live_write(struct http_session *session, const struct core_reply *reply);

/* The session's long answer, if it is a live subscription, ends as its take has ended: with the status and error of the
 * session's answer. False: it is none. */
bool live_end(struct http_session *session);

#endif
