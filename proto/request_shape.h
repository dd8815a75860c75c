/* The shapes of requests that came lately. A client writes each of its requests as it wrote the one before, but for the
 * id, the channel, the value and the like: so a text that is the same in all places but these means the same in all
 * members but these, and what it means need not be found out again. What makes no difference here can make none for the
 * decoder, which alone judges every text that is new.
 *
 * A shape is a text with holes. It is learnt from a request that was decoded without anything unusual (no escapes in
 * names, no batch, no puts among its arms). Pure. */
#ifndef MILLRACE_PROTO_REQUEST_SHAPE_H
#define MILLRACE_PROTO_REQUEST_SHAPE_H

#include "proto/request_scan.h"

struct request_shapes;

/* Whether the body has a shape that is known. Then `request` is as message_decode_request() would set it: its values
 * point into the body, what is the same each time into the shapes, which stay until the next call. Nothing is written
 * to the body. NULL: no shape is known. */
bool request_shapes_match(struct request_shapes *shapes, const char *body, size_t len, struct message_request *request);

/* Learns the shape of a body that was just decoded to this request. They are made when there are none; without memory
 * nothing is learnt. */
void request_shapes_learn(struct request_shapes **shapes, const char *body, size_t len,
			  const struct request_scan *found, const struct message_request *request);

#endif
