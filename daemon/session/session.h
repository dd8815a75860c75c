/* One connection: frames in, core events; core replies, frames out. The only module that knows both the protocol and
 * the core. */
#ifndef MILLRACE_SESSION_SESSION_H
#define MILLRACE_SESSION_SESSION_H

#include "config/limits.h"
#include "daemon/broker/broker.h"
#include "daemon/core/core.h"
#include "daemon/log.h"
#include "daemon/net/loop.h"
#include "daemon/net/stream_group.h"
#include "daemon/access/users.h"
#include "proto/message.h"

struct tls_context;

struct watch_lines { /* overload_log.c's */
	uint64_t until_us, n;
};

/* What all sessions share. The server owns it. */
struct sessions {
	struct loop *loop;
	struct stream_group *streams;
	struct broker *broker;
	const struct core *core; /* the broker's, to be asked; what changes it goes by the broker */
	struct limits limits;
	struct message_decoder decoder; /* zero-initialise */
	struct session *first;          /* all of them */
	uint64_t n, n_http;             /* how many; of these, http/'s */
	uint64_t last_number;
	struct users *users;                           /* NULL: none, and there never will be any */
	struct login *first_stranger, **strangers_end; /* auth.c's */
	struct log_seldom strangers_log, logins_log;
	struct log_seldom refused_log, idle_log;
	struct watch_lines watch_lines;
	uint64_t rows_us, turn_rows; /* page.c's: rows that were looked at in the turn of that time */
};

/* A connected, non-blocking socket becomes a session, or is told why not and closed. Takes `fd` over. With a context it
 * has to speak TLS. */
void session_accept(struct sessions *sessions, int fd, struct tls_context *tls);

/* Closes the connections that have not shaken hands, or have not said hello where there are users, in max_login_ms; and
 * when there may be one. */
void session_end_strangers(struct sessions *sessions);
uint64_t session_strangers_deadline(const struct sessions *sessions);

/* After users_apply(): closes the connections whose users are gone, or known by something else now. */
void session_users_changed(struct sessions *sessions);

/* Whether no session has anything to be sent. */
bool session_all_sent(const struct sessions *sessions);

/* The process has no descriptor for this connection: it is told so and closed. Takes `fd` over. */
void session_accept_none(struct sessions *sessions, int fd);

/* Closes the connections that have sent nothing for max_idle_ms, unless they have a parked request, a lease, or output
 * that is not read yet. Returns when to be called again; UINT64_MAX without such a limit. */
uint64_t session_close_idle(struct sessions *sessions);

/* The daemon ends: drops all connections. Only when the loop does not run any more. */
void session_drop_all(struct sessions *sessions);

/* The broker's: encodes a reply into the output of the session that is its cookie. */
void session_deliver(void *cookie, struct core_reply *reply);

#endif
