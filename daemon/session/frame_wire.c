#include "daemon/session/frame_wire.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/session/login.h"
#include "daemon/session/replies.h"
#include "daemon/session/operations.h"
#include "proto/first_byte.h"
#include "proto/frame.h"

/* -- Requests -- */

static void refuse_frame(struct session *session, const struct message_request *request)
{
	struct request_counts *counts = &session->all->counts;
	counts->op = request->op;
	counts->requests[request->op]++;
	struct answer answer = answer_begin_error(session, request->has_id ? request->id : CORE_NO_ID, request->error,
						  request->detail);
	counts->op = OP_NONE;
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

/* What the daemon says to bytes that are no frame, or one that is too large. */
static const char *fault_of(char first)
{
	switch (first_byte_of(first)) {
	case FIRST_BYTE_OF_TLS:
		return "this was TLS: connect with tcp://";
	case FIRST_BYTE_OF_HTTP:
		return "this was HTTP, or typed by hand: this address speaks frames; HTTP has one of its own, which "
		       "the configuration names as http";
	case FIRST_BYTE_OF_OTHER:
		return "this was no frame, whose first byte is 0";
	case FIRST_BYTE_OF_FRAME:
		break;
	}
	return NULL;
}

/* Tells the core of the channels that the next requests name. */
static void expect_channels(struct session *session, struct slice frames)
{
	struct slice names[CORE_EXPECTED], body;
	size_t n = 0, used;
	for (int i = 0;
	     i < CORE_EXPECTED && frame_next(frames, session_max_frame(session), &body, &used, NULL) == FRAME_WHOLE;
	     i++) {
		names[n] = message_peek_channel(body);
		n += names[n].len > 0;
		frames = (struct slice){frames.bytes + used, frames.len - used};
	}
	core_expect(session->all->broker->core, names, n);
}

static size_t read_frames(struct session *session, char *bytes, size_t len)
{
	size_t done = 0;
	unsigned n_expected = 0;
	uint64_t written_before = stream_written(&session->stream);
	session->heard_us = loop_now_us(session->all->loop);
	while (!stream_has_had_its_turn(&session->stream, written_before)) {
		struct slice body;
		size_t used, wanted;
		if (core_is_vast(session->all->core) && n_expected-- == 0) {
			expect_channels(session, (struct slice){bytes + done, len - done});
			n_expected = CORE_EXPECTED - 1;
		}
		switch (frame_next((struct slice){bytes + done, len - done}, session_max_frame(session), &body, &used,
				   &wanted)) {
		case FRAME_MORE:
			if (done < len && first_byte_of(bytes[done]) != FIRST_BYTE_OF_FRAME) {
				session_end(session, ERROR_FRAME_TOO_LARGE, fault_of(bytes[done]));
				return len;
			}
			if (done < len)
				stream_expect(&session->stream, wanted);
			return done;
		case FRAME_WHOLE:
			done += used;
			handle_frame(session, body);
			stream_look_at_clock(&session->stream);
			break;
		case FRAME_TOO_LARGE:
			session_end(session, ERROR_FRAME_TOO_LARGE, fault_of(bytes[done]));
			return len;
		}
	}
	session_pause_if_full(session);
	return done;
}

/* -- Answers -- */

static struct answer begin_frame(struct session *session, uint64_t id, enum status status, enum error error,
				 const char *detail, size_t value_bytes)
{
	struct buffer *out = session_output(session, value_bytes);
	bool has_id = id != CORE_NO_ID;
	size_t mark = status == STATUS_ERROR ? message_begin_error(out, has_id, id, error, detail)
					     : message_begin_reply(out, has_id, id, status);
	return (struct answer){
		.out = out, .mark = mark, .session = session, .referred_before = stream_referred(&session->stream)};
}

static void refuse_by_frame(struct session *session, enum error error, const char *why)
{
	answer_error(session, CORE_NO_ID, error, why);
}

/* In one piece. */
static bool write_plain_value(struct session *session, const struct core_reply *reply)
{
	if (!reply_is_plain_value(reply) || reply->value->len >= VALUE_LARGE_BYTES)
		return false;
	struct slice value = {reply->value->bytes, reply->value->len};
	struct buffer *out = session_output(session, value.len + VALUE_OVERHEAD);
	if (reply->has_left)
		message_ok_counted(out, reply->id, value, reply->left);
	else
		message_ok_value(out, reply->id, value);
	return true;
}

static void end_frame(struct session *session, struct answer answer)
{
	message_end(answer.out, answer.mark);
	size_t referred = stream_referred(&session->stream) - answer.referred_before;
	if (referred)
		frame_lengthen(answer.out, answer.mark, referred);
}

const struct session_wire session_frames = {.bytes = sizeof(struct session),
					    .name = "frames",
					    .has_short_way = true,
					    .on_bytes = read_frames,
					    .begin = begin_frame,
					    .end = end_frame,
					    .write = write_plain_value,
					    .refuse = refuse_by_frame};

/* -- Coming -- */

/* The kernel's buffer has room for this on a fresh socket. */
static void refuse_connection(struct sessions *sessions, int fd, enum error error, const char *why)
{
	struct buffer out = {0};
	message_error(&out, false, 0, error, why);
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
	refuse_connection(sessions, fd, ERROR_OVERLOADED,
			  "no descriptor is left for it (raise the limit on open files)");
}

void session_accept(struct sessions *sessions, int fd, struct tls_context *tls)
{
	if (sessions->serves_nobody) {
		refuse_connection(sessions, fd, ERROR_UNAVAILABLE, sessions->serves_nobody);
		return;
	}
	if (sessions->n - sessions->n_http >= sessions->limits.max_connections) {
		refuse_connection(sessions, fd, ERROR_OVERLOADED, "there are max_connections connections");
		return;
	}
	struct session *session = session_create(sessions, &session_frames, fd, tls);
	if (!session) {
		refuse_connection(sessions, fd, ERROR_OVERLOADED, "no memory for another connection");
	} else if (!session->connection || !login_begin(session)) {
		answer_error(session, CORE_NO_ID, ERROR_OVERLOADED, "no memory for another connection");
		stream_refuse(&session->stream);
	}
}
