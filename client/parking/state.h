/* Inside the parking client: libevent around the client's machine.
 *
 * Callbacks are called from the loop alone: every function that may call one is called only between parking_enter() and
 * parking_leave(), which stand in the functions that libevent calls. A callback may destroy the client: then it is
 * dead, an empty shell until parking_leave(); so after everything that may call one, look at is_dead.
 */
#ifndef MILLRACE_CLIENT_PARKING_STATE_H
#define MILLRACE_CLIENT_PARKING_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "client/machine/events.h"
#include "client/millrace_parking.h"
#include "client/net/secure.h"
#include "client/net/uplink.h"
#include "client/net/url.h"

struct mr_parked {
	struct machine_request base; /* first: the machine knows the request by it */
	mr_parking *p;
	mr_parked_cb *done; /* NULL: of a put without an answer */
	void *argument;
	SLIST_ENTRY(mr_parked) spare;
};

struct evutil_addrinfo;
struct name_lookup;

struct mr_parking {
	struct event_base *base;
	struct url_list urls;
	struct secure *secure; /* NULL: no address asks for TLS */
	mr_news_cb *on_news;
	void *argument;
	unsigned process; /* that has made it */

	unsigned depth; /* of parking_enter() */
	bool is_dead;

	struct machine machine;
	struct evdns_base *dns; /* made when first needed */
	struct name_lookup *lookup;
	struct evutil_addrinfo *addresses, *address; /* of the host; the one that is tried */
	int64_t address_ends_ms;                     /* until when */
	struct uplink uplink;
	event_callback_fn on_ready;      /* of these */
	struct event *reading, *writing; /* of the uplink */
	bool is_connected, is_writing;
	struct event *timer; /* for what is due next */
	int64_t timer_ms;    /* when it is set to; MACHINE_NEVER: it is not */
	struct event *soon;  /* runs what is due after a call */
	bool is_soon;

	SLIST_HEAD(, mr_parked) spares; /* requests that are kept for the next ones */
	size_t n_spares, n_pending;
	char lease[256]; /* of the outcome that is told */
};

#endif
