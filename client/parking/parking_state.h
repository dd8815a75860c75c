/* Inside the parking client: libevent around the client's machine.
 *
 * Callbacks are called from the loop alone: every function that may call one is called only between parking_enter() and
 * parking_leave(), which stand in the functions that libevent calls. A callback may destroy the client: then it is
 * dead, an empty shell until parking_leave(); so after everything that may call one, look at is_dead.
 */
#ifndef MILLRACE_CLIENT_PARKING_PARKING_STATE_H
#define MILLRACE_CLIENT_PARKING_PARKING_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "client/machine/events.h"
#include "client/millrace_parking.h"
#include "client/machine/url.h"
#include "client/net/dial.h"
#include "client/net/secure.h"

struct mr_parked {
	struct machine_request base; /* first: the machine knows the request by it */
	mr_parking *p;
	mr_parked_cb *done; /* NULL: of a put without an answer */
	void *argument;
	SLIST_ENTRY(mr_parked) spare;
};

struct evutil_addrinfo;
struct name_lookup;

struct parking_contact {
	struct contact contact; /* first */
	mr_parking *p;          /* set when it is first opened */
	struct name_lookup *lookup;
	struct evutil_addrinfo *addresses; /* of the host, that are tried */
	struct dial dial;                  /* and the socket, once it is there */
	struct event *reading, *writing;   /* of it */
	unsigned n_uplinks;                /* of dial: which socket these are of */
	bool is_writing;
};

struct mr_parking {
	struct event_base *base;
	struct url_list urls;
	struct secure *secure;
	mr_news_cb *on_news;
	void *argument;
	unsigned process; /* that has made it */

	unsigned depth; /* of parking_enter() */
	bool is_dead;

	struct machine machine;
	struct evdns_base *dns;     /* made when first needed */
	event_callback_fn on_ready; /* of sockets, with their contact */
	struct event *timer;        /* for what is due next */
	int64_t timer_ms;           /* when it is set to; MACHINE_NEVER: it is not */
	struct event *soon;         /* runs what is due after a call */
	bool is_soon;

	SLIST_HEAD(, mr_parked) spares; /* requests that are kept for the next ones */
	size_t n_spares, n_pending;
	char lease[256]; /* of the outcome that is told */
};

#endif
