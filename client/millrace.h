/* libmillrace: channels over the network, after core.async. This is the blocking API.
 *
 * Link with -lmillrace -ljansson. C11 and C++. To try it: `build/millraced -c config/millraced.yaml`, and in another
 * program
 *
 *   #include <millrace.h>
 *
 *   int main(void)
 *   {
 *       mr *m;
 *       json_t *job = json_pack("{s:s}", "url", "http://x/y"), *taken;
 *       if (mr_connect(&m, "tcp://127.0.0.1:7223", NULL) < 0 ||        // one connection, for all threads
 *           mr_put(m, "jobs", job, MR_FOREVER) < 0 ||                  // waits while the channel is full
 *           mr_take(m, "jobs", &taken, 5000) != MR_OK) {               // waits at most 5 s while it is empty
 *           fprintf(stderr, "%s\n", mr_message());
 *           return 1;
 *       }
 *       json_decref(taken);
 *       json_decref(job);
 *       mr_destroy(m);
 *   }
 *
 * In this header: connecting · put and take, one value or many · leases (at-least-once) · alts (a choice) · channels ·
 * looking · requests in flight. Beside it:
 *
 *   - millrace_stream.h: consumers with a credit, producers that do not wait for each answer
 *   - millrace_patterns.h: pipelines, request and reply, fan-in and fan-out
 *   - millrace_parking.h: the same requests with callbacks on a libevent loop, in a library of its own
 *
 * Threads: a handle (`mr`) may be shared by any number of threads: each call blocks its own thread alone, and requests
 * of different threads are in flight together. Only mr_destroy() must be the last call. mr_message() belongs to the
 * calling thread.
 *
 * Results: every function that returns `int` returns a status of mr_status: 0 or more is an answer that a channel can
 * give (MR_OK, MR_TIMEOUT, MR_CLOSED, MR_DROPPED, MR_CANCELLED), less than 0 an error, with a text in mr_message(). Out
 * parameters are set where a function says so, and on errors to NULL or 0. An out parameter may be NULL where the
 * caller does not want it.
 *
 * Ownership: what goes in is only borrowed during the call (a json_t keeps its reference count); what comes out is the
 * caller's: json_decref() a json_t, mr_free() bytes. Strings in are NUL-terminated UTF-8; lengths are bytes.
 *
 * Times are milliseconds, from the moment at which the daemon reads the request. MR_FOREVER: no time-out. 0: at once or
 * not at all.
 *
 * Broken connections: if the network goes silent, a call with a time-out returns at most 1 s after it; one without
 * waits until two heartbeats have gone unanswered. When a connection ends, each call that runs returns: a put, or
 * another change, that was sent as MR_UNKNOWN, since it has happened or has not; anything else as MR_ECONNECTION. (If
 * the daemon had handed a value to a take just then, that value is gone: a take without a lease is at most once.) From
 * then on every call is MR_ECONNECTION at once, and the handle is only good for mr_destroy().
 *
 * With the option `reconnect` the next call connects again, and so do the calls that run, within connect_timeout_ms,
 * but a call with a time-out within 0.5 s, and after failures with pauses of up to 5 s; MR_ECONNECT if it cannot. What
 * runs is then sent again where that does no harm: what had not been sent wholly; a take or an alts with a lease and
 * without put arms (what it took comes back to its channel); what only looks; and each put, if the daemon knows `once`
 * (mr_hello(), features): the library numbers the puts of a handle, so that the daemon takes each of them once, and
 * none is lost, as long as that daemon lives. Whatever else was sent ends as said above. Ephemeral channels that the
 * handle created by a name are created anew, empty, before anything is sent.
 *
 * Several daemons that are one service (a cluster, which hello's features say): any of their addresses will do, and it
 * is best to give several, with `reconnect`. Each request goes to the daemon that has its channel's group (what stands
 * in the first braces of the name, as in "{orders}.jobs"; else "default"): the library asks whom it knows, follows to
 * whom it is sent, over a connection of its own, and remembers that. A daemon that asks for no TLS is not followed to
 * from one that does (MR_EMOVED). While nobody has the group a request is asked again, in its own time: MR_EUNAVAILABLE
 * if that is over. When a group goes to another daemon by plan no call notices, and the order of puts stays. When a
 * daemon dies it is as with any broken connection, with a call's whole time for what is sent again to go to its
 * successor. What names no channel, and mr_hello(), is of the daemon that the handle connected to first, or whoever is
 * there in its place; leases are of the daemon that gave them. Without `reconnect` the handle ends with its first
 * connection.
 *
 * fork(): a handle belongs to the process that has made it. In a child each function is MR_EARGUMENT, and mr_destroy()
 * gives up the child's copy alone: the parent's connection goes on. Connect anew in the child.
 */
#ifndef MILLRACE_H
#define MILLRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MR_API     __attribute__((visibility("default")))
#define MR_FOREVER (-1)

enum mr_status {
	MR_OK = 0,
	MR_TIMEOUT = 1,
	MR_CLOSED = 2,
	MR_DROPPED = 3,
	MR_CANCELLED = 4,

	/* The daemon's errors, one for each code of the protocol. */
	MR_EBAD_JSON = -1,
	MR_EBAD_REQUEST = -2,
	MR_EUNKNOWN_OP = -3,
	MR_EDUPLICATE_ID = -4,
	MR_EFRAME_TOO_LARGE = -5,
	MR_EUNSUPPORTED_PROTOCOL = -6,
	MR_EUNAUTHENTICATED = -7,
	MR_EDENIED = -8,
	MR_ENO_SUCH_CHANNEL = -9,
	MR_ECHANNEL_EXISTS = -10,
	MR_EBAD_CHANNEL = -11,
	MR_EBAD_VALUE = -12,
	MR_ENOT_EMPTY = -13,
	MR_ENO_SUCH_REQUEST = -14,
	MR_ENO_SUCH_LEASE = -15,
	MR_ETOO_MANY_WAITERS = -16,
	MR_ETOO_MANY_INFLIGHT = -17,
	MR_EOVERLOADED = -18,
	MR_EDRAINING = -19,
	MR_EINTERNAL = -20,
	MR_ENO_SUCH_TAP = -21,
	MR_ESTALE_PRODUCER = -22,
	MR_EMOVED = -23,       /* another daemon has the channel, and it could not be followed to */
	MR_ECROSS_GROUP = -24, /* the channels of one request are of different groups */
	MR_EUNAVAILABLE = -25, /* it cannot be served just now */

	/* The library's own. */
	MR_ECONNECT = -100,    /* no connection could be made */
	MR_ECONNECTION = -101, /* it broke, or went silent */
	MR_EPROTOCOL = -102,   /* the other side does not speak this protocol */
	MR_EARGUMENT = -103,   /* an argument is not possible; nothing was sent */
	MR_EMEMORY = -104,
	MR_EJSON = -105,   /* jansson cannot hold the value (a number out of its range): mr_unheld() has its bytes */
	MR_UNKNOWN = -106, /* the connection broke before the answer came: a put, or another change, has happened or has
			      not */
	MR_EFULL = -107,   /* too much waits to be sent already (parking API) */
	MR_EFAILED = -108  /* a callback failed, here or at the other end (patterns) */
};

typedef struct mr mr;

/* ---- connecting ---- */

struct mr_tls_options { /* of tls:// addresses; files in PEM */
	const char *ca; /* who signs the daemon's certificate; NULL: whom the system trusts */
	const char *cert,
		*key; /* a certificate of this client's, by which the daemon may know it, and its key. NULL: none */
	bool insecure_accept_any_certificate; /* whoever it is that answers: then everybody on the way may read along,
						 and change what is said */
};

struct mr_options {        /* zero-initialise; 0 or NULL is the default */
	const char *name;  /* of this client, for people who look at `waiters` */
	const char *token; /* a secret for `hello` */
	struct mr_tls_options tls;
	int64_t connect_timeout_ms; /* 5000 by default; looking up the name included */
	bool reconnect;             /* after the connection has ended, the next call makes another */
	int64_t heartbeat_ms;       /* while a call waits: after so long without a byte the daemon is asked for one,
				       after twice as long it is given up; 30,000 by default. Negative: never */
};

/* Words. Static storage, never NULL; any thread. */
MR_API const char *mr_status_name(int status); /* "ok", "timeout", "no_such_channel", "connect" … */
MR_API const char *mr_version(void);           /* "0.1.0" */

/* What the last call of this thread that returned an error has to say. Valid until this thread's next call. Never NULL.
 */
MR_API const char *mr_message(void);

/* Sets what mr_message() says, in this thread (it is copied, and shortened if it is long), and returns `status`. For
 * callbacks of patterns that fail, and for libraries on top of this one. */
MR_API int mr_fail(int status, const char *message);

/* Connects and says hello. urls: "tcp://host:port" (port 7223 if left out), "tls://host:port" (7225; the
 * certificate of who answers has to be the host's) or "unix:///path", or several with commas between them
 * ("tcp://a,b:7300" too), of which the first that can be had is chosen, each in its share of the time; NULL:
 * $MILLRACE_URL, else tcp://127.0.0.1:7223. *out is the caller's, for mr_destroy(). MR_ECONNECT, MR_EPROTOCOL,
 * MR_EARGUMENT, MR_EMEMORY, or what the daemon says to hello. */
MR_API int mr_connect(mr **out, const char *urls, const struct mr_options *options);

/* Ends the connection: what is parked is cancelled by the daemon. NULL is fine. */
MR_API void mr_destroy(mr *m);

/* Frees bytes that this library gave. NULL is fine. */
MR_API void mr_free(void *bytes);

/* A descriptor, only to poll() it for reading, beside others: when it is readable, ask mr_is_done(). -1 if the
 * connection has ended. Meant for a handle of one thread: what another thread reads does not make it readable. In a
 * cluster it stands for all connections, and is readable also when a group that nobody has is to be asked for again;
 * ask for it anew before each poll(). */
MR_API int mr_fd(mr *m);

/* A round trip that does nothing else. */
MR_API int mr_ping(mr *m, int64_t timeout_ms);

/* What the daemon said to hello: server, protocol, features, max_frame_bytes … A new reference, in *hello. */
MR_API int mr_hello(mr *m, json_t **hello);

/* ---- put and take ---- */

/* Puts one value; parks while there is no room. MR_OK, MR_TIMEOUT, MR_CLOSED, MR_DROPPED (dropping and promise). */
MR_API int mr_put(mr *m, const char *channel, const json_t *value, int64_t timeout_ms);
MR_API int mr_put_raw(mr *m, const char *channel, const char *json, size_t len, int64_t timeout_ms);

/* Takes one value; parks while there is none. *value is set with MR_OK alone; with MR_EJSON mr_unheld() has what was
 * taken. The raw form is terminated by a NUL that len does not count. */
MR_API int mr_take(mr *m, const char *channel, json_t **value, int64_t timeout_ms);
MR_API int mr_take_raw(mr *m, const char *channel, char **json, size_t *len, int64_t timeout_ms);

/* core.async's offer! and poll!: put or take at once, or MR_TIMEOUT. */
MR_API int mr_offer(mr *m, const char *channel, const json_t *value);
MR_API int mr_poll(mr *m, const char *channel, json_t **value);

/* Puts all of an array's values in order, in one step; parks until all are in. *accepted (of every status): how many
 * are. The raw form takes the text of a JSON array. An array that does not fit into one frame of the daemon is
 * MR_EARGUMENT. */
MR_API int mr_put_many(mr *m, const char *channel, const json_t *values, int64_t timeout_ms, size_t *accepted);
MR_API int mr_put_many_raw(mr *m, const char *channel, const char *json, size_t len, int64_t timeout_ms,
			   size_t *accepted);

struct mr_result { /* what came; mr_result_finish() frees what is in it */
	char *raw; /* a take: the value; with max ≥ 1, an array of values; terminated by NUL. Else NULL */
	size_t raw_len;
	size_t accepted; /* a batch put */
	uint64_t evicted;
	char *lease;         /* a take with a lease: its token, for mr_ack() and the like. Else NULL */
	uint64_t deliveries; /* with it: how often the value has been delivered, this time included; with max ≥ 1, the
				first value */
	char *all_deliveries; /* the same as text: a number; with max ≥ 1, a JSON array of numbers */
	char *origin; /* of a dead letter: where it comes from and why, a JSON object (PROTOCOL.md); with max ≥ 1 an
			 array, with null for values that are none. NULL: there is no dead letter */
};
MR_API void mr_result_finish(struct mr_result *result);

/* The value, or values, as jansson has them: a new reference. MR_EJSON if it cannot; then the bytes are still there,
 * and a value that was leased can be given back. */
MR_API int mr_result_json(const struct mr_result *result, json_t **value);

struct mr_put_options {   /* zero-initialise */
	bool many;        /* `json` is an array, of values to be put in order */
	int64_t delay_ms; /* the put takes its room and is answered at once, but the value enters the channel when so
			     much time has passed. Not to an unbuffered channel or a promise (MR_EBAD_REQUEST) */
};

/* Puts as the options (may be NULL) say. result may be NULL; else it is set on every return: accepted and evicted. */
MR_API int mr_put_with(mr *m, const char *channel, const struct mr_put_options *options, const char *json, size_t len,
		       int64_t timeout_ms, struct mr_result *result);

/* What the last call of this thread that ended as MR_EJSON has taken or read, and jansson cannot hold: a value, or an
 * array of such values, as text that is terminated by a NUL which len (may be NULL) does not count. Moved out: the
 * caller's, for mr_free(); NULL the second time. What nobody asks for goes with the next such call, or the thread. */
MR_API char *mr_unheld(size_t *len);

/* Takes 1 to max values (max: 1 … 1000), whatever is there; parks only while there is none. *values: an array. With
 * MR_EJSON it is set too: `null`, which no value is, stands there for each that jansson cannot hold. */
MR_API int mr_take_many(mr *m, const char *channel, size_t max, json_t **values, int64_t timeout_ms);
MR_API int mr_take_many_raw(mr *m, const char *channel, size_t max, char **json, size_t *len, int64_t timeout_ms);

struct mr_take_options {  /* zero-initialise */
	size_t max;       /* 0: one value; else an array of 1 to max (at most 1000) */
	int64_t lease_ms; /* 0: taken for good; else leased for so long, see below */
	bool sticky;      /* the lease outlives the connection */
};

/* Takes as the options say. result may not be NULL; it is set on every return, and mr_result_finish() frees what is in
 * it. */
MR_API int mr_take_with(mr *m, const char *channel, const struct mr_take_options *options, int64_t timeout_ms,
			struct mr_result *result);

/* ---- leases ---- A plain take is at most once: if its taker dies, the value is gone. A leased value stays the
 * daemon's until mr_ack(). If that does not come in time, or the connection ends (unless the lease is sticky), or after
 * mr_nack(), it goes back to its place in the channel, to be delivered once more.
 *
 *   while (mr_take_with(m, "jobs", &(struct mr_take_options){.lease_ms = 30000}, MR_FOREVER, &job) == MR_OK) {
 *       if (work_on(job.raw))
 *           mr_ack(m, job.lease);
 *       else
 *           mr_nack(m, job.lease, 1000);
 *       mr_result_finish(&job);
 *   }
 *
 * A lease's token works from any connection. MR_ENO_SUCH_LEASE: it has ended, and the value is, or will be, somebody
 * else's. One of a batch is for all of it. */

/* The work is done: the value is gone from the daemon. */
MR_API int mr_ack(mr *m, const char *lease);

/* It is not: the value goes back after delay_ms (0: at once). */
MR_API int mr_nack(mr *m, const char *lease, int64_t delay_ms);

struct mr_nack_options { /* zero-initialise */
	int64_t delay_ms;
	bool uncounted; /* no work was done on it: its deliveries are as they were before this take */
};
MR_API int mr_nack_with(mr *m, const char *lease, const struct mr_nack_options *options);

/* It needs more time: the lease ends in lease_ms from now. */
MR_API int mr_extend(mr *m, const char *lease, int64_t lease_ms);

/* ---- alts ---- */

struct mr_arm { /* zero-initialise */
	const char *channel;
	const json_t *put; /* the value of a put arm */
	const char *raw;   /* or its bytes; both NULL: a take arm */
	size_t raw_len;
};

struct mr_choice {     /* which arm happened */
	size_t arm;    /* index; of MR_OK, MR_CLOSED, MR_DROPPED */
	json_t *value; /* of a take arm with MR_OK, if jansson can hold it: the caller's; else NULL */
	char *raw;     /* the same as bytes, terminated by NUL: the caller's, for mr_free(); NULL for a put arm */
	size_t raw_len;
	uint64_t evicted; /* of a put arm on a sliding channel */
	char *lease;      /* of a take arm with a lease: its token */
	uint64_t deliveries;
	char *origin; /* of a dead letter: as in mr_result */
};

/* Exactly one of 1 … 64 arms happens, or none with MR_TIMEOUT. `priority`: the first that can, in order; else any.
 * choice may not be NULL; it is set on every return. mr_choice_finish() frees what is in it. */
MR_API int mr_alts(mr *m, const struct mr_arm *arms, size_t n_arms, bool priority, int64_t timeout_ms,
		   struct mr_choice *choice);
MR_API void mr_choice_finish(struct mr_choice *choice);

struct mr_alts_options { /* zero-initialise */
	bool priority;
	int64_t lease_ms; /* of what a take arm takes; 0: none */
	bool sticky;
};
MR_API int mr_alts_with(mr *m, const struct mr_arm *arms, size_t n_arms, const struct mr_alts_options *options,
			int64_t timeout_ms, struct mr_choice *choice);

/* ---- channels ---- */

struct mr_definition {           /* zero-initialise */
	const char *kind;        /* "unbuffered" "bounded" "dropping" "sliding" "promise" */
	uint64_t capacity;       /* bounded, dropping, sliding: at least 1; the others: 0 */
	bool ephemeral;          /* it goes when this connection does */
	uint64_t max_waiters;    /* 0: the daemon's default */
	uint64_t max_deliveries; /* with dead_letter: after so many deliveries of a leased value it goes to that
				    channel; 0: never */
	const char *dead_letter; /* a bounded channel, or NULL */
};

/* Creates a channel. *created: false if it was there already with the same definition. With channel NULL the daemon
 * makes up an unguessable name (a reply channel), which *name is set to: the caller's, for mr_free(). */
MR_API int mr_create(mr *m, const char *channel, const struct mr_definition *definition, bool *created, char **name);

/* No new put is accepted; what is in the channel can still be taken. Idempotent. */
MR_API int mr_close(mr *m, const char *channel);

/* Removes a channel. MR_ENOT_EMPTY unless it is empty or `force`. *discarded: how many buffered values went with it. */
MR_API int mr_delete(mr *m, const char *channel, bool force, uint64_t *discarded);

struct mr_alteration {     /* zero-initialise: 0 and NULL leave it as it is */
	uint64_t capacity; /* less sheds nothing, but on a sliding channel: puts wait for room */
	uint64_t max_waiters;
	uint64_t max_deliveries;
	const char *dead_letter;
	bool no_dead_letter; /* there is none any more; without the two above */
};

/* Alters a channel that is there; what is in it stays. Its kind cannot be altered. *row: as of mr_stat(), of now. */
MR_API int mr_alter(mr *m, const char *channel, const struct mr_alteration *alteration, json_t **row);

/* Moves up to max (0: 1000) buffered values, oldest first, to the channel `to`, as far as it has room; with `to` NULL
 * each dead letter to the channel that gave it up. Never parks. *moved, *left (either may be NULL): how many have been,
 * and how many are still there. MR_CLOSED: `to` is. */
MR_API int mr_move(mr *m, const char *from, const char *to, size_t max, uint64_t *moved, uint64_t *left);

/* ---- taps ---- What enters one channel is carried to another, inside the daemon. */

struct mr_tap_options {    /* zero-initialise */
	const char *match; /* JSON: an object of JSON pointers, {"/type": "order"}; NULL: everything is carried */
	bool stays_open;   /* the target does not close when the last such tap has ended with its source */
	const char *state; /* "run" (NULL too) "pause" "mute" "solo" */
	const char *kind;  /* without a target: of the channel that the daemon makes, which goes with the connection */
	uint64_t capacity; /* of that channel */
};

/* Taps `from` to `to`; one that is there is from now on as the options say (NULL: none). *created: false if it was
 * there. With `to` NULL the daemon makes a channel of the options' kind, whose name *name is set to: the caller's, for
 * mr_free(). Both go with the connection, and are not made again after a cut. MR_CLOSED: `to` is. created and name may
 * be NULL. */
MR_API int mr_tap(mr *m, const char *from, const char *to, const struct mr_tap_options *options, bool *created,
		  char **name);

/* Ends a tap; closes nothing. MR_ENO_SUCH_TAP: there is none. */
MR_API int mr_untap(mr *m, const char *from, const char *to);

/* ---- looking ---- New references; rows as PROTOCOL.md says. */

MR_API int mr_stat(mr *m, const char *channel, json_t **row);
MR_API int mr_list(mr *m, const char *glob, json_t **rows); /* glob NULL: all. All pages of it, in order of name */
MR_API int mr_peek(mr *m, const char *channel, size_t max,
		   json_t **values); /* the buffer, oldest first; takes nothing */
MR_API int mr_peek_raw(mr *m, const char *channel, size_t max, char **json, size_t *len);
MR_API int mr_waiters(mr *m, const char *channel, json_t **rows); /* channel NULL: all. All pages of it, oldest first */
MR_API int mr_taps(mr *m, const char *channel, json_t **rows);    /* the same of taps, from or to a channel */
MR_API int mr_leases(mr *m, const char *channel, json_t **rows);  /* who works on what: the same of leased values */

/* ---- clusters ---- Several daemons that are one service; MR_EBAD_REQUEST of one that is alone. */

/* A new reference to an object: `groups`, in order of name, and `daemons`, rows as PROTOCOL.md says, as far as the
 * daemon that is asked knows; `joined`, and `waits_for` if that is false. */
MR_API int mr_cluster(mr *m, json_t **overview);

/* The group shall go to this daemon, and stay there while it is up. MR_OK: it is on its way. */
MR_API int mr_cluster_move(mr *m, const char *group, const char *daemon);

/* ---- requests in flight ---- Begin now, wait later, cancel in between: for pipelining, and for cancelling from
 * another thread.
 *
 *   mr_request *r;
 *   if (mr_begin_take(m, &r, "jobs", 0, MR_FOREVER) == MR_OK) {
 *       ... another thread: mr_cancel(m, r) ...
 *       status = mr_wait(m, r, &result);      // MR_CANCELLED, or MR_OK if the value was faster
 *   }
 */

typedef struct mr_request mr_request;

/* Each sends one request and returns at once (it may wait for the socket to take the bytes). What else there is to do
 * for it, as following it to another daemon, is done by calls that wait, and by mr_is_done(). MR_OK: *request must go
 * to mr_wait(), once. */
MR_API int mr_begin_put(mr *m, mr_request **request, const char *channel, const char *json, size_t len,
			int64_t timeout_ms);
MR_API int mr_begin_put_many(mr *m, mr_request **request, const char *channel, const char *json, size_t len,
			     int64_t timeout_ms);
MR_API int mr_begin_put_with(mr *m, mr_request **request, const char *channel, const struct mr_put_options *options,
			     const char *json, size_t len, int64_t timeout_ms);
MR_API int mr_begin_take(mr *m, mr_request **request, const char *channel, size_t max,
			 int64_t timeout_ms); /* max 0: one value, not an array */
MR_API int mr_begin_take_with(mr *m, mr_request **request, const char *channel, const struct mr_take_options *options,
			      int64_t timeout_ms);

/* Waits for its reply, returns its status, and frees the request, whatever comes. result may be NULL. */
MR_API int mr_wait(mr *m, mr_request *request, struct mr_result *result);

/* Whether mr_wait() would return at once. Never blocks: it reads what has arrived. */
MR_API bool mr_is_done(mr *m, mr_request *request);

/* Asks the daemon to cancel it; any thread, while mr_wait() has not returned. MR_OK: it ends as MR_CANCELLED, or
 * as what was faster. MR_ENO_SUCH_REQUEST: it had ended by itself. */
MR_API int mr_cancel(mr *m, mr_request *request);

#ifdef __cplusplus
}
#endif

#endif
