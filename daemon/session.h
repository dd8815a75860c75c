/* One connection: frames in, core events; core replies, frames out. The only module that knows both the protocol and the core. */
#ifndef MILLRACE_SESSION_H
#define MILLRACE_SESSION_H

#include "config/limits.h"
#include "daemon/core/core.h"
#include "daemon/net/loop.h"
#include "proto/message.h"

/* What all sessions share. The server owns it. */
struct sessions {
	struct loop *loop;
	struct core *core;
	struct limits limits;
	struct message_decoder decoder; /* zero-initialise */
	struct session *first;          /* all of them */
	uint64_t n;
	uint64_t last_number;
	uint64_t n_refused; /* connections, for lack of room or memory */
};

/* A connected, non-blocking socket becomes a session, or is told why not and closed. Takes `fd` over. */
void session_accept(struct sessions *sessions, int fd);

/* Whether no session has anything to be sent. */
bool session_all_sent(const struct sessions *sessions);

/* The daemon ends: drops all connections. Only when the loop does not run any more. */
void session_drop_all(struct sessions *sessions);

/* Carries out one event that no session brought (a time-out, a channel of the configuration), and sends the replies that it leads to.
 * Returns what came of the event itself, if it has a reply without a connection; else STATUS_OK, ERROR_NONE. */
enum error session_step(struct sessions *sessions, struct core_event *event);

#endif
