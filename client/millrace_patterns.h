/* Patterns over the blocking API, in core.async's words: pipeline, merge, mult and split, a request broker, and a take
 * from the first of several. Part of libmillrace; made of the calls of millrace.h alone. client/examples/ has a program
 * for each, and for the patterns that need no function.
 *
 * Threads: each function blocks its caller and may be called by any number of threads on one handle, which must outlive
 * it. Callbacks are called on the thread that has the value: with n workers, on n threads at the same time. They may
 * use the handle, and block as long as they like; they must return. `context` is handed to them as it is. What they are
 * given is borrowed until they return; what they return is given away.
 *
 * How the functions that run end (mr_pipeline, mr_merge, mr_mult, mr_split, mr_serve):
 *   MR_OK         what they take from was closed (or deleted), and all that was in it is done. Then they close what
 * they put to, as core.async does, unless `keep_open`: set it where several put to one channel, or the first to be done
 * closes it to all MR_CLOSED     what they put to is closed: nobody wants more, and no more is taken MR_CANCELLED
 * `stop` said so an error      mr_message() has its words
 *
 * In the last three nothing is closed: readers can tell an end from a breach. `stop` names a channel, or is NULL. Once
 * it is closed, or a value has been taken from it (which ends one function: to end several, close it or use a promise),
 * no further value is taken; what is in hand is finished first. The daemon makes that choice, so that stopping loses
 * nothing.
 *
 * What can be lost: a take is at-most-once. If the process or its connection dies, so does what it had in hand: one
 * value for each worker. What is taken and then cannot be handed on is given to a callback, `failed` or `lost`, with
 * the reason; MR_UNKNOWN means that nobody knows whether it arrived.
 *
 * A channel that does not exist, or one to put to that is closed already, ends a function before it takes anything. The
 * daemon's `max_park_ms` ends none: what it cuts short is asked again.
 */
#ifndef MILLRACE_PATTERNS_H
#define MILLRACE_PATTERNS_H

#include "millrace.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
	MR_MAX_SOURCES = 62, /* channels to take from at a time: an alts has 64 arms, and `stop` is one */
	MR_MAX_WORKERS = 1000,
};

/* ---- pipeline ---- core.async's pipeline-blocking: n workers take from `from`, do blocking work, and put what comes
 * of it to `to`.
 *
 * Each of n threads (the caller's is one) has one value at a time, so that n is also what a death can lose, and a slow
 * `to` makes the workers wait: that is backpressure. Results are put in the order in which the values were taken, one
 * after the other, as are the takes: at most one value a round trip to the daemon. With `unordered` nothing waits for
 * anything else. Several processes that run a pipeline share the work; none knows the others' order.
 */
struct mr_pipeline { /* zero-initialise */
	const char *from;
	const char *to; /* NULL: what comes of the work is freed, if anything */
	size_t n; /* workers: 1 … MR_MAX_WORKERS, each with one parked request at most (the daemon's max_inflight) */

	/* The work. `value` may be changed, and be (or be part of) the result, with json_incref(). MR_OK: *result is
	 * put, if it was set to something. Anything else is a failure of this value. */
	int (*work)(void *context, json_t *value, json_t **result);

	/* core.async's ex-handler: a value has been taken, and its result is not put: its work failed with this status,
	 * jansson cannot hold it (MR_EJSON), its result cannot be put (MR_EBAD_VALUE, MR_EARGUMENT), or `to` or the
	 * daemon takes no more, which ends the pipeline. What is returned is put instead, in its place in the order, as
	 * long as `to` takes anything; NULL: nothing is. Called once for a value, at most. Without `failed`, the first
	 * failure ends the pipeline after the values that other workers have in hand: with MR_EFAILED, or why the
	 * result cannot be put. */
	json_t *(*failed)(void *context, const char *json, size_t len, int status);

	void *context;
	bool unordered;
	bool keep_open;
	const char *stop;
};

struct mr_pipeline_counts {
	uint64_t taken, put; /* a value without a result is only taken */
	uint64_t dropped;    /* by `to`, which is dropping or a promise */
	uint64_t failed;     /* values whose own result was not put */
};

/* Runs it to its end, as said on top. counts may be NULL; they are set on every return. MR_EMEMORY also where threads
 * cannot be had. */
MR_API int mr_pipeline(mr *m, const struct mr_pipeline *pipeline, struct mr_pipeline_counts *counts);

/* ---- fan-in and fan-out ---- To share out work needs no function: of all who take from one channel, each value goes
 * to one.
 *
 * merge and mult are carried by the daemon's own taps, where it has them (the feature "taps") and this user may observe
 * the channels: values do not come here, and one that nobody has accepted is never lost. They end with this function,
 * or its connection. Elsewhere (an older daemon, its max_taps, channels of two daemons, a mult to more than 63 channels
 * or twice to one) values are taken and put here, as said. A split needs `choose`, which only this process has; where a
 * rule is enough, mr_tap() has `match`, and values that match go on without a process. A plain mr_tap() outlives its
 * connection. */

struct mr_flow { /* zero-initialise; NULL stands for that */
	bool keep_open;
	const char *stop;

	/* A value has been taken and does not arrive at `channel`. Without `lost`, only the status of the function
	 * tells. */
	void (*lost)(void *context, const char *channel, const char *json, size_t len, int status);
	void *context;
};

/* core.async's merge: all values of the n channels `from` (1 … MR_MAX_SOURCES) go to `to`, in turn where several have
 * some. A channel that is closed and empty is left out; when all are, `to` is closed. */
MR_API int mr_merge(mr *m, const char *const *from, size_t n, const char *to, const struct mr_flow *flow);

/* core.async's mult: each value of `from` goes to every one of the n channels `taps` (1 … MR_MAX_WORKERS), and the next
 * only when all have it: buffers of the taps, or dropping and sliding ones, keep a slow reader from holding up the
 * others. A tap that is closed or deleted is left out; MR_CLOSED when all are. Then, and where a tap refuses a value
 * with an error, which ends the mult, the value is `lost`. */
MR_API int mr_mult(mr *m, const char *from, const char *const *taps, size_t n, const struct mr_flow *flow);

/* core.async's split, for n channels: each value of `from` goes to to[choose(value)]; n or more: to none of them. A
 * value that jansson cannot hold is `lost` (MR_EJSON), and ends the split if there is no `lost`. */
MR_API int mr_split(mr *m, const char *from, size_t (*choose)(void *context, const json_t *value),
		    const char *const *to, size_t n, const struct mr_flow *flow);

/* Takes one value from the first of n channels (1 … 64) that has one, or else from whichever has one first: mr_alts()
 * with priority, for sources that may end. A channel that is closed and empty is no answer, but its entry is set to
 * NULL, and left out from then on. MR_OK: choice->arm is the index in `channels`, and mr_choice_finish() frees the
 * rest. MR_TIMEOUT. MR_CLOSED: all are. Else as mr_alts(). */
MR_API int mr_take_first(mr *m, const char **channels, size_t n, int64_t timeout_ms, struct mr_choice *choice);

/* ---- request broker ---- Any channel carries requests; each takes along the name of a reply channel, a promise that
 * goes with its asker.
 *
 *   a request  {"reply_to": "_r.…", "request": VALUE}
 *   its reply  {"reply": VALUE}, or {"error": "what is wrong"}
 *
 * These are the values in the channels, for clients in other languages. reply_to is a name that the daemon made up
 * (`create` without `channel`), nothing else, so that nobody can make a server put to channels that are not his own; it
 * has to have room, as a promise has: a server does not wait.
 */

/* Puts a request, waits for its reply, and removes the reply channel. timeout_ms, 0 or more, is for all of that, and
 * not optional: a server may die with the request. It does not cover a network that goes silent while the reply channel
 * is made or removed. *reply is the caller's, set with MR_OK alone. MR_TIMEOUT: a request that still waits in the
 * channel is answered in vain. MR_DROPPED, MR_CLOSED: the request found no room, or nobody takes any more. MR_EFAILED:
 * the server says so, in mr_message(). */
MR_API int mr_ask(mr *m, const char *channel, const json_t *request, int64_t timeout_ms, json_t **reply);

struct mr_service { /* zero-initialise */
	const char *channel;
	size_t n; /* requests answered at a time, each on its own thread; the caller's is one */

	/* MR_OK: *answer, as it was set, is the reply (NULL: null). Anything else: the asker gets MR_EFAILED with
	 * *answer as its words, if it is a string, or the status's name. `request` may be changed, and be the answer,
	 * with json_incref(). */
	int (*answer)(void *context, json_t *request, json_t **answer);
	void *context;
	const char *stop;
};

struct mr_service_counts {
	uint64_t taken, answered;
	uint64_t unanswered; /* the asker has gone, or the daemon had no room */
	uint64_t malformed;  /* no request in the sense above */
};

/* Answers requests until the channel is closed. What is malformed is only counted. counts may be NULL; they are set on
 * every return. */
MR_API int mr_serve(mr *m, const struct mr_service *service, struct mr_service_counts *counts);

#ifdef __cplusplus
}
#endif

#endif
