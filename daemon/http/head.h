/* The head of an HTTP/1.1 request, taken apart. Pure, and strict: what two readers could take differently is refused.
 * Bodies have a Content-Length. */
#ifndef MILLRACE_HTTP_HEAD_H
#define MILLRACE_HTTP_HEAD_H

#include <stdint.h>

#include "proto/slice.h"

enum { HTTP_MAX_HEAD_BYTES = 8 * 1024 };

struct http_head { /* slices of what was read */
	struct slice method;
	struct slice path;  /* begins with '/'; not decoded */
	struct slice query; /* behind the '?'; not decoded */
	struct slice host;  /* of an absolute target its own, whatever the header says */
	struct slice origin;
	struct slice authorization;
	struct slice idempotency_key;
	struct slice content_type;
	bool has_host, has_origin, has_authorization, has_idempotency_key;
	bool has_body; /* a Content-Length, even 0 */
	uint64_t content_length;
	bool keep_alive;       /* the connection may be used again */
	bool expects_continue; /* the body comes only when it has been asked for */
	bool is_1_0;
};

enum http_head_result { HTTP_HEAD_MORE, HTTP_HEAD_WHOLE, HTTP_HEAD_BAD };

/* Looks for a head at the front of `bytes`. WHOLE: *used says how long it is, with the empty line. BAD: *code is
 * HTTP's, *why is static text for people. */
enum http_head_result http_head_parse(struct slice bytes, struct http_head *head, size_t *used, int *code,
				      const char **why);

/* Letters of either case are the same. `text` is plain lower case. */
bool http_text_is(struct slice slice, const char *text);

/* Undoes %XX (and in a query '+') into `to`, which has `room`. -1: an escape is none, or there is no room; else the
 * length. */
long http_decode(struct slice text, bool is_query, char *to, size_t room);

/* Takes the next NAME=VALUE off the front of a query; false at its end. */
bool http_query_next(struct slice *query, struct slice *name, struct slice *value);

#endif
