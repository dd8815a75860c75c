#include "daemon/http/jobs.h"

#include <assert.h>
#include <stdio.h>

enum { BEHIND_BYTES = 64 * 1024 }; /* a long answer goes on when less waits to be sent */

struct http_response http_begin_job(struct http_session *session, const char *type, struct http_job *job)
{
	assert(session->is_busy && !session->job && job->pump && job->destroy);
	session_hold_view(&session->session);
	if (session->is_1_0)
		session->keep_alive = false;
	struct buffer *out = http_write_head(session, &(struct http_response){.code = 200, .type = type}, 0);
	const char *ending = session->is_1_0 ? "\r\n" : "Transfer-Encoding: chunked\r\n\r\n";
	buffer_append(out, ending, strlen(ending));
	if (session->is_head) {
		job->destroy(session, job);
		http_finish(session);
	} else {
		session->job = job;
		http_wake(session);
	}
	return (struct http_response){.code = HTTP_NO_RESPONSE};
}

void http_write_slice(struct http_session *session, struct slice slice)
{
	char head[24];
	assert(session->job && !session->is_head);
	session_hold_view(&session->session);
	struct buffer *out = session_output(&session->session, 0);
	if (!slice.len)
		return;
	if (!session->is_1_0)
		buffer_append(out, head, (size_t)snprintf(head, sizeof(head), "%zx\r\n", slice.len));
	buffer_append(out, slice.bytes, slice.len);
	if (!session->is_1_0)
		buffer_append(out, "\r\n", 2);
}

void http_wake(struct http_session *session)
{
	assert(session->job);
	session->is_due = true;
	loop_timer_set(session->http->pump_timer, http_now_us(session));
}

bool http_is_behind(const struct http_session *session)
{
	const struct stream *stream = &session->session.stream;
	return stream_written(stream) - stream_sent(stream) > BEHIND_BYTES;
}

void http_drop_job(struct http_session *session)
{
	struct http_job *job = session->job;
	session->job = NULL;
	session->is_due = false;
	if (job)
		job->destroy(session, job);
}

static void pump_session(struct http_session *session)
{
	session->is_due = false;
	if (http_is_behind(session)) /* on_sent wakes it */
		return;
	if (session->job->pump(session, session->job))
		return;
	http_drop_job(session);
	if (!session->is_1_0)
		buffer_append(session_output(&session->session, 0), "0\r\n\r\n", 5);
	http_finish(session);
}

void http_pump_all(struct http *http)
{
	for (struct http_session *session = http->first; session; session = session->next) {
		if (session->is_due && session->job)
			pump_session(session);
	}
}

unsigned http_jobs_of_user(const struct http_session *session,
			   bool (*pump)(struct http_session *session, struct http_job *job))
{
	const struct user *user = session_user(&session->session);
	unsigned n = 0;
	if (!user)
		return 0;
	for (const struct http_session *other = session->http->first; other; other = other->next)
		n += other->job && other->job->pump == pump && session_user(&other->session) == user;
	return n;
}
