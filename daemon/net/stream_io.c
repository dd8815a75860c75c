#include "daemon/net/stream_io.h"

#include <errno.h>
#include <sys/socket.h>

#include "daemon/net/tls.h"

/* -- As they are -- */

static ssize_t plain_receive(struct stream *stream, char *to, size_t room)
{
	return recv(stream->fd, to, room, 0);
}

static ssize_t plain_send(struct stream *stream, const char *from, size_t len)
{
	return send(stream->fd, from, len, MSG_NOSIGNAL);
}

static bool plain_has_more(const struct stream *stream)
{
	(void)stream;
	return false;
}

static void plain_end_sending(struct stream *stream)
{
	shutdown(stream->fd, SHUT_WR);
}

static void plain_finish(struct stream *stream)
{
	(void)stream;
}

const struct stream_io stream_io_plain = {plain_receive, plain_send, plain_has_more, plain_end_sending, plain_finish};

/* -- By TLS -- */

static ssize_t secret_receive(struct stream *stream, char *to, size_t room)
{
	return tls_receive(stream->extra->tls, to, room);
}

static ssize_t secret_send(struct stream *stream, const char *from, size_t len)
{
	return tls_send(stream->extra->tls, from, len);
}

static bool secret_has_more(const struct stream *stream)
{
	return tls_has_more(stream->extra->tls);
}

static void secret_end_sending(struct stream *stream)
{
	tls_end_sending(stream->extra->tls);
	shutdown(stream->fd, SHUT_WR);
}

static void secret_finish(struct stream *stream)
{
	if (stream->is_write_broken)
		tls_break(stream->extra->tls); /* a part of a record has been sent: nothing can follow */
	tls_destroy(stream->extra->tls);
}

const struct stream_io stream_io_tls = {secret_receive, secret_send, secret_has_more, secret_end_sending,
					secret_finish};
