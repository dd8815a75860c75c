#include "daemon/http/live.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/http/gateway.h"
#include "daemon/http/jobs.h"
#include "proto/name.h"

enum { CREDIT = 64 }; /* values that are asked for at a time, once little is unsent */

struct live {
	struct http_job job; /* must come first */
	char channel[NAME_MAX_BYTES];
	size_t channel_len;
	bool is_taking; /* a take is parked, or has not given all of its values yet */
	bool is_over;
};

static void append(struct buffer *out, const char *text)
{
	buffer_append(out, text, strlen(text));
}

/* Values of JSON have line breaks only between their parts: each line of one is a line of the event. */
static void append_lines(struct buffer *out, struct slice text)
{
	const char *at = text.bytes, *end = text.bytes + text.len;
	while (at < end) {
		const char *line = at;
		while (at < end && *at != '\n' && *at != '\r')
			at++;
		buffer_append(out, line, (size_t)(at - line));
		if (at < end) {
			append(out, "\ndata: ");
			at++;
		}
	}
}

/* Writes one event, a chunk of its own. `type` NULL: a value. Without memory for it the connection breaks: nobody would
 * know that one is missing. */
static void write_event(struct http_session *session, const char *type, struct slice data)
{
	struct buffer *event = &session->answer;
	buffer_clear(event);
	if (type) {
		append(event, "event: ");
		append(event, type);
		append(event, "\n");
	}
	append(event, "data: ");
	append_lines(event, data);
	append(event, "\n\n");
	if (event->failed) {
		buffer_finish(event);
		stream_break(&session->session.stream);
		return;
	}
	http_write_slice(session, buffer_slice(event));
}

static bool pump(struct http_session *session, struct http_job *job)
{
	struct live *live = (struct live *)job;
	if (live->is_over)
		return false;
	if (live->is_taking)
		return true;
	live->is_taking = true;
	struct core_event event = {
		.op = CORE_TAKE,
		.connection = session->session.connection,
		.id = ++session->last_id,
		.channel = {live->channel, live->channel_len},
		.max = 1,
		.count = CREDIT,
	};
	broker_step(session->session.all->broker, &event);
	return true;
}

/* A peer that has gone without a word is noticed, and nobody between takes the connection for dead. */
static void beat(struct http_session *session)
{
	http_write_slice(session, SLICE(":\n\n"));
}

static void destroy(struct http_session *session, struct http_job *job)
{
	(void)session; /* its channel goes with its connection */
	free(job);
}

static struct live *live_of(const struct http_session *session)
{
	return session->job && session->job->pump == pump ? (struct live *)session->job : NULL;
}

/* The channel goes with the connection, so this is the connection's last answer. */
static void begin(struct http_session *session, struct slice channel)
{
	char data[NAME_MAX_BYTES + 16];
	struct live *live = session->live;
	session->live = NULL;
	memcpy(live->channel, channel.bytes, channel.len);
	live->channel_len = channel.len;
	session->keep_alive = false;
	http_begin_job(session, "text/event-stream", &live->job);
	if (session->is_head)
		return;
	int len = snprintf(data, sizeof(data), "{\"to\":\"%.*s\"}", (int)channel.len, channel.bytes);
	write_event(session, "tapped", (struct slice){data, (size_t)len});
}

bool live_write(struct http_session *session, const struct core_reply *reply)
{
	struct live *live = live_of(session);
	if (reply->op == CORE_TAP && reply->status == STATUS_OK && session->live) {
		begin(session, reply->to);
		return true;
	}
	if (!live || reply->status != STATUS_OK)
		return false;
	session_output(&session->session,
		       reply->value->len + VALUE_OVERHEAD); /* so much of what follows is a value's */
	write_event(session, NULL, (struct slice){reply->value->bytes, reply->value->len});
	live->is_taking = reply->left > 0;
	if (!live->is_taking)
		http_wake(session);
	return true;
}

bool live_end(struct http_session *session)
{
	struct live *live = live_of(session);
	char data[128];
	if (!live)
		return false;
	bool is_error = session->status == STATUS_ERROR;
	int len =
		snprintf(data, sizeof(data), is_error ? "{\"status\":\"%s\",\"error\":\"%s\"}" : "{\"status\":\"%s\"}",
			 status_name(session->status), error_name(session->error));
	write_event(session, "end", (struct slice){data, (size_t)len});
	live->is_over = true;
	http_wake(session);
	return true;
}

static bool says_kind(const struct http_request *request)
{
	struct slice query = request->head.query, name, value;
	while (http_query_next(&query, &name, &value))
		if (slice_equal(name, SLICE("kind")))
			return true;
	return false;
}

struct http_response live_serve(struct http_session *session, const struct http_request *request)
{
	if (!says_kind(request))
		return http_error(
			session, 0, ERROR_BAD_REQUEST,
			"who listens says what happens when it is slow: kind=sliding&capacity=100, or dropping, "
			"bounded, unbuffered");
	struct live *live = calloc(1, sizeof(*live));
	if (!live)
		return http_error(session, 0, ERROR_OVERLOADED, NULL);
	live->job = (struct http_job){pump, destroy, beat};
	session->live = live;
	struct http_response response = gateway_serve(session, request);
	free(session->live); /* it was refused; else it is the session's job */
	session->live = NULL;
	return response;
}
