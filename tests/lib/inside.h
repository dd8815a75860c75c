/* The daemon's inside in this process: its loop, sessions and core, over socket pairs, and HTTP over a Unix socket, on
 * a clock that only tests move (system.h). Nothing waits: a turn handles what is there. */
#ifndef MILLRACE_TESTS_INSIDE_H
#define MILLRACE_TESTS_INSIDE_H

#include <stdbool.h>

#include "daemon/http/http.h"
#include "daemon/net/loop.h"
#include "daemon/session/session.h"

struct inside {
	struct loop *loop;
	struct stream_group *streams;
	struct loop_timer *timer, *login_timer;
	struct core *core;
	struct broker broker;
	struct sessions sessions;
	struct http *http; /* NULL: not served */
};

/* Small limits that tests can reach, with channels a unbuffered, b bounded 3, c dropping 2, d sliding 2, e promise, and
 * x bounded 2 whose dead letters go to b at the second return. -1: no memory (which a test may have brought about);
 * inside_stop() is right then too. */
int inside_start(struct inside *inside);
void inside_stop(struct inside *inside);

/* The same, as one of a cluster: without channels, and without a group. */
int inside_start_in_cluster(struct inside *inside);

/* The other end of a new connection: a non-blocking descriptor, the caller's to close; small buffers, so that they
 * fill. -1: no descriptors. */
int inside_connect(struct inside *inside);

/* Serves HTTP too, at the Unix socket of that path, which is the caller's to name. -1: it cannot. */
int inside_serve_http(struct inside *inside, const char *path);

/* The other end of a new connection there, as inside_connect(): it is accepted in the next turn. */
int inside_connect_http(const char *path);

/* Takes over the users of a configuration, as a reload does; they have to stay until the next call. 0, or -1: no
 * memory, and nothing has changed. */
int inside_set_users(struct inside *inside, const struct config *config);

/* Aborts if an invariant of the core or of a stream does not hold. inside_turn() does it after each turn. */
void inside_check(const struct inside *inside);

/* Handles what is there just now, and sends what was written. */
void inside_turn(struct inside *inside);

/* Whether nothing is left to do at this time, until a peer does something: no socket is ready for what its stream waits
 * for, no stream or long answer waits for its next turn, and the core has nothing due. */
bool inside_is_settled(const struct inside *inside);

/* Runs turns until it is settled. Aborts if that never comes. */
void inside_run(struct inside *inside);

/* How many requests are parked that a connection brought; dead letters, which wait on their own, are none. */
unsigned inside_parked(const struct inside *inside);

#endif
