/* An idle stream has nothing of this. Once it had an incomplete frame, or a full socket, it will have one again: so it
 * is kept until the end. */
#include "daemon/net/stream_extra.h"

#include <event2/event.h>
#include <stdlib.h>

struct stream_extra *stream_need_extra(struct stream *stream)
{
	if (!stream->extra)
		stream->extra = calloc(1, sizeof(*stream->extra));
	return stream->extra;
}

void stream_free_extra(struct stream *stream)
{
	struct stream_extra *extra = stream->extra;
	if (!extra)
		return;
	if (extra->write_event)
		event_free(extra->write_event);
	if (extra->deadline_event)
		event_free(extra->deadline_event);
	buffer_finish(&extra->in);
	free(extra);
	stream->extra = NULL;
}

bool stream_keep_input(struct stream *stream, const char *bytes, size_t len)
{
	if (len == 0) {
		stream_drop_input(stream);
		return true;
	}
	if (!stream_need_extra(stream))
		return false;
	struct buffer *in = &stream->extra->in;
	buffer_clear(in);
	buffer_append(in, bytes, len);
	return !in->failed;
}

void stream_drop_input(struct stream *stream)
{
	if (stream->extra)
		buffer_finish(&stream->extra->in);
}
