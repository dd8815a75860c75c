#include "daemon/http/gateway.h"

#include <stdio.h>

#include "daemon/session/requests.h"
#include "proto/json_scan.h"

enum { WHY_BYTES = 160 };

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

/* Whether the query could be written; else *why says what is wrong with it, for people. *is_batch: there is batch=true,
 * which is no member. */
static bool write_query(const struct http_request *request, struct buffer *out, bool *is_batch, char why[WHY_BYTES])
{
	struct slice query = request->head.query, name, raw;
	char value[256];
	while (http_query_next(&query, &name, &raw)) {
		const struct route_parameter *parameter = route_parameter(request->route, name);
		long len = parameter ? http_decode(raw, true, value, sizeof(value)) : 0;
		if (!parameter || len < 0) {
			snprintf(why, WHY_BYTES, "%s \"%.*s\" in the query",
				 parameter ? "a bad value of" : "unknown parameter",
				 (int)(name.len < 64 ? name.len : 64), name.bytes);
			return false;
		}
		struct slice text = {value, (size_t)len};
		if (strcmp(parameter->name, "batch") != 0) {
			write_parameter(out, parameter, text);
			continue;
		}
		*is_batch = slice_equal(text, SLICE("true"));
		if (!*is_batch && !slice_equal(text, SLICE("false"))) {
			snprintf(why, WHY_BYTES, "\"batch\" is true or false");
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

/* The body as it stands in a request. */
struct body {
	enum error error; /* ERROR_NONE, or it cannot, and `why` says why, for people; NULL: the error says it all */
	const char *why;
	struct slice value; /* the one to be put, which is scanned here and nowhere else; empty: there is none */
};

/* Writes the body, once it is sure that it is one value, and cannot become anything else in the midst of the request. A
 * single value is only scanned: in the request stands a number for it. */
static struct body write_body(const struct http_request *request, struct buffer *out, bool is_batch)
{
	struct json_scan scan;
	struct slice raw;
	bool is_value = request->route->body == BODY_VALUE;
	json_scan_init(&scan, request->body.bytes, request->body.len);
	enum json_type type = json_scan_value(&scan, &raw);
	if (type == JSON_TYPE_NONE || !json_scan_at_end(&scan))
		return (struct body){ERROR_BAD_JSON,
				     is_value ? "the body is the value: one, of JSON"
					      : "the body is one object of JSON",
				     {NULL, 0}};
	if (is_value && (is_batch || type == JSON_TYPE_NULL)) {
		message_raw(out, is_batch ? "values" : "value", raw);
		return (struct body){.error = ERROR_NONE};
	}
	if (is_value) {
		message_raw(out, "value", SLICE("0"));
		return (struct body){ERROR_NONE, NULL, raw};
	}
	if (type != JSON_TYPE_OBJECT)
		return (struct body){ERROR_BAD_REQUEST, "the body is one object of JSON", {NULL, 0}};
	struct slice inside = {raw.bytes + 1, raw.len - 2};
	json_scan_init(&scan, inside.bytes, inside.len);
	if (!json_scan_at_end(&scan)) {
		append(out, ",");
		buffer_append(out, inside.bytes, inside.len);
	}
	return (struct body){.error = ERROR_NONE};
}

/* What a frame may ask for, and a connection that comes and goes may not. */
static const char *unsuitable(struct message_request *request)
{
	request->sticky = request->lease_ms > 0;
	return request->op == OP_CREATE && request->ephemeral ? "a channel of an HTTP connection cannot be ephemeral"
							      : NULL;
}

/* The request in the protocol's words, in the buffer that all share, is decoded and carried out. */
static struct http_response carry_out(struct http_session *session, struct buffer *request, struct slice value)
{
	struct message_request decoded;
	if (request->failed)
		return http_error(session, 0, ERROR_OVERLOADED, NULL);
	int result = message_decode_request(&session->session.all->decoder, buffer_front(request), buffer_len(request),
					    &decoded);
	const char *why = result < 0 ? decoded.detail : unsuitable(&decoded);
	if (result < 0 || why)
		return http_error(session, 0, result < 0 ? decoded.error : ERROR_BAD_REQUEST, why);
	if (value.len)
		decoded.value = value;
	session_handle(&session->session, &decoded);
	return (struct http_response){.code = HTTP_NO_RESPONSE};
}

struct http_response gateway_serve(struct http_session *session, const struct http_request *request)
{
	struct buffer *out = &session->http->scratch;
	struct body body = {.error = ERROR_NONE};
	char why[WHY_BYTES];
	bool is_batch = false;
	buffer_clear(out);
	append(out, "{\"id\":");
	buffer_append_uint(out, ++session->last_id);
	message_string(out, "op", slice_from(message_op_name(request->route->op)));
	write_argument(out, request);
	session->op = request->route->op;
	if (!write_query(request, out, &is_batch, why))
		return http_error(session, 0, ERROR_BAD_REQUEST, why);
	if (request->route->body != BODY_NONE)
		body = write_body(request, out, is_batch);
	if (body.error != ERROR_NONE)
		return http_error(session, 0, body.error, body.why);
	append(out, "}");
	struct http_response response = carry_out(session, out, body.value);
	if (out->failed || out->cap > HTTP_MAX_HEAD_BYTES)
		buffer_finish(out);
	return response;
}
