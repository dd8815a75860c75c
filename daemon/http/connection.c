#define _GNU_SOURCE /* asprintf */
/* One connection: requests in, one after the other, and responses out.
 *
 * While a request has no whole answer, is_busy, those that follow it wait unread in the stream's buffer, as far as one
 * fits there. The input is watched all the same: its end, whether the peer has closed or only ended its side, is a
 * hang-up, and what was parked is cancelled. */
#include "daemon/http/connection.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/http/jobs.h"
#include "daemon/http/live.h"
#include "daemon/http/route_table.h"
#include "proto/first_byte.h"

enum {
	QUIET_MS = 30000, /* how long a request may take to arrive whole, and an answer to be taken */
	BEAT_MS = 15000,  /* after so long without a byte, a long answer says that it goes on */
};

/* No request is read any more: what was written is sent, and then our side is closed. */
static void end_connection(struct http_session *session)
{
	session->keep_alive = false;
	session_hang_up(&session->session);
	if (stream_is_open(&session->session.stream) || stream_is_opening(&session->session.stream))
		stream_refuse(&session->session.stream);
}

/* Nothing is answered just now: the connection ends, or goes on with the requests that have come meanwhile. */
static void after_reply(struct session *base)
{
	struct http_session *session = (struct http_session *)base;
	if (session->is_busy)
		return;
	if (!session->keep_alive)
		end_connection(session);
	else if (!session->is_reading)
		stream_resume(&base->stream);
}

/* -- Requests -- */

static void refuse_with(struct http_session *session, int code, enum error error, const char *why)
{
	struct http_response response = http_error(session, code, error, why);
	http_respond(session, &response);
}

static void refuse_head(struct http_session *session, int code, const char *why)
{
	session->keep_alive = false;
	refuse_with(session, code, code == 413 ? ERROR_FRAME_TOO_LARGE : ERROR_BAD_REQUEST, why);
}

/* Where another daemon may be asked for the same. Without memory it is not told. */
static void keep_target(struct http_session *session, const struct http_head *head)
{
	free(session->target);
	free(session->location);
	session->location = NULL;
	if (asprintf(&session->target, "%.*s%s%.*s", (int)head->path.len, head->path.bytes, head->query.len ? "?" : "",
		     (int)head->query.len, head->query.bytes) < 0)
		session->target = NULL;
}

static void handle(struct http_session *session, const struct http_head *head, struct slice body)
{
	struct http_request request = {.head = *head, .body = body};
	struct http_response response;
	struct stream *stream = &session->session.stream;
	assert(!session->is_busy && !session->job);
	session->is_busy = true;
	if (session->session.all->cluster)
		keep_target(session, head);
	bool is_found = http_find(session, &request, &response);
	/* Probes wait for nothing: but what is written before them goes first, and may have to wait. */
	stream_set_free(stream, is_found && request.route->is_open && !stream_has_unsent(stream));
	if (is_found)
		response = request.route->serve(session, &request);
	if (response.code != HTTP_NO_RESPONSE)
		http_respond(session, &response);
}

/* Whether the rest of a request is worth reading: a body of nobody's is not. Else it is refused, and as its body is on
 * its way, so is the connection's rest. */
static bool may_send_body(struct http_session *session, const struct http_head *head)
{
	struct http_request request = {.head = *head};
	struct http_response refusal;
	if (http_find(session, &request, &refusal))
		return true;
	session->is_busy = true;
	session->keep_alive = false;
	http_respond(session, &refusal);
	return false;
}

/* Answers who speaks something else than HTTP, as its first byte tells. */
static void refuse_other(struct http_session *session, char first)
{
	session->keep_alive = false;
	if (first_byte_of(first) != FIRST_BYTE_OF_FRAME) {
		refuse_head(session, 400,
			    first_byte_of(first) == FIRST_BYTE_OF_TLS ? "this was TLS: this address speaks http://"
								      : "this was no request of HTTP");
		return;
	}
	message_error(session_output(&session->session, 0), false, 0, ERROR_BAD_REQUEST,
		      "this address speaks HTTP: connect to one that the configuration names under listen");
	end_connection(session);
}

/* The first request in `bytes`: how many of them it was; 0 if it is not whole yet, or cannot be. */
static size_t read_request(struct http_session *session, struct slice bytes)
{
	struct http_head head;
	size_t used;
	int code;
	const char *why;
	if (first_byte_of(bytes.bytes[0]) != FIRST_BYTE_OF_HTTP) {
		refuse_other(session, bytes.bytes[0]);
		return 0;
	}
	switch (http_head_parse(bytes, &head, &used, &code, &why)) {
	case HTTP_HEAD_MORE:
		return 0;
	case HTTP_HEAD_BAD:
		refuse_head(session, code, why);
		return 0;
	case HTTP_HEAD_WHOLE:
		break;
	}
	session->is_head = slice_equal(head.method, SLICE("HEAD"));
	session->is_1_0 = head.is_1_0;
	session->keep_alive = head.keep_alive;
	if (head.content_length > session->session.all->limits.max_frame) {
		refuse_head(session, 413, "the body is longer than max_frame");
		return 0;
	}
	if (bytes.len - used < head.content_length) {
		if (!session->is_continued && !may_send_body(session, &head))
			return 0;
		if (head.expects_continue && !session->is_continued)
			buffer_append(session_output(&session->session, 0), "HTTP/1.1 100 Continue\r\n\r\n", 25);
		session->is_continued = true;
		return 0;
	}
	handle(session, &head, (struct slice){bytes.bytes + used, head.content_length});
	return used + head.content_length;
}

static size_t on_bytes(struct session *base, char *bytes, size_t len)
{
	struct http_session *session = (struct http_session *)base;
	size_t done = 0, used = 1;
	uint64_t written_before = stream_written(&base->stream);
	session->is_reading = true;
	while (used && done < len && !session->is_busy && stream_is_open(&base->stream) &&
	       !stream_has_had_its_turn(&base->stream, written_before)) {
		used = read_request(session, (struct slice){bytes + done, len - done});
		done += used;
		stream_look_at_clock(&base->stream);
	}
	session->is_reading = false;
	if (!session->is_busy && !session->is_partial && done < len) {
		session->is_partial = true;
		session->since_us = http_now_us(session);
	}
	if (session->is_busy && len - done > base->all->limits.max_frame + HTTP_MAX_HEAD_BYTES)
		end_connection(session);
	return done;
}

/* -- The end -- */

static void on_sent(struct session *base)
{
	struct http_session *session = (struct http_session *)base;
	if (session->job && !session->is_due && !http_is_behind(session))
		http_wake(session);
}

static void on_end(struct session *base)
{
	http_drop_job((struct http_session *)base);
}

/* In the midst of a long answer there is no way to say it. */
static void refuse(struct session *base, enum error error, const char *why)
{
	struct http_session *session = (struct http_session *)base;
	session->keep_alive = false;
	if (!session->job)
		refuse_with(session, 0, error, why);
}

static void finish_session(struct session *base)
{
	struct http_session *session = (struct http_session *)base;
	http_drop_job(session);
	*session->at = session->next;
	if (session->next)
		session->next->at = session->at;
	base->all->n_http--;
	buffer_finish(&session->answer);
	free(session->target);
	free(session->location);
}

/* -- Answers -- */

static struct answer begin_answer(struct session *base, uint64_t id, enum status status, enum error error,
				  const char *detail, size_t value_bytes)
{
	struct http_session *session = (struct http_session *)base;
	(void)id; /* there is one request at a time */
	session->value_bytes = value_bytes;
	return (struct answer){.out = http_answer_begin(session, status, error, detail)};
}

static void redirect(struct session *base, struct slice http)
{
	struct http_session *session = (struct http_session *)base;
	free(session->location);
	session->location = NULL;
	if (http.len && session->target &&
	    asprintf(&session->location, "%.*s%s", (int)http.len, http.bytes, session->target) < 0)
		session->location = NULL;
}

static void end_answer(struct session *base, struct answer answer)
{
	struct http_session *session = (struct http_session *)base;
	(void)answer; /* it is the session's */
	if (live_end(session))
		return;
	struct http_response response = http_answer_end(session, 0);
	response.value_bytes = session->value_bytes;
	http_respond(session, &response);
}

static bool write_live(struct session *base, const struct core_reply *reply)
{
	return live_write((struct http_session *)base, reply);
}

static const struct session_wire http_wire = {
	.name = "http",
	.bytes = sizeof(struct http_session),
	.on_bytes = on_bytes,
	.on_sent = on_sent,
	.on_end = on_end,
	.after_reply = after_reply,
	.finish = finish_session,
	.begin = begin_answer,
	.end = end_answer,
	.redirect = redirect,
	.write = write_live,
	.refuse = refuse,
};

struct http_session *http_session_create(struct http *http, int fd, struct tls_context *tls)
{
	struct http_session *session = (struct http_session *)session_create(http->sessions, &http_wire, fd, tls);
	if (!session)
		return NULL;
	session->http = http;
	session->at = &http->first;
	session->next = http->first;
	if (session->next)
		session->next->at = &session->next;
	http->first = session;
	http->sessions->n_http++;
	session->since_us = http_now_us(session);
	if (!session->session.connection)
		refuse_with(session, 503, ERROR_OVERLOADED, "no memory for another connection");
	return session;
}

void http_sweep(struct http_session *session, uint64_t now_us)
{
	struct stream *stream = &session->session.stream;
	bool has_unsent = stream_written(stream) > stream_sent(stream);
	if (stream_sent(stream) != session->sent) {
		session->sent = stream_sent(stream);
		session->since_us = now_us;
	}
	if (session->job && session->job->beat && !has_unsent && session->since_us + BEAT_MS * UINT64_C(1000) <= now_us)
		session->job->beat(session);
	if ((session->is_busy && !has_unsent) || session->since_us + QUIET_MS * UINT64_C(1000) > now_us)
		return;
	if (has_unsent)
		stream_break(stream);
	else
		end_connection(session);
}
