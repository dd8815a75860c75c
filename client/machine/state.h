/* The client's machine, as a struct: what it is made of, for its own files. Drivers use machine.h and requests.h, and
 * read those members alone that these name.
 *
 * A request is in one of five lists: `waiting` (here, to be sent in this order), `writing` (its frame is in `out`, and
 * not all of it has gone), `sent` and `unconfirmed` (it has gone; the latter: a put without an id), or `ending` (its
 * status is known, and it is to be told). The order of each is the order of the requests' frames.
 */
#ifndef MILLRACE_CLIENT_MACHINE_STATE_H
#define MILLRACE_CLIENT_MACHINE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/machine/deadlines.h"
#include "client/machine/exchange.h"
#include "client/machine/operation.h"
#include "client/millrace_parking.h" /* mr_event */

enum {
	MACHINE_GRACE_MS = 900, /* what a request with a time-out gives a silent network beyond it: less than the
				   second that is promised */
	MACHINE_OPEN_MS = 500,  /* what such a request of an impatient machine spends on a new connection, at most */
	MACHINE_OUT_BYTES = 256 * 1024, /* how much is ready for the socket at most; the rest waits as requests */
	MACHINE_NUMBERED_PUTS = 1024,   /* how many puts a daemon remembers of a producer on a channel */
};
#define MACHINE_NEVER     INT64_MAX
#define MACHINE_NO_SEQ    UINT64_MAX
#define MACHINE_NO_WINDOW SIZE_MAX

enum machine_state {
	MACHINE_CLOSED,  /* no connection; the driver may open one from next_open_ms on */
	MACHINE_OPENING, /* the driver does so */
	MACHINE_GREETING,
	MACHINE_OPEN,
	MACHINE_ENDED, /* no connection, and there will be none */
};

enum machine_place { PLACE_NONE, PLACE_WAITING, PLACE_WRITING, PLACE_SENT, PLACE_UNCONFIRMED, PLACE_ENDING };

struct machine_request {                 /* embedded in what the driver knows about a request */
	struct exchange_request pending; /* first: the exchange knows the request by it */
	TAILQ_ENTRY(machine_request) entry;
	enum machine_place place;
	struct client_operation operation;
	bool is_own;         /* the machine's: hello, heartbeats, channels created anew */
	bool is_cancelled;   /* somebody has asked for it */
	bool has_id;         /* of its frame */
	bool is_flushed;     /* it need not wait for what follows: somebody has asked for all, or it was sent before */
	bool was_sent;       /* wholly, on a connection that has ended */
	int status;          /* ending */
	const char *message; /* ending: static, or the machine's closed_message */
	uint64_t seq;        /* of a put that has a number */
	int64_t timeout_ends_ms; /* MACHINE_NEVER: never */
	int64_t open_ends_ms;    /* how long it waits for a connection; MACHINE_NEVER: for ever */
	int64_t told_ms;         /* writing: the time-out that its frame tells */
	struct deadline deadline;
	uint64_t begins_at, ends_at; /* where its frame is among all bytes of the connection */
};

TAILQ_HEAD(machine_list, machine_request);

struct ephemeral_channel { /* it has to be created anew with each connection */
	LIST_ENTRY(ephemeral_channel) entry;
	char *name;
	struct buffer members; /* of its `create` */
};

struct machine_settings {
	const char *name, *token; /* of the client, for hello; NULL: none. Copied */
	char producer[33];        /* random, for the numbers of puts */
	uint64_t seed;            /* of the pauses */
	size_t n_urls;
	bool reopens;      /* another connection follows one that has ended, and what can be is sent again */
	bool is_impatient; /* a request that was not sent ends with the first attempt to open that fails */
	int64_t connect_timeout_ms;
	int64_t backoff_min_ms, backoff_max_ms; /* the pauses between attempts */
	int64_t heartbeat_ms;                   /* after so long without a byte the daemon is asked for one; 0: never */
	size_t window;            /* how many requests are in flight at most; 0: as many as the daemon lets park */
	size_t max_waiting_bytes; /* of requests that wait here, or whose puts may have to be sent again */
};

struct machine {
	struct machine_settings settings;
	char *name, *token;
	enum machine_state state;
	size_t url_at;        /* the address whose turn it is */
	int64_t next_open_ms; /* when, if closed */
	int64_t attempt_ends_ms;
	const char *url; /* of the attempt, for people */
	bool was_opened; /* once, at least */
	int64_t backoff_ms;
	uint64_t random;
	int closed_status;        /* why the last connection, or attempt, has ended */
	char closed_message[320]; /* the same for people */
	int notice;               /* 0, or the status of the daemon's last words, which came for nobody */
	char notice_message[240];

	struct exchange exchange;
	uint64_t n_written;         /* bytes of this connection */
	int64_t moved_ms;           /* when bytes last went or came */
	int64_t heard_ms, asked_ms; /* when they last came; when a heartbeat last asked for one, or 0 */
	json_t *hello;              /* what the daemon said last; NULL: nothing yet */
	bool knows_once;            /* it knows puts by their numbers */
	uint64_t next_seq;
	size_t window, n_in_flight, n_numbered, n_waiting_bytes;
	uint32_t run; /* puts without an id since the last one with, of the same channel */
	struct machine_list waiting, writing, sent, unconfirmed, ending;
	struct deadlines deadlines;
	LIST_HEAD(, ephemeral_channel) ephemerals;
	struct buffer tail; /* members that are written when a request is sent */
	bool was_full;
	bool has_news; /* of the connection, which is still to be told */
	enum mr_event news;
	struct message_reply reply;
	char message[512], channel[160]; /* of the event that is told */
};

#endif
