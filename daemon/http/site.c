#include "daemon/http/site.h"

#include "daemon/core/rows.h"
#include "daemon/http/assets.h"

enum { DEFAULT_CLIENTS = 1000 };

static struct http_response text_response(int code, struct slice text)
{
	return (struct http_response){.code = code,
				      .type = "text/plain; charset=utf-8",
				      .more = code == 503 ? "Retry-After: 1\r\n" : NULL,
				      .body = text};
}

/* Answers as long as the loop turns: that is what it is asked for. */
struct http_response site_health(struct http_session *session, const struct http_request *request)
{
	(void)session, (void)request;
	return text_response(200, SLICE("ok\n"));
}

/* NULL: it has started, and is alone, or one of its cluster. */
static const char *why_not_ready(const struct sessions *sessions)
{
	const struct cluster_view *cluster = sessions->cluster;
	struct cluster_status status;
	if (sessions->starting || !cluster)
		return sessions->starting;
	cluster->calls->status(cluster, &status);
	return status.is_joined ? NULL : status.message ? status.message : "the cluster is not joined";
}

/* Whether puts are accepted. */
struct http_response site_ready(struct http_session *session, const struct http_request *request)
{
	(void)request;
	struct core_totals totals;
	core_totals(session->session.all->core, &totals);
	if (totals.is_draining)
		return text_response(503, SLICE("draining\n"));
	if (totals.bytes + stream_group_unsent_value_bytes(session->session.all->streams) > totals.max_memory)
		return text_response(503, SLICE("overloaded: the values take more than max_memory\n"));
	const char *why = why_not_ready(session->session.all);
	if (why) {
		struct buffer *out = &session->answer;
		buffer_clear(out);
		buffer_append(out, why, strlen(why));
		buffer_append(out, "\n", 1);
		return text_response(503, buffer_slice(out));
	}
	return text_response(200, SLICE("ok\n"));
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

/* A number of the query, within bounds. False: it is none. */
static bool read_number(struct slice text, uint64_t highest, uint64_t *number)
{
	*number = 0;
	bool is_good = text.len > 0 && text.len < 19;
	for (size_t i = 0; i < text.len && is_good; i++) {
		is_good = text.bytes[i] >= '0' && text.bytes[i] <= '9';
		*number = *number * 10 + (uint64_t)(text.bytes[i] - '0');
	}
	return is_good && *number >= 1 && *number <= highest;
}

/* Returns what is wrong with the query, or NULL. */
static const char *read_clients_query(const struct http_request *request, uint64_t *before, uint64_t *limit)
{
	struct slice query = request->head.query, name, value;
	bool has[2] = {false, false};
	while (http_query_next(&query, &name, &value)) {
		if (!route_parameter(request->route, name))
			return "the parameters are \"before\" and \"limit\"";
		bool is_limit = slice_equal(name, SLICE("limit"));
		if (has[is_limit])
			return "\"before\" and \"limit\" are there once";
		has[is_limit] = true;
		if (!read_number(value, is_limit ? DEFAULT_CLIENTS : MESSAGE_MAX_ID, is_limit ? limit : before))
			return "\"limit\" is 1 to 1000, \"before\" a connection\'s number";
	}
	return NULL;
}

/* With users, everybody sees only their own connections. */
static bool is_shown(const struct http_session *session, const struct session *other)
{
	return !session_user(&session->session) || session_user(other) == session_user(&session->session);
}

/* The newest first: that is their order. */
struct http_response site_clients(struct http_session *session, const struct http_request *request)
{
	uint64_t before = UINT64_MAX, limit = DEFAULT_CLIENTS, n = 0;
	const char *wrong = read_clients_query(request, &before, &limit);
	if (wrong)
		return http_error(session, 0, ERROR_BAD_REQUEST, wrong);
	struct buffer *out = http_answer_begin(session, STATUS_OK, ERROR_NONE, NULL);
	message_key(out, "clients");
	buffer_append(out, "[", 1);
	const struct session *at = session->session.all->first;
	for (; at && n < limit; at = at->next) {
		if (at->number < before && is_shown(session, at))
			write_client(out, at, n++ == 0);
	}
	buffer_append(out, "]", 1);
	message_bool(out, "more", at != NULL);
	return http_answer_end(session, 0);
}

/* -- Pages -- */

/* The page loads its style and its script from here alone, has none of its own, and talks to nobody else; nor may
 * another page hold it in a frame, to have its buttons pressed. */
struct http_response site_dashboard(struct http_session *session, const struct http_request *request)
{
	(void)session, (void)request;
	return (struct http_response){
		.code = 200,
		.type = "text/html; charset=utf-8",
		.more = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
			"img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
			"frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\n",
		.body = asset_dashboard(),
	};
}

struct http_response site_style(struct http_session *session, const struct http_request *request)
{
	(void)session, (void)request;
	return (struct http_response){.code = 200, .type = "text/css; charset=utf-8", .body = asset_dashboard_css()};
}

struct http_response site_script(struct http_session *session, const struct http_request *request)
{
	(void)session, (void)request;
	return (struct http_response){
		.code = 200, .type = "text/javascript; charset=utf-8", .body = asset_dashboard_js()};
}

struct http_response site_openapi(struct http_session *session, const struct http_request *request)
{
	(void)session, (void)request;
	return (struct http_response){.code = 200, .type = "application/json", .body = asset_openapi()};
}
