/* A handle of the blocking API: one socket, the client's state machine, and the threads that wait for replies.
 *
 * All is guarded by `lock`; a thread lets go of it only to wait. Waiting is leader and follower: one thread of those that wait (the leader) polls
 * the socket, without the lock, and reads and writes for all; the others sleep on their requests' conditions, and are woken by what they wait for,
 * or to lead when the leader has gone. A thread waits for its reply, or first, where the socket does not take its frame at once, for that. The leader
 * always reads while it writes, so a daemon that waits for us to read never waits for ever. Whoever reads or writes without leading
 * wakes the leader where that matters to it. Once broken, a handle stays so, and all that is pending ends.
 */
#ifndef MILLRACE_CLIENT_TRANSPORT_H
#define MILLRACE_CLIENT_TRANSPORT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/client.h"
#include "client/millrace.h"

/* A call with a time-out gives a silent network this much longer: less than the second that is promised. */
enum { SILENCE_GRACE_MS = 900 };

enum want { /* which text of an answer is kept for the caller */
	WANT_NOTHING,
	WANT_VALUE, /* `value`, or `values` */
	WANT_BODY,  /* all of it */
};

TAILQ_HEAD(request_queue, mr_request);

struct mr_request {
	struct client_request pending; /* first: the machine knows the request by it */
	TAILQ_ENTRY(mr_request) sleeper, begun;
	struct request_queue *sleeps_in; /* NULL: its thread does not sleep */
	pthread_cond_t woken;
	bool is_sending;  /* its thread waits only until it is sent */
	uint64_t sent_at; /* how many bytes of the handle have gone when it has */
	bool is_done;     /* what follows is set */
	enum want want;
	int status;  /* of mr_status */
	char *text;  /* what is wanted, or of an error its message; terminated by NUL; NULL: there was none. The request's, until it is moved out */
	size_t text_len;
	bool has_arm;
	uint64_t arm, accepted, evicted;
	int64_t timeout_ms;  /* negative: waits for ever */
	int64_t deadline_ms; /* when the daemon should have answered */
};

struct mr {
	int fd, wake_fd; /* set once */
	pthread_mutex_t lock;
	pthread_condattr_t monotonic;
	struct client client;
	uint64_t n_queued, n_sent; /* bytes, since the beginning */
	int64_t moved_ms;          /* when bytes last went or came */
	struct mr_request *leader; /* whose thread polls for all, or NULL */
	bool is_leader_woken;      /* by wake_fd */
	struct request_queue senders;   /* asleep until they are sent; in the order of their frames */
	struct request_queue followers; /* asleep until they are done */
	struct request_queue begun; /* those of mr_begin_*() that nobody has waited for yet; on the heap */
	int broken;                 /* 0, or the status that ended it */
	char broken_text[320];
	int notice;            /* 0, or the status of the last error that came for nobody: the daemon's last words */
	char notice_text[240];
	json_t *hello;         /* set once */
};

/* A handle around a connected socket, which becomes the handle's. NULL without memory; the socket stays the caller's. */
struct mr *transport_create(int fd);
void transport_destroy(struct mr *m);

void request_init(struct mr *m, struct mr_request *request, enum want want);
void request_finish(struct mr_request *request);

/* Sends a request: returns when the socket has taken it, MR_OK. Else an error with its words, and the request is not pending. */
int transport_begin(struct mr *m, struct mr_request *request, enum message_op op, struct slice members, int64_t timeout_ms);

/* Waits until the request is done. Returns its status, with its words if it is an error. */
int transport_wait(struct mr *m, struct mr_request *request);

/* A request on the heap is the handle's, which frees it with itself, until somebody comes to wait for it. */
void transport_keep(struct mr *m, struct mr_request *request);
void transport_unkeep(struct mr *m, struct mr_request *request);

/* Whether it is done; reads what has arrived. */
bool transport_poll(struct mr *m, const struct mr_request *request);

int64_t clock_now_ms(void); /* monotonic */

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
