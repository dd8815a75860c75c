/* One connection: requests in, core events; core replies, answers out. Sessions, frames and HTTP alike, are the only
 * ones that know both the protocol and the core. Here: what a session is, its life, and its answers. */
#ifndef MILLRACE_SESSION_SESSION_H
#define MILLRACE_SESSION_SESSION_H

#include "config/limits.h"
#include "daemon/access/users.h"
#include "daemon/broker/broker.h"
#include "daemon/cluster/view.h"
#include "daemon/log.h"
#include "daemon/net/loop.h"
#include "daemon/net/stream.h"
#include "daemon/net/stream_group.h"
#include "proto/message.h"

struct login;
struct session;
struct tls_context;
struct unsent;
struct overload_record;

struct overload_lines { /* overload_log.c's */
	uint64_t until_us, n;
};

/* How much was asked, and refused, since the daemon was started: for metrics. */
struct request_counts {
	uint64_t requests[OP_COUNT]; /* OP_NONE: those whose op could not be read */
	uint64_t errors[OP_COUNT][ERROR_COUNT];
	uint64_t refused_logins;
	enum message_op op; /* of the request that is carried out, or answered, just now */
};

/* How far a reload of the users has come, by sweeps.c: first connections end, then subscriptions, then what is parked.
 */
struct revocation {
	uint64_t below;      /* sessions whose numbers are lower may have parked what they have no right to any more */
	uint64_t after;      /* and in the next of them what was parked up to this seq was looked at; 0: nothing yet */
	uint64_t taps_after; /* likewise, taps up to this seq */
	bool ends_users, ends_taps; /* there are more of them to be looked at */
	bool had_users;             /* before all that: who is none has parked nothing */
};

/* What all sessions share. The server owns it. */
struct sessions {
	struct loop *loop;
	struct stream_group *streams;
	struct broker *broker;
	const struct core *core;      /* the broker's, to be asked; what changes it goes by the broker */
	struct cluster_view *cluster; /* NULL: this daemon is alone */
	const char *starting;         /* how far the start is, for people: nobody is served yet. NULL: it is done */
	struct limits limits;
	struct message_decoder decoder; /* zero-initialise */
	struct value_pool values;       /* their memory, to be cleared when the core has ended */
	struct value_account nobody;    /* of the values of those who are no user */
	const char *serves_nobody;      /* why connections for frames are turned away, so that clients look elsewhere;
					   NULL: they are not */
	struct session *first;          /* all of them, the newest first */
	uint64_t n, n_http;             /* how many; of these, http/'s */
	uint64_t last_number;
	struct revocation revocation;
	struct users *users;                           /* NULL: none, and there never will be any */
	struct login *first_stranger, **strangers_end; /* login.c's */
	struct log_seldom strangers_log, logins_log;
	struct log_seldom refused_log, idle_log;
	struct overload_lines overload_lines;
	struct request_counts counts;
	uint64_t rows_us, turn_rows; /* page.c's: rows that were looked at in the turn of that time */
};

/* An answer that is being written: its members are appended to `out`. */
struct answer {
	struct buffer *out;
	size_t mark;             /* where it begins: a distance from out->start */
	struct session *session; /* whose stream may refer to values; NULL: they are copied */
	size_t referred_before;  /* what the stream referred to when it began */
};

/* How the peer of a session speaks: frame_wire.c, or HTTP. */
struct session_wire {
	size_t bytes;       /* of a session with what is the wire's own, of which struct session is the first member */
	const char *name;   /* "frames" */
	bool has_short_way; /* its answers are frames, as short_way.c writes them */
	size_t (*on_bytes)(struct session *session, char *bytes, size_t len); /* see stream.h */
	void (*on_sent)(struct session *session); /* NULL: nothing to do; likewise the next three */
	void (*on_end)(struct session *session);
	void (*after_reply)(struct session *session); /* the broker has released the replies in which session_defer()
							 was called */
	void (*finish)(struct session *session);      /* frees what is the wire's own */
	/* An answer to the request `id` (CORE_NO_ID: to none) in which there will be so many bytes of values. With
	 * STATUS_ERROR: `error`, and for people `detail`, or NULL. */
	struct answer (*begin)(struct session *session, uint64_t id, enum status status, enum error error,
			       const char *detail, size_t value_bytes);
	void (*end)(struct session *session, struct answer answer);
	/* The answer that is about to begin sends the peer to another daemon, whose HTTP is there (empty: unknown).
	 * NULL: the wire has no way to say it beside the answer's own. */
	void (*redirect)(struct session *session, struct slice http);
	/* Writes a reply in a way of its own, without begin and end, and says whether it has. NULL: it has none. */
	bool (*write)(struct session *session, const struct core_reply *reply);
	/* The daemon ends the connection, and says why. */
	void (*refuse)(struct session *session, enum error error, const char *why);
};

struct session {              /* there are many idle ones: keep it small */
	struct stream stream; /* must come first */
	const struct session_wire *wire;
	struct sessions *all;
	struct session *next, **at; /* in all->first; *at points here */
	struct core_connection *connection;
	char *name;            /* from hello, or NULL */
	struct unsent *unsent; /* unsent_ledger.c's; NULL: nothing is */
	struct login *login;   /* login.c's; NULL: it is nobody, and need not say who it is */
	uint64_t number;
	uint64_t heard_us;                /* when it last sent anything */
	struct overload_record *overload; /* overload_log.c's; NULL: there was nothing to tell */
	struct broker_action after_reply;
};

/* -- Life -- */

/* A connected, non-blocking socket becomes a session. With a context it has to speak TLS. NULL, and `fd` is still the
 * caller's: no memory. It may have no connection in the core, for lack of memory too: then it can ask nothing. */
struct session *session_create(struct sessions *sessions, const struct session_wire *wire, int fd,
			       struct tls_context *tls);

/* The peer asks nothing more, and waits for nothing: its parked requests are cancelled. Not while replies are
 * delivered. */
void session_hang_up(struct session *session);

/* The daemon ends the connection, and says why. Only while the stream is open or opening, and not while replies are
 * delivered. */
void session_end(struct session *session, enum error error, const char *why);

/* Whether session_end() may be called. */
bool session_is_served(const struct session *session);

/* Whether no session has anything to be sent. */
bool session_all_sent(const struct sessions *sessions);

/* The daemon ends: drops all connections. Only when the loop does not run any more. */
void session_drop_all(struct sessions *sessions);

/* -- Replies -- */

/* The broker's: encodes a reply into the output of the session that is its cookie. */
void session_deliver(void *cookie, struct core_reply *reply);

/* Holds what is written from now on until all is kept that the core has now, since it shows that. */
void session_hold_view(struct session *session);

/* The broker's: does what session_defer() has put off. */
void session_run_deferred(struct broker_action *action);

/* Puts off what a reply brings about until the reply is released, since that may ask the core again: then the wire's
 * after_reply() is called, and the core is told if the output is full. */
void session_defer(struct session *session);

/* A reply about this channel has been written: if the output is full now, the overload log is told. */
void session_written(struct session *session, struct slice channel);

/* Tells the core to pause the connection if so much waits to be sent that nothing more should be added; it goes on once
 * the stream has drained. Not while replies are delivered: see session_defer(). */
void session_pause_if_full(struct session *session);

/* The buffer to which everything is written that a session says, of which so many bytes are values. */
static inline struct buffer *session_output(struct session *session, size_t value_bytes)
{
	return stream_output(&session->stream, value_bytes);
}

/* -- Answers -- */

static inline struct answer answer_begin(struct session *session, uint64_t id, enum status status, size_t value_bytes)
{
	return session->wire->begin(session, id, status, ERROR_NONE, NULL, value_bytes);
}

/* `detail`: for people, or NULL. */
static inline struct answer answer_begin_error(struct session *session, uint64_t id, enum error error,
					       const char *detail)
{
	struct request_counts *counts = &session->all->counts;
	counts->errors[counts->op][error]++;
	return session->wire->begin(session, id, STATUS_ERROR, error, detail, 0);
}

static inline void answer_end(struct session *session, struct answer answer)
{
	session->wire->end(session, answer);
}

/* A whole error answer. */
static inline void answer_error(struct session *session, uint64_t id, enum error error, const char *detail)
{
	answer_end(session, answer_begin_error(session, id, error, detail));
}

/* An error answer. `subject`: what it is about, to be quoted, or empty. */
void session_refuse(struct session *session, uint64_t id, enum error error, struct slice subject);

#endif
