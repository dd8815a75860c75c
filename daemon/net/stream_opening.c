/* The opening of a stream that speaks TLS: its handshake. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "daemon/log.h"
#include "daemon/net/run_queue.h"
#include "daemon/net/loop_private.h"
#include "daemon/net/stream_io.h"
#include "daemon/net/tls.h"
#include "proto/message.h"

enum { FRAME_FIRST_BYTE = 0 };

void stream_go_on_opening(struct stream *stream)
{
	run_queue_open(stream);
}

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
	ssize_t ignored = recv(stream->fd, stream->loop->scratch, LOOP_READ_BYTES, 0);
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
	log_seldom(&stream->loop->handshakes_log, loop_now_us(stream->loop), text);
	stream_opening_failed(stream);
}

void stream_open_on(struct stream *stream)
{
	char error[TLS_ERROR_BYTES];
	if (!stream->extra->is_greeted && is_plain(stream)) {
		tell_plainly(stream);
		fail(stream, "it does not speak TLS");
		return;
	}
	stream->extra->is_greeted = true;
	if (tls_shake_hands(stream->extra->tls, error) == 0)
		stream_opened(stream);
	else if (errno == EAGAIN || errno == EINTR)
		stream_wait_to_read(stream);
	else if (errno == EINPROGRESS)
		stream_wait_to_write(stream);
	else
		fail(stream, error);
}
