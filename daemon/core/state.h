/* What the core is made of, and the steps that its ops share. For daemon/core alone. */
#ifndef MILLRACE_CORE_STATE_H
#define MILLRACE_CORE_STATE_H

#include "daemon/core/core.h"
#include "daemon/core/delayed_put.h"
#include "daemon/core/directory.h"
#include "daemon/core/ids.h"
#include "daemon/core/lease_table.h"
#include "daemon/core/once.h"
#include "daemon/core/order.h"
#include "daemon/core/request_pool.h"
#include "daemon/core/timers.h"

struct core_connection {
	void *cookie;
	struct link in_core;
	struct link parked;        /* of struct request, but takes with a count */
	struct link ephemeral;     /* of struct channel */
	struct link leases;        /* of struct lease: first those that are sticky, then those that end with it */
	struct consumer *consumer; /* has its takes with a count; NULL until there is one */
	struct core_quota *quota;  /* NULL: none of its own */
	struct link in_lending;    /* the core's lending_to */
	uint32_t n_parked;         /* requests, takes with a count too */
	uint32_t number;           /* rises with every connection, and wraps: see once.c */
	bool is_paused;
	bool is_departing; /* it has ended; what it had is being returned */
};

struct consumer {
	struct core_connection *connection;
	struct link counting; /* takes with a count, in their queues */
	struct link resting;  /* those that have left their queues: they had their share of this turn, or the connection
				 is paused */
	struct link in_rested; /* in the core's, while some are resting and it is not paused */
};

/* The channels that were named lately, each at the place that the tag of its name says. Most channels are found there,
 * without the keyed hash that peers cannot make collide. A peer that makes tags collide only makes this table useless.
 */
enum { RECENT_CHANNELS = 1024 };

struct recent {
	uint64_t tag;
	struct channel *channel; /* NULL: none */
};

/* A checkpoint's place in what is there: see recorder.h. */
struct checkpoint {
	uint64_t number; /* of those that were begun */
	bool is_under_way;
	char name[UINT8_MAX]; /* of the last channel that it has come to */
	size_t name_len;
	struct channel *channel; /* NULL: that is done */
	struct value *value;     /* the next of those that entered */
	uint64_t place;          /* of the last of those that came back */
	/* In the channel's lists: the next one; NULL: they are done. */
	struct link *lease, *delayed, *producer, *dead_letter;
};

struct group;

/* The groups of a cluster that are here, or come or go: groups.c's. */
struct groups {
	bool are_there; /* else this daemon is alone, and has all channels */
	struct buckets by_name;
	struct hash_key key;
	struct link changing;         /* of struct group: those that come or go */
	const struct group *recorded; /* whose the last record was, in: */
	uint64_t recorded_batch;
};

struct core {
	struct core_limits limits;
	uint64_t random;
	struct directory directory;
	struct recent recent[RECENT_CHANNELS];
	struct ids ids;
	struct timers timers;
	struct lease_table lease_table;
	struct link held_leases; /* of struct lease, in the order of beginning */
	struct order order;
	struct request_pool requests; /* that nobody has */
	struct link connections;
	uint64_t n_connections;
	uint32_t last_connection;
	struct producers producers;
	struct groups groups;
	uint64_t n_parked;     /* requests, and dead letters that wait to enter */
	uint64_t parked_bytes; /* that these, leases and delayed puts take: see parked_bytes.h */
	bool was_parked_full;  /* the last one that found no room in them is yet to be told */
	uint64_t n_puts;       /* arms parked to be put: the sum of all channels' */
	uint64_t n_kept_puts;  /* of these, taps' whose value is in the journal where it comes from */
	uint64_t now_us;       /* of the last event */
	uint64_t alone_us;     /* the same, if requests may go the short way; else CORE_NEVER */
	uint32_t turn;         /* rises whenever time moves on */
	struct link rested;    /* of struct consumer: those who go on in the next turn */
	uint64_t bytes;        /* of values: the sum of all channels' */
	uint64_t n_buffered;   /* the sum of all channels' */
	uint64_t n_leased;     /* likewise */
	uint64_t n_delayed;    /* likewise */
	uint64_t n_promised;   /* of n_buffered: fulfilled promises */
	bool is_draining;
	uint64_t unsent_bytes;                         /* of values, as the shell says */
	struct core_recorder *recorder;                /* of this step; NULL: none */
	uint64_t n_durable;                            /* channels */
	uint64_t n_durable_buffered, n_durable_leased; /* of n_buffered (promises apart) and n_leased */
	uint64_t recorded_bytes;                       /* the sum of all channels' */
	uint64_t unpromised; /* bytes of values that were promised to a recorder, and are freed since the last step */
	uint64_t last_channel_number;
	uint64_t changed_in; /* the last batch that tells of any change */
	bool has_changed;    /* this step has told of one */
	struct checkpoint checkpoint;
	struct link unsettled; /* of struct channel: to be settled before the step ends */
	struct link refilling; /* of struct channel: parked puts are still entering */
	struct link ending;    /* of struct channel: those who are parked there are being told that it has ended */
	uint32_t ending_turn;  /* the turn in which the first of them has come there */
	struct channel *graveyard, *last_grave; /* deleted channels, of which something is still to be freed */
	struct value_list dead_values;          /* of no channel, still to be freed: they count in `bytes` */
	struct link lending;    /* of struct channel: promises that are still being lent to takes that were parked */
	struct link lending_to; /* of struct core_connection: those that resumed, likewise */
	uint64_t lend_left;     /* bytes of such values that may be lent in this turn */
	struct link departing;  /* of struct core_connection: ended, and something of theirs is still to be returned */
	struct link taps;       /* of struct tap, oldest first */
	uint32_t n_taps;
	struct core_tap_counts tapped;
	struct slice circle[CORE_CIRCLE_NAMES]; /* that refused the last tap: */
	uint32_t n_circle;                      /* its channels, of which there were so many */
	uint64_t last_tap, last_search;         /* numbers: of a tap, and of a search for circles */
	struct link due_mults;                  /* of struct mult: those that carry on */
	struct link stalled_mults;              /* those that carry on once the journal has room */
	bool is_restoring;                      /* CORE_RESTORE has more to do: meanwhile nothing is due */
	bool do_taps_rest;  /* since CORE_RESTORE, until the next CORE_TICK: meanwhile others can be made beside them */
	uint32_t work_left; /* of what may be done in this turn for that which can go on in the next: of the share of
			       who goes on just now, and else of those who are told the end of their channel */
	uint32_t slices_left, carry_left, dig_left; /* the shares of op_tick(), of taps, of the graveyard */
	uint32_t due_left;  /* likewise, for what is due: it may not starve the rest, nor the rest it */
	uint32_t late_turn; /* the turn in which something due was put off; 0: nothing is */
	bool is_turn_new;   /* what goes on in each turn has yet to, until nothing due is put off any more */
	uint64_t abandoned; /* op_abandon() goes on behind this seq; CORE_NEVER: it has ended */
	const struct core_effects *outstanding; /* those of the last step, until they are released; else NULL */
	struct reply_block *reply_blocks;       /* reply.c's; the first one of a step is kept for the next */
	struct core_reply immediate;            /* the reply to the event itself, where that did not park */
};

/* -- reply.c: outcomes -- */

void effects_append(struct core_effects *effects, struct core_reply *reply);

/* Appends the event's own reply to the effects; the caller fills in what its op has to say. Once a step. */
struct core_reply *reply_now(struct core *core, const struct core_event *event, enum status status,
			     struct core_effects *effects);
/* Gives memory for a reply to a request that goes on, until the step's replies are released; the caller sets
 * `in_block`. NULL: there is none. */
struct core_reply *reply_create(struct core *core);
/* Frees all memory of reply_create(), but for `n_kept` blocks (0 or 1). */
void reply_blocks_release(struct core *core, size_t n_kept);
/* Sets the reply's error, which may be ERROR_NONE. ERROR_OVERLOADED is that of max_parked if parked_bytes_fit() has
 * said no last. */
void reply_set_error(const struct core *core, struct core_reply *reply, enum error error);
void reply_error(struct core *core, const struct core_event *event, enum error error, struct core_effects *effects);

/* -- park.c: parking and ending to park -- */

enum timer_kind { TIMER_REQUEST, TIMER_LEASE, TIMER_DELAYED_PUT };

/* A request with `n_arms` arms to fill in, and room for it everywhere; it is linked nowhere yet. NULL: *error says why.
 */
struct request *park_begin(struct core *core, const struct core_event *event, uint32_t n_arms, enum error *error);
/* Whether one more request may wait on the channel. */
bool park_has_room(const struct core *core, const struct channel *channel);
/* Links an arm. An error, and nothing done: the channel has too many waiters, or there is no memory. */
enum error park_arm(struct core *core, struct request *request, uint32_t index, struct channel *channel, bool is_put,
		    struct value *value);
/* Instead of park_arm(), for a take with a count: its one arm begins to rest on the channel. */
void park_resting(struct request *request, struct channel *channel);
void park_commit(struct core *core, struct request *request, const struct core_event *event);
/* Instead of park_commit(), for a put that takes the place of one that is parked: its arm stands before the other's.
 */
void park_before(struct core *core, struct request *request, struct request *other);
/* Instead of park_commit(); values of its arms go to the graveyard. */
void park_abandon(struct core *core, struct request *request);
/* Does all of this for a plain take. False, and nothing done: it cannot park. */
bool park_take_alone(struct core *core, const struct core_alone *take, struct channel *channel);

/* Unlinks a parked request from everything, and appends its reply. `arm` is the arm that happened, or NULL. Values that
 * were still to be put go to the graveyard: take out first what lives on. */
struct core_reply *park_complete(struct core *core, struct request *request, struct arm *arm, enum status status,
				 struct core_effects *effects);
/* What it costs to end the request, in values that are freed; those that the graveyard frees are not counted. */
uint32_t park_work(const struct request *request);
/* Does what park_complete() does, but for the reply: the request's connection is gone. */
void park_forget(struct core *core, struct request *request);
/* Does the same for a plain take that was served: its reply is the caller's. */
void park_forget_served(struct core *core, struct request *request);

/* Values of `source` park as a put on another channel. They are moved out of the list; false, and nothing done: no
 * memory. */
bool park_dead_letters(struct core *core, struct channel *source, struct channel *target, struct value_list *values);

/* -- credit.c, credit_ops.c: takes with a count -- */

static inline struct arm *credit_arm(struct request *request)
{
	return &request->arms[0];
}

static inline struct consumer *credit_consumer(const struct request *request)
{
	return request->parked.connection->consumer;
}

/* The connection's consumer, made if it has none; NULL without memory. */
struct consumer *consumer_create(struct core_connection *connection);
/* Ends the takes of a connection that has ended, without a reply. */
void consumer_destroy(struct core *core, struct consumer *consumer); /* NULL is fine */

/* A take with a count that stands first in its queue gets a value: the reply to fill, then what becomes of it. With it
 * comes the prepared lease, or NULL if it wants none. The reply is NULL if there is no memory for one: then the take
 * has ended, and gets no value. */
struct core_reply *credit_reply(struct core *core, struct request *request, struct lease **lease,
				struct core_effects *effects);
void credit_served(struct core *core, struct request *request, const struct core_reply *reply);

bool credit_has_share_left(const struct core *core, const struct parked *parked);
/* Counts a value that the take got towards its share of this turn. */
void credit_value(const struct core *core, struct parked *parked, const struct core_reply *reply);
void credit_go_on_next_turn(struct core *core, struct consumer *consumer);
void credit_move(struct link *list, struct request *request);
/* A resting take joins the end of its queue. ERROR_NONE, or why it cannot. */
enum error credit_queue_up(struct core *core, struct request *request);
void credit_end(struct core *core, struct request *request, enum status status, enum error error,
		struct core_effects *effects);

/* Accepts a take with a count: it takes what there is, and parks for the rest. */
void credit_begin(struct core *core, const struct core_event *event, struct channel *channel,
		  struct core_effects *effects);
/* Time has moved on: the takes that had their share in the last turn go on. */
void credit_new_turn(struct core *core, struct core_effects *effects);

/* -- promise.c: the value of a fulfilled promise -- */

/* Fills the reply of a take with the value. */
void promise_lend(struct core *core, struct channel *channel, struct core_reply *reply);
/* Serves the takes that are parked on a promise that is fulfilled, as far as this turn goes, and in turns to come. */
void promise_serve(struct core *core, struct channel *channel, struct core_effects *effects);
/* Serves such takes of a connection that is paused no longer. */
void promise_resume(struct core *core, struct core_connection *connection, struct core_effects *effects);
/* In another turn: goes on with what promise_serve() and promise_resume() have left. */
void promises_go_on(struct core *core, struct core_effects *effects);

/* -- transfer.c: values in and out of channels -- */

struct put_outcome {
	uint64_t accepted, evicted, dropped;
};

/* Moves values from the front of the list into an open channel, to parked takes and then the buffer, as far as its kind
 * allows; dropping channels and promises shed the rest. What is left in the list has to park. */
struct put_outcome transfer_put(struct core *core, struct channel *channel, struct value_list *values,
				struct core_effects *effects);

/* Gives one value to the plain take that parked first (whose reply is *handed then), or puts it into the buffer of a
 * quiet channel; or takes one out of that, where there is one (it is then kept until core_sent()). False or NULL:
 * nothing has happened, and the value has to go the general way. */
bool transfer_put_alone(struct core *core, struct channel *channel, struct value *value, struct core_reply *handed);
struct value *transfer_take_alone(struct core *core, struct channel *channel);

/* Fills the reply of a take with 1 … max values; the channel must have one. A prepared lease (NULL: none) begins. */
void transfer_take(struct core *core, struct channel *channel, uint32_t max, struct lease *lease,
		   struct core_reply *reply, struct core_effects *effects);

/* Moves values of this channel out of the list and back into its buffer, each to its place; a sliding channel sheds the
 * oldest. The caller then settles the channel. */
void transfer_back(struct core *core, struct channel *channel, struct value_list *values, struct core_effects *effects);

/* Moves values of the list into an open channel, to parked takes and then the buffer, as far as there is room without
 * shedding any; a promise takes one. The rest stays in the list. */
void transfer_fill(struct core *core, struct channel *channel, struct value_list *values, struct core_effects *effects);

/* Moves all values of the list, whose room was taken before, into the channel, which may be closed; a sliding channel
 * sheds its oldest. */
void transfer_enter(struct core *core, struct channel *channel, struct value_list *values,
		    struct core_effects *effects);

/* Hands a value of the channel, which must have one, to its taps: it counts as leased until they let go of it, or
 * transfer_give_back() puts it back in its place. */
struct value *transfer_hold(struct core *core, struct channel *channel, struct core_effects *effects);
void transfer_give_back(struct core *core, struct channel *channel, struct value *value, struct core_effects *effects);

/* -- channel_buffer.c -- */

/* A sliding channel sheds the oldest of what is over its capacity. */
void channel_shed(struct core *core, struct channel *channel);

/* -- parked_puts.c -- */

/* The value that the oldest parked put would give next; there must be one. parked_puts_pop() takes it out of its put,
 * which completes if that was its last, and gives it its place in the channel, to which its bytes still belong. */
struct value *parked_puts_first(const struct channel *channel);
struct value *parked_puts_pop(struct core *core, struct channel *channel, struct core_effects *effects);

/* Lets parked puts enter where room has come up, unless they already do so in slices. */
void channel_refill(struct core *core, struct channel *channel, struct core_effects *effects);
/* The same where so much room may have come up that they enter in this turn and in others. */
void channel_refill_in_slices(struct core *core, struct channel *channel, struct core_effects *effects);
void refills_go_on(struct core *core, struct core_effects *effects);

/* -- settle.c -- */

/* Refills the channel from its parked puts, and ends its parked takes if it is exhausted: to be called whenever leased
 * values of it have come back or are gone. */
void channel_settle(struct core *core, struct channel *channel, struct core_effects *effects);
/* Settles all channels for which channel_settle_at_end() was called in this step. */
void channel_settle_all(struct core *core, struct core_effects *effects);

/* -- lease_hold.c: leases that are held -- */

/* Makes the lease of what an event's take will get. NULL: no memory. */
struct lease *lease_prepare(struct core *core, const struct core_event *event);
/* Makes the next lease of a take with a count. */
struct lease *lease_prepare_again(struct core *core, const struct lease *lease);
/* Frees a lease that was prepared and is not needed. NULL is fine. */
void lease_forget(struct core *core, struct lease *lease);

/* Hands the values, which the channel's books and bytes still count, out in this reply. */
void lease_begin(struct core *core, struct lease *lease, struct channel *channel, struct value_list *values,
		 struct core_reply *reply);
/* The lease that somebody holds by this token, of a channel that is there, and not in a group that goes; or NULL. */
struct lease *lease_find(struct core *core, struct core_token token);
/* Takes the lease from whoever holds it: its token is worth nothing any more. */
void lease_let_go(struct core *core, struct lease *lease);
/* Frees the lease; its values are the caller's. */
struct value_list lease_take_apart(struct core *core, struct lease *lease);
/* So many more values of the channel are leased, or so many no longer. */
void lease_count(struct core *core, struct channel *channel, size_t n);
void lease_uncount(struct core *core, struct channel *channel, size_t n);
/* A dead letter has entered the channel where it was parked. */
void dead_letter_entered(struct core *core, struct channel *source);
/* A dead letter is about to get its place there. */
void dead_letter_left(struct core *core, struct channel *source, struct channel *target, struct value *value);
/* Has channel_settle() called for the channel before the step ends: for callers who are in the midst of changing
 * another channel. */
void channel_settle_at_end(struct core *core, struct channel *channel);

/* -- work.c: how much of what can go on in the next turn is done in this one -- */

/* A turn begins. */
void work_begin(struct core *core);
/* Whether somebody has yet to be told the end of a channel, for which ended connections and the daemon's own end wait;
 * and whether any of these goes on, for which all the others wait. */
bool work_waits_for_endings(const struct core *core);
bool work_waits_for_departing(const struct core *core);
/* Swaps a share with core->work_left: the first call gives its owner that share to work with, the second ends that. */
void work_take_turns(struct core *core, uint32_t *share);
/* To remove a channel, or to put one in place, costs as much as to free so many values: the place of its name among
 * many has to be found. */
enum { CHANNEL_WORK = 16 };
/* Whether this turn has work left for what can go on in the next; work_spend() takes some of it away. */
bool work_is_left(const struct core *core);
void work_spend(struct core *core, uint32_t work);

/* -- ending.c: a channel has ended for those who are parked there -- */

/* Begins to tell those who wait for what will not come that the channel is `closed`, as far as this turn's work goes;
 * the others are told in turns to come. The channel is removed; or it is closed, nothing is left to be taken, and
 * nothing can come back: then its taps end too. */
void ending_begin(struct core *core, struct channel *channel, struct core_effects *effects);
/* Goes on with that, for all channels that have ended. */
void endings_go_on(struct core *core, struct core_effects *effects);

/* -- graveyard.c: what is freed in slices -- */

/* Frees a removed channel without waiters, and all that it holds, in slices that begin when the step's effects are
 * released. */
void graveyard_bury(struct core *core, struct channel *channel);
/* Frees values that are in no channel any more, count in none's bytes, and are in no reply: as many as this turn's work
 * allows at once, the others later. Moved out of the list. */
void graveyard_bury_values(struct core *core, struct value_list *values);
/* Frees a lease, or a delayed put, of a removed channel, with its values. */
void graveyard_discard_lease(struct core *core, struct lease *lease);
void graveyard_discard_delayed_put(struct core *core, struct delayed_put *delayed);
/* Whether anything is still to be freed. */
static inline bool graveyard_is_needed(const struct core *core)
{
	return core->graveyard || core->dead_values.n > 0;
}
/* Goes on freeing, as far as this turn's work goes. Between steps. */
void graveyard_dig(struct core *core);

/* -- delayed_put.c -- */

/* Accepts n values from the front of the list, which enter after the delay; their room is taken from now on.
 * `are_counted`: their bytes are the channel's already. -1, and nothing done: no memory. */
int delayed_put_accept(struct core *core, struct channel *channel, struct value_list *values, size_t n,
		       uint64_t delay_ms, bool are_counted);
/* Brings back a delayed put that was there before the daemon's last start: its values are charged, and have counted as
 * recovered. -1, and nothing done: no memory. */
int delayed_put_again(struct core *core, struct channel *channel, struct value_list *values, uint64_t deadline_us);
/* Accepts as much of a put with a delay as there is room for: dropping channels shed the rest, and what is left in the
 * list has to park. -1, and nothing done: no memory. */
int delayed_put_now(struct core *core, struct channel *channel, struct value_list *values, uint64_t delay_ms,
		    struct put_outcome *outcome);
/* Frees the delayed put; its values are the caller's, and charged. */
struct value_list delayed_put_take_apart(struct core *core, struct delayed_put *delayed);
/* The channel is removed: its delayed puts do not count as delayed any more, and go to the graveyard. */
void delayed_puts_forget(struct core *core, struct channel *channel);

/* -- lease_ops.c: how leases end -- */

/* Why a lease ends, and its values come back. */
enum lease_end {
	LEASE_UNSENT, /* whoever took them has never seen them */
	LEASE_NACKED,
	LEASE_EXPIRED, /* or the delay of a nack has passed */
	LEASE_DISCONNECTED,
};

void lease_return(struct core *core, struct lease *lease, enum lease_end why, struct core_effects *effects);

/* -- dead_letters.c -- */

/* Sends values of `source` that were returned too often to its dead_letter channel. Until they enter it they count as
 * leased. */
void dead_letters_send(struct core *core, struct channel *source, struct value_list *values, enum value_reason reason,
		       struct core_effects *effects);
/* Sends dead letters back, since the channel where they are parked is gone. */
void dead_letters_return(struct core *core, struct request *request, struct core_effects *effects);

/* Lets go of a value that was taken and kept: see core_keep(). */
void value_unkeep(struct value *value);

/* -- due.c: time-outs, ends of leases and of delays -- */

/* Ends whatever is due, the earliest first, as far as this turn goes; the rest ends in turns to come. */
void due_expire(struct core *core, struct core_effects *effects);
/* Whether something is due that has yet to happen. */
bool due_is_late(const struct core *core);
/* Whether what goes on in each turn may go on now, and need not wait for what is due. It waits for that until the next
 * turn at most: else a client with very much that times out could hold it up. */
bool due_lets_others_go_on(const struct core *core);

/* -- channel_names.c -- */

/* The channel of that name, or NULL. */
struct channel *channel_find(struct core *core, struct slice name);
/* Takes the channel out of the directory: nobody finds it any more. */
void channel_forget_name(struct core *core, struct channel *channel);
/* Lets replies about the channel wait no longer, if nothing of it is recorded but its definition, and that is kept. */
void channel_forget_kept(struct core *core, struct slice name);
/* Whether this connection (NULL: the daemon itself) may have no more channels. */
bool channel_is_over_quota(const struct core_connection *connection);
/* Counts the channel on this quota (NULL: on none) from now on, and no more on the one before. */
void channel_join_quota(struct channel *channel, struct core_quota *quota);
/* Makes a channel of a name that is free. NULL: *error says why. */
struct channel *channel_make(struct core *core, struct slice name, const struct core_definition *definition,
			     struct core_connection *owner, enum error *error);
/* -- the ops: connection_ops.c, channel_ops.c, close_delete.c, put_take.c, alts.c, lease_ops.c, tap_ops.c, move.c -- */

/* Closes the channel: it takes no more puts. */
void channel_close(struct core *core, struct channel *channel, struct core_effects *effects);
/* Deletes the channel, with force. Returns how many values went with it. */
size_t channel_remove(struct core *core, struct channel *channel, struct core_effects *effects);

/* Goes on returning what connections that have ended had, as far as this turn's work goes. */
void connections_depart(struct core *core, struct core_effects *effects);
/* Goes on with op_abandon(), likewise. */
void abandon_goes_on(struct core *core, struct core_effects *effects);

typedef void op_fn(struct core *core, const struct core_event *event, struct core_effects *effects);
op_fn op_disconnect, op_create, op_close, op_delete, op_alter, op_tap, op_untap, op_put, op_take, op_cancel, op_alts,
	op_pause, op_resume, op_join_quota, op_revoke, op_hang_up, op_abandon, op_ack, op_nack, op_extend, op_move,
	op_restore, op_checkpoint, op_join_cluster, op_adopt, op_serve, op_release;

#endif
