#include "daemon/http/credentials.h"

#include <openssl/evp.h>

enum { MAX_TOKEN_BYTES = 1024 };

/* Decodes base64 by OpenSSL, which passes over white space and the like: so the text is of the alphabet alone, in whole
 * groups of four, with at most two '=' at its end. Returns the length, or -1: it is none, or longer than there is room.
 */
static long base64_decode(struct slice text, char *to, size_t room)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = text.len, n_padding = 0;
	if (!len || len % 4 || len / 4 * 3 > room)
		return -1;
	while (n_padding < 2 && text.bytes[len - 1 - n_padding] == '=')
		n_padding++;
	for (size_t i = 0; i < len - n_padding; i++) {
		if (!text.bytes[i] || !strchr(alphabet, text.bytes[i]))
			return -1;
	}
	int n = EVP_DecodeBlock((unsigned char *)to, (const unsigned char *)text.bytes, (int)len);
	return n < 0 ? -1 : n - (long)n_padding;
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
	session->session.all->counts.refused_logins +=
		request->head.has_authorization; /* a browser asks without first */
	*refusal = http_error(session, 0, error,
			      error == ERROR_UNAUTHENTICATED
				      ? "by HTTP: Authorization: Bearer TOKEN, or Basic with the token as the password"
				      : "this user has max_connections connections");
	return false;
}
