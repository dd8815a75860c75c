#include "daemon/net/run_queue.h"

#include <assert.h>

static void hurry(struct run_queue *queue)
{
	loop_timer_set(queue->timer, 0);
}

void run_queue_enter(struct run_queue *queue, struct run_place *place, struct stream *stream)
{
	if (run_place_is_taken(place))
		return;
	*place = (struct run_place){.link = queue->end, .queue = queue, .stream = stream};
	*queue->end = place;
	queue->end = &place->next;
	queue->n++;
	hurry(queue);
}

void run_queue_leave(struct run_place *place)
{
	if (!run_place_is_taken(place))
		return;
	struct run_queue *queue = place->queue;
	assert(*place->link == place && queue->n > 0);
	*place->link = place->next;
	if (place->next)
		place->next->link = place->link;
	else
		queue->end = place->link;
	queue->n--;
	*place = (struct run_place){.next = NULL};
}

static void on_turn(void *arg)
{
	struct run_queue *queue = arg;
	size_t left = queue->n < queue->max_a_turn ? queue->n : queue->max_a_turn;
	loop_now_us(queue->loop); /* the turn begins here, if nobody has read its time yet */
	do {
		if (!queue->first)
			return;
		struct stream *stream = queue->first->stream;
		run_queue_leave(queue->first);
		queue->run(stream);
	} while (--left > 0 && !loop_turn_is_long(queue->loop));
	if (queue->first)
		hurry(queue);
}

int run_queue_init(struct run_queue *queue, struct loop *loop, size_t max_a_turn, void (*run)(struct stream *stream))
{
	assert(max_a_turn > 0);
	*queue = (struct run_queue){.end = &queue->first, .max_a_turn = max_a_turn, .run = run, .loop = loop};
	queue->timer = loop_timer_create(loop, on_turn, queue);
	return queue->timer ? 0 : -1;
}

void run_queue_finish(struct run_queue *queue)
{
	assert(!queue->first);
	loop_timer_destroy(queue->timer);
	queue->timer = NULL;
}
