/* One connection: requests in, one after the other, and responses out.
 *
 * While a request has no whole answer, is_busy, those that follow it wait unread in the stream's buffer, as far as one
 * fits there. The input is watched all the same: its end, whether the peer has closed or only ended its side, is a
 * hang-up, and what was parked is cancelled. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/http/routes.h"
#include "proto/first_byte.h"

enum {
	QUIET_MS = 30000,         /* how long a request may take to arrive whole, and an answer to be taken */
	BEHIND_BYTES = 64 * 1024, /* a long answer goes on when less waits to be sent */
};

static uint64_t now_us_of(const struct http_session *session)
{
	return loop_now_us(session->session.all->loop);
}

static const char *reason(int code)
{
	static const struct {
		int code;
		const char *text;
	} reasons[] = {
		{200, "OK"},
		{204, "No Content"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{411, "Length Required"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{503, "Service Unavailable"},
		{505, "HTTP Version Not Supported"},
	};
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].code == code)
			return reasons[i].text;
	}
	return "Unknown";
}

/* -- Responses -- */

/* No request is read any more: what was written is sent, and then our side is closed. */
static void end_connection(struct http_session *session)
{
	session->keep_alive = false;
	session_hang_up(&session->session);
	if (stream_is_open(&session->session.stream) || stream_is_opening(&session->session.stream))
		stream_refuse(&session->session.stream);
}

/* The present request is answered. */
static void finish(struct http_session *session)
{
	session->is_busy = session->is_continued = session->is_partial = false;
	session->since_us = now_us_of(session);
	session->op = OP_NONE;
	session_defer(&session->session); /* it may have been a reply of the core's: see after_reply() */
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

static struct buffer *write_head(struct http_session *session, const struct http_response *response, size_t value_bytes)
{
	char text[512];
	struct buffer *out = stream_output(&session->session.stream, value_bytes);
	int len = snprintf(text, sizeof(text),
			   "HTTP/1.1 %d %s\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s%s%s%s",
			   response->code, reason(response->code), response->type ? "Content-Type: " : "",
			   response->type ? response->type : "", response->type ? "\r\n" : "",
			   session->keep_alive ? session->is_1_0 ? "Connection: keep-alive\r\n" : ""
					       : "Connection: close\r\n");
	buffer_append(out, text, (size_t)len);
	if (response->more)
		buffer_append(out, response->more, strlen(response->more));
	return out;
}

void http_respond(struct http_session *session, const struct http_response *response)
{
	char length[48] = "\r\n";
	struct buffer *out = write_head(session, response, response->value_bytes);
	if (response->code != 204)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n\r\n", response->body.len);
	buffer_append(out, length, strlen(length));
	if (!session->is_head && response->body.len)
		buffer_append(out, response->body.bytes, response->body.len);
	finish(session);
}

void http_refuse(struct http_session *session, int code, enum error error, const char *detail)
{
	struct answer answer = gateway_begin(&session->session, CORE_NO_ID, STATUS_ERROR, error, detail, 0);
	session->code = code;
	gateway_end(&session->session, answer);
}

/* -- Long answers -- */

void http_begin_job(struct http_session *session, const char *type, struct http_job *job)
{
	assert(session->is_busy && !session->job && job->pump && job->destroy);
	session_hold_view(&session->session);
	if (session->is_1_0)
		session->keep_alive = false;
	struct buffer *out = write_head(session, &(struct http_response){.code = 200, .type = type}, 0);
	const char *ending = session->is_1_0 ? "\r\n" : "Transfer-Encoding: chunked\r\n\r\n";
	buffer_append(out, ending, strlen(ending));
	if (session->is_head) {
		job->destroy(session, job);
		finish(session);
		return;
	}
	session->job = job;
	http_wake(session);
}

void http_write_slice(struct http_session *session, struct slice slice)
{
	char head[24];
	assert(session->job && !session->is_head);
	session_hold_view(&session->session);
	struct buffer *out = stream_output(&session->session.stream, 0);
	if (!slice.len)
		return;
	if (!session->is_1_0)
		buffer_append(out, head, (size_t)snprintf(head, sizeof(head), "%zx\r\n", slice.len));
	buffer_append(out, slice.bytes, slice.len);
	if (!session->is_1_0)
		buffer_append(out, "\r\n", 2);
}

void http_wake(struct http_session *session)
{
	assert(session->job);
	session->is_due = true;
	loop_timer_set(session->http->pump_timer, now_us_of(session));
}

bool http_is_behind(const struct http_session *session)
{
	const struct stream *stream = &session->session.stream;
	return stream_written(stream) - stream_sent(stream) > BEHIND_BYTES;
}

static void drop_job(struct http_session *session)
{
	struct http_job *job = session->job;
	session->job = NULL;
	session->is_due = false;
	if (job)
		job->destroy(session, job);
}

static void pump(struct http_session *session)
{
	session->is_due = false;
	if (http_is_behind(session)) /* on_sent wakes it */
		return;
	if (session->job->pump(session, session->job))
		return;
	drop_job(session);
	if (!session->is_1_0)
		buffer_append(stream_output(&session->session.stream, 0), "0\r\n\r\n", 5);
	finish(session);
}

void http_pump_all(struct http *http)
{
	for (struct http_session *session = http->first; session; session = session->next) {
		if (session->is_due && session->job)
			pump(session);
	}
}

/* -- Requests -- */

static void refuse_head(struct http_session *session, int code, const char *why)
{
	session->keep_alive = false;
	http_refuse(session, code, code == 413 ? ERROR_FRAME_TOO_LARGE : ERROR_BAD_REQUEST, why);
}

static void handle(struct http_session *session, const struct http_head *head, struct slice body)
{
	struct http_request request = {.head = *head, .body = body};
	assert(!session->is_busy && !session->job);
	session->is_busy = true;
	if (http_find(session, &request))
		request.route->serve(session, &request);
}

/* Whether the rest of a request is worth reading: a body of nobody's is not. Else it is refused, and as its body is on
 * its way, so is the connection's rest. */
static bool may_send_body(struct http_session *session, const struct http_head *head)
{
	struct http_request request = {.head = *head};
	bool keep_alive = session->keep_alive;
	session->is_busy = true;
	session->keep_alive = false;
	if (!http_find(session, &request))
		return false;
	session->is_busy = false;
	session->keep_alive = keep_alive;
	return true;
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
	message_error(stream_output(&session->session.stream, 0), false, 0, ERROR_BAD_REQUEST,
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
			buffer_append(stream_output(&session->session.stream, 0), "HTTP/1.1 100 Continue\r\n\r\n", 25);
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
	}
	session->is_reading = false;
	if (!session->is_busy && !session->is_partial && done < len) {
		session->is_partial = true;
		session->since_us = now_us_of(session);
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
	drop_job((struct http_session *)base);
}

/* In the midst of a long answer there is no way to say it. */
static void refuse(struct session *base, enum error error, const char *why)
{
	struct http_session *session = (struct http_session *)base;
	session->keep_alive = false;
	if (!session->job)
		http_refuse(session, 0, error, why);
}

static void finish_session(struct session *base)
{
	struct http_session *session = (struct http_session *)base;
	drop_job(session);
	*session->at = session->next;
	if (session->next)
		session->next->at = session->at;
	base->all->n_http--;
	buffer_finish(&session->answer);
}

const struct session_wire http_wire = {
	.name = "http",
	.bytes = sizeof(struct http_session),
	.on_bytes = on_bytes,
	.on_sent = on_sent,
	.on_end = on_end,
	.after_reply = after_reply,
	.finish = finish_session,
	.begin = gateway_begin,
	.end = gateway_end,
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
	session->since_us = now_us_of(session);
	if (!session->session.connection)
		http_refuse(session, 503, ERROR_OVERLOADED, "no memory for another connection");
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
	if ((session->is_busy && !has_unsent) || session->since_us + QUIET_MS * UINT64_C(1000) > now_us)
		return;
	if (has_unsent)
		stream_break(stream);
	else
		end_connection(session);
}
