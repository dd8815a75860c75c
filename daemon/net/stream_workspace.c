/* Once a stream had an incomplete frame, or a full socket, it will have one again: so its workspace is kept until the
 * end. */
#include "daemon/net/stream_workspace.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>

#include "daemon/net/tls.h"

enum {
	LONG_FRAME_BYTES = 32 * 1024,
	STEP = 8,
};

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
	assert(!run_place_is_taken(&workspace->run_place) && !workspace->budget_place.stream && !stream->refers);
	if (workspace->write_event)
		event_free(workspace->write_event);
	if (workspace->deadline_event)
		event_free(workspace->deadline_event);
	tls_destroy(workspace->tls);
	buffer_finish(&workspace->in);
	free(workspace);
	stream->workspace = NULL;
}

static bool is_long(const struct stream_workspace *workspace)
{
	return workspace->expected >= LONG_FRAME_BYTES;
}

/* Room for `len` bytes of the expected frame, and up to STEP times as many if it is so long: with few steps little is
 * copied, and what a peer has only announced is never more than that. */
static bool reserve_step(struct stream_workspace *workspace, size_t len)
{
	size_t room = workspace->expected / STEP < len ? workspace->expected : STEP * len;
	size_t cap = workspace->in.start + room;
	if (workspace->in.cap >= cap)
		return true;
	char *bytes = realloc(workspace->in.bytes, cap);
	if (!bytes)
		return false;
	workspace->in.bytes = bytes;
	workspace->in.cap = cap;
	return true;
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
	if (is_long(stream->workspace) && len > STREAM_CARRY_BYTES) {
		in->start = in->end = STREAM_LEAD_BYTES;
		if (!reserve_step(stream->workspace, len))
			return false;
	}
	buffer_append(in, bytes, len);
	return !in->failed;
}

char *stream_keep_more(struct stream *stream, size_t max, size_t *room)
{
	struct stream_workspace *workspace = stream->workspace;
	struct buffer *in = &workspace->in;
	*room = max;
	if (!is_long(workspace))
		return buffer_reserve(in, max);
	size_t missing = workspace->expected - buffer_len(in);
	*room = missing < max ? missing : max;
	if (in->cap - in->end < *room && !reserve_step(workspace, buffer_len(in) + *room))
		return NULL;
	return in->bytes + in->end;
}

size_t stream_kept_bytes(const struct stream *stream)
{
	const struct stream_workspace *workspace = stream->workspace;
	return is_long(workspace) ? workspace->in.end : workspace->in.cap;
}

void stream_keep_nothing(struct stream *stream)
{
	if (!stream->workspace)
		return;
	buffer_finish(&stream->workspace->in);
	stream->workspace->expected = 0;
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
