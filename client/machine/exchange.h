/* The requests and replies of one connection: requests in, bytes out; bytes in, replies out. No sockets, clock, threads
 * or blocking. Its owner sends what is in `out`, feeds what it receives, and asks for what has come of it:
 *
 *   - exchange_begin(&exchange, &request, OP_TAKE, members, SLICE(""), 1);
 *   - send buffer_len(&exchange.out) bytes, and buffer_consume() them;
 *   - receive into exchange_room(&exchange, &len), and exchange_fed(&exchange, n);
 *   - while ((event = exchange_next(&exchange, &request, &reply)) < EXCHANGE_MORE) act on it.
 *
 * A pending request is the caller's memory, linked into a table by its id until its last reply comes or its owner
 * gives it up; each gets one end. A request has one reply, but for a take with `count`: that has one for each value,
 * and is pending until none is left or it ends before. A reply to an id that is not pending is ignored. What cannot be
 * a reply of this protocol ends the exchange for good: EXCHANGE_FAILED from then on.
 */
#ifndef MILLRACE_CLIENT_MACHINE_EXCHANGE_H
#define MILLRACE_CLIENT_MACHINE_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/message.h"
#include "proto/slice.h"

enum {
	EXCHANGE_LEAST_FRAME_BYTES = 64 * 1024, /* what every daemon takes; all that is sent before its hello fits */
	EXCHANGE_LARGEST_FRAME_BYTES = 16 * 1024 * 1024 - 1, /* what no daemon may exceed */
	EXCHANGE_REPLY_EXTRA_BYTES = 1024,                   /* a reply may be this much longer than a request */
};

enum exchange_result {
	EXCHANGE_OK = 0,
	EXCHANGE_NO_MEMORY = -1,
	EXCHANGE_TOO_LARGE = -2, /* the request does not fit into a frame that the daemon takes */
	EXCHANGE_ENDED = -3,     /* the exchange has failed */
};

enum exchange_event {
	EXCHANGE_REPLY,  /* *request has its *reply, and is no longer pending */
	EXCHANGE_PART,   /* *request has one of its replies, and more are to come */
	EXCHANGE_NOTICE, /* a reply with id null: of a put without id, by its channel; or what the daemon has to say of
			  the connection */
	EXCHANGE_MORE,   /* nothing whole is there: feed more */
	EXCHANGE_FAILED, /* the other side does not speak this protocol, or there is no memory: see exchange_error() */
};

struct exchange_request { /* embedded in what the driver knows about a request */
	uint64_t id;
	uint64_t left;                 /* how many replies are to come, at most; 1 but for a take with `count` */
	struct exchange_request *next; /* in its bucket */
};

struct exchange {
	struct buffer out; /* to be sent by the driver; whole frames are appended */
	struct buffer in;
	struct buffer pristine; /* the body of the last reply, where decoding it may have changed it */
	size_t used;            /* of `in`: the frame that the last reply points into */
	const char *error;      /* static; not NULL: failed */
	uint32_t max_request_bytes;
	uint32_t max_reply_bytes;
	uint64_t next_id;
	struct exchange_request **buckets; /* by the low bits of the id; NULL until the first request */
	size_t n_buckets;                  /* a power of two */
	size_t n_pending;
};

void exchange_init(struct exchange *exchange);
void exchange_finish(struct exchange *exchange); /* forgets what is pending */

/* What the daemon's hello said of its frames. Returns 0, or -1 if no daemon of this protocol can say that. */
int exchange_set_max_frame(struct exchange *exchange, uint64_t bytes);

/* Begins a request: gives it an id and appends its frame to `out`. `members` and `more_members` are what message_uint()
 * and its like have written for it: `,"key":value` each. It has at most n_replies replies: 1, or the `count` of a take
 * that has it. An exchange_result; unless EXCHANGE_OK, nothing has happened. */
int exchange_begin(struct exchange *exchange, struct exchange_request *request, enum message_op op,
		   struct slice members, struct slice more_members, uint64_t n_replies);

/* Appends a request that nobody waits for. A put goes without an id: only if it goes wrong an EXCHANGE_NOTICE comes.
 * The reply to any other op is ignored. */
int exchange_tell(struct exchange *exchange, enum message_op op, struct slice members, struct slice more_members);

/* Where bytes are to be received to, and how many at most; exchange_fed() is told how many have come. NULL: no memory,
 * and the exchange has failed. */
char *exchange_room(struct exchange *exchange, size_t *len);
void exchange_fed(struct exchange *exchange, size_t len);

/* What has come of the bytes fed; ask until it is EXCHANGE_MORE or EXCHANGE_FAILED. *reply points into the
 * exchange, until the next call of it. reply->body is as it was sent. */
enum exchange_event exchange_next(struct exchange *exchange, struct exchange_request **request,
				  struct message_reply *reply);

const char *exchange_error(const struct exchange *exchange); /* why it failed; static. NULL: it has not */

/* The request is no longer pending; its reply will be ignored. */
void exchange_forget(struct exchange *exchange, struct exchange_request *request);

#endif
