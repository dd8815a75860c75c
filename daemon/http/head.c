/* Requests are short and many readers are lenient: whatever is not exactly as RFC 9112 writes it ends the connection.
 */
#define _GNU_SOURCE /* memmem */
#include "daemon/http/head.h"

#include <string.h>

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool http_text_is(struct slice slice, const char *text)
{
	if (slice.len != strlen(text))
		return false;
	for (size_t i = 0; i < slice.len; i++) {
		if (lower(slice.bytes[i]) != text[i])
			return false;
	}
	return true;
}

/* Takes what stands before `mark` off the front, and the mark; false: there is none. */
static bool cut(struct slice *rest, const char *mark, struct slice *before)
{
	size_t len = strlen(mark);
	const char *at = rest->len ? memmem(rest->bytes, rest->len, mark, len) : NULL;
	if (!at)
		return false;
	*before = (struct slice){rest->bytes, (size_t)(at - rest->bytes)};
	rest->len -= before->len + len;
	rest->bytes = at + len;
	return true;
}

static struct slice trim(struct slice text)
{
	while (text.len && (text.bytes[0] == ' ' || text.bytes[0] == '\t')) {
		text.bytes++;
		text.len--;
	}
	while (text.len && (text.bytes[text.len - 1] == ' ' || text.bytes[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* -- The request line -- */

static bool is_token(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = lower(text.bytes[i]);
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return text.len > 0;
}

static bool is_visible(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.bytes[i];
		if (c <= ' ' || c >= 0x7f)
			return false;
	}
	return true;
}

/* How long the beginning "http://" or "https://" of an absolute target is; 0: it has none. */
static size_t scheme_len(struct slice target)
{
	const char *mark = target.len ? memmem(target.bytes, target.len, "://", 3) : NULL;
	struct slice scheme = {target.bytes, mark ? (size_t)(mark - target.bytes) : 0};
	return http_text_is(scheme, "http") || http_text_is(scheme, "https") ? scheme.len + 3 : 0;
}

/* A path with its query; or, as proxies are asked, an absolute target, whose authority then stands for the Host. */
static const char *parse_target(struct slice target, struct http_head *head, struct slice *authority)
{
	size_t scheme = is_visible(target) ? scheme_len(target) : 0, end = scheme;
	while (scheme && end < target.len && target.bytes[end] != '/' && target.bytes[end] != '?')
		end++;
	*authority = (struct slice){target.bytes + scheme, end - scheme};
	target = (struct slice){target.bytes + end, target.len - end};
	bool has_path = target.len && target.bytes[0] == '/';
	if (!is_visible(target) || (scheme ? !authority->len : !has_path))
		return "the target is a path that begins with '/', or a whole http:// URL";
	if (!cut(&target, "?", &head->path)) {
		head->path = target;
		target.len = 0;
	}
	if (!has_path)
		head->path = (struct slice){authority->bytes - 1, 1}; /* the last '/' of "://" */
	head->query = target;
	return NULL;
}

static const char *parse_request_line(struct slice line, struct http_head *head, struct slice *authority, int *code)
{
	struct slice target;
	if (!cut(&line, " ", &head->method) || !cut(&line, " ", &target) || !is_token(head->method))
		return "this is not HTTP: a request begins with a line such as GET /healthz HTTP/1.1";
	const char *why = parse_target(target, head, authority);
	if (why)
		return why;
	if (slice_equal(line, SLICE("HTTP/1.0"))) {
		head->is_1_0 = true;
	} else if (!slice_equal(line, SLICE("HTTP/1.1"))) {
		*code = 505;
		return "the version is HTTP/1.1 or HTTP/1.0";
	}
	head->keep_alive = !head->is_1_0;
	return NULL;
}

/* -- Headers -- */

static const char *parse_length(struct slice value, struct http_head *head)
{
	uint64_t length = 0;
	if (head->has_body)
		return "Content-Length is there twice";
	if (!value.len || value.len > 15)
		return "Content-Length is a number of bytes";
	for (size_t i = 0; i < value.len; i++) {
		if (value.bytes[i] < '0' || value.bytes[i] > '9')
			return "Content-Length is a number of bytes";
		length = length * 10 + (uint64_t)(value.bytes[i] - '0');
	}
	head->has_body = true;
	head->content_length = length;
	return NULL;
}

static void parse_connection(struct slice value, struct http_head *head)
{
	struct slice word;
	bool more;
	do {
		more = cut(&value, ",", &word);
		word = trim(more ? word : value);
		if (http_text_is(word, "close"))
			head->keep_alive = false;
		else if (http_text_is(word, "keep-alive") && head->is_1_0)
			head->keep_alive = true;
	} while (more);
}

static const char *keep_once(struct slice value, bool *has, struct slice *to, const char *twice)
{
	if (*has)
		return twice;
	*has = true;
	*to = value;
	return NULL;
}

static const char *parse_header(struct slice line, struct http_head *head, int *code)
{
	struct slice name;
	if (!cut(&line, ":", &name) || !is_token(name))
		return "a header is a name, a colon and a value";
	struct slice value = trim(line);
	for (size_t i = 0; i < value.len; i++) {
		if (((unsigned char)value.bytes[i] < ' ' && value.bytes[i] != '\t') || value.bytes[i] == 0x7f)
			return "a header has a control character in it";
	}
	if (http_text_is(name, "content-length"))
		return parse_length(value, head);
	if (http_text_is(name, "transfer-encoding")) {
		*code = 411;
		return "send the body with a Content-Length, not in chunks";
	}
	if (http_text_is(name, "host"))
		return keep_once(value, &head->has_host, &head->host, "Host is there twice");
	if (http_text_is(name, "origin"))
		return keep_once(value, &head->has_origin, &head->origin, "Origin is there twice");
	if (http_text_is(name, "authorization"))
		return keep_once(value, &head->has_authorization, &head->authorization, "Authorization is there twice");
	if (http_text_is(name, "idempotency-key"))
		return keep_once(value, &head->has_idempotency_key, &head->idempotency_key,
				 "Idempotency-Key is there twice");
	if (http_text_is(name, "content-type"))
		head->content_type = value;
	else if (http_text_is(name, "connection"))
		parse_connection(value, head);
	else if (http_text_is(name, "expect"))
		head->expects_continue = http_text_is(value, "100-continue");
	return NULL;
}

/* How many bytes the empty lines in front of a request are: some clients end a body with one (RFC 9112, 2.2). */
static size_t empty_lines(struct slice bytes)
{
	size_t len = 0;
	while (len < bytes.len && len < HTTP_MAX_HEAD_BYTES) {
		if (bytes.bytes[len] == '\n')
			len++;
		else if (bytes.len - len >= 2 && bytes.bytes[len] == '\r' && bytes.bytes[len + 1] == '\n')
			len += 2;
		else
			break;
	}
	return len;
}

enum http_head_result http_head_parse(struct slice bytes, struct http_head *head, size_t *used, int *code,
				      const char **why)
{
	size_t skipped = empty_lines(bytes);
	struct slice rest = {bytes.bytes + skipped, bytes.len - skipped}, text, line, authority;
	struct slice window = {rest.bytes, rest.len < HTTP_MAX_HEAD_BYTES ? rest.len : HTTP_MAX_HEAD_BYTES};
	*code = 400;
	if (!cut(&window, "\r\n\r\n", &text)) {
		*code = 431;
		*why = "the head of the request is longer than 8 KiB";
		return rest.len < HTTP_MAX_HEAD_BYTES ? HTTP_HEAD_MORE : HTTP_HEAD_BAD;
	}
	*head = (struct http_head){.is_1_0 = false};
	*used = skipped + text.len + 4;
	bool more = cut(&text, "\r\n", &line);
	*why = parse_request_line(more ? line : text, head, &authority, code);
	while (more && !*why) {
		more = cut(&text, "\r\n", &line);
		*why = parse_header(more ? line : text, head, code);
	}
	if (!*why && !head->has_host && !head->is_1_0)
		*why = "there is no Host";
	if (!*why && authority.len) {
		head->has_host = true;
		head->host = authority;
	}
	return *why ? HTTP_HEAD_BAD : HTTP_HEAD_WHOLE;
}

/* -- Paths and queries -- */

static int hex(char c)
{
	c = lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

long http_decode(struct slice text, bool is_query, char *to, size_t room)
{
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.bytes[i];
		if (c == '%') {
			int high = i + 2 < text.len ? hex(text.bytes[i + 1]) : -1,
			    low = i + 2 < text.len ? hex(text.bytes[i + 2]) : -1;
			if (high < 0 || low < 0)
				return -1;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && is_query) {
			c = ' ';
		}
		if (len == room)
			return -1;
		to[len++] = c;
	}
	return (long)len;
}

bool http_query_next(struct slice *query, struct slice *name, struct slice *value)
{
	struct slice pair;
	do {
		if (!query->len)
			return false;
		if (!cut(query, "&", &pair)) {
			pair = *query;
			query->len = 0;
		}
	} while (!pair.len);
	if (!cut(&pair, "=", name)) {
		*name = pair;
		pair.len = 0;
	}
	*value = pair;
	return true;
}
