#include "daemon/http/gateway.h"

#include <stdio.h>

#include "daemon/session/requests.h"
#include "proto/json_scan.h"

enum {
	WHY_BYTES = 160,
	PARAMETER_BYTES = 4096, /* of one in the query, decoded */
};

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
	if (parameter->type == PARAMETER_JSON ||
	    (parameter->type == PARAMETER_PLAIN &&
	     (is_number(value) || slice_equal(value, SLICE("true")) || slice_equal(value, SLICE("false")))))
		buffer_append(out, value.bytes, value.len);
	else
		message_text(out, value);
}

/* Whether it is one value of JSON, and nothing beside it. */
static bool is_json(struct slice text)
{
	struct json_scan scan;
	struct slice raw;
	json_scan_init(&scan, text.bytes, text.len);
	return json_scan_value(&scan, &raw) != JSON_TYPE_NONE && json_scan_at_end(&scan);
}

/* Whether the query could be written; else *why says what is wrong with it, for people. *is_batch: there is batch=true,
 * which is no member. */
static bool write_query(const struct http_request *request, struct buffer *out, bool *is_batch, char why[WHY_BYTES])
{
	struct slice query = request->head.query, name, raw;
	char value[PARAMETER_BYTES];
	while (http_query_next(&query, &name, &raw)) {
		const struct route_parameter *parameter = route_parameter(request->route, name);
		long len = parameter ? http_decode(raw, true, value, sizeof(value)) : 0;
		if (!parameter || len < 0 ||
		    (parameter->type == PARAMETER_JSON && !is_json((struct slice){value, (size_t)len}))) {
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

/* Scans the body: whether it is one value of JSON; else *why says where it is not, for people. What is nested too deep
 * counts as one, though what is in its depth has not been scanned. */
static bool scan_body(const struct http_request *request, struct json_scan *scan, enum json_type *type,
		      struct slice *raw, char why[WHY_BYTES])
{
	size_t line = 1;
	json_scan_init(scan, request->body.bytes, request->body.len);
	json_scan_space(scan);
	const char *begin = scan->at;
	*type = json_scan_value(scan, raw);
	if (scan->too_deep) {
		scan->error = NULL;
		*type = *begin == '{' ? JSON_TYPE_OBJECT : JSON_TYPE_ARRAY;
		*raw = (struct slice){begin, (size_t)(scan->at - begin)};
	}
	if (!scan->error && json_scan_at_end(scan))
		return true;
	size_t at = request->body.len - (size_t)(scan->end - scan->at);
	for (size_t i = 0; i < at; i++)
		line += request->body.bytes[i] == '\n';
	snprintf(why, WHY_BYTES, "the body is %s of JSON; at byte %zu, in line %zu, %s",
		 request->route->body == BODY_VALUE ? "the value: one," : "one object", at, line,
		 scan->error ? scan->error : "more stands behind it");
	return false;
}

/* A value to be put is only scanned, here and nowhere else: in the request stands a number for it. */
static enum error write_value(const struct json_scan *scan, enum json_type type, struct slice raw, struct buffer *out,
			      struct slice *value, char why[WHY_BYTES])
{
	if (scan->too_deep) {
		snprintf(why, WHY_BYTES, "it is nested deeper than %d", JSON_MAX_DEPTH);
		return ERROR_BAD_VALUE;
	}
	*value = type == JSON_TYPE_NULL ? SLICE("") : raw;
	message_raw(out, "value", type == JSON_TYPE_NULL ? raw : SLICE("0"));
	return ERROR_NONE;
}

/* Writes the body, once it is sure that it cannot become anything else in the midst of the request. *value is the one
 * to be put, if it is. Else returns why it cannot, and *why says it for people. */
static enum error write_body(const struct http_request *request, struct buffer *out, bool is_batch, struct slice *value,
			     char why[WHY_BYTES])
{
	struct json_scan scan;
	struct slice raw;
	enum json_type type;
	if (!scan_body(request, &scan, &type, &raw, why))
		return ERROR_BAD_JSON;
	if (request->route->body == BODY_VALUE && !is_batch)
		return write_value(&scan, type, raw, out, value, why);
	if (request->route->body == BODY_VALUE) {
		message_raw(out, "values", raw);
		return ERROR_NONE;
	}
	if (type != JSON_TYPE_OBJECT) {
		snprintf(why, WHY_BYTES, "the body is one object of JSON");
		return ERROR_BAD_REQUEST;
	}
	struct slice inside = {raw.bytes + 1, raw.len - 2};
	json_scan_init(&scan, inside.bytes, inside.len);
	if (!json_scan_at_end(&scan)) {
		append(out, ",");
		buffer_append(out, inside.bytes, inside.len);
	}
	return ERROR_NONE;
}

/* What a frame may ask for, and a connection that comes and goes may not; NULL: nothing of that. */
static const char *unsuitable(struct message_request *request, bool is_live)
{
	bool is_sticky = request->sticky;
	request->sticky = request->lease_ms > 0;
	if (request->op == OP_CREATE && request->ephemeral)
		return "a channel of an HTTP connection cannot be ephemeral";
	if (request->op == OP_TAP && !is_live && !message_has(request, MEMBER_TO))
		return "a tap without \"to\" goes with its connection: that is what /live is for, or make a channel, "
		       "and name it";
	if (message_has(request, MEMBER_STICKY) && !is_sticky)
		return "leases outlive an HTTP connection: they are \"sticky\" always";
	return message_has(request, MEMBER_COUNT) ? "\"count\" is for frames: use \"max\"" : NULL;
}

/* A request that is not carried out counts too. */
static struct http_response refuse(struct http_session *session, enum error error, const char *why)
{
	session->session.all->counts.requests[session->op]++;
	return http_error(session, 0, error, why);
}

/* The request in the protocol's words, in the buffer that all share, is decoded and carried out. */
static struct http_response carry_out(struct http_session *session, struct buffer *request, struct slice value)
{
	struct message_request decoded;
	if (request->failed)
		return refuse(session, ERROR_OVERLOADED, NULL);
	int result = message_decode_request(&session->session.all->decoder, buffer_front(request), buffer_len(request),
					    &decoded);
	const char *why = result < 0 ? decoded.detail : unsuitable(&decoded, session->live);
	if (result < 0 && decoded.error == ERROR_BAD_JSON)
		why = "the body is no JSON, where it is nested deepest";
	if (result < 0 || why)
		return refuse(session, result < 0 ? decoded.error : ERROR_BAD_REQUEST, why);
	if (value.len)
		decoded.value = value;
	session_handle(&session->session, &decoded);
	return (struct http_response){.code = HTTP_NO_RESPONSE};
}

/* Who puts with a key, puts once: the key is the producer, of which there is one number. Whether it may have one. */
static bool write_key(const struct http_request *request, struct buffer *out, char why[WHY_BYTES])
{
	if (!request->head.has_idempotency_key)
		return true;
	if (request->route->op != OP_PUT) {
		snprintf(why, WHY_BYTES, "only a put has an Idempotency-Key; this would happen again");
		return false;
	}
	message_string(out, "producer", request->head.idempotency_key);
	message_uint(out, "seq", 0);
	return true;
}

struct http_response gateway_serve(struct http_session *session, const struct http_request *request)
{
	struct buffer *out = &session->http->scratch;
	struct slice value = SLICE("");
	enum error error = ERROR_NONE;
	char why[WHY_BYTES];
	bool is_batch = false;
	buffer_clear(out);
	append(out, "{\"id\":");
	buffer_append_uint(out, ++session->last_id);
	message_string(out, "op", slice_from(message_op_name(request->route->op)));
	write_argument(out, request);
	session->op = request->route->op;
	if (!write_key(request, out, why) || !write_query(request, out, &is_batch, why))
		return refuse(session, ERROR_BAD_REQUEST, why);
	if (request->body.len || request->route->body == BODY_VALUE || request->route->body == BODY_MEMBERS)
		error = write_body(request, out, is_batch, &value, why);
	if (error != ERROR_NONE)
		return refuse(session, error, why);
	append(out, "}");
	struct http_response response = carry_out(session, out, value);
	if (out->failed || out->cap > HTTP_MAX_HEAD_BYTES)
		buffer_finish(out);
	return response;
}
