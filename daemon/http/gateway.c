#include "daemon/http/gateway.h"

#include <stdio.h>

#include "daemon/session/operations.h"
#include "proto/json_scan.h"

enum {
	WHY_BYTES = 256,
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
	bool has_batch = false;
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
		if (has_batch || (!*is_batch && !slice_equal(text, SLICE("false")))) {
			snprintf(why, WHY_BYTES, "\"batch\" is true or false, and there once");
			return false;
		}
		has_batch = true;
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

/* What a frame may ask for, and a connection that comes and goes may not; NULL: nothing of that. */
static const char *why_unsuitable(struct message_request *request, bool is_live)
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

static bool has_body(const struct http_request *request)
{
	return request->body.len || request->route->body == BODY_VALUE || request->route->body == BODY_MEMBERS;
}

/* The envelope is all of the request but what its body says. */
static int decode(struct message_decoder *decoder, const struct http_request *request, struct slice envelope,
		  bool is_batch, struct message_request *decoded)
{
	enum message_body kind = request->route->body != BODY_VALUE ? MESSAGE_BODY_MEMBERS
				 : is_batch                         ? MESSAGE_BODY_VALUES
								    : MESSAGE_BODY_VALUE;
	return has_body(request) ? message_decode_parted(decoder, envelope, request->body, kind, decoded)
				 : message_decode_request(decoder, (char *)envelope.bytes, envelope.len, decoded);
}

static struct http_response carry_out(struct http_session *session, const struct http_request *request,
				      struct slice envelope, bool is_batch)
{
	struct message_request decoded;
	char why[WHY_BYTES];
	if (decode(&session->session.all->decoder, request, envelope, is_batch, &decoded) < 0) {
		snprintf(why, sizeof(why), "%s%s",
			 decoded.error != ERROR_BAD_JSON      ? ""
			 : request->route->body == BODY_VALUE ? "the body is the value: one, of JSON; "
							      : "the body is one object of JSON; ",
			 decoded.detail);
		return refuse(session, decoded.error, why);
	}
	const char *unsuitable = why_unsuitable(&decoded, session->live);
	if (unsuitable)
		return refuse(session, ERROR_BAD_REQUEST, unsuitable);
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
	struct buffer *envelope = &session->http->scratch;
	char why[WHY_BYTES];
	bool is_batch = false;
	buffer_clear(envelope);
	append(envelope, "{\"id\":");
	buffer_append_uint(envelope, ++session->last_id);
	message_string(envelope, "op", slice_from(message_op_name(request->route->op)));
	write_argument(envelope, request);
	session->op = request->route->op;
	if (!write_key(request, envelope, why) || !write_query(request, envelope, &is_batch, why))
		return refuse(session, ERROR_BAD_REQUEST, why);
	append(envelope, "}");
	if (envelope->failed) {
		buffer_finish(envelope);
		return refuse(session, ERROR_OVERLOADED, NULL);
	}
	return carry_out(session, request, buffer_slice(envelope), is_batch);
}
