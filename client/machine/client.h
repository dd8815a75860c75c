/* The client as a state machine: requests in, bytes out; bytes in, replies out. Pure: no sockets, clock, threads or
 * blocking, so that a driver of any kind can stand around it. A driver sends what is in `out`, feeds what it receives,
 * and asks for what has come of it:
 *
 *   client_begin(&client, &request, OP_TAKE, members);    send buffer_len(&client.out) bytes, buffer_consume() them
 *   client_feed(&client, bytes, len);
 *   while ((event = client_next(&client, &request, &reply)) < CLIENT_MORE) ...
 *
 * A pending request is the caller's memory, linked into a table by its id until its last reply comes or the driver
 * gives it up; each gets one end. A request has one reply, but for a take with `count`: that has one for each value,
 * and is pending until none is left or it ends before. A reply to an id that is not pending is ignored. What cannot be
 * a reply of this protocol ends the machine for good: CLIENT_FAILED from then on.
 */
#ifndef MILLRACE_CLIENT_MACHINE_CLIENT_H
#define MILLRACE_CLIENT_MACHINE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/message.h"
#include "proto/slice.h"

enum {
	CLIENT_LEAST_FRAME_BYTES = 64 * 1024, /* what every daemon takes; all that is sent before its hello fits */
	CLIENT_LARGEST_FRAME_BYTES = 16 * 1024 * 1024 - 1, /* what no daemon may exceed */
	CLIENT_REPLY_EXTRA_BYTES = 1024,                   /* a reply may be this much longer than a request */
};

enum client_result {
	CLIENT_OK = 0,
	CLIENT_NO_MEMORY = -1,
	CLIENT_TOO_LARGE = -2, /* the request does not fit into a frame that the daemon takes */
	CLIENT_ENDED = -3,     /* the machine has failed */
};

enum client_event {
	CLIENT_REPLY,  /* *request has its *reply, and is no longer pending */
	CLIENT_PART,   /* *request has one of its replies, and more are to come */
	CLIENT_NOTICE, /* a reply with id null: of a put without id, by its channel; or what the daemon has to say of
			  the connection */
	CLIENT_MORE,   /* nothing whole is there: feed more */
	CLIENT_FAILED, /* the other side does not speak this protocol, see client_error(); or there is no memory for it
			*/
};

struct client_request { /* embedded in what the driver knows about a request */
	uint64_t id;
	uint64_t left;               /* how many replies are to come, at most; 1 but for a take with `count` */
	struct client_request *next; /* in its bucket */
};

struct client {
	struct buffer out; /* to be sent by the driver; whole frames are appended */
	struct buffer in;
	struct buffer pristine; /* the body of the last reply, where decoding it may have changed it */
	size_t used;            /* of `in`: the frame that the last reply points into */
	const char *error;      /* static; not NULL: failed */
	uint32_t max_request_bytes;
	uint32_t max_reply_bytes;
	uint64_t next_id;
	struct client_request **buckets; /* by the low bits of the id; NULL until the first request */
	size_t n_buckets;                /* a power of two */
	size_t n_pending;
	size_t n_swept; /* buckets known to be empty, while client_abandon() empties the table */
};

void client_init(struct client *client);
void client_finish(struct client *client); /* forgets what is pending: see client_abandon() */

/* What the daemon's hello said of its frames. Returns 0, or -1 if no daemon of this protocol can say that. */
int client_set_max_frame(struct client *client, uint64_t bytes);

/* Begins a request: gives it an id and appends its frame to `out`. `members` is what message_uint() and its like have
 * written for it: `,"key":value` each. A client_result; unless CLIENT_OK, nothing has happened. */
int client_begin(struct client *client, struct client_request *request, enum message_op op, struct slice members);

/* The same for a take whose members have this `count`. */
int client_begin_count(struct client *client, struct client_request *request, struct slice members, uint64_t count);

/* Appends a request that nobody waits for. A put goes without an id: only if it goes wrong a CLIENT_NOTICE comes. Of
 * the other ops the reply is ignored. */
int client_tell(struct client *client, enum message_op op, struct slice members);

/* Bytes that were received: copied in, or received into the room (then told by client_fed()). False and NULL are no
 * memory: the bytes are lost, and the machine fails. */
bool client_feed(struct client *client, const void *bytes, size_t len);
char *client_room(struct client *client, size_t *len);
void client_fed(struct client *client, size_t len);

/* What has come of the bytes fed; ask until it is CLIENT_MORE or CLIENT_FAILED. *reply points into the machine, until
 * the next call of it. reply->body is as it was sent. */
enum client_event client_next(struct client *client, struct client_request **request, struct message_reply *reply);

const char *client_error(const struct client *client); /* why it failed; static. NULL: it has not */

/* The request is no longer pending; its reply will be ignored. */
void client_forget(struct client *client, struct client_request *request);

/* For the end of a connection: removes any one of the pending requests and returns it; NULL if there is none left. No
 * request may begin afterwards. */
struct client_request *client_abandon(struct client *client);

#endif
