/* What the functions of the blocking API are made of: arguments checked, one request sent, its reply waited for. */
#ifndef MILLRACE_CLIENT_CALL_H
#define MILLRACE_CLIENT_CALL_H

#include "client/transport.h"

/* The members of a request, as text; see message.h for what writes them. Zero-initialise; call_run() and call_begin() free it. */

/* A string that has to be UTF-8, "channel", and "timeout_ms". What is impossible is an error with its words; else MR_OK. */
int members_text(struct buffer *members, const char *key, const char *text);
int members_channel(struct buffer *members, const char *channel);
int members_timeout(struct buffer *members, int64_t timeout_ms);

/* Begins a request, whose memory is the caller's, with MR_OK; else an error with its words, and the request is finished. */
int call_begin(mr *m, struct mr_request *request, enum message_op op, struct buffer *members, int64_t timeout_ms, enum want want);

/* Begins it, waits, and gives what was wanted: *text is the caller's (NULL: there was none), as *len if not NULL. */
struct call_result {
	char *text; /* the caller's to free; NULL: none */
	size_t text_len;
	uint64_t arm, accepted, evicted;
	bool has_arm;
};
int call_run(mr *m, enum message_op op, struct buffer *members, int64_t timeout_ms, enum want want, struct call_result *result);

/* The same for a reply that has to bring what is wanted: MR_EPROTOCOL if it does not. */
int call_fetch(mr *m, enum message_op op, struct buffer *members, int64_t timeout_ms, enum want want, struct call_result *result);

/* The members of a put of this text, which is checked: `value`, or with `many` `values`. On an error they are freed. */
int put_members(struct buffer *members, const char *channel, bool many, const char *json, size_t len, int64_t timeout_ms);

/* "lease_ms" and "sticky"; lease_ms 0: none. */
int members_lease(struct buffer *members, int64_t lease_ms, bool sticky);

/* Whether a time-out is possible. */
int timeout_check(int64_t timeout_ms);

/* Asks for the cancelling of the request with this id. */
int call_cancel(mr *m, uint64_t id, int64_t timeout_ms);

/* Whether the text is UTF-8; `what` is said of it if not. */
int text_check(const char *what, const char *text);

/* Moves what the reply brought out of a request that is done. */
void call_result_take(struct mr_request *request, struct call_result *result);

/* The same, all of it. Of an error nothing but its accepted is set. */
void request_result(struct mr_request *request, struct mr_result *result);

/* -- values -- */

/* Whether the text is one JSON value, or an array of values, that can be put; an error with its words if not. */
int json_text_check(const char *json, size_t len);
int json_text_check_array(const char *json, size_t len);

/* A jansson value as text, to be freed; NULL and its words. */
char *json_text_from(const json_t *value, size_t *len, int *status);

/* A reply's text as a jansson value. The text is freed. MR_OK, or MR_EJSON or MR_EMEMORY with its words. */
int json_text_into(char *text, size_t len, json_t **value);

#endif
