/* What a stream has only once it is needed, and its input among it. For net/ alone. */
#ifndef MILLRACE_NET_STREAM_EXTRA_H
#define MILLRACE_NET_STREAM_EXTRA_H

#include "daemon/net/stream.h"

/* From now on the stream has it, until stream_free_extra(). NULL: no memory. */
struct stream_extra *stream_need_extra(struct stream *stream);

/* Its TLS is gone already. */
void stream_free_extra(struct stream *stream);

/* -- What has come and is not used yet -- */

static inline size_t stream_input_len(const struct stream *stream)
{
	return stream->extra ? buffer_len(&stream->extra->in) : 0;
}

/* NULL while it has no memory. */
static inline char *stream_input(const struct stream *stream)
{
	return stream->extra ? buffer_front(&stream->extra->in) : NULL;
}

/* It is these bytes instead of what it was. False: no memory. */
bool stream_keep_input(struct stream *stream, const char *bytes, size_t len);

/* It is nothing, and takes no memory. */
void stream_drop_input(struct stream *stream);

#endif
