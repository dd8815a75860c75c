/* The opening of a stream that speaks TLS: its handshake, and the answer to those who do not speak TLS. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "daemon/net/stream_internal.h"
#include "daemon/net/stream_workspace.h"
#include "daemon/net/tls.h"
#include "daemon/net/transport.h"
#include "proto/message.h"

enum { FRAME_FIRST_BYTE = 0 };

/* Whether what has come is the beginning of a frame: a client of ours that does not know of TLS. It can be told so in
 * its own words. */
static bool is_plain(const struct stream *stream)
{
	char first;
	return recv(stream->fd, &first, 1, MSG_PEEK) == 1 && first == FRAME_FIRST_BYTE;
}

/* The kernel's buffer has room for this on a fresh socket. */
static void tell_plainly(const struct stream *stream)
{
	/* What is unread when a socket is closed would take the answer with it. */
	ssize_t ignored = recv(stream->fd, stream->group->scratch, STREAM_READ_BYTES, 0);
	(void)ignored;
	struct buffer out = {0};
	message_error(&out, false, 0, ERROR_BAD_REQUEST, "this address speaks TLS: connect with tls://");
	if (!out.failed && send(stream->fd, out.bytes + out.start, buffer_len(&out), MSG_NOSIGNAL) >= 0)
		shutdown(stream->fd, SHUT_WR);
	buffer_finish(&out);
}

static void fail(struct stream *stream, const char *why)
{
	char text[TLS_ERROR_BYTES + 128], peer[128];
	stream_peer(stream, peer, sizeof(peer));
	snprintf(text, sizeof(text), "TLS: a handshake has failed, with %s: %s", peer, why);
	log_seldom(&stream->group->handshakes_log, loop_now_us(stream->group->loop), text);
	stream_break_output(stream);
	stream_end_input(stream);
}

static void open_stream(struct stream *stream)
{
	stream->state = STREAM_OPEN;
	stream_unblock_output(stream);
	stream_set_input(stream, STREAM_INPUT_WATCHED);
	if (stream->state == STREAM_OPEN && transport_has_more(stream_tls(stream)))
		stream_read_soon(stream);
	if (stream_has_unsent(stream))
		stream_enqueue(stream, &stream->group->others);
}

static void shake_hands(struct stream *stream)
{
	char error[TLS_ERROR_BYTES];
	struct tls *tls = stream_tls(stream);
	if (!stream->workspace->is_greeted && is_plain(stream)) {
		tell_plainly(stream);
		fail(stream, "it does not speak TLS");
		return;
	}
	stream->workspace->is_greeted = true;
	if (tls_shake_hands(tls, error) == 0)
		open_stream(stream);
	else if (errno == EINPROGRESS && stream_block_output(stream) < 0)
		fail(stream, "no memory");
	else if ((errno == EAGAIN || errno == EINTR) && tls_has_more(tls))
		stream_read_soon(stream);
	else if (errno == EAGAIN || errno == EINTR)
		stream_set_input(stream, STREAM_INPUT_WATCHED);
	else if (errno != EINPROGRESS)
		fail(stream, error);
}

void stream_open_on(struct stream *stream)
{
	shake_hands(stream);
	stream_settle(stream, true);
	stream_make_room(stream);
}
