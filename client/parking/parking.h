/* Inside the parking client: the same state machine as under the blocking API, and around it libevent.
 *
 * A request is in one of three lists: `waiting` (here, to be sent in this order), `sent` (in the machine, pending; in
 * the order of their frames), or `ending` (its status is known, and its callback is due). It ends by leaving the last
 * one, with its callback, or silently with the client.
 *
 * Callbacks are called from the loop alone: every function that may call one is called only between parking_enter() and
 * parking_leave(), which stand in the functions that libevent calls. A callback may destroy the client: then it is
 * dead, an empty shell until parking_leave(); so after everything that may call one, look at is_dead.
 */
#ifndef MILLRACE_CLIENT_PARKING_PARKING_H
#define MILLRACE_CLIENT_PARKING_PARKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "client/machine/client.h"
#include "client/net/link.h"
#include "client/millrace_parking.h"
#include "client/net/secure.h"
#include "client/net/url.h"

enum parking_state {
	PARKING_RESTS,    /* no link; the timer is the pause before the next attempt */
	PARKING_LOOKS_UP, /* the timer is the end of the attempt, from here on */
	PARKING_CONNECTS, /* and shakes hands, with TLS */
	PARKING_GREETS,
	PARKING_UP,
};

enum parked_place { PARKED_WAITING, PARKED_SENT, PARKED_ENDING, PARKED_ENDED };

enum parked_kind {                 /* what becomes of it when the connection ends and it was sent */
		   PARKED_TAKE,    /* it ends as MR_ECONNECTION */
		   PARKED_CHANGE,  /* as MR_UNKNOWN */
		   PARKED_REPEATS, /* it is sent again */
		   PARKED_OURS,    /* the client's own: hello, heartbeats, channels created anew; it is dropped */
};

TAILQ_HEAD(parked_list, mr_parked);

struct mr_parked {
	struct client_request pending; /* first: the machine knows the request by it */
	TAILQ_ENTRY(mr_parked) entry;
	enum parked_place place;
	enum parked_kind kind;
	enum message_op op;
	bool is_silent;                  /* a put without an id: it never is in `sent` */
	bool is_urgent;                  /* it never parks on the daemon, and does not wait for room in the window */
	bool has_timeout_member;         /* the op knows timeout_ms */
	bool is_cancelled;               /* somebody has asked for it */
	int status;                      /* ending */
	const char *message;             /* static, or of the client; ending */
	uint64_t count;                  /* a take with count: how many it asks for; else 1 */
	int64_t timeout_ms, deadline_ms; /* negative: none */
	struct event *timer;             /* NULL without a time-out */
	struct buffer members;           /* while it waits; of one that repeats until its end */
	uint64_t begins_at, ends_at;     /* sent: where its frame is among all bytes of the connection */
	size_t members_at, members_len;  /* sent: where its members are in the frame */
	struct ephemeral *ephemeral;     /* a create: what is remembered if it is `ok`; the request's until then */
	char *channel;                   /* of a delete, of a put without an id, of a channel created anew; else NULL */
	mr_parking *p;
	mr_parked_cb *done;
	void *argument;
};

struct ephemeral { /* a channel that has to be created anew with each connection */
	LIST_ENTRY(ephemeral) entry;
	struct buffer members;
	char channel[];
};

struct lookup_job;
struct evutil_addrinfo;

struct mr_parking {
	struct event_base *base;
	struct url_list urls;
	size_t url_at;
	char *name, *token;
	struct secure *secure; /* NULL: no address asks for TLS */
	int64_t connect_timeout_ms, backoff_min_ms, backoff_max_ms, heartbeat_ms;
	size_t window_asked, window, max_waiting_bytes;
	mr_news_cb *on_news;
	void *argument;

	unsigned depth; /* of parking_enter() */
	bool is_dead;

	enum parking_state state;
	int64_t backoff_ms;
	struct evdns_base *dns; /* made when first needed */
	struct lookup_job *lookup;
	struct evutil_addrinfo *addresses, *address; /* of the host; the one that is tried */
	int64_t attempt_ends_ms;
	struct link link;
	struct event *reading, *writing; /* of the link */
	struct event *timer;             /* of the state */
	struct event *soon;              /* runs what is due after a call: sending, endings */
	struct event *beat;
	bool is_writing, is_soon;

	struct client client;
	uint64_t n_sent;            /* bytes of this connection */
	int64_t moved_ms;           /* when bytes last went or came */
	int64_t heard_ms, asked_ms; /* when they last came; when a heartbeat last asked for one, or 0 */
	struct buffer scratch;      /* members of the request that is being made */
	char last_channel[132];     /* which often is the next one's too: as it was given, checked, and as a member */
	char last_member[160];
	size_t last_member_len;
	struct parked_list waiting, sent, ending, spare;
	size_t n_spare;
	size_t n_waiting_bytes, n_in_flight, n_pending;
	bool was_full;
	LIST_HEAD(, ephemeral) ephemerals;
	char broken_text[320], message[320]; /* why the connection ended; of the outcome that is told */
	int notice;                          /* 0, or the status of the daemon's last words */
	char notice_text[240];
	char lease[256]; /* of the outcome that is told */
};

/* -- parking.c -- */

void parking_enter(mr_parking *p);
void parking_leave(mr_parking *p); /* p may be no more */

void parking_tell_news(mr_parking *p, enum mr_event event, int status, const char *message, const char *channel);

/* What is due after a call runs in the next turn of the loop. */
void parking_run_soon(mr_parking *p);

void parking_set_timer(struct event *timer, int64_t ms);

/* -- connection.c -- */

void connection_begin(mr_parking *p); /* from the timer: an attempt with the next address */
void connection_timer(mr_parking *p); /* the state's time is over */
void connection_greeted(mr_parking *p, const struct message_reply *reply);
void connection_beat(mr_parking *p);
void connection_close(mr_parking *p); /* whatever state it is in; no callbacks */

/* The link has failed: ends it, tells, and rests before the next attempt. */
__attribute__((format(printf, 3, 4))) void connection_break(mr_parking *p, int status, const char *format, ...);

/* -- traffic.c -- */

void traffic_read(mr_parking *p);
void traffic_write(mr_parking *p);

/* -- requests.c -- */

/* A new request of this op with p->scratch as its members, if `status` is MR_OK; else that is the result. Either way
 * the scratch is empty afterwards. */
struct request_form {
	enum message_op op;
	enum parked_kind kind;
	uint64_t count; /* 0: 1 */
	int64_t timeout_ms;
	bool has_timeout_member;
	bool is_silent;
	bool is_urgent;
	struct ephemeral *ephemeral; /* taken over */
	const char *channel;
	mr_parked_cb *done;
	void *argument;
};
int request_make(mr_parking *p, int status, const struct request_form *form, mr_parked **request);

/* The client's own, sent at once. False: no memory. */
bool request_make_ours(mr_parking *p, enum message_op op, struct slice members, const char *channel);

/* Takes it out of its list; it is in none then. */
void request_remove(mr_parked *request);

/* Sets the timer for the end of its time, and `grace_ms` more. */
void request_set_deadline(mr_parked *request, int64_t grace_ms);

/* Its status is known; its callback comes from the loop. `message` is static or of the client. */
void request_end_soon(mr_parked *request, int status, const char *message);

void request_destroy(mr_parked *request); /* in no list */

/* Sends what waits, as far as there is room. */
void requests_pump(mr_parking *p);

/* Frees them all, without callbacks. */
void requests_drop(mr_parking *p);

/* -- endings.c -- */

/* A reply, or one of several. */
void request_reply(mr_parking *p, mr_parked *request, const struct message_reply *reply, bool is_last);

/* The connection has ended: everything that was sent ends, or waits again. No callbacks. */
void requests_unsend(mr_parking *p, int status);

/* Calls the callbacks that are due. */
void requests_tell_ends(mr_parking *p);

void ephemeral_destroy(struct ephemeral *ephemeral);
void ephemeral_forget(mr_parking *p, const char *channel);

#endif
