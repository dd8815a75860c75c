/* A connection of HTTP: a session whose wire is HTTP/1.1, and what it is doing just now. */
#ifndef MILLRACE_HTTP_HTTP_SESSION_H
#define MILLRACE_HTTP_HTTP_SESSION_H

#include "daemon/http/head.h"
#include "daemon/http/http.h"
#include "daemon/session/login.h"

struct events;
struct http_session;
struct live;
struct listener;
struct route;

struct http {
	struct sessions *sessions;
	struct listener *listener;
	struct listener *const *listeners; /* of frames; NULL: unknown */
	char *const *hosts;
	size_t n_hosts;
	struct http_session *first;     /* all of them */
	struct loop_timer *sweep_timer; /* looks for those that take too long */
	struct loop_timer *pump_timer;  /* the next slices, in the next turn */
	struct buffer scratch;          /* a request in the protocol's words, or a slice */
	struct events *events;          /* NULL: nobody has asked for them yet */
	unsigned n_scrapes;
	uint64_t start_us; /* when the daemon was started, since 1970 */
	char url[160];
};

struct http_request {
	struct http_head head;
	struct slice body;
	const struct route *route;
	char argument_bytes[512];
	struct slice argument; /* what stands for {...} in the route's path, decoded */
};

/* A long answer, which is written a slice a turn. */
struct http_job {
	/* Writes the next slice, and says whether there is more to do. */
	bool (*pump)(struct http_session *session, struct http_job *job);
	void (*destroy)(struct http_session *session, struct http_job *job);
	/* Writes something when nothing was sent for a while; NULL: it need not. */
	void (*beat)(struct http_session *session);
};

struct http_session {
	struct session session; /* must come first */
	struct http *http;
	struct http_session *next, **at;  /* in http->first; *at points here */
	uint64_t since_us;                /* when a request began, or the last answer was written, or some of it sent */
	uint64_t sent;                    /* stream_sent() when that was looked at */
	uint64_t last_id;                 /* of its requests to the core */
	bool is_reading;                  /* in on_bytes, up the stack */
	bool is_busy;                     /* a request has no whole answer yet */
	bool is_partial;                  /* some of one has come, but not all */
	bool is_continued;                /* its body was asked for */
	bool is_head, is_1_0, keep_alive; /* as the present request says */
	enum message_op op;               /* of the present request, if it is one of the protocol's */
	enum status status;               /* of the answer that is being written */
	enum error error;
	size_t value_bytes; /* in it */
	struct buffer answer;
	char *target;         /* in a cluster: path and query of the present request, as they came; or NULL */
	char *location;       /* where the answer that is being written sends the peer; or NULL */
	struct http_job *job; /* or NULL */
	struct live *live;    /* live.c's: what the present request becomes, if it is carried out; or NULL */
	bool is_due;          /* its pump is to be called */
};

static inline uint64_t http_now_us(const struct http_session *session)
{
	return loop_now_us(session->session.all->loop);
}

#endif
