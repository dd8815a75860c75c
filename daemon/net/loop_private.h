/* What the parts of net/ share of a loop. */
#ifndef MILLRACE_NET_LOOP_PRIVATE_H
#define MILLRACE_NET_LOOP_PRIVATE_H

#include <event2/event.h>

#include "daemon/log.h"
#include "daemon/net/buffer_budget.h"
#include "daemon/net/loop.h"
#include "proto/buffer.h"

enum {
	LOOP_READ_BYTES = 256 * 1024, /* one read takes at most so much, of one connection */
	LOOP_BLOCK_BYTES = 64 * 1024, /* the size of the output buffers in the pool */
	LOOP_POOL_BLOCKS = 64,
};

struct stream;

/* Streams with something to send, in the order in which they got it. */
struct stream_queue {
	struct stream *head, **tail;
};

/* Streams that go on in the next turn. */
struct run_queue {
	struct stream *first, **end;
	size_t n;
};

struct loop {
	struct event_base *base;
	bool stopped;
	bool now_is_read;
	uint32_t spin_us;
	uint64_t now_us;
	struct loop_turns turns;
	struct loop_signal *signals;
	struct stream_queue
		takers; /* those that got a value are sent to first: a value in the hand is work that can begin */
	struct stream_queue others;
	uint64_t unsent_value_bytes;
	struct buffer_budget budget;
	struct log_seldom timeouts_log, handshakes_log;
	struct run_queue queued_reads, queued_openings;
	struct event *run_queue_event;
	char *pool[LOOP_POOL_BLOCKS];
	size_t pool_blocks;
	char *scratch; /* LOOP_READ_BYTES that all streams read into */
};

/* Gives an empty buffer its first memory from the pool, and takes it back. */
void loop_lend(struct loop *loop, struct buffer *buffer);
void loop_take_back(struct loop *loop, struct buffer *buffer);

/* stream.c's: sends what the turn has written. */
void stream_flush_all(struct loop *loop);

#endif
