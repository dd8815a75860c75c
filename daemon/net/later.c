#include "daemon/net/later.h"

#include "daemon/net/loop_state.h"
#include "daemon/net/stream_io.h"

enum { OPENINGS_A_TURN = 4 };

/* The next turn shall come at once. Without memory for that it comes with the next event. */
static void hurry(struct loop *loop)
{
	const struct timeval at_once = {0};
	if (!evtimer_pending(loop->later_event, NULL))
		evtimer_add(loop->later_event, &at_once);
}

static void append(struct loop *loop, struct later_list *list, struct stream *stream)
{
	if (stream->extra->later_at)
		return;
	stream->extra->later_at = list->end;
	stream->extra->later_next = NULL;
	*list->end = stream;
	list->end = &stream->extra->later_next;
	stream->extra->later_list = list;
	list->n++;
	hurry(loop);
}

void later_read(struct stream *stream)
{
	append(stream->loop, &stream->loop->later_reads, stream);
}

void later_open(struct stream *stream)
{
	append(stream->loop, &stream->loop->later_openings, stream);
}

void later_leave(struct stream *stream)
{
	if (!stream->extra || !stream->extra->later_at)
		return;
	*stream->extra->later_at = stream->extra->later_next;
	if (stream->extra->later_next)
		stream->extra->later_next->extra->later_at = stream->extra->later_at;
	else
		stream->extra->later_list->end = stream->extra->later_at;
	stream->extra->later_list->n--;
	stream->extra->later_at = NULL;
}

static struct stream *take(struct later_list *list)
{
	struct stream *stream = list->first;
	if (stream)
		later_leave(stream);
	return stream;
}

void later_turn(struct loop *loop)
{
	struct stream *stream;
	/* As many as there are now: who comes again while they are handled has its turn in the next. */
	for (size_t left = loop->later_reads.n; left > 0 && (stream = take(&loop->later_reads)); left--)
		stream_read_on(stream);
	for (size_t left = OPENINGS_A_TURN; left > 0 && (stream = take(&loop->later_openings)); left--)
		stream_open_on(stream);
	if (loop->later_reads.first || loop->later_openings.first)
		hurry(loop);
}
