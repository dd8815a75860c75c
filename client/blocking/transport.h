/* A handle of the blocking API: one socket, the client's state machine, and the threads that wait for replies.
 *
 * All is guarded by `lock`; a thread lets go of it only to wait. Waiting is leader and follower: one thread of those
 * that wait (the leader) polls the socket, without the lock, and reads and writes for all; the others sleep on their
 * requests' conditions, and are woken by what they wait for, or to lead when the leader has gone. A thread waits for
 * its reply, or first, where the socket does not take its frame at once, for that. The leader always reads while it
 * writes, so a daemon that waits for us to read never waits for ever. Whoever reads or writes without leading wakes the
 * leader where that matters to it. Once broken, a handle stays so, and all that is pending ends.
 */
#ifndef MILLRACE_CLIENT_BLOCKING_TRANSPORT_H
#define MILLRACE_CLIENT_BLOCKING_TRANSPORT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/machine/client.h"
#include "client/blocking/clock.h"
#include "client/net/link.h"
#include "client/millrace.h"
#include "client/net/url.h"

/* A call with a time-out gives a silent network this much longer: less than the second that is promised. */
enum { SILENCE_GRACE_MS = 900, REOPEN_MS = 500 /* of that, at most, to open a connection anew */ };

enum want { /* which text of an answer is kept for the caller */
	    WANT_NOTHING,
	    WANT_VALUE, /* `value`, or `values` */
	    WANT_BODY,  /* all of it */
};

/* Who wants to know of puts without id to a channel that went wrong; with the lock held. */
struct notice_listener {
	LIST_ENTRY(notice_listener) entry;
	const char *channel;
	void (*on_notice)(struct notice_listener *listener, int status,
			  const struct message_reply *reply); /* NULL: the connection has ended */
};

TAILQ_HEAD(request_queue, mr_request);

/* What a request's owner does with what comes for it, instead of keeping it for a thread that waits; with the lock
 * held. `reply` NULL: the connection has ended, with m->broken. */
typedef void request_reply_cb(struct mr *m, struct mr_request *request, const struct message_reply *reply,
			      bool is_last);

struct mr_request {
	struct client_request pending; /* first: the machine knows the request by it */
	TAILQ_ENTRY(mr_request) sleeper, begun;
	struct request_queue *sleeps_in; /* NULL: its thread does not sleep */
	pthread_cond_t woken;
	bool is_sending;  /* its thread waits only until it is sent */
	uint64_t sent_at; /* how many bytes of the handle have gone when it has */
	bool is_local;    /* it stands for a thread that waits for something of this side alone: when its time is over,
			     that is MR_TIMEOUT */
	bool is_change;   /* if the connection ends before the answer, whether it happened cannot be known */
	bool is_done;     /* what follows is set */
	request_reply_cb *on_reply; /* NULL: what comes is kept here */
	enum want want;
	int status; /* of mr_status */
	char *text; /* what is wanted, or of an error its message; terminated by NUL; NULL: there was none. The
		       request's, until it is moved out */
	size_t text_len;
	bool has_arm;
	uint64_t arm, accepted, evicted;
	char *lease, *deliveries; /* of a take with a lease, as text: the request's, until they are moved out */
	int64_t timeout_ms;       /* negative: waits for ever */
	int64_t deadline_ms;      /* when the daemon should have answered */
};

struct mr {
	struct link link;
	int wake_fd;          /* set once */
	struct url_list urls; /* what follows is handle.c's; set once, but for the pause */
	char *name, *token;
	struct secure *secure; /* NULL: no address asks for TLS */
	int64_t connect_timeout_ms;
	bool reopens;
	int64_t pause_ms, not_before_ms; /* of who opens it anew */
	pthread_mutex_t lock;
	pthread_condattr_t monotonic;
	struct client client;
	uint64_t n_queued, n_sent;         /* bytes, since the beginning */
	int64_t moved_ms;                  /* when bytes last went or came */
	struct mr_request *leader;         /* whose thread polls for all, or NULL */
	bool is_leader_woken;              /* by wake_fd */
	size_t n_waiting;                  /* threads that wait, leading or not */
	bool is_reopening;                 /* by a thread that has it alone, but for the lock */
	pthread_cond_t settled;            /* fewer wait, or it is open again, or not */
	LIST_HEAD(, ephemeral) ephemerals; /* handle.c's */
	struct request_queue senders;      /* asleep until they are sent; in the order of their frames */
	struct request_queue followers;    /* asleep until they are done */
	struct request_queue begun;        /* those of mr_begin_*() that nobody has waited for yet; on the heap */
	LIST_HEAD(, notice_listener) listeners;
	int broken; /* 0, or the status that ended it */
	char broken_text[320];
	int notice; /* 0, or the status of the last error that came for nobody: the daemon's last words */
	char notice_text[240];
	json_t *hello;
};

/* A handle without a link yet. NULL without memory. */
struct mr *transport_create(void);
void transport_destroy(struct mr *m);

void request_init(struct mr *m, struct mr_request *request, enum want want);
/* One that is_local, until then (< 0: for ever). */
void request_init_local(struct mr *m, struct mr_request *request, int64_t deadline_ms);
void request_finish(struct mr_request *request);

/* Sends a request: returns when the socket has taken it, MR_OK. Else an error with its words, and the request is not
 * pending. */
int transport_begin(struct mr *m, struct mr_request *request, enum message_op op, struct slice members,
		    int64_t timeout_ms);

/* -- with the lock held, for whoever builds more than one call of this -- */

/* Appends a request that nobody waits for (a put: without an id), and writes what the socket takes. */
int transport_tell(struct mr *m, enum message_op op, struct slice members);

/* transport_begin() for a take of this `count` (or, with 1, any op). With `wait_sent` false it returns at once, and the
 * frame may wait in the client's buffer: an error is then only that it was not appended; how the request ends, the
 * connection's end included, its on_reply is told. */
int transport_begin_locked(struct mr *m, struct mr_request *request, enum message_op op, struct slice members,
			   uint64_t count, int64_t timeout_ms, bool wait_sent);

/* Waits until the socket has taken all that is in the client's buffer. MR_OK, or how the connection ended. */
int transport_drain(struct mr *m, int64_t timeout_ms);

/* Waits for request_end(). A request that is local ends with MR_TIMEOUT when its time is over. */
void transport_wait_locked(struct mr *m, struct mr_request *request);

/* Ends it, and wakes whoever waits for it. */
void request_end(struct mr *m, struct mr_request *request, int status);

/* Keeps of a reply what will be asked for. Returns the status; MR_EMEMORY if it cannot be kept. */
int request_keep(struct mr_request *request, const struct message_reply *reply);

/* -- without it -- */

/* Waits until the request is done. Returns its status, with its words if it is an error. */
int transport_wait(struct mr *m, struct mr_request *request);

/* A request on the heap is the handle's, which frees it with itself, until somebody comes to wait for it. */
void transport_keep(struct mr *m, struct mr_request *request);
void transport_unkeep(struct mr *m, struct mr_request *request);

/* Whether it is done; reads what has arrived. */
bool transport_poll(struct mr *m, const struct mr_request *request);

/* A link, which becomes the handle's, instead of the one that has ended; nobody may wait. With the lock held. */
void transport_restart(struct mr *m, struct link link);

/* Makes sure that there is a connection; a handle that reconnects opens one if need be. A call with a time-out spends
 * little time on that. With the lock held; it is let go meanwhile. MR_OK, or why not. */
int transport_ready(struct mr *m, int64_t timeout_ms);

/* handle.c: opens it anew, within the deadline. The calling thread has the handle alone. */
int handle_reopen(struct mr *m, int64_t deadline_ms);

/* handle.c: this ephemeral channel is to be created anew with each connection, or not any more. */
int handle_remember(struct mr *m, const char *channel, struct slice members);
void handle_forget(struct mr *m, const char *channel);

/* -- of the socket, for those who wait for it; with the lock held -- */

/* Reads once, without waiting. Whether anything came. */
bool transport_read(struct mr *m);

/* Writes what the socket takes, without waiting. */
void transport_write(struct mr *m);

/* Ends the connection and all that is pending, with this status and these words. */
__attribute__((format(printf, 3, 4))) void transport_break(struct mr *m, int status, const char *format, ...);

/* Makes the leader look again at what it waits for. */
void transport_wake_leader(struct mr *m);

#endif
