/* libmillrace-parking: channels over the network, after core.async, for programs with an event loop (libevent). What
 * the blocking API of millrace.h does by blocking a thread, this one does by parking the request: each function returns
 * at once, and a callback is called when the request has ended.
 *
 * Link with -lmillrace-parking -lmillrace -levent_core -levent_extra -ljansson.
 *
 *   static void on_job(mr_parking *p, const struct mr_outcome *outcome, void *argument)
 *   {
 *       if (outcome->status == MR_OK)
 *           printf("%.*s\n", (int)outcome->raw_len, outcome->raw);
 *       else
 *           fprintf(stderr, "%s: %s\n", mr_status_name(outcome->status), outcome->message);
 *       mr_parking_destroy(p);
 *   }
 *
 *   int main(void)
 *   {
 *       struct event_base *base = event_base_new();
 *       mr_parking *p;
 *       if (mr_parking_create(&p, base, "tcp://127.0.0.1:7223", NULL) == MR_OK) {
 *           mr_park_take(p, "jobs", NULL, MR_FOREVER, on_job, NULL, NULL);
 *           event_base_dispatch(base);
 *       }
 *       event_base_free(base);
 *   }
 *
 * Results: a function returns MR_OK if the request is under way, and then its callback is called exactly once (for a
 * take with count: once for each value, and is_last tells the last time); or an error, with its words in mr_message(),
 * and then never.
 *
 * Callbacks come from the event loop only, never from within a function of this library. Within one everything is
 * allowed: new requests, mr_parking_cancel(), and mr_parking_destroy() too.
 *
 * Threads: a client and all that belongs to it is for the one thread that runs its loop. Nothing here ever blocks that
 * thread, looking up a name included (evdns).
 *
 * Times are milliseconds. A time-out counts from the call; what of it is left when the request goes out is told to the
 * daemon. If no answer comes up to 0.9 s after its end, the network is silent, and the connection is given up. Without
 * a connection a request waits for one, as long as its time-out allows.
 *
 * When the connection breaks, the client connects again by itself, after a pause that grows with each failure up to
 * backoff_max_ms, and is never quite the same, so that a thousand clients do not come at once. Each request that was in
 * flight has one end:
 *
 *   - What had not been sent, not one byte, is sent on the new connection.
 *   - A take or an alts with a lease and without put arms is sent once more (what it took comes back to its channel);
 * so is what only looks: ping, stat, list, peek, waiters.
 *   - A put is sent once more too, if the daemon knows `once` (hello's features): the library numbers the puts of a
 * client, so that the daemon takes each of them once, and none is lost, as long as that daemon lives. Else it ends as
 * MR_UNKNOWN: it has happened, or not.
 *   - So do an alts with a put arm, create, close, delete, move, ack, nack and extend that were sent.
 *   - A take or an alts without a lease that was sent ends as MR_ECONNECTION. If the daemon had handed it a value just
 * then, that value is gone: it is at most once.
 *
 * Ephemeral channels that this client created by a name are created anew, before anything else is sent; what was in
 * them is gone. Those whose name the daemon made up are gone. Leases end with the connection, unless they are sticky.
 *
 * Several daemons that are one service: see millrace.h. There is a connection to each that has a channel of this
 * client's; MR_EVENT_CONNECTED and the like tell of each, by its url.
 *
 * fork(): a client belongs to the process that has made it. In a child each function is MR_EARGUMENT, no callback is
 * called, and mr_parking_destroy() does nothing, since the loop's descriptors are the parent's too: the child's copy
 * goes when it ends or calls exec. Make another client in the child, on a loop of its own.
 */
#ifndef MILLRACE_PARKING_H
#define MILLRACE_PARKING_H

#include "millrace.h"

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;

typedef struct mr_parking mr_parking; /* a client on an event loop */
typedef struct mr_parked mr_parked;   /* a request: valid until its callback has returned for the last time */

/* ---- clients ---- */

enum mr_event {
	MR_EVENT_CONNECTED,    /* and greeted: what waits goes out now */
	MR_EVENT_FAILED,       /* an attempt to connect; others follow */
	MR_EVENT_DISCONNECTED, /* an end of a connection; attempts to connect follow */
	MR_EVENT_CHANNEL_LOST, /* an ephemeral channel could not be created anew */
	MR_EVENT_PUT_FAILED,   /* of the puts without a callback */
	MR_EVENT_ROOM          /* after MR_EFULL: there is room again */
};

struct mr_news { /* valid during the callback */
	enum mr_event event;
	int status;          /* MR_OK, or the error; of MR_EVENT_PUT_FAILED what the put got */
	const char *message; /* for people; "" where there is none */
	const char *url;     /* the daemon that it is about */
	const char *channel; /* of MR_EVENT_CHANNEL_LOST and MR_EVENT_PUT_FAILED; else NULL */
};

typedef void mr_news_cb(mr_parking *p, const struct mr_news *news, void *argument);

struct mr_parking_options { /* zero-initialise; 0 or NULL is the default */
	const char *name;   /* of this client, for people who look at `waiters` */
	const char *token;  /* a secret for `hello` */
	struct mr_tls_options tls;
	int64_t connect_timeout_ms; /* for each address; 5000 */
	int64_t backoff_min_ms;     /* the first pause before connecting again; 50 */
	int64_t backoff_max_ms;     /* 5000 */
	int64_t heartbeat_ms; /* after so long without a byte the daemon is asked for one, after twice as long it is
				 given up; 30,000. Negative: never */
	size_t window; /* how many requests are in flight at most: the others wait here. As many as the daemon lets a
			  connection park */
	size_t max_waiting_bytes; /* how much waits here at most; 16 MiB. Then requests are refused: MR_EFULL */
	mr_news_cb *on_news;      /* may be NULL */
	void *argument;           /* for it */
};

/* A client on this loop. It begins to connect when the loop runs. urls as for mr_connect(): the first that can be had
 * is used. What is borrowed: `base`, until mr_parking_destroy(). MR_EARGUMENT, MR_EMEMORY. */
MR_API int mr_parking_create(mr_parking **out, struct event_base *base, const char *urls,
			     const struct mr_parking_options *options);

/* Ends it at once: no callback is called any more, those of requests in flight included. What is parked is cancelled by
 * the daemon, ephemeral channels go. NULL is fine. */
MR_API void mr_parking_destroy(mr_parking *p);

/* To any daemon. */
MR_API bool mr_parking_is_connected(const mr_parking *p);

/* How many requests have not ended. */
MR_API size_t mr_parking_pending(const mr_parking *p);

/* ---- what comes of a request ---- */

struct mr_outcome {          /* valid during the callback; so is all that it points to */
	int status;          /* of mr_status */
	bool is_last;        /* the request has ended. False: a take with count, of which more will come */
	const char *message; /* of an error: for people; else "" */
	const char
		*raw; /* a take: the value; with max, or a peek: an array of values. Not terminated by NUL. Else NULL */
	size_t raw_len;
	size_t arm;          /* an alts: which happened; of MR_OK, MR_CLOSED, MR_DROPPED */
	uint64_t accepted;   /* a batch put: how many are in */
	uint64_t evicted;    /* of a sliding channel */
	uint64_t left;       /* a take with count: how many had still to come */
	const char *lease;   /* the token of a leased value; else NULL */
	uint64_t deliveries; /* with it; of a batch: the first value's */
	const char *origin;  /* of a dead letter: as in mr_result, but not terminated by NUL; else NULL */
	size_t origin_len;
	const char *body; /* the reply itself, a JSON object (PROTOCOL.md): for stat, list, create … Not terminated by
			     NUL; NULL if none came */
	size_t body_len;
};

typedef void mr_parked_cb(mr_parking *p, const struct mr_outcome *outcome, void *argument);

/* The value, or values, as jansson has them: a new reference. MR_EJSON if it cannot; MR_EARGUMENT if there is none. */
MR_API int mr_outcome_value(const struct mr_outcome *outcome, json_t **value);

/* The same of the whole reply. */
MR_API int mr_outcome_body(const struct mr_outcome *outcome, json_t **body);

/* ---- requests ---- `done` is called with `argument`. *request (may be NULL) is set with MR_OK, for
 * mr_parking_cancel(). What goes in is copied. Errors: MR_EARGUMENT, MR_EMEMORY, and MR_EFULL: too much waits here
 * already; MR_EVENT_ROOM tells when to go on. */

/* Puts a value. With `done` NULL it is core.async's put! without a callback: no answer comes, *request is NULL, and
 * only if it goes wrong there is MR_EVENT_PUT_FAILED. They are not counted in the window, and kept here until it is
 * known that they have entered. Those that were on their way when the connection breaks are sent once more, as said
 * above; if the daemon does not know `once` they are lost, or not, and nothing tells. */
MR_API int mr_park_put(mr_parking *p, const char *channel, const char *json, size_t len, int64_t timeout_ms,
		       mr_parked_cb *done, void *argument, mr_parked **request);

/* Puts as the options (may be NULL) say. */
MR_API int mr_park_put_with(mr_parking *p, const char *channel, const struct mr_put_options *options, const char *json,
			    size_t len, int64_t timeout_ms, mr_parked_cb *done, void *argument, mr_parked **request);

/* Puts all values of an array. */
MR_API int mr_park_put_many(mr_parking *p, const char *channel, const char *json, size_t len, int64_t timeout_ms,
			    mr_parked_cb *done, void *argument, mr_parked **request);

/* Takes a value, or as the options (may be NULL) say. */
MR_API int mr_park_take(mr_parking *p, const char *channel, const struct mr_take_options *options, int64_t timeout_ms,
			mr_parked_cb *done, void *argument, mr_parked **request);

/* Takes `count` values (1 … 1,000,000), one by one: as many callbacks. Without `max`. The time-out is for all of it. */
MR_API int mr_park_take_count(mr_parking *p, const char *channel, uint64_t count, const struct mr_take_options *options,
			      int64_t timeout_ms, mr_parked_cb *done, void *argument, mr_parked **request);

/* One of the arms; options may be NULL. */
MR_API int mr_park_alts(mr_parking *p, const struct mr_arm *arms, size_t n_arms, const struct mr_alts_options *options,
			int64_t timeout_ms, mr_parked_cb *done, void *argument, mr_parked **request);

/* Leases: see millrace.h. They are sent before what waits for room in the window. */
MR_API int mr_park_ack(mr_parking *p, const char *lease, mr_parked_cb *done, void *argument, mr_parked **request);
MR_API int mr_park_nack(mr_parking *p, const char *lease, int64_t delay_ms, mr_parked_cb *done, void *argument,
			mr_parked **request);
MR_API int mr_park_nack_with(mr_parking *p, const char *lease, const struct mr_nack_options *options,
			     mr_parked_cb *done, void *argument, mr_parked **request);
MR_API int mr_park_extend(mr_parking *p, const char *lease, int64_t lease_ms, mr_parked_cb *done, void *argument,
			  mr_parked **request);

/* Channels: see millrace.h. The name that the daemon made up (channel NULL) is `channel` in the outcome's body. */
MR_API int mr_park_create(mr_parking *p, const char *channel, const struct mr_definition *definition,
			  mr_parked_cb *done, void *argument, mr_parked **request);
MR_API int mr_park_close(mr_parking *p, const char *channel, mr_parked_cb *done, void *argument, mr_parked **request);
MR_API int mr_park_delete(mr_parking *p, const char *channel, bool force, mr_parked_cb *done, void *argument,
			  mr_parked **request);

MR_API int mr_park_alter(mr_parking *p, const char *channel, const struct mr_alteration *alteration, mr_parked_cb *done,
			 void *argument, mr_parked **request);
/* `moved` and `left` are in the outcome's body. */
MR_API int mr_park_move(mr_parking *p, const char *from, const char *to, size_t max, mr_parked_cb *done, void *argument,
			mr_parked **request);

/* Taps: see millrace.h. Of one without `to`, the name that the daemon made up is `to` in the outcome's body. */
MR_API int mr_park_tap(mr_parking *p, const char *from, const char *to, const struct mr_tap_options *options,
		       mr_parked_cb *done, void *argument, mr_parked **request);
MR_API int mr_park_untap(mr_parking *p, const char *from, const char *to, mr_parked_cb *done, void *argument,
			 mr_parked **request);

/* Looking: the rows are in the outcome's body; one page, behind `after` (NULL or 0: the first). While the body says
 * `more`, its `next` is the `after` of the next page; a page may be empty and yet say so. */
MR_API int mr_park_stat(mr_parking *p, const char *channel, mr_parked_cb *done, void *argument, mr_parked **request);
MR_API int mr_park_list(mr_parking *p, const char *glob, const char *after, mr_parked_cb *done, void *argument,
			mr_parked **request);
MR_API int mr_park_peek(mr_parking *p, const char *channel, size_t max, mr_parked_cb *done, void *argument,
			mr_parked **request);
MR_API int mr_park_waiters(mr_parking *p, const char *channel, uint64_t after, mr_parked_cb *done, void *argument,
			   mr_parked **request);
MR_API int mr_park_leases(mr_parking *p, const char *channel, uint64_t after, mr_parked_cb *done, void *argument,
			  mr_parked **request);
MR_API int mr_park_taps(mr_parking *p, const char *channel, uint64_t after, mr_parked_cb *done, void *argument,
			mr_parked **request);
MR_API int mr_park_cluster(mr_parking *p, const char *after, mr_parked_cb *done, void *argument, mr_parked **request);
MR_API int mr_park_cluster_move(mr_parking *p, const char *group, const char *daemon, mr_parked_cb *done,
				void *argument, mr_parked **request);
MR_API int mr_park_ping(mr_parking *p, int64_t timeout_ms, mr_parked_cb *done, void *argument, mr_parked **request);

/* Asks for its end, which its callback tells as ever: MR_CANCELLED, or what was faster. MR_ENO_SUCH_REQUEST: it has
 * ended already, and its callback is on its way or running. */
MR_API int mr_parking_cancel(mr_parking *p, mr_parked *request);

#ifdef __cplusplus
}
#endif

#endif
