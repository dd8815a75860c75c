/* The core: named channels, parked requests, alts, time-outs and the books. Pure: no I/O, no clock, no JSON, no
 * globals.
 *
 * In: one event at a time, with the time in it. Out: replies, in the order in which they came about. One thread.
 * Nothing re-enters: the effects of a step are released before the next step begins, which core_step() asserts.
 *
 *   struct core_effects effects = {0};
 *   core_step(core, &event, &effects);
 *   for (reply = effects.head; reply; reply = reply->next) ...encode...
 *   core_effects_release(core, &effects);
 *
 * Everything that changes what the core will do comes in an event (or in what stands for one: core_put_alone()): so a
 * run of the core is its seed, its first limits and its list of events, and played again they lead to the same replies
 * and the same state.
 *
 * Out of memory is a reply (ERROR_OVERLOADED), and nothing has happened. Time is in microseconds of a monotonic clock,
 * and never runs backwards from one event to the next. Events of the same time are one turn of the shell's loop: in
 * each turn, a take with a count gets no more than its share, and core_deadline() asks for another turn where there is
 * more for it.
 */
#ifndef MILLRACE_CORE_H
#define MILLRACE_CORE_H

#include <stdint.h>

#include "daemon/core/value.h"
#include "proto/slice.h"
#include "proto/status.h"

struct core;
struct core_connection;
struct core_restore;
struct record;
struct record_buffer;

enum {
	CORE_MAX_ARMS = 64,
	CORE_MAX_TAKE = 1000,
	CORE_MAX_COUNT = 1000000,
	CORE_TURN_VALUES = 64,
	CORE_TURN_WORK = 16000,
	CORE_MAX_TAPS = 64,    /* of one source */
	CORE_CIRCLE_NAMES = 8, /* of a circle's, that effects tell */
};

enum {
	CORE_MAX_MOVE = 10000,   /* values in one step */
	CORE_MOVE_LOOKS = 20000, /* at so many values a move to their origins looks, whether they can go or not */
	CORE_LEASE_LOOKS = 5000, /* see core_next_lease() */
};

/* What knows a lease. Nobody can guess one. */
struct core_token {
	uint64_t words[2];
};

/* Randomness: of the order of alts, of the hash tables, of the tokens. Parts of the first can be seen from outside; so
 * none may follow from another. */
struct core_seed {
	uint64_t choices, tables[2], tokens[2];
};

#define CORE_NEVER UINT64_MAX
#define CORE_NO_ID                                                                                                     \
	UINT64_MAX /* of a put that nobody waits for: its replies but OK and DROPPED matter, and it cannot be          \
		      cancelled */

enum channel_kind { KIND_UNBUFFERED, KIND_BOUNDED, KIND_DROPPING, KIND_SLIDING, KIND_PROMISE, KIND_COUNT };

const char *channel_kind_name(enum channel_kind kind);
/* The kind that a word names, or KIND_COUNT. */
enum channel_kind channel_kind_from_name(struct slice word);

struct core_limits {
	uint64_t max_memory; /* bytes of values */
	uint64_t max_parked; /* bytes that parked requests, leases, delayed puts and taps' matches take; 0: no limit */
	uint32_t max_channels;    /* CHANNEL_EXISTS and its like come first; over it: overloaded */
	uint32_t max_inflight;    /* parked requests of one connection */
	uint32_t max_waiters;     /* of a channel that does not say: parked requests (alts: arms) */
	uint32_t max_take_bytes;  /* a take with `max` stops before its values, with a comma each, are more; one is
				     always given. What a take with a count gets in a turn has the same limit, beside
				     CORE_TURN_VALUES */
	uint64_t max_park_ms;     /* 0: no limit */
	uint64_t producer_ttl_ms; /* a producer that has been silent for so long is forgotten; 0: never */
	uint32_t max_producers;   /* on all channels together: beyond it the longest silent is forgotten */
	uint32_t max_taps;        /* in all; beyond: ERROR_OVERLOADED */
	uint32_t turn_work; /* how many values may be freed in a turn, or as much of other work that can go on in the
			       next turn; 0: CORE_TURN_WORK */
};

struct core_definition { /* of a channel; two that are equal member by member are the same */
	enum channel_kind kind;
	uint64_t capacity;    /* bounded, dropping, sliding: >= 1; unbuffered: 0; promise: 1 */
	uint32_t max_waiters; /* 0: the daemon's default */
	bool ephemeral;
	bool durable;             /* neither unbuffered nor ephemeral, and only where there is a recorder */
	uint32_t max_deliveries;  /* 0: any number */
	struct slice dead_letter; /* with it: the name of the bounded channel where a value then goes */
};

enum core_op {
	CORE_TICK,       /* only time passes */
	CORE_HANG_UP,    /* the connection asks nothing more: its parked requests are cancelled without a reply */
	CORE_DISCONNECT, /* the same; its leases and unsent values return; its ephemeral channels go; `connection` is
			    then gone. Time-outs that were due first may still give it replies, in this step */
	CORE_ABANDON,    /* whatever is parked gets ERROR_DRAINING */
	CORE_CREATE,
	CORE_CLOSE,
	CORE_DELETE,
	CORE_ALTER, /* the channel's definition is `definition` from now on; kind and `ephemeral` stay, see core_stat()
		     */
	CORE_TAP,   /* what enters `channel` is carried to `tap.to` from now on, as `tap` says */
	CORE_UNTAP, /* and no more */
	CORE_PUT,
	CORE_TAKE,
	CORE_ALTS,
	CORE_CANCEL,
	CORE_ACK,
	CORE_NACK,
	CORE_EXTEND,
	CORE_MOVE,    /* buffered values of `channel` go to `to`, or each to its origin's channel */
	CORE_PAUSE,   /* the connection has no room for replies, until CORE_RESUME: its takes with a count leave their
			 queues, and give way to others */
	CORE_RESUME,  /* the connection has room for replies again */
	CORE_CONNECT, /* a new connection, with `cookie`: effects->connection */
	CORE_SET_LIMITS, /* `limits` are in force from now on */
	CORE_SET_QUOTA,  /* `quota` may count so much as `quota_limits` say from now on */
	CORE_JOIN_QUOTA, /* what the connection has counts on `quota` from now on (NULL: on none), and no more on the
			    one before */
	CORE_RESTORE,    /* a slice of what `restore` has becomes the core's, before any channel is there, until
			    effects->restored.is_done. Meanwhile nothing is due, and nobody may ask for anything */
	CORE_CHECKPOINT, /* a slice of a checkpoint: all that is durable is recorded again. It begins with the
			    first slice, and has ended when effects->checkpoint_is_done */
	CORE_REVOKE,     /* the connection has no right to `revoked` any more: its parked requests with such an arm get
			    ERROR_DENIED */
	CORE_JOIN_CLUSTER, /* from now on only channels of groups that are here may be; before there is any. Requests
			      about others get ERROR_MOVED; those that name channels of several, ERROR_CROSS_GROUP */
	CORE_ADOPT,        /* the group `channel` comes, with what `restore` has, which is the core's from now on: see
			      core_group_state() */
	CORE_SERVE,   /* it is served from now on; before, the daemon's own creates have made what it has to have */
	CORE_RELEASE, /* it goes: all that is parked on its channels gets ERROR_MOVED in this step, in which the last
			 of its records are, and none of its channels is there any more */
	CORE_DRAIN,   /* nothing new is taken any more: put, create (of a connection) and alts with a put arm get
			 ERROR_DRAINING */
	CORE_OP_COUNT,
};

struct core_arm {
	struct slice channel;
	struct value
		*value; /* a put arm: owned by the core from core_step() on, whatever comes of it; a take arm: NULL */
};

/* Values of a reply that the shell has yet to send: a ledger entry. See core_keep(). */
struct core_unsent {
	uint64_t end;         /* the shell's own */
	struct value *values; /* n_values, linked; NULL: they are leased */
	uint32_t n_values;
	struct core_token token;
};

/* Where a step records what becomes of durable channels: the shell's, for the length of a step. */
struct core_recorder {
	struct record_buffer *buffer;
	uint64_t batch;     /* the number of the batch that these records will be in */
	uint64_t committed; /* nobody needs to wait for batches up to this one */
	uint64_t wall_ms;   /* the time by wall clock, which outlives the daemon */
	bool is_full;       /* there is no room for more values: puts on durable channels get ERROR_UNAVAILABLE */
};

/* Which values a tap carries: the shell's, since the core does not know what values mean; the core's from core_step()
 * on, until it calls `destroy`. accepts() depends on nothing but the value. */
struct core_match {
	bool (*accepts)(const struct core_match *match, struct slice value);
	void (*destroy)(struct core_match *match);
	struct slice text; /* as it was given */
	uint32_t bytes;    /* that it takes, which count towards max_parked */
};
void core_match_destroy(struct core_match *match); /* NULL is fine */

enum core_tap_state {
	CORE_TAP_RUN,
	CORE_TAP_PAUSE, /* takes nothing: alone on its source it holds the source up */
	CORE_TAP_MUTE,  /* takes, and discards */
	CORE_TAP_SOLO,  /* while one into a channel is, those that are not are as if paused */
	CORE_TAP_STATES,
};

const char *core_tap_state_name(enum core_tap_state state);
/* The state that a word names, or CORE_TAP_STATES. */
enum core_tap_state core_tap_state_from_name(struct slice word);

struct core_tap_terms {
	struct slice to;
	bool creates_target; /* `to` is a new channel, as `definition` says, of a name that nobody has */
	bool closes;         /* the target, when the last such tap into it has ended with its source */
	enum core_tap_state state;
	struct core_match *match; /* NULL: it carries all */
};

/* To put to a channel, or to take from it. */
struct core_access {
	struct slice channel;
	bool is_put;
};

/* How much several connections together may have, which is one user's share. */
struct core_quota_limits {
	uint32_t max_parked;   /* requests: beyond it ERROR_TOO_MANY_INFLIGHT */
	uint32_t max_channels; /* that they have created: beyond it ERROR_OVERLOADED, with `over_quota` */
};

/* What they have: the shell's memory, and the core's to change. It stays for as long as a connection has joined it, or
 * n_channels is not 0.
 * Zero-initialise it, and give it its limits by CORE_SET_QUOTA. */
struct core_quota {
	struct core_quota_limits limits;
	uint32_t n_parked;
	uint32_t n_channels; /* an ephemeral one goes along when its connection joins another quota */
};

struct core_event {
	enum core_op op;
	uint64_t now_us;
	struct core_recorder *recorder; /* NULL: nothing is durable. The same in all steps, or in none */
	uint64_t unsent_bytes;          /* of values that the shell has yet to send: they count towards max_memory */
	struct core_connection *connection; /* who asks. create, close, delete, alter, tap and untap: NULL is the daemon
					       itself */
	uint64_t id;                        /* of the request; a put may have CORE_NO_ID */
	struct slice channel;
	bool has_timeout;
	uint64_t timeout_ms; /* 0: at once or not at all */

	struct core_definition definition; /* create, alter; tap that creates its target */
	struct core_tap_terms tap;         /* tap; untap: `to` */
	bool force;                        /* delete */
	struct value_list values; /* put: at least one; owned by the core from core_step() on, whatever comes of it */
	bool batch;               /* put: of `values`; take: with `max`. The reply says so again */
	uint32_t max;             /* take: 1 without `max`; move: at most CORE_MAX_MOVE */
	uint32_t count;           /* take: so many takes in one, with a reply each; 0: a plain take. Not with batch */
	const struct core_arm *arms; /* alts */
	uint32_t n_arms;
	bool priority;
	uint64_t cancel_id;      /* cancel */
	uint64_t lease_ms;       /* take, alts: how long what is taken is leased, 0: it is not; extend */
	bool sticky;             /* take, alts: the lease outlives its connection */
	struct core_token token; /* ack, nack, extend */
	uint64_t delay_ms;       /* nack, put: 0 is none */
	bool is_uncounted;       /* nack: the delivery does not count */
	struct slice producer;   /* put: with it, the same `seq` again changes nothing; empty: none. 1 .. 64 bytes */
	uint64_t seq;            /* put, with a producer */
	struct slice to;         /* move; empty: to where each value came from. `max` is how many at most */
	const struct core_unsent
		*unsent; /* disconnect: its values, which go back; owned by the core from core_step() on */
	size_t n_unsent;
	union {
		void *cookie;                     /* connect: comes back in the connection's replies and rows */
		const struct core_limits *limits; /* set_limits: copied */
		struct core_quota *quota;         /* set_quota, join_quota */
		struct core_restore *restore;     /* restore; adopt: the core's from core_step() on */
	};
	struct core_quota_limits quota_limits; /* set_quota */
	const struct core_access *revoked;     /* revoke; n_revoked of them */
	uint32_t n_revoked;
};

/* One outcome of one request. Valid until core_effects_release(). */
struct core_reply {
	struct core_reply *next;
	void *cookie; /* of the connection it goes to; NULL: the daemon's own request */
	uint64_t id;
	enum core_op op : 8; /* small fields: a reply lies in the memory of its request, of which many may be parked */
	enum status status : 8;
	enum error error : 8; /* with STATUS_ERROR */
	bool batch : 1;       /* as asked */
	bool is_take : 1;     /* an alts: the arm that happened was a take; a take: true */
	bool created : 1;     /* create, tap */
	bool duplicate : 1;   /* put: its producer and seq had this outcome before, and nothing has happened now */
	bool over_quota : 1;  /* create: ERROR_OVERLOADED is the quota's, not the daemon's */
	bool over_parked : 1; /* ERROR_OVERLOADED is that of max_parked */
	bool altered : 1;     /* alter: the definition was another one before */
	bool has_left : 1;    /* a take with a count, from when it was accepted */
	bool owns_values : 1; /* the core's own business: whether release frees the values */
	bool has_lease : 1;   /* take, alts: of a take arm */
	bool is_small : 1;    /* the core's own business: whether it lies in a request that is small */
	bool in_block : 1;    /* the core's own business: whether its memory is one of reply_create()'s */
	struct slice to;      /* tap, untap */
	const struct slice *circle; /* tap, with ERROR_BAD_REQUEST: the channels that it would have led round, */
	struct slice channel;       /* the channel it is about; alts: of that arm; empty if of none in particular */
	struct value *value; /* take, alts: the first of n_values, linked by `next`. Read no further than n_values.
				Leased: each has its `deliveries` */
	uint32_t n_values;
	uint32_t n_circle; /* the first CORE_CIRCLE_NAMES of so many, beginning with its source */
	uint32_t left;     /* how many of the count are still to come; with STATUS_OK and 0, or any other status, it has
			      ended */
	uint32_t arm; /* alts: which one happened; with an error: which one was refused, or n_arms if none in particular
		       */
	union {
		struct {
			uint64_t accepted; /* put; move: how many were moved */
			uint64_t evicted;  /* put, put arm */
		};
		struct core_token lease; /* with has_lease alone */
	};
	uint64_t discarded;   /* delete */
	uint64_t after_batch; /* it may only be told when the batch of this number is committed; 0: at once */
};

/* What CORE_RESTORE or CORE_ADOPT has found. */
struct core_restored {
	uint64_t channels, values;
	uint64_t lost;   /* values of channels that no record has created */
	bool has_failed; /* no memory: the core has only a part of it, and is good for nothing */
	bool is_done;    /* or it has failed; nothing of what CORE_RESTORE was given is needed any more */
};

struct core_effects {
	struct core_reply *head, *tail; /* zero-initialise before each step */
	uint64_t n_undeliverable;   /* values that should have gone to a dead_letter channel that is gone or closed, and
				       went back */
	struct slice undeliverable; /* the last one's own channel; valid until core_effects_release() */
	bool checkpoint_is_done;
	struct core_restored restored;
	struct core_connection *connection; /* connect: until CORE_DISCONNECT; NULL: there was no memory for it */
};

/* Limits and seed are copied. NULL without memory. */
struct core *core_create(const struct core_limits *limits, const struct core_seed *seed);
void core_destroy(struct core *core); /* with everything in it */

/* Makes a tap's match of the text that another had. NULL: no memory, or that is no match. */
typedef struct core_match *core_match_cb(struct slice text);

/* What records say was there: for CORE_RESTORE or CORE_ADOPT. NULL: no memory. */
struct core_restore *core_restore_create(core_match_cb *make_match);
void core_restore_destroy(struct core_restore *restore); /* instead of these. NULL is fine */
/* The next record. -1: no memory, and the whole is good for nothing. */
int core_restore_record(struct core_restore *restore, const struct record *record);

/* Whether nothing is left to be taken that would be lost: nothing buffered but promises, nothing leased, of channels
 * that are not durable; and nothing parked to be put. */
bool core_is_drained(const struct core *core);

/* The last batch of records that tells of a change: what shows the core's state has to wait for it. 0: there is none.
 */
uint64_t core_changed_in(const struct core *core);

/* -- In a cluster -- */

enum core_group_state {
	CORE_GROUP_NONE,     /* it is not here */
	CORE_GROUP_COMING,   /* since CORE_ADOPT: what was there gets its place, in this turn and those to come */
	CORE_GROUP_FAILED,   /* without memory for that: nothing remains but to release it */
	CORE_GROUP_RESTORED, /* that is done: the daemon may create channels, and then has to say CORE_SERVE */
	CORE_GROUP_SERVED,
	CORE_GROUP_LEAVING, /* since CORE_RELEASE: its memory is freed, in this turn and those to come */
};

/* *restored (NULL is fine): what CORE_ADOPT has found, unless the group is not here. */
enum core_group_state core_group_state(const struct core *core, struct slice group, struct core_restored *restored);

/* How many values would be lost if the group went now: those in its channels that are not durable, in leases too. */
uint64_t core_group_unkept(const struct core *core, struct slice group);

/* Whether requests about a channel of this name are for this core: always so without a cluster. */
bool core_serves(const struct core *core, struct slice channel);

/* Whether the connection has been told to pause. */
bool core_is_paused(const struct core_connection *connection);

/* Time-outs that are due by event->now_us come first, then the event. Everything that the event says is checked by the
 * shell as far as it needs no channel (names, ranges); the rest is answered here. `effects` is empty, and has to be
 * released before the next step. */
void core_step(struct core *core, const struct core_event *event, struct core_effects *effects);
void core_effects_release(struct core *core, struct core_effects *effects);

/* The values of a reply, for as long as it is not sent: *unsent is the shell's, which ends it by core_sent() or
 * CORE_DISCONNECT. False if there is nothing to keep (no values, or a promise's). Before core_effects_release(). */
bool core_keep(struct core_reply *reply, struct core_unsent *unsent);
void core_sent(const struct core_unsent *unsent);

/* The short way, which most traffic can go: a put of one value, or a take of one, both plain, which concern nobody but
 * the one who asks, and a plain take that waits for the value or waits then itself. What happens is what core_step()
 * would do with the event: only that neither event nor effects are made for it. No effects may be outstanding, and the
 * id may not be in use.
 *
 * True: it is carried out. False: nothing has happened, and it goes by core_step(). */
struct core_alone { /* as in core_event */
	uint64_t now_us, unsent_bytes;
	struct core_connection *connection;
	uint64_t id;
	struct slice channel;
	bool has_timeout;
	uint64_t timeout_ms;
};

/* The value is the core's then, and the put's reply would be STATUS_OK; before it comes *handed, the reply of the take
 * that waited for the value, which core_keep() has to take out of it, unless its cookie is NULL: nobody waited. */
bool core_put_alone(struct core *core, const struct core_alone *put, struct value *value, struct core_reply *handed);
/* *value as core_keep() would give it: the caller ends it by core_sent() or CORE_DISCONNECT. NULL: the take is parked.
 */
bool core_take_alone(struct core *core, const struct core_alone *take, struct value **value);

/* core_expect() fetches into the processor's cache what requests for these channels will need; they may never come. It
 * pays where core_is_vast(): there are so many channels that all this is long out of the cache. */
enum { CORE_EXPECTED = 8 };
bool core_is_vast(const struct core *core);
void core_expect(struct core *core, const struct slice *channels, size_t n); /* at most CORE_EXPECTED */

/* Whether a put with this producer and seq takes no room there, whatever comes of it: it is told its outcome again, or
 * takes the place of the same put, which is parked. */
bool core_knows_put(const struct core *core, struct slice channel, struct slice producer, uint64_t seq);

/* When time alone matters next: the earliest deadline in microseconds, or CORE_NEVER. */
uint64_t core_deadline(const struct core *core);

/* Whether something that has happened is still being carried out: those who were parked on a channel that is closed or
 * deleted are told so, or all are that the daemon ends; what is due ends; a deleted channel's memory is freed, an ended
 * connection's leases return and its ephemeral channels go, parked puts enter an altered channel, a promise is lent to
 * those who waited for it, taps have more to carry, or groups come and go. core_deadline() then asks for another turn;
 * the next CORE_TICK, in this turn or another, goes on with it. */
bool core_has_backlog(const struct core *core);

/* Whether a parked request of this connection has the id: the shell refuses any request with it (core_step does so
 * itself). */
bool core_id_in_use(const struct core *core, const struct core_connection *connection, uint64_t id);

/* Whether anything would end with the connection but its name: a parked request, or a lease that is not sticky. */
bool core_is_engaged(const struct core_connection *connection);

/* The quota that the creator of this ephemeral channel counts on; NULL: none, or the channel is not there, or not
 * ephemeral. */
const struct core_quota *core_owner_quota(const struct core *core, struct slice channel);

/* Asserts every invariant: books, queue links, counts, heap order, "no parked put beside a parked take". O(everything);
 * for tests. Returns NULL, or static text about the first that does not hold. */
const char *core_check(const struct core *core);

#endif
