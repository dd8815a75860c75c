#include "daemon/http/origin.h"

#include <arpa/inet.h>
#include <strings.h>
#include <sys/socket.h>

#include "daemon/http/route.h"

static bool is_port(struct slice text)
{
	for (size_t i = 1; i < text.len; i++) {
		if (text.bytes[i] < '0' || text.bytes[i] > '9')
			return false;
	}
	return text.len == 0 || text.bytes[0] == ':';
}

/* A Host without its port, and an IPv6 address without its brackets; empty: it is no Host. */
static struct slice host_name(struct slice host)
{
	bool has_bracket = host.len && host.bytes[0] == '[';
	const char *end = host.len ? memchr(host.bytes, has_bracket ? ']' : ':', host.len) : NULL;
	size_t len = end ? (size_t)(end - host.bytes) : host.len, behind = len + has_bracket;
	if ((has_bracket && (!end || !memchr(host.bytes, ':', len))) ||
	    !is_port((struct slice){host.bytes + behind, host.len - behind}))
		return (struct slice){NULL, 0};
	return (struct slice){host.bytes + has_bracket, len - has_bracket};
}

/* Whether it is the address, as a literal, that the connection came to: no name could stand for it. */
static bool is_own_address(const struct http_session *session, const char *name)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	struct in_addr v4;
	struct in6_addr v6;
	if (getsockname(session->session.stream.fd, (struct sockaddr *)&address, &len) < 0)
		return false;
	if (inet_pton(AF_INET, name, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127 ||
		       (address.ss_family == AF_INET && ((struct sockaddr_in *)&address)->sin_addr.s_addr == v4.s_addr);
	if (inet_pton(AF_INET6, name, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6) ||
		       (address.ss_family == AF_INET6 &&
			memcmp(&((struct sockaddr_in6 *)&address)->sin6_addr, &v6, sizeof(v6)) == 0);
	return false;
}

static bool is_own_host(const struct http_session *session, struct slice host)
{
	char name[256];
	struct slice bare = host_name(host);
	if (!bare.len || bare.len >= sizeof(name))
		return false;
	for (size_t i = 0; i < bare.len; i++)
		name[i] = (char)(bare.bytes[i] >= 'A' && bare.bytes[i] <= 'Z' ? bare.bytes[i] | 0x20 : bare.bytes[i]);
	name[bare.len] = '\0';
	if (strcmp(name, "localhost") == 0 || is_own_address(session, name))
		return true;
	for (size_t i = 0; i < session->http->n_hosts; i++) {
		if (strcasecmp(session->http->hosts[i], name) == 0)
			return true;
	}
	return false;
}

/* Whether a page that came from here sent it: from this very host and port. */
static bool is_own_origin(struct slice origin, struct slice host)
{
	size_t scheme = origin.len > 8 && strncasecmp(origin.bytes, "https://", 8) == 0 ? 8 : 7;
	if (origin.len <= scheme || (scheme == 7 && strncasecmp(origin.bytes, "http://", 7) != 0))
		return false;
	return origin.len - scheme == host.len && strncasecmp(origin.bytes + scheme, host.bytes, host.len) == 0;
}

static bool is_json(struct slice type)
{
	const char *end = type.len ? memchr(type.bytes, ';', type.len) : NULL;
	if (end)
		type.len = (size_t)(end - type.bytes);
	while (type.len && type.bytes[type.len - 1] == ' ')
		type.len--;
	return http_text_is(type, "application/json");
}

const char *http_access(const struct http_session *session, const struct http_request *request)
{
	const struct http_head *head = &request->head;
	bool may_lack_host = head->is_1_0 && request->route && request->route->is_open; /* as a balancer's checks do */
	if (head->has_host ? !is_own_host(session, head->host) : !may_lack_host)
		return "the Host of the request is neither this address nor a name of loopback, nor in http_hosts of "
		       "the configuration";
	if (head->has_origin && !is_own_origin(head->origin, head->host))
		return "the request comes from a page of another origin";
	return NULL;
}

bool http_brings_json(const struct http_request *request)
{
	const struct http_head *head = &request->head;
	bool is_needed = slice_equal(head->method, SLICE("POST")) || slice_equal(head->method, SLICE("PUT")) ||
			 slice_equal(head->method, SLICE("PATCH"));
	return !is_needed || is_json(head->content_type);
}
