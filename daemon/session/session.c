/* The life of a session, and its frames.
 *
 * A session is in the list of all until it is freed. It has its connection in the core from the start until it is gone.
 * When its input has ended, it hangs up: only until then can it have parked requests, and get replies. Its leases, and
 * the values of replies that have not been sent, go back when it is gone. */
#include "daemon/session/session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/session/session_private.h"
#include "proto/frame.h"

enum {
	SWEEPS_AN_IDLE_TIME = 8,
	TLS_FIRST_BYTE = 0x16, /* of a handshake */
};

/* -- The end -- */

void session_hang_up(struct session *session)
{
	if (!session->connection)
		return;
	struct core_event event = {.op = CORE_HANG_UP, .connection = session->connection};
	broker_step(session->all->broker, &event);
}

static void disconnect(struct session *session)
{
	if (!session->connection)
		return;
	struct core_event event = {.op = CORE_DISCONNECT, .connection = session->connection};
	unsent_return(session, &event);
	session->connection = NULL;
}

static void session_destroy(struct session *session)
{
	assert(!broker_action_waits(&session->after_reply));
	if (session->wire->finish)
		session->wire->finish(session);
	*session->at = session->next;
	if (session->next)
		session->next->at = session->at;
	session->all->n--;
	auth_end(session);
	unsent_forget(session);
	stream_finish(&session->stream);
	free(session->name);
	watch_end(session);
	free(session);
}

/* -- Frames -- */

static void refuse_frame(struct session *session, const struct message_request *request)
{
	struct answer answer = answer_begin_error(session, request->has_id ? request->id : CORE_NO_ID, request->error,
						  request->detail);
	if (!request->has_id && request->channel.len)
		message_string(answer.out, "channel", request->channel);
	answer_end(session, answer);
}

static void handle_frame(struct session *session, struct slice body)
{
	struct message_request request;
	/* The frame is in a buffer of ours, which the decoder may write over. */
	if (message_decode_request(&session->all->decoder, (char *)body.bytes, body.len, &request) == 0)
		session_handle(session, &request);
	else
		refuse_frame(session, &request);
}

void session_end(struct session *session, enum error error, const char *why)
{
	session_hang_up(session);
	session->wire->refuse(session, error, why);
	if (stream_is_open(&session->stream) || stream_is_opening(&session->stream))
		stream_refuse(&session->stream);
}

void session_pause_if_full(struct session *session)
{
	if (!stream_is_full(&session->stream) || !session->connection || core_is_paused(session->connection))
		return;
	struct core_event event = {.op = CORE_PAUSE, .connection = session->connection};
	broker_step(session->all->broker, &event);
}

static void run_after_reply(struct broker_action *action)
{
	struct session *session = (struct session *)((char *)action - offsetof(struct session, after_reply));
	session_pause_if_full(session);
	if (session->wire->after_reply)
		session->wire->after_reply(session);
}

void session_defer(struct session *session)
{
	broker_defer(session->all->broker, &session->after_reply);
}

static size_t read_frames(struct session *session, char *bytes, size_t len)
{
	size_t done = 0;
	uint64_t written_before = stream_written(&session->stream);
	session->heard_us = loop_now_us(session->all->loop);
	while (!stream_has_had_its_turn(&session->stream, written_before)) {
		struct slice body;
		size_t used;
		switch (frame_next((struct slice){bytes + done, len - done}, auth_max_frame(session), &body, &used,
				   NULL)) {
		case FRAME_MORE:
			return done;
		case FRAME_WHOLE:
			done += used;
			handle_frame(session, body);
			break;
		case FRAME_TOO_LARGE:
			session_end(session, ERROR_FRAME_TOO_LARGE,
				    bytes[done] == TLS_FIRST_BYTE ? "this was TLS: connect with tcp://" : NULL);
			return len;
		}
	}
	session_pause_if_full(session);
	return done;
}

static struct answer begin_frame(struct session *session, uint64_t id, enum status status, enum error error,
				 const char *detail, size_t value_bytes)
{
	struct buffer *out = stream_output(&session->stream, value_bytes);
	bool has_id = id != CORE_NO_ID;
	size_t mark = status == STATUS_ERROR ? message_begin_error(out, has_id, id, error, detail)
					     : message_begin_reply(out, has_id, id, status);
	return (struct answer){out, mark};
}

static void refuse_by_frame(struct session *session, enum error error, const char *why)
{
	answer_error(session, CORE_NO_ID, error, why);
}

static void end_frame(struct session *session, struct answer answer)
{
	(void)session;
	message_end(answer.out, answer.mark);
}

const struct session_wire session_frames = {.bytes = sizeof(struct session),
					    .on_bytes = read_frames,
					    .begin = begin_frame,
					    .end = end_frame,
					    .refuse = refuse_by_frame};

/* -- What the stream tells -- */

static size_t on_bytes(struct stream *stream, char *bytes, size_t len)
{
	struct session *session = (struct session *)stream;
	return session->wire->on_bytes(session, bytes, len);
}

static void on_sent(struct stream *stream)
{
	struct session *session = (struct session *)stream;
	unsent_forget_sent(session);
	if (stream_is_full(stream))
		session_watch_slow(session);
	if (session->wire->on_sent)
		session->wire->on_sent(session);
	if (!session->connection || !core_is_paused(session->connection) || stream_is_full(stream))
		return;
	struct core_event event = {.op = CORE_RESUME, .connection = session->connection};
	broker_step(session->all->broker, &event);
}

static void on_end(struct stream *stream)
{
	struct session *session = (struct session *)stream;
	session_hang_up(session);
	if (session->wire->on_end)
		session->wire->on_end(session);
}

static void on_gone(struct stream *stream)
{
	disconnect((struct session *)stream);
	session_destroy((struct session *)stream);
}

static void on_over_budget(struct stream *stream)
{
	session_end((struct session *)stream, ERROR_OVERLOADED,
		    "the connection is closed with its incomplete frame: all buffers are full (max_buffers)");
}

static const struct stream_handlers handlers = {on_bytes, on_sent, on_end, on_gone, on_over_budget};

/* -- Coming and going -- */

/* The kernel's buffer has room for this on a fresh socket. */
static void refuse_connection(struct sessions *sessions, int fd, const char *why)
{
	struct buffer out = {0};
	message_error(&out, false, 0, ERROR_OVERLOADED, why);
	if (!out.failed && send(fd, out.bytes + out.start, buffer_len(&out), MSG_NOSIGNAL) >= 0)
		shutdown(fd, SHUT_WR);
	buffer_finish(&out);
	close(fd);
	char line[160];
	snprintf(line, sizeof(line), "a connection was refused: %s", why);
	log_seldom(&sessions->refused_log, loop_now_us(sessions->loop), line);
}

void session_accept_none(struct sessions *sessions, int fd)
{
	refuse_connection(sessions, fd, "no descriptor is left for it (raise the limit on open files)");
}

struct session *session_create(struct sessions *sessions, const struct session_wire *wire, int fd,
			       struct tls_context *tls)
{
	struct session *session = calloc(1, wire->bytes);
	if (!session || stream_init(&session->stream, sessions->streams, fd, tls, (uint32_t)sessions->limits.max_output,
				    &handlers) < 0) {
		free(session);
		return NULL;
	}
	stream_set_timeout(&session->stream, sessions->limits.tcp_timeout_ms);
	session->wire = wire;
	session->all = sessions;
	session->heard_us = loop_now_us(sessions->loop);
	session->number = ++sessions->last_number;
	session->at = &sessions->first;
	session->next = sessions->first;
	if (session->next)
		session->next->at = &session->next;
	sessions->first = session;
	sessions->n++;
	session->after_reply.run = run_after_reply;
	session->connection = broker_connect(sessions->broker, session);
	return session;
}

void session_accept(struct sessions *sessions, int fd, struct tls_context *tls)
{
	if (sessions->n - sessions->n_http >= sessions->limits.max_connections) {
		refuse_connection(sessions, fd, "there are max_connections connections");
		return;
	}
	struct session *session = session_create(sessions, &session_frames, fd, tls);
	if (!session) {
		refuse_connection(sessions, fd, "no memory for another connection");
	} else if (!session->connection || !auth_begin(session)) {
		answer_error(session, CORE_NO_ID, ERROR_OVERLOADED, "no memory for another connection");
		stream_refuse(&session->stream);
	}
}

bool session_all_sent(const struct sessions *sessions)
{
	for (const struct session *session = sessions->first; session; session = session->next)
		if (stream_sent(&session->stream) < stream_written(&session->stream))
			return false;
	return true;
}

uint64_t session_close_idle(struct sessions *sessions)
{
	uint64_t idle_us = sessions->limits.max_idle_ms * 1000, now_us = loop_now_us(sessions->loop),
		 next_us = now_us + idle_us;
	if (idle_us == 0)
		return UINT64_MAX;
	for (struct session *session = sessions->first; session; session = session->next) {
		if (session->wire != &session_frames || !stream_is_open(&session->stream) ||
		    core_is_engaged(session->connection) || stream_has_unsent(&session->stream))
			continue;
		if (session->heard_us + idle_us <= now_us) {
			log_seldom(&sessions->idle_log, now_us,
				   "a connection is closed that has sent nothing for max_idle_ms");
			session_end(session, ERROR_OVERLOADED,
				    "the connection is closed, as it has sent nothing for max_idle_ms and waits for "
				    "nothing");
		} else if (session->heard_us + idle_us < next_us) {
			next_us = session->heard_us + idle_us;
		}
	}
	/* One sweep looks at all: not for each of them on its own. */
	return next_us - now_us < idle_us / SWEEPS_AN_IDLE_TIME ? now_us + idle_us / SWEEPS_AN_IDLE_TIME : next_us;
}

void session_drop_all(struct sessions *sessions)
{
	while (sessions->first)
		session_destroy(sessions->first);
}
