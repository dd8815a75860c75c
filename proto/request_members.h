/* What the members of a request mean: each by the rule that it has in a table. */
#ifndef MILLRACE_PROTO_REQUEST_MEMBERS_H
#define MILLRACE_PROTO_REQUEST_MEMBERS_H

#include "proto/request_scan.h"

/* Puts the members, bits of those that were found, where the request has them; not the id, nor the op. -1: one of them
 * is refused. */
int request_members_read(struct message_request *request, const struct message_decoder *decoder,
			 const struct request_scan *found, uint64_t members);

/* A member that is a string, unescaped. -1: it is none, and refused. */
int request_member_text(struct message_request *request, const struct request_scan *found, enum message_member member,
			struct slice *out);

#endif
