#include "daemon/http/credentials.h"

#include "proto/base64.h"

enum { MAX_TOKEN_BYTES = 1024 };

/* What stands behind the scheme, or nothing. */
static struct slice behind(struct slice text, const char *scheme)
{
	size_t len = strlen(scheme);
	if (text.len <= len || text.bytes[len] != ' ' || !http_text_is((struct slice){text.bytes, len}, scheme))
		return SLICE("");
	return (struct slice){text.bytes + len + 1, text.len - len - 1};
}

/* The token that the request has, decoded into `room` if it has to be; empty: none. */
static struct slice token_of(struct slice authorization, char room[MAX_TOKEN_BYTES])
{
	struct slice token = behind(authorization, "bearer"), basic = behind(authorization, "basic");
	long len = basic.len && base64_room(basic) <= MAX_TOKEN_BYTES ? base64_decode(basic, room) : -1;
	if (len < 0)
		return token;
	const char *colon = memchr(room, ':', (size_t)len);
	return colon ? (struct slice){colon + 1, (size_t)(room + len - colon - 1)} : SLICE("");
}

bool http_login(struct http_session *session, const struct http_request *request, struct http_response *refusal)
{
	char room[MAX_TOKEN_BYTES];
	struct slice token = token_of(request->head.authorization, room);
	enum error error = login_as(&session->session, token.len > 0 || request->head.has_authorization, token);
	if (error == ERROR_NONE)
		return true;
	session->session.all->counts.refused_logins +=
		request->head.has_authorization; /* a browser asks without first */
	*refusal = http_error(session, 0, error,
			      error == ERROR_UNAUTHENTICATED
				      ? "by HTTP: Authorization: Bearer TOKEN, or Basic with the token as the password"
				      : "this user has max_connections connections");
	return false;
}
