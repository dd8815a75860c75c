/* Output that has to wait for something outside, such as a disk: a stream is held from a place of its output on, until
 * a number is released. Two places are enough. While the first waits for the batch that is being written, all that is
 * written later waits for the one that gathers, whose number can only have risen when the first is released. */
#include "daemon/net/stream_group.h"
#include "daemon/net/stream_internal.h"
#include "daemon/net/stream_workspace.h"

size_t stream_sendable(const struct stream *stream)
{
	const struct stream_holds *holds = stream->workspace ? &stream->workspace->holds : NULL;
	return holds && holds->at ? (size_t)(holds->holds[0].from - stream->n_sent)
				  : buffer_len(&stream->out) + stream_referred(stream);
}

static void join(struct stream *stream, struct stream_holds *holds)
{
	struct stream_group *group = stream->group;
	holds->at = &group->held;
	holds->next = group->held;
	if (holds->next)
		holds->next->workspace->holds.at = &holds->next;
	group->held = stream;
}

void stream_hold(struct stream *stream, uint64_t number)
{
	if (number <= stream->group->released || stream->output == STREAM_OUTPUT_BROKEN || stream->out.failed)
		return;
	if (!stream_need_workspace(stream)) {
		stream_break(stream);
		return;
	}
	struct stream_holds *holds = &stream->workspace->holds;
	uint64_t from = stream_written(stream);
	if (!holds->at) {
		join(stream, holds);
		holds->holds[0].from = from;
		holds->holds[0].number = number;
	} else if (number > holds->holds[0].number) {
		if (!holds->holds[1].number)
			holds->holds[1].from = from;
		if (number > holds->holds[1].number)
			holds->holds[1].number = number;
	}
}

void stream_group_release(struct stream_group *group, uint64_t number)
{
	group->released = number;
	for (struct stream *stream = group->held, *next; stream; stream = next) {
		struct stream_holds *holds = &stream->workspace->holds;
		next = holds->next;
		if (holds->holds[0].number > number)
			continue;
		holds->holds[0] = holds->holds[1];
		holds->holds[1].number = 0;
		if (holds->holds[0].number <= number)
			stream_forget_holds(stream);
		stream_enqueue(stream, stream->out_value_bytes ? &group->takers : &group->others);
	}
}
