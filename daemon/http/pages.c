/* Health, who is connected, and the pages. */
#include "daemon/http/assets.h"
#include "daemon/http/routes.h"

enum { DEFAULT_CLIENTS = 1000 };

static void respond_text(struct http_session *session, int code, struct slice text)
{
	http_respond(session, &(struct http_response){.code = code,
						      .type = "text/plain; charset=utf-8",
						      .more = code == 503 ? "Retry-After: 1\r\n" : NULL,
						      .body = text});
}

/* Answers as long as the loop turns: that is what it is asked for. */
void look_health(struct http_session *session, const struct http_request *request)
{
	(void)request;
	respond_text(session, 200, SLICE("ok\n"));
}

/* Whether puts are accepted. */
void look_ready(struct http_session *session, const struct http_request *request)
{
	(void)request;
	struct core_totals totals;
	core_totals(session->session.all->core, &totals);
	if (totals.is_draining)
		respond_text(session, 503, SLICE("draining\n"));
	else if (totals.bytes + stream_group_unsent_value_bytes(session->session.all->streams) > totals.max_memory)
		respond_text(session, 503, SLICE("overloaded: the values take more than max_memory\n"));
	else
		respond_text(session, 200, SLICE("ok\n"));
}

/* -- Clients -- */

static void write_client(struct buffer *out, const struct session *session, bool is_first)
{
	char peer[128];
	const char *opening = is_first ? "{\"connection\":" : ",{\"connection\":";
	stream_peer(&session->stream, peer, sizeof(peer));
	buffer_append(out, opening, strlen(opening));
	buffer_append_uint(out, session->number);
	if (session->name)
		message_string(out, "name", slice_from(session->name));
	message_string(out, "peer", slice_from(peer));
	message_string(out, "wire", slice_from(session->wire->name));
	message_uint(out, "parked", session->connection ? core_parked(session->connection) : 0);
	message_uint(out, "unsent_bytes", stream_written(&session->stream) - stream_sent(&session->stream));
	buffer_append(out, "}", 1);
}

/* A number of the query, within bounds. False: it is refused. */
static bool read_number(struct http_session *session, struct slice text, uint64_t highest, uint64_t *number)
{
	*number = 0;
	bool is_good = text.len > 0 && text.len < 19;
	for (size_t i = 0; i < text.len && is_good; i++) {
		is_good = text.bytes[i] >= '0' && text.bytes[i] <= '9';
		*number = *number * 10 + (uint64_t)(text.bytes[i] - '0');
	}
	if (!is_good || *number < 1 || *number > highest)
		http_refuse(session, 0, ERROR_BAD_REQUEST, "\"limit\" is 1 to 1000, \"before\" a connection's number");
	return is_good && *number >= 1 && *number <= highest;
}

static bool read_clients_query(struct http_session *session, const struct http_request *request, uint64_t *before,
			       uint64_t *limit)
{
	struct slice query = request->head.query, name, value;
	while (http_query_next(&query, &name, &value)) {
		if (!route_parameter(request->route, name)) {
			http_refuse(session, 0, ERROR_BAD_REQUEST, "the parameters are \"before\" and \"limit\"");
			return false;
		}
		bool is_limit = slice_equal(name, SLICE("limit"));
		if (!read_number(session, value, is_limit ? DEFAULT_CLIENTS : MESSAGE_MAX_ID,
				 is_limit ? limit : before))
			return false;
	}
	return true;
}

/* With users, everybody sees only their own connections. */
static bool is_shown(const struct http_session *session, const struct session *other)
{
	return !session_user(&session->session) || session_user(other) == session_user(&session->session);
}

/* The newest first: that is their order. */
void look_clients(struct http_session *session, const struct http_request *request)
{
	uint64_t before = UINT64_MAX, limit = DEFAULT_CLIENTS, n = 0;
	if (!read_clients_query(session, request, &before, &limit))
		return;
	struct answer answer = answer_begin(&session->session, CORE_NO_ID, STATUS_OK, 0);
	message_key(answer.out, "clients");
	buffer_append(answer.out, "[", 1);
	const struct session *at = session->session.all->first;
	for (; at && n < limit; at = at->next) {
		if (at->number < before && is_shown(session, at))
			write_client(answer.out, at, n++ == 0);
	}
	buffer_append(answer.out, "]", 1);
	message_bool(answer.out, "more", at != NULL);
	answer_end(&session->session, answer);
}

/* -- Pages -- */

/* All that the page has is in it, and it talks to nobody else; nor may another page hold it in a frame, to have its
 * buttons pressed. */
void look_page(struct http_session *session, const struct http_request *request)
{
	(void)request;
	http_respond(session, &(struct http_response){
				      .code = 200,
				      .type = "text/html; charset=utf-8",
				      .more = "Content-Security-Policy: default-src 'none'; script-src "
					      "'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
					      "connect-src 'self'; base-uri 'none'; form-action 'none'; "
					      "frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\n",
				      .body = asset_dashboard(),
			      });
}

void look_openapi(struct http_session *session, const struct http_request *request)
{
	(void)request;
	http_respond(session,
		     &(struct http_response){.code = 200, .type = "application/json", .body = asset_openapi()});
}
