/* Inside the blocking API: threads and a socket around the client's machine.
 *
 * All is guarded by `lock`; a thread lets go of it only to wait. Waiting is leader and follower: one thread of those
 * that wait (the leader) connects and polls the socket, without the lock, and reads and writes for all; the others
 * sleep on their conditions, and are woken by what they wait for, or to lead when the leader has gone. The leader
 * always reads while it writes, so a daemon that waits for us to read never waits for ever. Whoever reads or writes
 * without leading wakes the leader where that matters to it. Only the leader closes the socket, or whoever finds that
 * there is none.
 */
#ifndef MILLRACE_CLIENT_BLOCKING_DRIVER_H
#define MILLRACE_CLIENT_BLOCKING_DRIVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/machine/machine.h"
#include "client/millrace.h"
#include "client/net/clock.h"
#include "client/net/uplink.h"
#include "client/net/url.h"

enum want { /* which text of an answer is kept for the caller */
	    WANT_NOTHING,
	    WANT_VALUE, /* `value`, or `values` */
	    WANT_BODY,  /* all of it */
};

/* What a request's owner does with what comes for it, instead of keeping it for a thread that waits; with the lock
 * held. */
typedef void request_outcome_cb(struct mr *m, struct mr_request *request, const struct machine_event *event);

struct mr_request {
	struct machine_request base;    /* first: the machine knows the request by it */
	TAILQ_ENTRY(mr_request) begun;  /* those of mr_begin_*() that nobody has waited for yet; on the heap */
	struct waiter *waiter;          /* whose thread waits for it, or NULL */
	request_outcome_cb *on_outcome; /* NULL: what comes is kept here */
	enum want want;
	bool is_done; /* what follows is set */
	int status;   /* of mr_status */
	char *text;   /* what is wanted, or of an error its message; terminated by NUL; NULL: there was none. The
			 request's, until it is moved out; so are the next three */
	size_t text_len;
	char *lease, *deliveries, *origin;
	bool has_arm;
	uint64_t arm, accepted, evicted;
};

struct waiter { /* a thread that waits */
	TAILQ_ENTRY(waiter) entry;
	pthread_cond_t woken;
	struct mr_request *request; /* until this is done; NULL: for something of this side alone */
	bool waits_sent;            /* only until what is to be sent is with the socket */
	bool is_done;               /* without a request: told by waiter_wake() */
};

/* Who wants to know of puts without an id to a channel that went wrong; with the lock held. */
struct notice_listener {
	LIST_ENTRY(notice_listener) entry;
	const char *channel;
	void (*on_notice)(struct notice_listener *listener, int status, const char *message);
};

struct mr {
	unsigned process;      /* that has made it */
	struct url_list urls;  /* set once, as are the next two */
	struct secure *secure; /* NULL: no address asks for TLS */
	int wake_fd;
	pthread_condattr_t monotonic;
	pthread_mutex_t lock;
	struct machine machine;
	struct uplink uplink;
	struct waiter *leader; /* whose thread waits for the socket for all, or NULL */
	bool is_leader_woken;  /* by wake_fd */
	TAILQ_HEAD(, waiter) followers;
	size_t n_waiting_sent; /* of these, and the leader: until all is sent */
	TAILQ_HEAD(, mr_request) begun;
	LIST_HEAD(, notice_listener) listeners;
};

/* MR_OK; or MR_EARGUMENT in a process that was forked from the handle's own, and nothing is locked. */
int driver_lock(struct mr *m);
void driver_unlock(struct mr *m);

/* -- with the lock held -- */

/* Opens a first connection, to the first address that can be had. MR_OK, or why not. */
int driver_open(struct mr *m);

/* Hands in a request, and writes what the socket takes at once. With `flush` nothing is kept back. MR_OK, or an error
 * with its message, and there is nothing to finish. */
int driver_submit(struct mr *m, struct mr_request *request, struct operation *operation, bool flush);

/* Writes what the socket takes. */
void driver_write(struct mr *m, bool flush);

/* Reads what has arrived, and does what is due. */
void driver_look(struct mr *m);

/* Waits until it is over. False: that was at deadline_ms (MACHINE_NEVER: none). */
bool driver_wait(struct mr *m, struct waiter *waiter, int64_t deadline_ms);

/* What it waits for has happened. */
void waiter_wake(struct mr *m, struct waiter *waiter);

/* Keeps what has come for a request that no thread may be waiting for yet. */
void request_keep(struct mr_request *request, const struct machine_event *event);
void request_finish(struct mr_request *request); /* frees what it keeps */

#endif
