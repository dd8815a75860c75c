/* Sending, once a turn, and what becomes possible when the output has drained. */
#include <errno.h>
#include <sys/socket.h>

#include "config/limits.h"
#include "daemon/net/stream_internal.h"
#include "daemon/net/stream_workspace.h"
#include "daemon/net/transport.h"

enum { MAX_SLICES = 32 };

/* Nothing waits to be sent any more. */
static void after_the_last_byte(struct stream *stream)
{
	stream_unblock_output(stream);
	output_pool_take_back(&stream->group->pool, &stream->out);
	if (stream->state == STREAM_REFUSED)
		transport_end_sending(stream->fd, stream_tls(stream));
	if (stream->state == STREAM_ENDED)
		stream_drop(stream);
}

/* Reads on, where the output was what stopped it: in the next turn, as this is called from within on_bytes too. */
static void resume_input(struct stream *stream)
{
	if (stream->state != STREAM_OPEN)
		return;
	if (stream->input == STREAM_INPUT_BLOCKED && stream->output != STREAM_OUTPUT_BLOCKED)
		stream_set_input(stream, STREAM_INPUT_WATCHED);
	else if (stream->input == STREAM_INPUT_PAUSED && !stream_is_full(stream))
		stream_set_input(stream, STREAM_INPUT_RESUMED);
	else
		return;
	if (stream->state == STREAM_OPEN)
		stream_read_soon(stream);
}

static void count_values(struct stream *stream)
{
	size_t unsent = buffer_len(&stream->out) + stream_referred(stream);
	if (stream->out_value_bytes <= unsent)
		return;
	stream->group->unsent_value_bytes -= stream->out_value_bytes - unsent;
	stream->out_value_bytes = unsent;
}

/* Sends at most `len` bytes from the front, some of which are referred to. */
static ssize_t send_slices(struct stream *stream, size_t len)
{
	struct iovec slices[MAX_SLICES];
	int n = references_slices(&stream->workspace->references, &stream->out, len, slices, MAX_SLICES);
	return transport_send_slices(stream->fd, stream_tls(stream), slices, n);
}

static void consume(struct stream *stream, size_t len)
{
	stream->n_sent += len;
	if (!stream->refers) {
		buffer_consume(&stream->out, len);
		return;
	}
	struct references *references = &stream->workspace->references;
	references_consume(references, &stream->out, len, stream->handlers->release);
	stream->refers = references->bytes > 0;
}

/* Sends at most so many bytes; returns whether any. The rest is sent in other turns, as if the socket had no room. */
static bool send_out(struct stream *stream, uint64_t most)
{
	const struct buffer *out = &stream->out;
	uint64_t sent_before = stream->n_sent;
	for (size_t len; (len = stream_sendable(stream)) > 0;) {
		uint64_t left = most - (stream->n_sent - sent_before);
		len = len < left ? len : (size_t)left;
		ssize_t n = -1;
		if (len == 0)
			errno = EAGAIN;
		else if (stream->refers)
			n = send_slices(stream, len);
		else
			n = transport_send(stream->fd, stream_tls(stream), out->bytes + out->start, len);
		if (n >= 0) {
			consume(stream, (size_t)n);
		} else if (errno == EAGAIN) {
			if (stream_block_output(stream) < 0)
				stream_break(stream);
			break;
		} else if (errno != EINTR) {
			stream_log_timeout(stream, n);
			stream_break(stream);
		}
	}
	return stream->n_sent > sent_before;
}

static void send_and_settle(struct stream *stream, uint64_t most)
{
	if (stream->out.failed)
		stream_break(stream);
	if (stream->output == STREAM_OUTPUT_BROKEN)
		stream_drop_output(stream);
	bool has_sent = stream->state != STREAM_OPENING && send_out(stream, most);
	if (has_sent)
		stream->handlers->on_sent(stream);
	count_values(stream);
	if (!stream_has_unsent(stream))
		after_the_last_byte(stream);
	resume_input(stream);
	stream_settle(stream, has_sent);
}

/* A peer that takes as quickly as we send has its turn, too. */
void stream_send(struct stream *stream)
{
	send_and_settle(stream, TURN_SENT_BYTES);
}

void stream_send_all(struct stream *stream)
{
	send_and_settle(stream, UINT64_MAX);
}

void stream_flush(struct stream *stream)
{
	if (stream->output != STREAM_OUTPUT_BLOCKED) {
		stream_send(stream);
		return;
	}
	resume_input(stream); /* it may have had its turn, and not be full */
	stream_settle(stream, false);
}
