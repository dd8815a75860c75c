/* The opening of a stream that speaks TLS: its handshake, and the answer to those who do not speak TLS. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/net/stream_internal.h"
#include "daemon/net/stream_workspace.h"
#include "daemon/net/tls.h"
#include "daemon/net/transport.h"
#include "proto/first_byte.h"
#include "proto/message.h"

/* What is said without TLS to who does not speak it, in its own words. */
static void append_answer(struct buffer *out, enum first_byte first)
{
	static const char sentence[] = "this address speaks TLS";
	char text[256];
	switch (first) {
	case FIRST_BYTE_OF_FRAME:
		snprintf(text, sizeof(text), "%s: connect with tls://", sentence);
		message_error(out, false, 0, ERROR_BAD_REQUEST, text);
		return;
	case FIRST_BYTE_OF_HTTP:
		snprintf(text, sizeof(text),
			 "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
			 "%s: https:// where it is HTTP, tls:// where it is frames\n",
			 sentence);
		break;
	case FIRST_BYTE_OF_OTHER:
	case FIRST_BYTE_OF_TLS:
		snprintf(text, sizeof(text), "%s\r\n", sentence);
		break;
	}
	buffer_append(out, text, strlen(text));
}

/* The kernel's buffer has room for the answer on a fresh socket. */
static void tell_plainly(const struct stream *stream, enum first_byte first)
{
	/* What is unread when a socket is closed would take the answer with it. */
	ssize_t ignored = recv(stream->fd, stream->group->scratch, STREAM_READ_BYTES, 0);
	(void)ignored;
	struct buffer out = {0};
	append_answer(&out, first);
	if (!out.failed && send(stream->fd, out.bytes + out.start, buffer_len(&out), MSG_NOSIGNAL) >= 0)
		shutdown(stream->fd, SHUT_WR);
	buffer_finish(&out);
}

static void fail(struct stream *stream, const char *why)
{
	char text[TLS_ERROR_BYTES + 192], peer[128];
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
	if (!stream->workspace->is_greeted) {
		char byte = 0;
		bool has_come = recv(stream->fd, &byte, 1, MSG_PEEK) == 1;
		if (has_come && first_byte_of(byte) != FIRST_BYTE_OF_TLS) {
			tell_plainly(stream, first_byte_of(byte));
			fail(stream, "it does not speak TLS");
			return;
		}
		stream->workspace->is_greeted = has_come;
	}
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
