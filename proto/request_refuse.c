#include "proto/request_refuse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/request_scan.h"
#include "proto/suggest.h"
#include "proto/utf8.h"

enum { QUOTED_BYTES = 64 }; /* of input, in an error */

int request_quotable(struct slice text)
{
	size_t len = text.len < QUOTED_BYTES ? text.len : QUOTED_BYTES;
	while (len < text.len && len > 0 && utf8_is_tail(text.bytes[len]))
		len--;
	return (int)len;
}

const char *request_cut(struct slice text)
{
	return text.len > QUOTED_BYTES ? "..." : "";
}

int request_refuse(struct message_request *request, enum error error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(request->detail, sizeof(request->detail), format, args);
	va_end(args);
	request->error = error;
	return -1;
}

int request_refuse_name(struct message_request *request, const char *where, struct slice name)
{
	return request_refuse(
		request, ERROR_BAD_CHANNEL,
		"%s\"%.*s%s\"; a name is 1 to 128 of A-Z a-z 0-9 . _ : { } - and begins with neither . nor -", where,
		request_quotable(name), name.bytes, request_cut(name));
}

/* A name that was written, for suggest_consider(); one that is too long for any is "". */
static const char *copy_name(struct slice word, char copy[SUGGEST_MAX_BYTES + 1])
{
	size_t len = word.len <= SUGGEST_MAX_BYTES ? word.len : 0;
	memcpy(copy, word.bytes, len);
	copy[len] = '\0';
	return copy;
}

/* "; did you mean "NAME"?", or nothing. */
static const char *ask_whether(const struct suggestion *suggestion, char text[SUGGEST_MAX_BYTES + 32])
{
	text[0] = '\0';
	if (*suggestion->name)
		snprintf(text, SUGGEST_MAX_BYTES + 32, "; did you mean \"%s\"?", suggestion->name);
	return text;
}

int request_refuse_op(struct message_request *request, struct slice word)
{
	char copy[SUGGEST_MAX_BYTES + 1], hint[SUGGEST_MAX_BYTES + 32];
	struct suggestion suggestion = {.wrong = copy_name(word, copy)};
	for (int op = OP_NONE + 1; op < OP_COUNT; op++)
		suggest_consider(&suggestion, message_op_name((enum message_op)op));
	return request_refuse(request, ERROR_UNKNOWN_OP, "\"%.*s%s\"%s", request_quotable(word), word.bytes,
			      request_cut(word), ask_whether(&suggestion, hint));
}

int request_refuse_member(struct message_request *request, struct slice word, uint64_t allowed)
{
	char copy[SUGGEST_MAX_BYTES + 1], hint[SUGGEST_MAX_BYTES + 32];
	struct suggestion suggestion = {.wrong = copy_name(word, copy)};
	for (uint64_t left = allowed; left; left &= left - 1)
		suggest_consider(&suggestion, request_member_name((enum message_member)__builtin_ctzll(left)));
	return request_refuse(request, ERROR_BAD_REQUEST, "\"%.*s%s\" is no member of %s%s", request_quotable(word),
			      word.bytes, request_cut(word), message_op_name(request->op),
			      ask_whether(&suggestion, hint));
}
