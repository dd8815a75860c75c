/* Once a stream had an incomplete frame, or a full socket, it will have one again: so its workspace is kept until the
 * end. */
#include "daemon/net/stream_workspace.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>

#include "daemon/net/tls.h"

struct stream_workspace *stream_need_workspace(struct stream *stream)
{
	if (!stream->workspace)
		stream->workspace = calloc(1, sizeof(*stream->workspace));
	return stream->workspace;
}

void stream_free_workspace(struct stream *stream)
{
	struct stream_workspace *workspace = stream->workspace;
	if (!workspace)
		return;
	assert(!run_place_is_taken(&workspace->run_place) && !workspace->budget_place.stream);
	if (workspace->write_event)
		event_free(workspace->write_event);
	if (workspace->deadline_event)
		event_free(workspace->deadline_event);
	tls_destroy(workspace->tls);
	buffer_finish(&workspace->in);
	free(workspace);
	stream->workspace = NULL;
}

bool stream_keep(struct stream *stream, const char *bytes, size_t len)
{
	if (len == 0) {
		stream_keep_nothing(stream);
		return true;
	}
	if (!stream_need_workspace(stream))
		return false;
	struct buffer *in = &stream->workspace->in;
	buffer_clear(in);
	buffer_append(in, bytes, len);
	return !in->failed;
}

void stream_keep_nothing(struct stream *stream)
{
	if (stream->workspace)
		buffer_finish(&stream->workspace->in);
}

void stream_forget_holds(struct stream *stream)
{
	struct stream_holds *holds = stream->workspace ? &stream->workspace->holds : NULL;
	if (!holds || !holds->at)
		return;
	*holds->at = holds->next;
	if (holds->next)
		holds->next->workspace->holds.at = holds->at;
	*holds = (struct stream_holds){0};
}
