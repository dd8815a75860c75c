/* What the parts of HTTP share: http.c (listening, and what is due with time), connection.c (requests in, responses
 * out), access.c (from where it may be asked), login.c (by whom), routes.c (what there is), gateway.c (the protocol's
 * ops), look.c (health, clients, pages), metrics.c and events.c (long answers, in slices). */
#ifndef MILLRACE_HTTP_HTTP_PRIVATE_H
#define MILLRACE_HTTP_HTTP_PRIVATE_H

#include "daemon/http/head.h"
#include "daemon/http/http.h"
#include "daemon/session/login.h"
#include "daemon/session/query.h"
#include "daemon/session/requests.h"

struct http_session;
struct events;

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
	int code;           /* HTTP's, for it; 0: what status and error say */
	size_t value_bytes; /* in it */
	struct buffer answer;
	struct http_job *job; /* or NULL */
	bool is_due;          /* its pump is to be called */
};

extern const struct session_wire http_wire;

/* With a context it has to speak TLS. NULL: no memory. */
struct http_session *http_session_create(struct http *http, int fd, struct tls_context *tls);

/* -- connection.c: responses -- */

struct http_response {
	int code;
	const char *type; /* of the content; NULL: none */
	const char *more; /* headers, each with its CRLF; or NULL */
	struct slice body;
	size_t value_bytes; /* in the body */
};

/* The whole answer to the present request. */
void http_respond(struct http_session *session, const struct http_response *response);
/* The same for an error in the protocol's words. `detail`: see message_error(). */
void http_refuse(struct http_session *session, int code, enum error error, const char *detail);

/* A long answer: its head at once, its slices by the job, in turns to come. Takes the job over. */
void http_begin_job(struct http_session *session, const char *type, struct http_job *job);
/* Writes a slice of it: a chunk. */
void http_write_slice(struct http_session *session, struct slice slice);
/* The job's pump is called in the next turn. */
void http_wake(struct http_session *session);
/* How many long answers with this pump the session's user, if it is one, gets just now. */
unsigned http_jobs_of_user(const struct http_session *session,
			   bool (*pump)(struct http_session *session, struct http_job *job));
/* Whether so much waits to be sent that the next slice had better wait too. It is woken by what is sent. */
bool http_is_behind(const struct http_session *session);
/* Calls the pump of everybody's job that is due. */
void http_pump_all(struct http *http);

/* Ends the connection, if it has stood still for too long. */
void http_sweep(struct http_session *session, uint64_t now_us);

/* -- The rest -- */

/* The one place where it is decided whether a request is let in at all: 403 if not, with this text, and nothing has
 * happened. NULL: it is. */
const char *http_access(const struct http_session *session, const struct http_request *request);
/* Finds who asks. False: nobody who may, and that was the answer. */
bool http_login(struct http_session *session, const struct http_request *request);
/* What changes anything says that it is JSON, as no form can: else 415. */
bool http_brings_json(const struct http_request *request);

/* Finds what was asked for, by the request's head alone, and who asks: sets route and argument. False: it is not to be
 * had, and that was the answer. */
bool http_find(struct http_session *session, struct http_request *request);

/* One of the protocol's ops. */
void gateway_serve(struct http_session *session, const struct http_request *request);
/* The wire's: its answer. */
struct answer gateway_begin(struct session *session, uint64_t id, enum status status, enum error error,
			    const char *detail, size_t value_bytes);
void gateway_end(struct session *session, struct answer answer);

void look_health(struct http_session *session, const struct http_request *request);
void look_ready(struct http_session *session, const struct http_request *request);
void look_clients(struct http_session *session, const struct http_request *request);
void look_page(struct http_session *session, const struct http_request *request);
void look_openapi(struct http_session *session, const struct http_request *request);

void metrics_serve(struct http_session *session, const struct http_request *request);

void events_serve(struct http_session *session, const struct http_request *request);
void events_destroy(struct events *events); /* NULL is fine */

#endif
