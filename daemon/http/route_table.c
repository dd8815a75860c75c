#include "daemon/http/route_table.h"

#include <stdio.h>

#include "daemon/http/credentials.h"
#include "daemon/http/events.h"
#include "daemon/http/gateway.h"
#include "daemon/http/live.h"
#include "daemon/http/metrics.h"
#include "daemon/http/origin.h"
#include "daemon/http/site.h"

static const struct route routes[] = {
	{"GET", "/", site_dashboard, .op = OP_NONE},
	{"GET", "/dashboard.css", site_style, .op = OP_NONE},
	{"GET", "/dashboard.js", site_script, .op = OP_NONE},
	{"GET", "/healthz", site_health, .is_open = true},
	{"GET", "/readyz", site_ready, .is_open = true},
	{"GET", "/metrics", metrics_serve, .op = OP_NONE},
	{"GET", "/openapi.json", site_openapi, .op = OP_NONE},
	{"GET", "/api/v1/channels", gateway_serve, OP_LIST,
	 .parameters = {{"match", PARAMETER_TEXT}, {"after", PARAMETER_TEXT}, {"limit", PARAMETER_PLAIN}}},
	{"GET", "/api/v1/channels/{channel}", gateway_serve, .op = OP_STAT},
	{"PUT", "/api/v1/channels/{channel}", gateway_serve, .op = OP_CREATE, .body = BODY_MEMBERS},
	{"PATCH", "/api/v1/channels/{channel}", gateway_serve, .op = OP_ALTER, .body = BODY_MEMBERS},
	{"DELETE", "/api/v1/channels/{channel}", gateway_serve, OP_DELETE, .parameters = {{"force", PARAMETER_PLAIN}}},
	{"POST", "/api/v1/channels/{channel}/close", gateway_serve, .op = OP_CLOSE, .body = BODY_OPTIONAL_MEMBERS},
	{"POST", "/api/v1/channels/{from}/move", gateway_serve, OP_MOVE, .body = BODY_OPTIONAL_MEMBERS,
	 .parameters = {{"to", PARAMETER_TEXT}, {"max", PARAMETER_PLAIN}}},
	{"PUT", "/api/v1/channels/{from}/taps", gateway_serve, .op = OP_TAP, .body = BODY_MEMBERS},
	{"DELETE", "/api/v1/channels/{from}/taps", gateway_serve, OP_UNTAP, .parameters = {{"to", PARAMETER_TEXT}}},
	{"GET", "/api/v1/channels/{from}/live", live_serve, OP_TAP,
	 .parameters = {{"kind", PARAMETER_TEXT}, {"capacity", PARAMETER_PLAIN}, {"match", PARAMETER_JSON}}},
	{"GET", "/api/v1/channels/{channel}/values", gateway_serve, OP_PEEK, .parameters = {{"max", PARAMETER_PLAIN}}},
	{"POST", "/api/v1/channels/{channel}/values", gateway_serve, OP_PUT, .body = BODY_VALUE,
	 .parameters = {{"timeout_ms", PARAMETER_PLAIN}, {"delay_ms", PARAMETER_PLAIN}, {"batch", PARAMETER_PLAIN}}},
	{"POST", "/api/v1/channels/{channel}/take", gateway_serve, OP_TAKE, .body = BODY_OPTIONAL_MEMBERS,
	 .parameters = {{"timeout_ms", PARAMETER_PLAIN}, {"max", PARAMETER_PLAIN}, {"lease_ms", PARAMETER_PLAIN}}},
	{"POST", "/api/v1/alts", gateway_serve, .op = OP_ALTS, .body = BODY_MEMBERS},
	{"POST", "/api/v1/leases/{lease}/ack", gateway_serve, .op = OP_ACK, .body = BODY_OPTIONAL_MEMBERS},
	{"POST", "/api/v1/leases/{lease}/nack", gateway_serve, OP_NACK, .body = BODY_OPTIONAL_MEMBERS,
	 .parameters = {{"delay_ms", PARAMETER_PLAIN}, {"counted", PARAMETER_PLAIN}}},
	{"POST", "/api/v1/leases/{lease}/extend", gateway_serve, OP_EXTEND, .body = BODY_OPTIONAL_MEMBERS,
	 .parameters = {{"lease_ms", PARAMETER_PLAIN}}},
	{"GET", "/api/v1/leases", gateway_serve, OP_LEASES,
	 .parameters = {{"channel", PARAMETER_TEXT}, {"after", PARAMETER_PLAIN}, {"limit", PARAMETER_PLAIN}}},
	{"GET", "/api/v1/taps", gateway_serve, OP_TAPS,
	 .parameters = {{"channel", PARAMETER_TEXT}, {"after", PARAMETER_PLAIN}, {"limit", PARAMETER_PLAIN}}},
	{"GET", "/api/v1/waiters", gateway_serve, OP_WAITERS,
	 .parameters = {{"channel", PARAMETER_TEXT}, {"after", PARAMETER_PLAIN}, {"limit", PARAMETER_PLAIN}}},
	{"GET", "/api/v1/cluster", gateway_serve, OP_CLUSTER,
	 .parameters = {{"after", PARAMETER_TEXT}, {"limit", PARAMETER_PLAIN}}},
	{"POST", "/api/v1/cluster/groups/{group}/move", gateway_serve, OP_CLUSTER, .body = BODY_OPTIONAL_MEMBERS,
	 .parameters = {{"to", PARAMETER_TEXT}}},
	{"GET", "/api/v1/clients", site_clients,
	 .parameters = {{"before", PARAMETER_PLAIN}, {"limit", PARAMETER_PLAIN}}},
	{"GET", "/api/v1/events", events_serve, .op = OP_NONE},
};

enum { N_ROUTES = sizeof(routes) / sizeof(routes[0]) };

/* Whether the path is one of the pattern's. *argument is what stands for its {…}; empty without one. */
static bool matches(const char *pattern, struct slice path, struct slice *argument)
{
	const char *at = path.bytes, *end = path.bytes + path.len;
	*argument = (struct slice){NULL, 0};
	while (*pattern && at < end) {
		if (*pattern == '{') {
			pattern = strchr(pattern, '}') + 1;
			argument->bytes = at;
			while (at < end && *at != '/')
				at++;
			argument->len = (size_t)(at - argument->bytes);
			if (!argument->len)
				return false;
		} else if (*pattern++ != *at++) {
			return false;
		}
	}
	return !*pattern && at == end;
}

/* The route of that method; or NULL, and `allowed` has the methods that there are for the path ("" if it is no path at
 * all). */
static const struct route *find(const struct http_head *head, struct slice *argument, char *allowed, size_t room)
{
	struct slice method = slice_equal(head->method, SLICE("HEAD")) ? SLICE("GET") : head->method;
	size_t len = 0;
	allowed[0] = '\0';
	for (size_t i = 0; i < N_ROUTES; i++) {
		if (!matches(routes[i].path, head->path, argument))
			continue;
		if (slice_equal(slice_from(routes[i].method), method))
			return &routes[i];
		len += (size_t)snprintf(allowed + len, room - len, "%s%s", len ? ", " : "", routes[i].method);
	}
	return NULL;
}

static struct http_response refuse_method(const char *allowed)
{
	static const char body[] = "{\"status\":\"error\",\"error\":\"unknown_op\",\"message\":\"there is no such "
				   "method for this path; Allow says which\"}\n";
	struct http_response response = {.code = 405, .type = "application/json", .body = {body, sizeof(body) - 1}};
	snprintf(response.headers, sizeof(response.headers), "Allow: %s\r\n", allowed);
	return response;
}

bool http_find(struct http_session *session, struct http_request *request, struct http_response *refusal)
{
	char allowed[64];
	struct slice raw;
	request->route = find(&request->head, &raw, allowed, sizeof(allowed));
	const char *why = http_access(session, request);
	if (why) {
		*refusal = http_error(session, 0, ERROR_DENIED, why);
		return false;
	}
	if (session->session.all->starting && !(request->route && request->route->is_open)) {
		*refusal = http_error(session, 0, ERROR_UNAVAILABLE, session->session.all->starting);
		return false;
	}
	if (!request->route && allowed[0]) {
		*refusal = refuse_method(allowed);
		return false;
	}
	if (!request->route) {
		*refusal =
			http_error(session, 404, ERROR_UNKNOWN_OP,
				   "there is nothing at this path; /openapi.json says what there is, such as /healthz, "
				   "/metrics and /api/v1/channels");
		return false;
	}
	if (!request->route->is_open && !http_login(session, request, refusal))
		return false;
	if (!http_brings_json(request)) {
		*refusal = http_error(session, 415, ERROR_BAD_REQUEST,
				      "POST, PUT and PATCH need Content-Type: application/json");
		return false;
	}
	if (request->route->body == BODY_NONE && request->head.content_length) {
		*refusal = http_error(session, 400, ERROR_BAD_REQUEST,
				      "this request has no body: its members stand in the path and the query");
		return false;
	}
	long len = raw.len ? http_decode(raw, false, request->argument_bytes, sizeof(request->argument_bytes)) : 0;
	if (len < 0) {
		*refusal = http_error(session, 400, ERROR_BAD_REQUEST,
				      "a part of the path is too long, or has a % without two hexadecimal digits");
		return false;
	}
	request->argument = (struct slice){request->argument_bytes, (size_t)len};
	return true;
}
