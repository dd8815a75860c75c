/* What the parts of the session module share: session.c (life, frames), auth.c (who it is, and what it may),
 * requests.c (requests to events), replies.c (replies to answers), query.c (list, stat, peek, waiters),
 * unsent_ledger.c (what was written and is not sent yet) and overload_log.c (overload, for the log). */
#ifndef MILLRACE_SESSION_SESSION_PRIVATE_H
#define MILLRACE_SESSION_SESSION_PRIVATE_H

#include "daemon/log.h"
#include "daemon/net/stream.h"
#include "daemon/session/session.h"

/* An answer that is being written: its members are appended to `out`. */
struct answer {
	struct buffer *out;
	size_t mark; /* where it begins: a distance from out->start */
};

/* How the peer of a session speaks. Frames are session.c's; HTTP is in http/. */
struct session_wire {
	size_t bytes; /* of a session with what is the wire's own, of which struct session is the first member */
	size_t (*on_bytes)(struct session *session, char *bytes, size_t len); /* see stream.h */
	void (*on_sent)(struct session *session); /* NULL: nothing to do; likewise the next two */
	void (*on_end)(struct session *session);
	void (*after_reply)(struct session *session); /* the broker has released the replies that called
							 session_defer() */
	void (*finish)(struct session *session);      /* frees what is the wire's own */
	/* An answer to the request `id` (CORE_NO_ID: to none) in which there will be so many bytes of values. With
	 * STATUS_ERROR: `error`, and for people `detail`, or NULL. */
	struct answer (*begin)(struct session *session, uint64_t id, enum status status, enum error error,
			       const char *detail, size_t value_bytes);
	void (*end)(struct session *session, struct answer answer);
	/* The daemon ends the connection, and says why. */
	void (*refuse)(struct session *session, enum error error, const char *why);
};

struct login;
struct unsent;
struct watch;

struct session {              /* there are many idle ones: keep it small */
	struct stream stream; /* must come first */
	const struct session_wire *wire;
	struct sessions *all;
	struct session *next, **at; /* in all->first; *at points here */
	struct core_connection *connection;
	char *name;            /* from hello, or NULL */
	struct unsent *unsent; /* unsent_ledger.c's; NULL: nothing is */
	struct login *login;   /* auth.c's; NULL: it is nobody, and need not say who it is */
	uint64_t number;
	uint64_t heard_us;   /* when it last sent anything */
	struct watch *watch; /* overload_log.c's; NULL: there was nothing to tell */
	struct broker_action after_reply;
};

extern const struct session_wire session_frames;

/* A connected, non-blocking socket becomes a session. NULL, and `fd` is still the caller's: no memory. It may have no
 * connection in the core, for lack of memory too: then it can ask nothing. */
struct session *session_create(struct sessions *sessions, const struct session_wire *wire, int fd,
			       struct tls_context *tls);

static inline struct answer answer_begin(struct session *session, uint64_t id, enum status status, size_t value_bytes)
{
	return session->wire->begin(session, id, status, ERROR_NONE, NULL, value_bytes);
}

static inline struct answer answer_begin_error(struct session *session, uint64_t id, enum error error,
					       const char *detail)
{
	return session->wire->begin(session, id, STATUS_ERROR, error, detail, 0);
}

static inline void answer_end(struct session *session, struct answer answer)
{
	session->wire->end(session, answer);
}

static inline void answer_error(struct session *session, uint64_t id, enum error error, const char *detail)
{
	answer_end(session, answer_begin_error(session, id, error, detail));
}

/* Carries out one request that was decoded; every answer but those of parked requests is written when it returns. */
void session_handle(struct session *session, const struct message_request *request);

/* What a reply has brought about and may ask the core again is done when it is released: its wire's after_reply() is
 * called, and the core is told if the output is full. */
void session_defer(struct session *session);

/* The peer asks nothing more, and waits for nothing: its parked requests are cancelled. */
void session_hang_up(struct session *session);

/* Once so much waits to be sent that nothing more should be added, the core is told, until the stream has drained. Not
 * while replies are delivered: see session_defer(). */
void session_pause_if_full(struct session *session);

/* For the log: a put of this session has shed values; a reply about this channel has made its output full; and its
 * output is full even after sending. */
void session_watch_shed(struct session *session, const struct core_reply *reply);
void session_watch_full(struct session *session, struct slice channel);
void session_watch_slow(struct session *session);
void watch_end(struct session *session);

/* An error reply. `subject`: what it is about, to be quoted, or empty. */
void session_refuse(struct session *session, uint64_t id, enum error error, struct slice subject);

/* The daemon ends the connection, and says why. Only while the stream is open or opening. */
void session_end(struct session *session, enum error error, const char *why);

/* -- unsent_ledger.c -- */

/* The values of a reply that was just written are kept until it is sent. */
void session_keep(struct session *session, struct core_reply *reply);

/* Forgets those that have been sent; or all of them. */
void unsent_forget_sent(struct session *session);
void unsent_forget(struct session *session);

/* They go back to where they were taken from, with the session's end in the core. */
void unsent_return(struct session *session, struct core_event *disconnect);

/* -- auth.c -- */

bool auth_begin(struct session *session); /* false: no memory */
void auth_end(struct session *session);

/* Who it is; NULL: nobody, until its hello, and without users always. */
struct user *auth_user(const struct session *session);

/* The part of a hello that says who it is. False: it was refused, and told so. */
bool auth_hello(struct session *session, const struct message_request *request);

/* Who asks with this request alone, by this token or else by what the connection is; nobody must be parked. ERROR_NONE,
 * or why it may not: then the session is nobody's. */
enum error auth_as(struct session *session, bool has_token, struct slice token);

/* Whether the request may be carried out. False: it was refused, and told so; nothing has happened. */
bool auth_admits(struct session *session, const struct message_request *request);

bool auth_may_see(const struct session *session, struct slice channel);
uint32_t auth_max_frame(const struct session *session);

/* Towards which the values count that the session puts; NULL: none. */
struct value_account *auth_account(const struct session *session);

/* A channel's row, as `stat` has it: members of an answer; and as `list` has it, an object. */
void session_write_stat(struct buffer *out, const struct core_channel_row *row, uint64_t now_us);
void session_write_channel(struct buffer *out, const struct core_channel_row *row, uint64_t now_us);

void session_list(struct session *session, const struct message_request *request);
void session_stat(struct session *session, const struct message_request *request);
void session_peek(struct session *session, const struct message_request *request);
void session_waiters(struct session *session, const struct message_request *request);

#endif
