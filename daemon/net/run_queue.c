#include "daemon/net/run_queue.h"

#include "daemon/net/loop_private.h"
#include "daemon/net/stream_io.h"

enum { OPENINGS_A_TURN = 4 };

/* The next turn shall come at once. Without memory for that it comes with the next event. */
static void hurry(struct loop *loop)
{
	const struct timeval at_once = {0};
	if (!evtimer_pending(loop->run_queue_event, NULL))
		evtimer_add(loop->run_queue_event, &at_once);
}

static void append(struct loop *loop, struct run_queue *list, struct stream *stream)
{
	if (stream->extra->later_at)
		return;
	stream->extra->later_at = list->end;
	stream->extra->later_next = NULL;
	*list->end = stream;
	list->end = &stream->extra->later_next;
	stream->extra->run_queue = list;
	list->n++;
	hurry(loop);
}

void run_queue_read(struct stream *stream)
{
	append(stream->loop, &stream->loop->queued_reads, stream);
}

void run_queue_open(struct stream *stream)
{
	append(stream->loop, &stream->loop->queued_openings, stream);
}

void run_queue_leave(struct stream *stream)
{
	if (!stream->extra || !stream->extra->later_at)
		return;
	*stream->extra->later_at = stream->extra->later_next;
	if (stream->extra->later_next)
		stream->extra->later_next->extra->later_at = stream->extra->later_at;
	else
		stream->extra->run_queue->end = stream->extra->later_at;
	stream->extra->run_queue->n--;
	stream->extra->later_at = NULL;
}

static struct stream *take(struct run_queue *list)
{
	struct stream *stream = list->first;
	if (stream)
		run_queue_leave(stream);
	return stream;
}

void run_queue_turn(struct loop *loop)
{
	struct stream *stream;
	/* As many as there are now: who comes again while they are handled has its turn in the next. */
	for (size_t left = loop->queued_reads.n; left > 0 && (stream = take(&loop->queued_reads)); left--)
		stream_read_on(stream);
	for (size_t left = OPENINGS_A_TURN; left > 0 && (stream = take(&loop->queued_openings)); left--)
		stream_open_on(stream);
	if (loop->queued_reads.first || loop->queued_openings.first)
		hurry(loop);
}
