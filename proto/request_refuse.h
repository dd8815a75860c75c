/* Why a request is refused, in words that quote no more of it than people want to read. Each refusal puts its error and
 * its text into the request, and returns -1. */
#ifndef MILLRACE_PROTO_REQUEST_REFUSE_H
#define MILLRACE_PROTO_REQUEST_REFUSE_H

#include "proto/message.h"

__attribute__((format(printf, 3, 4))) int request_refuse(struct message_request *request, enum error error,
							 const char *format, ...);

/* `where`: what the text begins with. */
int request_refuse_name(struct message_request *request, const char *where, struct slice name);

/* A word that is no op, or none of the members that the op has: with the one that may have been meant. */
int request_refuse_op(struct message_request *request, struct slice word);
int request_refuse_member(struct message_request *request, struct slice word, uint64_t allowed);

/* How many bytes of the text may be quoted: whole characters. And what tells that it goes on. */
int request_quotable(struct slice text);
const char *request_cut(struct slice text);

#endif
