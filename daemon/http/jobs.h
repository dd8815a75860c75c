/* Long answers, which are written a slice a turn. */
#ifndef MILLRACE_HTTP_JOBS_H
#define MILLRACE_HTTP_JOBS_H

#include "daemon/http/response.h"

/* A long answer: its head at once, its slices by the job, in turns to come. Takes the job over. */
struct http_response http_begin_job(struct http_session *session, const char *type, struct http_job *job);
/* Writes a slice of it: a chunk. */
void http_write_slice(struct http_session *session, struct slice slice);
/* The job's pump is called in the next turn. */
void http_wake(struct http_session *session);
/* Destroys the session's job, if it has one; what it has not written never comes. */
void http_drop_job(struct http_session *session);
/* How many long answers with this pump the session's user, if it is one, gets just now. */
unsigned http_jobs_of_user(const struct http_session *session,
			   bool (*pump)(struct http_session *session, struct http_job *job));
/* Whether so much waits to be sent that the next slice had better wait too. It is woken by what is sent. */
bool http_is_behind(const struct http_session *session);
/* Calls the pump of everybody's job that is due. */
void http_pump_all(struct http *http);

#endif
