/* Streams that go on in a turn to come, first come first served: what they have to do cannot be done at once without
 * holding up the others. For net/ alone.
 *
 * A turn runs as many as were there when it began, at most `max_a_turn` of them, and fewer where it has become long.
 * One at least goes on in each turn, so everybody's time comes. */
#ifndef MILLRACE_NET_RUN_QUEUE_H
#define MILLRACE_NET_RUN_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/net/loop.h"

struct stream;
struct run_queue;

struct run_place {                      /* of a stream in a queue, or of one that is in none; zero-initialise */
	struct run_place *next, **link; /* *link points here; NULL: it is in none */
	struct run_queue *queue;
	struct stream *stream;
};

struct run_queue {
	struct run_place *first, **end;
	size_t n, max_a_turn;
	struct loop *loop;
	struct loop_timer *timer;
	void (*run)(struct stream *stream); /* has left the queue by then, and may enter it again */
};

/* -1: no memory. run_queue_finish() is right then too, and for one that is zero. */
int run_queue_init(struct run_queue *queue, struct loop *loop, size_t max_a_turn, void (*run)(struct stream *stream));
void run_queue_finish(struct run_queue *queue);

/* Puts the stream, whose place it is, at the end. If it is in a queue already, it stays where it is. */
void run_queue_enter(struct run_queue *queue, struct run_place *place, struct stream *stream);
void run_queue_leave(struct run_place *place);

static inline bool run_place_is_taken(const struct run_place *place)
{
	return place->link != NULL;
}

#endif
