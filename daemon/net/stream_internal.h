/* What the files about streams share. Each of them calls only those before it: stream.c (states, and the steps from one
 * to the next), stream_hold.c, stream_send.c, stream_read.c, stream_opening.c, and stream_group.c, which is on top and
 * hears the events. */
#ifndef MILLRACE_NET_STREAM_INTERNAL_H
#define MILLRACE_NET_STREAM_INTERNAL_H

#include <sys/types.h>

#include "daemon/log.h"
#include "daemon/net/buffer_budget.h"
#include "daemon/net/loop.h"
#include "daemon/net/output_pool.h"
#include "daemon/net/run_queue.h"
#include "daemon/net/stream.h"

enum {
	STREAM_READ_BYTES = 128 * 1024, /* one read takes at most so much, of one stream */
	REQUESTS_A_LOOK = 32,           /* so many requests for one look at it */
};

/* Streams with something to send, or that are gone, in the order in which that began. */
struct stream_queue {
	struct stream *head, **tail;
};

typedef void stream_event_cb(int fd, short what, void *stream);

struct stream_group {
	struct loop *loop;
	stream_event_cb *on_readable, *on_writable; /* stream_group.c's */
	/* Streams that got a value are sent to first: a value in the hand is work that can begin. */
	struct stream_queue takers, others;
	size_t n_queued;             /* in both */
	struct loop_timer *flush_on; /* where a turn has sent to as many of them as it may */
	struct run_queue reads;      /* where the socket does not tell of what there is to read */
	struct run_queue openings;   /* a step of a handshake takes a millisecond of the processor */
	struct buffer_budget budget;
	struct output_pool pool;
	uint64_t unsent_value_bytes;
	uint32_t n_requests; /* wraps: see REQUESTS_A_LOOK */
	struct stream *held; /* stream_hold.c's: streams with output that may not be sent yet */
	uint64_t released;   /* and the last number that was released */
	struct log_seldom timeouts_log, handshakes_log, over_budget_log;
	uint64_t send_until_us; /* nothing is sent from then on */
	char *scratch;          /* STREAM_READ_BYTES that all streams are read into */
};

/* -- stream.c -- */

/* Sets what becomes of the stream's input, and watches the socket for it, or ends that. */
void stream_set_input(struct stream *stream, enum stream_input input);

/* Has on_bytes called, or the next step of the handshake done, in one of the next turns. */
void stream_read_soon(struct stream *stream);

/* Drops the stream: its owner is told at the end of the turn, when nobody up the stack holds it. */
void stream_drop(struct stream *stream);

/* Ends the input, and tells the owner. What is unsent is still sent. */
void stream_end_input(struct stream *stream);

/* Sends no more until the socket has room, which is watched. -1: no memory. */
int stream_block_output(struct stream *stream);
void stream_unblock_output(struct stream *stream);
void stream_break_output(struct stream *stream);
void stream_drop_output(struct stream *stream);

/* Has the end of the turn look at the stream, after those that are in the queue already. */
void stream_enqueue(struct stream *stream, struct stream_queue *queue);

/* Tells the budget how much memory the stream takes now, and whether it waits, and has got on. */
void stream_settle(struct stream *stream, bool has_moved);

/* Logs that the connection has timed out, if that is why a call has returned `n`. */
void stream_log_timeout(const struct stream *stream, ssize_t n);

/* -- stream_hold.c -- */

/* How many bytes of the output may be sent. */
size_t stream_sendable(const struct stream *stream);

/* -- stream_send.c -- */

/* Sends what is written, as far as the socket has room, but no more than a stream's share of a turn. */
void stream_send(struct stream *stream);
/* The same, however much that is. */
void stream_send_all(struct stream *stream);

/* The same at the end of a turn, when nothing is tried while the socket has no room. */
void stream_flush(struct stream *stream);

/* -- stream_read.c -- */

/* Handles the input that is kept, or else reads once. */
void stream_read(struct stream *stream);

/* Closes the streams that the budget chooses while all buffers take too much, but not this one. What this one has
 * written in this turn is first sent, as that may be what takes the memory. */
void stream_make_room(struct stream *stream);

/* Throws away some of the input of a stream that is refused. */
void stream_discard(struct stream *stream);

/* -- stream_opening.c -- */

/* Does the next step of the handshake. */
void stream_open_on(struct stream *stream);

#endif
