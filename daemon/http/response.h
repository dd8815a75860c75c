/* Responses: what a handler returns, and how it is written. */
#ifndef MILLRACE_HTTP_RESPONSE_H
#define MILLRACE_HTTP_RESPONSE_H

#include "daemon/http/http_session.h"

struct http_response {
	int code;           /* HTTP_NO_RESPONSE: none yet, see there */
	const char *type;   /* of the content; NULL: none */
	const char *more;   /* headers, each with its CRLF: static text, or NULL */
	char headers[160];  /* the same, made up; "": none */
	struct slice body;  /* static, or the session's, until its next response */
	size_t value_bytes; /* in the body */
};

/* A core reply is the response, and has been written already or will be when it comes; or a long answer has begun. */
enum { HTTP_NO_RESPONSE = 0 };

/* The whole answer to the present request. */
void http_respond(struct http_session *session, const struct http_response *response);

/* Its head without the end of it, for long answers; and that the last byte of one is written. */
struct buffer *http_write_head(struct http_session *session, const struct http_response *response, size_t value_bytes);
void http_finish(struct http_session *session);

/* -- Answers in the protocol's words: the object that a frame would have, without an id -- */

/* Begins one in the session's buffer, where its members are appended. With STATUS_ERROR: `error`, and for people
 * `detail`, or NULL. */
struct buffer *http_answer_begin(struct http_session *session, enum status status, enum error error,
				 const char *detail);
/* Ends it: the response that it is. `code`: HTTP's; 0: what status and error say. */
struct http_response http_answer_end(struct http_session *session, int code);

/* A whole one, which is an error. */
struct http_response http_error(struct http_session *session, int code, enum error error, const char *detail);

#endif
