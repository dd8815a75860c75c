/* The client's machine, as structs: what it is made of, for its own files. Drivers use machine.h, contact.h and
 * requests.h, and read those members alone that these name.
 *
 * A machine has a contact for each daemon that it speaks to: home, which is the first that can be had of the URL's
 * addresses, and others, to which daemons of a cluster have sent it. A request belongs to one contact at a time, and is
 * in one of its lists: `waiting` (here, to be sent in this order), `writing` (its frame is in `out`, and not all of it
 * has gone), `sent` and `unconfirmed` (it has gone; the latter: a put without an id); or in the machine's `ending` (its
 * status is known, and it is to be told). The order of each is the order of the requests' frames.
 */
#ifndef MILLRACE_CLIENT_MACHINE_MACHINE_STATE_H
#define MILLRACE_CLIENT_MACHINE_MACHINE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/machine/deadlines.h"
#include "client/machine/exchange.h"
#include "client/machine/operation.h"
#include "client/machine/url.h"
#include "client/millrace_parking.h" /* mr_event */

enum {
	MACHINE_GRACE_MS = 900, /* what a request with a time-out gives a silent network beyond it: less than the
				   second that is promised */
	MACHINE_OPEN_MS = 500,  /* what such a request of an impatient machine spends on a new connection, at most */
	MACHINE_OUT_BYTES = 256 * 1024, /* how much is ready for the socket at most; the rest waits as requests */
	MACHINE_NUMBERED_PUTS = 1024,   /* how many puts a daemon remembers of a producer on a channel */
	MACHINE_MOST_CONTACTS = 64,
	MACHINE_ASK_AGAIN_MS = 500, /* who waits so long for a daemon to which he was sent asks another where to go */
};
enum { /* what both APIs have where their options do not say */
       MACHINE_CONNECT_TIMEOUT_MS = 5000,
       MACHINE_BACKOFF_MIN_MS = 50,
       MACHINE_BACKOFF_MAX_MS = 5000,
       MACHINE_HEARTBEAT_MS = 30000,
};
#define MACHINE_NEVER     INT64_MAX
#define MACHINE_NO_SEQ    UINT64_MAX
#define MACHINE_NO_WINDOW SIZE_MAX

enum contact_state {
	CONTACT_CLOSED,  /* no connection; the driver may open one from next_open_ms on */
	CONTACT_OPENING, /* the driver does so */
	CONTACT_GREETING,
	CONTACT_OPEN,
	CONTACT_ENDED, /* no connection, and there will be none */
};

enum request_place { PLACE_NONE, PLACE_WAITING, PLACE_WRITING, PLACE_SENT, PLACE_UNCONFIRMED, PLACE_ENDING };

struct machine_request {                 /* embedded in what the driver knows about a request */
	struct exchange_request pending; /* first: the exchange knows the request by it */
	TAILQ_ENTRY(machine_request) entry;
	struct contact *contact; /* whose lists it is in, or was last */
	enum request_place place;
	struct client_operation operation;
	uint64_t order;     /* of handing in */
	bool is_own;        /* the machine's: hello, heartbeats, channels created anew */
	bool is_cancelled;  /* somebody has asked for it */
	bool has_id;        /* of its frame */
	bool is_flushed;    /* it need not wait for what follows: somebody has asked for all, or it was sent before */
	bool was_sent;      /* wholly, and may have happened */
	bool is_redirected; /* another daemon has it now than was asked first, or the same once more */
	unsigned n_moves;   /* how often it was sent from one daemon to another */
	uint64_t asked;     /* of a lease: the contacts that do not know it, as bits */
	struct group_route *delays; /* while it is in flight: nothing of this group may overtake it; or NULL */
	int status;                 /* ending */
	const char *message;        /* ending: static, or the contact's closed_message */
	uint64_t seq;               /* of a put that has a number */
	int64_t timeout_ends_ms;    /* MACHINE_NEVER: never */
	int64_t open_ends_ms;       /* how long it waits for a connection; MACHINE_NEVER: for ever */
	int64_t told_ms;            /* writing: the time-out that its frame tells */
	struct deadline deadline;
	uint64_t begins_at, ends_at; /* where its frame is among all bytes of the connection */
};

TAILQ_HEAD(machine_list, machine_request);

struct ephemeral_channel { /* it has to be created anew when the daemon that had it is gone */
	LIST_ENTRY(ephemeral_channel) entry;
	struct contact *contact; /* whose daemon has it, or is asked to create it; NULL: none */
	struct client_operation create;
};

enum { ROUTE_BUCKETS = 64, ROUTE_MOST = 4096 };

struct group_route { /* what is known of a group of a cluster: who has it, or that nobody does just now */
	LIST_ENTRY(group_route) entry;
	struct contact *contact; /* NULL: whoever is asked first */
	int64_t retry_ms;        /* nobody has it: when to ask again; 0: somebody may */
	int64_t overtakes_ms;    /* until when requests wait for those before them, if there are any */
	size_t n_before;         /* in flight, with a daemon that has the group no longer */
	size_t name_len;
	char name[128];
};

struct machine_settings {
	const char *name, *token; /* of the client, for hello; NULL: none. Copied */
	char producer[33];        /* random, for the numbers of puts */
	uint64_t seed;            /* of the pauses */
	const struct url *urls;   /* the driver's */
	size_t n_urls;
	size_t contact_bytes; /* of the driver's struct around a contact */
	bool reopens;         /* another connection follows one that has ended, and what can be is sent again */
	bool is_impatient;    /* a request that was not sent ends with the first attempt to open that fails */
	int64_t connect_timeout_ms;
	int64_t backoff_min_ms, backoff_max_ms; /* the pauses between attempts */
	int64_t heartbeat_ms;                   /* after so long without a byte the daemon is asked for one; 0: never */
	size_t window;            /* how many requests are in flight at most; 0: as many as the daemon lets park */
	size_t max_waiting_bytes; /* of requests that wait here, or whose puts may have to be sent again */
};

struct contact { /* a daemon, and the connection to it; first in what the driver knows about it */
	TAILQ_ENTRY(contact) entry;
	struct machine *machine;
	const struct url *url; /* where it is, or where the next attempt goes */
	struct url address;    /* the same, of all but home */
	size_t index;          /* among the machine's; of home 0 */
	enum contact_state state;
	size_t url_at, n_failed; /* of home: the address whose turn it is, and how many have failed since the last that
				    had not */
	int64_t next_open_ms;    /* when, if closed */
	int64_t round_ends_ms;   /* of an impatient machine's home: all addresses have to do with this time */
	int64_t attempt_ends_ms;
	int64_t asks_again_ms; /* while it opens, of all but home: when those who wait ask another daemon */
	int64_t backoff_ms;
	int closed_status;        /* why the last connection, or attempt, has ended */
	char closed_message[320]; /* the same for people */
	int notice;               /* 0, or the status of the daemon's last words, which came for nobody */
	char notice_message[240];

	struct exchange exchange;
	uint64_t n_written;         /* bytes of this connection */
	int64_t moved_ms;           /* when bytes last went or came */
	int64_t heard_ms, asked_ms; /* when they last came; when a heartbeat last asked for one, or 0 */
	bool knows_once;            /* it knows puts by their numbers */
	bool is_of_cluster;
	size_t window, n_in_flight;
	uint32_t run; /* puts without an id since the last one with, of the same channel */
	struct machine_list waiting, writing, sent, unconfirmed;
	bool has_news; /* of the connection, which is still to be told */
	enum mr_event news;
};

struct machine {
	struct machine_settings settings;
	char *name, *token;
	TAILQ_HEAD(, contact) contacts;
	struct contact *home; /* the first of them */
	size_t n_contacts;
	bool is_of_cluster; /* a daemon has said that it is one of several */
	LIST_HEAD(, group_route) routes[ROUTE_BUCKETS];
	size_t n_routes;
	int64_t routes_due_ms;           /* when the first group is to be asked for again, or earlier */
	struct contact **lease_contacts; /* by what their tokens begin with; NULL: leases are all home's */

	uint64_t random, next_order;
	json_t *hello; /* what home's daemon said last; NULL: nothing yet */
	uint64_t next_seq;
	size_t n_numbered, n_waiting_bytes;
	struct machine_list ending;
	struct deadlines deadlines;
	LIST_HEAD(, ephemeral_channel) ephemerals;
	size_t n_missing;   /* of these: no daemon has them, or is asked for them */
	struct buffer tail; /* members that are written when a request is sent */
	bool was_full;
	struct message_reply reply;
	char message[512], channel[160]; /* of the event that is told */
};

#endif
