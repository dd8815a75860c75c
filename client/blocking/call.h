/* What the functions of the blocking API are made of: arguments checked, one request sent, its reply waited for. */
#ifndef MILLRACE_CLIENT_BLOCKING_CALL_H
#define MILLRACE_CLIENT_BLOCKING_CALL_H

#include "client/machine/members.h"
#include "client/blocking/transport.h"

/* The members are what members.h has written into a zero-initialised buffer, and `status` is what it said of them:
 * unless MR_OK nothing is sent, and it is the result. Whatever comes, the members are freed. */

/* Begins a request, whose memory is the caller's, with MR_OK; else an error with its words, and the request is
 * finished. */
int call_begin(mr *m, struct mr_request *request, enum message_op op, struct buffer *members, int status,
	       int64_t timeout_ms, enum want want);

/* Begins it, waits, and gives what was wanted: *text is the caller's (NULL: there was none), as *len if not NULL. */
struct call_result {
	char *text; /* the caller's to free; NULL: none */
	size_t text_len;
	uint64_t arm, accepted, evicted;
	bool has_arm;
};
int call_run(mr *m, enum message_op op, struct buffer *members, int status, int64_t timeout_ms, enum want want,
	     struct call_result *result);

/* The same for a reply that has to bring what is wanted: MR_EPROTOCOL if it does not. */
int call_fetch(mr *m, enum message_op op, struct buffer *members, int status, int64_t timeout_ms, enum want want,
	       struct call_result *result);

/* call_begin() for a request on the heap, which is the handle's until mr_wait(). *request is NULL on errors. */
int call_begin_kept(mr *m, mr_request **request, enum message_op op, struct buffer *members, int status,
		    int64_t timeout_ms, enum want want);

/* Asks for the cancelling of the request with this id. */
int call_cancel(mr *m, uint64_t id, int64_t timeout_ms);

/* Moves what the reply brought out of a request that is done. */
void call_result_take(struct mr_request *request, struct call_result *result);

/* The same, all of it. Of an error nothing but its accepted is set. */
void request_result(struct mr_request *request, struct mr_result *result);

/* -- values -- */

/* A reply's text as a jansson value. The text is freed. MR_OK, or MR_EJSON or MR_EMEMORY with its words. */
int json_text_into(char *text, size_t len, json_t **value);

#endif
