#include "daemon/http/response.h"

#include <stdio.h>

enum { DETAIL_BYTES = 512 };

static const char *reason(int code)
{
	static const struct {
		int code;
		const char *text;
	} reasons[] = {
		{200, "OK"},
		{204, "No Content"},
		{307, "Temporary Redirect"},
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
		{421, "Misdirected Request"},
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

void http_finish(struct http_session *session)
{
	session->is_busy = session->is_continued = session->is_partial = false;
	session->since_us = http_now_us(session);
	session->op = OP_NONE;
	session_defer(&session->session); /* it may have been a reply of the core's: see connection.c */
}

struct buffer *http_write_head(struct http_session *session, const struct http_response *response, size_t value_bytes)
{
	char text[512];
	struct buffer *out = session_output(&session->session, value_bytes);
	int len = snprintf(text, sizeof(text),
			   "HTTP/1.1 %d %s\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s%s%s%s",
			   response->code, reason(response->code), response->type ? "Content-Type: " : "",
			   response->type ? response->type : "", response->type ? "\r\n" : "",
			   session->keep_alive ? session->is_1_0 ? "Connection: keep-alive\r\n" : ""
					       : "Connection: close\r\n");
	buffer_append(out, text, (size_t)len);
	if (response->more)
		buffer_append(out, response->more, strlen(response->more));
	buffer_append(out, response->headers, strlen(response->headers));
	if (response->code == 307) {
		buffer_append(out, "Location: ", strlen("Location: "));
		buffer_append(out, session->location, strlen(session->location));
		buffer_append(out, "\r\n", 2);
	}
	return out;
}

void http_respond(struct http_session *session, const struct http_response *response)
{
	char length[48] = "\r\n";
	struct buffer *out = http_write_head(session, response, response->value_bytes);
	if (response->code != 204)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n\r\n", response->body.len);
	buffer_append(out, length, strlen(length));
	if (!session->is_head && response->body.len)
		buffer_append(out, response->body.bytes, response->body.len);
	http_finish(session);
}

/* -- Answers in the protocol's words -- */

static int code_of_error(enum error error)
{
	switch (error) {
	case ERROR_BAD_JSON:
	case ERROR_BAD_REQUEST:
	case ERROR_BAD_CHANNEL:
	case ERROR_BAD_VALUE:
	case ERROR_DUPLICATE_ID:
	case ERROR_UNSUPPORTED_PROTOCOL:
	case ERROR_CROSS_GROUP:
		return 400;
	case ERROR_UNAUTHENTICATED:
		return 401;
	case ERROR_DENIED:
		return 403;
	case ERROR_UNKNOWN_OP:
	case ERROR_NO_SUCH_CHANNEL:
	case ERROR_NO_SUCH_REQUEST:
	case ERROR_NO_SUCH_LEASE:
	case ERROR_NO_SUCH_TAP:
		return 404;
	case ERROR_CHANNEL_EXISTS:
	case ERROR_NOT_EMPTY:
	case ERROR_STALE_PRODUCER:
		return 409;
	case ERROR_FRAME_TOO_LARGE:
		return 413;
	case ERROR_TOO_MANY_WAITERS:
	case ERROR_TOO_MANY_INFLIGHT:
		return 429;
	case ERROR_OVERLOADED:
	case ERROR_DRAINING:
	case ERROR_UNAVAILABLE:
		return 503;
	case ERROR_MOVED:
		return 307;
	case ERROR_INTERNAL:
	case ERROR_NONE:
	case ERROR_COUNT:
		break;
	}
	return 500;
}

static int code_of(enum status status, enum error error)
{
	switch (status) {
	case STATUS_OK:
	case STATUS_DROPPED: /* the channel did what it is for */
		return 200;
	case STATUS_TIMEOUT:
	case STATUS_CANCELLED:
		return 408;
	case STATUS_CLOSED:
		return 409;
	case STATUS_ERROR:
		return code_of_error(error);
	case STATUS_COUNT:
		break;
	}
	return 500;
}

/* The message is one string of two parts; what is said of bad JSON in general is of frames, and left out. */
static void write_message(struct buffer *out, enum error error, const char *detail)
{
	char text[DETAIL_BYTES];
	bool has_detail = detail && detail[0], has_general = !has_detail || error != ERROR_BAD_JSON;
	snprintf(text, sizeof(text), "%s%s%s", has_general ? error_text(error) : "",
		 has_general && has_detail ? ": " : "", has_detail ? detail : "");
	message_string(out, "message", slice_from(text));
}

struct buffer *http_answer_begin(struct http_session *session, enum status status, enum error error, const char *detail)
{
	struct buffer *out = &session->answer;
	if (out->cap > HTTP_MAX_HEAD_BYTES)
		buffer_finish(out);
	buffer_clear(out);
	session->status = status;
	session->error = error;
	buffer_append(out, "{\"status\":", strlen("{\"status\":"));
	message_text(out, slice_from(status_name(status)));
	if (status == STATUS_ERROR) {
		message_string(out, "error", slice_from(error_name(error)));
		write_message(out, error, detail);
	}
	return out;
}

struct http_response http_answer_end(struct http_session *session, int code)
{
	static const char only_ok[] = "{\"status\":\"ok\"}\n";
	struct buffer *out = &session->answer;
	buffer_append(out, "}\n", 2);
	struct http_response response = {.code = code ? code : code_of(session->status, session->error),
					 .type = "application/json",
					 .body = buffer_slice(out)};
	if (out->failed) { /* less than all would be taken for all: the connection breaks */
		buffer_finish(out);
		stream_break(&session->session.stream);
		response = (struct http_response){.code = 500};
	}
	if (response.code == 307 && !session->location)
		response.code = 421; /* nobody knows where that daemon has its HTTP */
	if (response.code == 200 && slice_equal(response.body, SLICE(only_ok))) {
		response.code = 204;
		response.type = NULL;
		response.body = (struct slice){NULL, 0};
	}
	if (session->error == ERROR_DRAINING)
		session->keep_alive = false;
	snprintf(response.headers, sizeof(response.headers), "Millrace-Status: %s\r\n%s%s",
		 status_name(session->status), response.code == 429 || response.code == 503 ? "Retry-After: 1\r\n" : "",
		 response.code == 401 ? "WWW-Authenticate: Basic realm=\"millrace\", charset=\"UTF-8\"\r\n" : "");
	return response;
}

struct http_response http_error(struct http_session *session, int code, enum error error, const char *detail)
{
	session->session.all->counts.errors[session->op][error]++;
	http_answer_begin(session, STATUS_ERROR, error, detail);
	return http_answer_end(session, code);
}
