#include "daemon/http/credentials.h"

enum { MAX_TOKEN_BYTES = 1024 };

static int base64_value(char c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(alphabet, c) : NULL;
	return at ? (int)(at - alphabet) : -1;
}

/* Returns the length, or -1: it is no base64, or longer than there is room. */
static long base64_decode(struct slice text, char *to, size_t room)
{
	size_t len = 0;
	unsigned bits = 0, n_bits = 0;
	while (text.len && text.bytes[text.len - 1] == '=')
		text.len--;
	for (size_t i = 0; i < text.len; i++) {
		int value = base64_value(text.bytes[i]);
		if (value < 0)
			return -1;
		bits = (bits << 6 | (unsigned)value) & 0xffff;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		if (len == room)
			return -1;
		to[len++] = (char)(bits >> n_bits);
	}
	return (long)len;
}

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
	long len = basic.len ? base64_decode(basic, room, MAX_TOKEN_BYTES) : -1;
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
	*refusal = http_error(session, 0, error,
			      error == ERROR_UNAUTHENTICATED
				      ? "by HTTP: Authorization: Bearer TOKEN, or Basic with the token as the password"
				      : "this user has max_connections connections");
	return false;
}
