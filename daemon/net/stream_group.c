/* What a loop's streams hear of the world, and the end of a turn. */
#include "daemon/net/stream_group.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/net/stream_internal.h"
#include "daemon/net/stream_workspace.h"

enum {
	OPENINGS_A_TURN = 4,
	FLUSH_US = 2000, /* behind the first stream, others are sent to for so long; the rest has its time in the next
			    turn */
};

/* -- Events -- */

/* In a turn that is long already, other streams have their time first. While some wait in the queue, those that come
 * anew stop at half of a long turn, so that the other half is left for the queue. */
static void read_or_wait(struct stream *stream)
{
	struct stream_group *group = stream->group;
	if (stream->workspace && run_place_is_taken(&stream->workspace->run_place))
		return;
	if (loop_turn_has_lasted(group->loop, group->reads.n > 0 ? LOOP_LONG_TURN_US / 2 : LOOP_LONG_TURN_US))
		stream_read_soon(stream);
	else
		stream_read(stream);
}

static void on_readable(int fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct stream *stream = arg;
	switch ((enum stream_state)stream->state) {
	case STREAM_OPENING:
		stream_set_input(stream, STREAM_INPUT_OFF);
		stream_read_soon(stream);
		break;
	case STREAM_OPEN:
		if (stream->input == STREAM_INPUT_WATCHED || stream->input == STREAM_INPUT_RESUMED)
			read_or_wait(stream);
		break;
	case STREAM_REFUSED:
		stream_discard(stream);
		break;
	case STREAM_ENDED:
	case STREAM_GONE:
		break;
	}
}

static bool may_send(const struct stream_group *group)
{
	return group->send_until_us == UINT64_MAX || loop_clock_us() < group->send_until_us;
}

static void on_writable(int fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct stream *stream = arg;
	if (stream->state == STREAM_OPENING) {
		stream_unblock_output(stream);
		stream_read_soon(stream);
	} else if (stream->state != STREAM_GONE && (stream->is_free || may_send(stream->group))) {
		stream_send(stream);
	} else if (stream->state != STREAM_GONE) {
		stream_unblock_output(stream);
		stream_enqueue(stream, &stream->group->others);
	}
}

/* Its time in the queue has come. */
static void read_on(struct stream *stream)
{
	if (stream->state == STREAM_REFUSED)
		stream_discard(stream);
	else if (stream->state == STREAM_OPEN &&
		 (stream->input == STREAM_INPUT_WATCHED || stream->input == STREAM_INPUT_RESUMED))
		stream_read(stream);
}

static void open_on(struct stream *stream)
{
	if (stream->state == STREAM_OPENING)
		stream_open_on(stream);
}

/* -- The end of a turn -- */

static struct stream *dequeue(struct stream_queue *queue)
{
	struct stream *stream = queue->head;
	queue->head = stream->queue_next;
	if (!queue->head)
		queue->tail = &queue->head;
	stream->is_queued = false;
	stream->group->n_queued--;
	return stream;
}

static void flush(struct stream *stream)
{
	if (stream->state == STREAM_GONE)
		stream->handlers->on_gone(stream);
	else
		stream_flush(stream);
}

/* Those that are gone are told so all the same, and what is free is sent; the others stay in the queue. */
static void flush_free(struct stream_queue *queue)
{
	struct stream_queue left = *queue;
	queue->head = NULL;
	queue->tail = &queue->head;
	while (left.head) {
		struct stream *stream = dequeue(&left);
		if (stream->state == STREAM_GONE || stream->is_free)
			flush(stream);
		else
			stream_enqueue(stream, queue);
	}
}

static bool has_queued(const struct stream_group *group)
{
	return group->takers.head || group->others.head;
}

static void flush_next(struct stream_group *group)
{
	flush(dequeue(group->takers.head ? &group->takers : &group->others));
}

/* To the next turn, in which these go before those who come anew. */
static void put_off(struct stream_group *group)
{
	if (group->others.head) {
		*group->takers.tail = group->others.head;
		group->takers.tail = group->others.tail;
		group->others = (struct stream_queue){.tail = &group->others.head};
	}
	loop_timer_set(group->flush_on, 0);
}

static void on_flush(void *arg)
{
	struct stream_group *group = arg;
	if (!may_send(group)) {
		flush_free(&group->takers);
		flush_free(&group->others);
		return;
	}
	/* The end of a stream, and its draining, may give others something to send. */
	if (has_queued(group))
		flush_next(group);
	if (!has_queued(group))
		return; /* as with most turns: the clock is not needed */
	uint64_t until_us = loop_clock_us() + FLUSH_US;
	while (has_queued(group) && (loop_clock_us() < until_us || !loop_goes_on(group->loop)))
		flush_next(group);
	if (has_queued(group))
		put_off(group);
}

/* A turn begins, at the end of which sending goes on. */
static void flush_on(void *arg)
{
	struct stream_group *group = arg;
	loop_now_us(group->loop);
}

/* -- Life -- */

struct stream_group *stream_group_create(struct loop *loop)
{
	struct stream_group *group = calloc(1, sizeof(*group));
	if (!group)
		return NULL;
	*group = (struct stream_group){.loop = loop,
				       .on_readable = on_readable,
				       .on_writable = on_writable,
				       .takers.tail = &group->takers.head,
				       .others.tail = &group->others.head,
				       .send_until_us = UINT64_MAX,
				       .budget.max_bytes = UINT64_MAX};
	group->flush_on = loop_timer_create(loop, flush_on, group);
	bool has_queues = group->flush_on && run_queue_init(&group->reads, loop, SIZE_MAX, read_on) == 0 &&
			  run_queue_init(&group->openings, loop, OPENINGS_A_TURN, open_on) == 0;
	if (!has_queues || !(group->scratch = malloc(STREAM_READ_BYTES))) {
		stream_group_destroy(group);
		return NULL;
	}
	loop_set_flush(loop, on_flush, group);
	return group;
}

void stream_group_destroy(struct stream_group *group)
{
	if (!group)
		return;
	assert(!group->takers.head && !group->others.head && group->n_queued == 0 && group->unsent_value_bytes == 0);
	loop_set_flush(group->loop, NULL, NULL);
	run_queue_finish(&group->reads);
	run_queue_finish(&group->openings);
	loop_timer_destroy(group->flush_on);
	output_pool_finish(&group->pool);
	free(group->scratch);
	free(group);
}

void stream_group_send_until(struct stream_group *group, uint64_t until_us)
{
	group->send_until_us = until_us;
}

static void forget_queue(struct stream_queue *queue)
{
	for (; queue->head; queue->head = queue->head->queue_next)
		queue->head->is_queued = false;
	queue->tail = &queue->head;
}

void stream_group_forget_unsent(struct stream_group *group)
{
	forget_queue(&group->takers);
	forget_queue(&group->others);
	group->n_queued = 0;
}

void stream_group_set_max_buffers(struct stream_group *group, uint64_t bytes)
{
	group->budget.max_bytes = bytes;
}

uint64_t stream_group_unsent_value_bytes(const struct stream_group *group)
{
	return group->unsent_value_bytes;
}

uint64_t stream_group_buffer_bytes(const struct stream_group *group)
{
	return group->budget.bytes;
}

bool stream_group_is_busy(const struct stream_group *group)
{
	return group->reads.n + group->openings.n > 0;
}
