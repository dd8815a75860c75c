/* An engine: the linearizable store that a cluster's daemons share. etcd.c is one; the simulator has a model of one.
 *
 * Every call ends with exactly one callback, never within the call itself, in any order. One thread, which never
 * blocks. A call that ends with ENGINE_UNKNOWN may have happened, may happen still, or never: asking the same
 * transaction again must do no harm. An engine may try a call several times within itself: a transaction of which one
 * try got no answer does not end with ENGINE_NOT_SO or ENGINE_REFUSED, which say that nothing has happened, but with
 * ENGINE_UNKNOWN (or ENGINE_DONE). Keys and values are bytes; keys here are without the cluster's prefix, which the
 * engine puts before each.
 *
 * An engine outlives its calls: engine_cancel_all() forgets those of one owner, whose callbacks then never come. */
#ifndef MILLRACE_CLUSTER_ENGINE_H
#define MILLRACE_CLUSTER_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

enum { ENGINE_MAX_ROWS = 1000 };

enum engine_result {
	ENGINE_DONE,   /* it has happened; a transaction whose comparisons held */
	ENGINE_NOT_SO, /* a transaction's comparisons did not hold, or the lease it puts a key with is gone: nothing has
			  happened, for good. A lease: it is gone */
	ENGINE_UNKNOWN, /* no answer in time, or the connection broke */
	ENGINE_REFUSED, /* the engine said no, and nothing has happened: `message` says why */
};

enum engine_comparison {
	ENGINE_IS,     /* the key's value is this one */
	ENGINE_BELOW,  /* it is smaller, byte by byte; a key that is not there is not (etcd has it so) */
	ENGINE_ABSENT, /* there is no such key */
};

struct engine_compare {
	enum engine_comparison how;
	struct slice key, value;
};

struct engine_write {
	struct slice key;
	struct slice end;   /* not empty: the keys from `key` up to, not including, this one are deleted */
	struct slice value; /* else: put */
	bool is_delete;     /* else, with an empty `end`: this key is deleted */
	uint64_t lease;     /* put: the key goes with this lease; 0: it stays */
};

/* Slices are copied by the call. */
struct engine_transaction {
	const struct engine_compare *compares; /* all must hold */
	size_t n_compares;
	const struct engine_write *writes;
	size_t n_writes;
};

struct engine_row {
	struct slice key, value; /* valid during the callback */
	uint64_t lease;          /* 0: none */
};

struct engine_answer {
	enum engine_result result;
	const char *message; /* ENGINE_UNKNOWN, ENGINE_REFUSED: why, for a log line; valid during the callback */
	bool is_full;        /* ENGINE_REFUSED: for lack of room. Status: it takes no more puts */
	uint64_t revision;   /* of the store, when it happened */
	const struct engine_row *rows; /* range: in the order of their keys */
	size_t n_rows;
	bool has_more;                    /* range: there are more after the last row */
	uint64_t lease;                   /* grant */
	uint64_t ttl_ms;                  /* grant, keep alive: from when the call was made, at most this */
	uint64_t used_bytes, quota_bytes; /* status; quota: 0 if the engine does not say */
	struct slice version;             /* status: such as 3.4.23 */
};

static inline const char *engine_message(const struct engine_answer *answer)
{
	return answer->message ? answer->message : "no answer";
}

typedef void engine_cb(void *arg, const struct engine_answer *answer);
typedef void engine_hint_cb(void *arg);

struct engine;

struct engine_calls {
	/* `owner`: of the call, for engine_cancel_all(). */
	void (*transact)(struct engine *engine, void *owner, const struct engine_transaction *transaction,
			 engine_cb *cb, void *arg);
	/* The keys from `key` up to, not including, `end` (empty: the one key), at most `limit` of them, 1 to
	 * ENGINE_MAX_ROWS; fewer, and `has_more`, if they are large. keys_only: without values. Linearizable. */
	void (*range)(struct engine *engine, void *owner, struct slice key, struct slice end, size_t limit,
		      bool keys_only, engine_cb *cb, void *arg);
	void (*grant)(struct engine *engine, void *owner, uint64_t ttl_ms, engine_cb *cb, void *arg);
	void (*keep_alive)(struct engine *engine, void *owner, uint64_t lease, engine_cb *cb, void *arg);
	void (*revoke)(struct engine *engine, void *owner, uint64_t lease, engine_cb *cb, void *arg);
	/* History before the revision may be forgotten. */
	void (*compact)(struct engine *engine, void *owner, uint64_t revision, engine_cb *cb, void *arg);
	void (*status)(struct engine *engine, void *owner, engine_cb *cb, void *arg);
	/* From now on `hint` is called soon after a key that begins with `prefix` has changed: a hint, which may be
	 * lost, or come for nothing. For one owner one watch. */
	void (*watch)(struct engine *engine, void *owner, struct slice prefix, engine_hint_cb *hint, void *arg);
	void (*cancel_all)(struct engine *engine, void *owner); /* its watch too */
};

struct engine {
	const struct engine_calls *calls;
};

#endif
