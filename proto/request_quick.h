/* The quick way through the requests that come most often. message_decode_request() tries it first. */
#ifndef MILLRACE_PROTO_REQUEST_QUICK_H
#define MILLRACE_PROTO_REQUEST_QUICK_H

#include "proto/message.h"

/* Decodes a put, take or alts that is written as clients mostly do. Returns false if it is anything else, good or bad:
 * then `request` is half filled in, and the general way has to begin anew. `body` is not written to. `request` has its
 * defaults. */
bool request_quick(struct message_decoder *decoder, const char *body, size_t len, struct message_request *request);

/* The general way, which every request can go: message_decode_request() without trying the quick one. */
int message_decode_request_any(struct message_decoder *decoder, char *body, size_t len,
			       struct message_request *request);

#endif
