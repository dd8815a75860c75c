/* The protocol's ops by HTTP. A request becomes, word for word, what a frame would have brought: so it is decoded,
 * checked, carried out and answered by the same code, with the same words. What HTTP adds are its codes. */
#include <stdio.h>

#include "daemon/http/routes.h"
#include "proto/json_scan.h"

static void append(struct buffer *out, const char *text)
{
	buffer_append(out, text, strlen(text));
}

/* -- Requests -- */

static bool is_number(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.bytes[i] < '0' || text.bytes[i] > '9')
			return false;
	}
	return text.len > 0 && text.len <= 20 && (text.len == 1 || text.bytes[0] != '0');
}

/* What is neither number nor truth becomes a string, and the decoder says what it should have been. */
static void write_parameter(struct buffer *out, const struct route_parameter *parameter, struct slice value)
{
	message_key(out, parameter->name);
	if (!parameter->is_text &&
	    (is_number(value) || slice_equal(value, SLICE("true")) || slice_equal(value, SLICE("false"))))
		buffer_append(out, value.bytes, value.len);
	else
		message_text(out, value);
}

/* Whether the query could be written; else it is refused. *is_batch: there is batch=true, which is no member. */
static bool write_query(struct http_session *session, const struct http_request *request, struct buffer *out,
			bool *is_batch)
{
	struct slice query = request->head.query, name, raw;
	char value[256], detail[160];
	while (http_query_next(&query, &name, &raw)) {
		const struct route_parameter *parameter = route_parameter(request->route, name);
		long len = parameter ? http_decode(raw, true, value, sizeof(value)) : 0;
		if (!parameter || len < 0) {
			snprintf(detail, sizeof(detail), "%s \"%.*s\" in the query",
				 parameter ? "a bad value of" : "unknown parameter",
				 (int)(name.len < 64 ? name.len : 64), name.bytes);
			http_refuse(session, 0, ERROR_BAD_REQUEST, detail);
			return false;
		}
		struct slice text = {value, (size_t)len};
		if (strcmp(parameter->name, "batch") != 0) {
			write_parameter(out, parameter, text);
			continue;
		}
		*is_batch = slice_equal(text, SLICE("true"));
		if (!*is_batch && !slice_equal(text, SLICE("false"))) {
			http_refuse(session, 0, ERROR_BAD_REQUEST, "\"batch\" is true or false");
			return false;
		}
	}
	return true;
}

/* The name of the member that the path has. */
static void write_argument(struct buffer *out, const struct http_request *request)
{
	const char *open = strchr(request->route->path, '{');
	if (!open)
		return;
	append(out, ",\"");
	buffer_append(out, open + 1, (size_t)(strchr(open, '}') - open - 1));
	append(out, "\":");
	message_text(out, request->argument);
}

/* The body, once it is sure that it is one value, and cannot become anything else in the midst of the request. */
static bool write_body(struct http_session *session, const struct http_request *request, struct buffer *out,
		       bool is_batch)
{
	struct json_scan scan;
	struct slice raw;
	bool is_value = request->route->body == BODY_VALUE;
	json_scan_init(&scan, request->body.bytes, request->body.len);
	enum json_type type = json_scan_value(&scan, &raw);
	if (type == JSON_TYPE_NONE || !json_scan_at_end(&scan)) {
		http_refuse(session, 0, ERROR_BAD_JSON,
			    is_value ? "the body is the value: one, of JSON" : "the body is one object of JSON");
		return false;
	}
	if (is_value) {
		message_raw(out, is_batch ? "values" : "value", raw);
		return true;
	}
	if (type != JSON_TYPE_OBJECT) {
		http_refuse(session, 0, ERROR_BAD_REQUEST, "the body is one object of JSON");
		return false;
	}
	struct slice inside = {raw.bytes + 1, raw.len - 2};
	json_scan_init(&scan, inside.bytes, inside.len);
	if (json_scan_at_end(&scan))
		return true;
	append(out, ",");
	buffer_append(out, inside.bytes, inside.len);
	return true;
}

/* What a frame may ask for, and a connection that comes and goes may not. */
static const char *unsuitable(struct message_request *request)
{
	request->sticky = request->lease_ms > 0;
	return request->op == OP_CREATE && request->ephemeral ? "a channel of an HTTP connection cannot be ephemeral"
							      : NULL;
}

void gateway_serve(struct http_session *session, const struct http_request *request)
{
	struct sessions *all = session->session.all;
	struct buffer *out = &session->http->scratch;
	struct message_request decoded;
	bool is_batch = false;
	buffer_clear(out);
	append(out, "{\"id\":");
	buffer_append_uint(out, ++session->last_id);
	message_string(out, "op", slice_from(message_op_name(request->route->op)));
	write_argument(out, request);
	if (!write_query(session, request, out, &is_batch) ||
	    (request->route->body != BODY_NONE && !write_body(session, request, out, is_batch)))
		return;
	append(out, "}");
	if (out->failed) {
		buffer_finish(out);
		http_refuse(session, 0, ERROR_OVERLOADED, NULL);
		return;
	}
	int result = message_decode_request(&all->decoder, out->bytes + out->start, buffer_len(out), &decoded);
	const char *why = result < 0 ? decoded.detail : unsuitable(&decoded);
	session->op = request->route->op;
	if (result < 0 || why)
		http_refuse(session, 0, result < 0 ? decoded.error : ERROR_BAD_REQUEST, why);
	else
		session_handle(&session->session, &decoded);
	if (out->cap > HTTP_MAX_HEAD_BYTES)
		buffer_finish(out);
}

/* -- Answers -- */

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

/* As a frame would have it, without its head and id. */
#define FRAME_BEGINNING "{\"id\":null,"
enum { FRAME_BEGINNING_BYTES = 4 + sizeof(FRAME_BEGINNING) - 1 };

struct answer gateway_begin(struct session *base, uint64_t id, enum status status, enum error error, const char *detail,
			    size_t value_bytes)
{
	struct http_session *session = (struct http_session *)base;
	struct buffer *out = &session->answer;
	(void)id;
	buffer_clear(out);
	session->code = 0;
	session->status = status;
	session->error = error;
	session->value_bytes = value_bytes;
	size_t mark = status == STATUS_ERROR ? message_begin_error(out, false, 0, error, detail)
					     : message_begin_reply(out, false, 0, status);
	return (struct answer){out, mark};
}

void gateway_end(struct session *base, struct answer answer)
{
	static const char only_ok[] = "{\"status\":\"ok\"}\n";
	struct http_session *session = (struct http_session *)base;
	char headers[160];
	struct buffer *out = answer.out;
	append(out, "}\n");
	if (out->failed) {
		buffer_finish(out);
		stream_break(&base->stream);
		return;
	}
	buffer_consume(out, FRAME_BEGINNING_BYTES - 1);
	out->bytes[out->start] = '{';
	struct slice body = {out->bytes + out->start, buffer_len(out)};
	int code = session->code ? session->code : code_of(session->status, session->error);
	if (code == 200 && slice_equal(body, SLICE(only_ok)))
		code = 204;
	if (session->error == ERROR_DRAINING)
		session->keep_alive = false;
	snprintf(headers, sizeof(headers), "Millrace-Status: %s\r\n%s%s", status_name(session->status),
		 code == 429 || code == 503 ? "Retry-After: 1\r\n" : "",
		 code == 401 ? "WWW-Authenticate: Basic realm=\"millrace\", charset=\"UTF-8\"\r\n" : "");
	http_respond(session, &(struct http_response){
				      .code = code,
				      .type = code == 204 ? NULL : "application/json",
				      .more = headers,
				      .body = code == 204 ? (struct slice){NULL, 0} : body,
				      .value_bytes = session->value_bytes,
			      });
	if (out->cap > HTTP_MAX_HEAD_BYTES)
		buffer_finish(out);
}
