/* A handle of the blocking API, and what waits in it, as structs. driver.h says how threads share it. */
#ifndef MILLRACE_CLIENT_BLOCKING_HANDLE_STATE_H
#define MILLRACE_CLIENT_BLOCKING_HANDLE_STATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/machine/events.h"
#include "client/millrace.h"
#include "client/net/clock.h"
#include "client/net/dial.h"

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

struct blocking_contact {
	struct contact contact;     /* first */
	struct dial dial;           /* and the socket, once it is there */
	struct host_lookup *lookup; /* of its host; NULL: none runs */
	struct addrinfo *addresses; /* that are tried */
};

struct mr {
	unsigned process;     /* that has made it */
	struct url_list urls; /* set once, as are the next two */
	struct secure *secure;
	int wake_fd;
	int ready_fd; /* of mr_fd(), in a cluster: an epoll of all sockets, and of a timer for what is due; -1: nobody
		       * has asked for it */
	int timer_fd;
	pthread_condattr_t monotonic;
	pthread_mutex_t lock;
	struct machine machine;
	struct waiter *leader; /* whose thread waits for the sockets for all, or NULL */
	bool is_leader_woken;  /* by wake_fd */
	TAILQ_HEAD(, waiter) followers;
	size_t n_waiting_sent; /* of these, and the leader: until all is sent */
	TAILQ_HEAD(, mr_request) begun;
	LIST_HEAD(, notice_listener) listeners;
};

#endif
