/* What there is to see in the core: channels and their values, requests that wait, leases, taps, sums. Looking changes
 * nothing. */
#ifndef MILLRACE_CORE_ROWS_H
#define MILLRACE_CORE_ROWS_H

#include "daemon/core/core.h"
#include "daemon/core/store.h"

/* How long parked requests have waited until they were served: how many for at most core_wait_bounds_us[i] (and more
 * than the bound before), those that waited longer in the last place; and the sum. A request counts once, on the
 * channel of the arm that happened; one that ended otherwise, and a take with a count, does not. */
enum { CORE_WAIT_BOUNDS = 8 };
extern const uint64_t core_wait_bounds_us[CORE_WAIT_BOUNDS];
struct core_waits {
	uint64_t n[CORE_WAIT_BOUNDS + 1];
	uint64_t sum_us;
};

/* The arms of the connection's parked requests, one after the other; a put or take has one. Zero the row before the
 * first, and give it again as it was for the next; no step may come between. False at the end. Requests come in the
 * order of parking, and takes with a count behind them. So one may go on behind the last arm of any that has list 0, in
 * other turns: from a row that is zero but for its `seq`. */
struct core_parked_arm {
	struct core_access access; /* its channel's name is valid until the next step */
	uint64_t seq;              /* of the request */
	const void *request;       /* the core's own, likewise the next two */
	uint32_t index;
	uint8_t list;
};
bool core_next_parked_arm(const struct core_connection *connection, struct core_parked_arm *arm);

/* How many requests of the connection are parked. */
uint32_t core_parked(const struct core_connection *connection);

/* What is there to see. Rows are copies but for their slices and values, which are valid until the next step. */
struct core_channel_row {
	struct slice name;
	struct core_definition definition; /* max_waiters is the one in force */
	bool closed;
	uint64_t buffered, leased, delayed, parked_puts, parked_takes,
		bytes; /* delayed: of those leased, delayed puts */
	uint64_t recovered, accepted, taken, returned, dropped, evicted, dead_lettered, discarded;
	uint64_t oldest_put_us,
		oldest_take_us; /* since when the first in each queue has waited; CORE_NEVER: nobody waits */
	const struct core_waits *put_waits, *take_waits; /* NULL: nobody has waited yet. Valid until the next step */
};

bool core_stat(const struct core *core, struct slice channel,
	       struct core_channel_row *row); /* false: no such channel */

/* The definition that the channel was given, max_waiters 0 included; its dead_letter is valid until the next step.
 * False: no such channel. */
bool core_definition_of(const struct core *core, struct slice channel, struct core_definition *definition);

/* The first channel whose name is greater than `after` (empty: the first of all), in order of bytes; false at the end.
 * O(log n). */
bool core_next_channel(const struct core *core, struct slice after, struct core_channel_row *row);

/* The buffered values, the oldest first: core_peek_next() until NULL. False: no such channel. */
struct core_peek {
	const struct store *store;
	struct store_cursor cursor;
};
bool core_peek_begin(const struct core *core, struct slice channel, struct core_peek *peek);
const struct value *core_peek_next(struct core_peek *peek);

/* How many bytes a reply may have at most of where the value came from. */
size_t core_origin_bytes(const struct value *value);

struct core_waiter_row {
	uint64_t seq; /* rises in the order of parking; never 0 */
	void *cookie; /* of its connection; NULL: a dead letter or a tap's value, which waits to enter, or the taps of a
			 channel, which wait for a value */
	uint64_t id;
	enum core_op op;                 /* PUT, TAKE, ALTS; TAP: nobody's */
	uint32_t n_arms;                 /* see core_waiter_arm(); a put or take has one */
	uint64_t parked_us, deadline_us; /* CORE_NEVER: none */
	const void *request;             /* for core_waiter_arm */
	uint64_t n_passed;               /* others that had to be looked at to find it */
};

/* The oldest parked request with a seq greater than `after`; false at the end. With a channel (not empty): of those
 * with an arm on it; O(log n + arms) while the one with the seq `after` is still parked there, else as much as the
 * shorter way from an end of the queue. */
bool core_next_waiter(const struct core *core, struct slice channel, uint64_t after, struct core_waiter_row *row);
/* Its arm number `i`: the channel's name, and whether it is a put. */
struct slice core_waiter_arm(const struct core_waiter_row *row, uint32_t i, bool *is_put);

struct core_lease_row {
	uint64_t seq;         /* rises in the order of beginning; never 0 */
	struct slice channel; /* valid until the next step, as the row is */
	uint32_t n_values;
	uint32_t deliveries; /* the highest of its values' */
	void *cookie;        /* of its connection; NULL: that has ended */
	bool is_sticky;
	uint64_t begun_us, deadline_us;
	const void *lease;
};

/* The oldest held lease with a seq greater than `after`. False: there is none; or *go_on is not 0, and the search has
 * only come so far: call it with that as `after`. row is zeroed before the first call, and given again as it was for
 * the next, which then costs O(1). */
bool core_next_lease(const struct core *core, uint64_t after, struct core_lease_row *row, uint64_t *go_on);

/* The first tap whose seq is greater than `after`, in the order in which they were made; false at the end. Zero the row
 * before the first, and give it again for the next, with its seq as `after`; no step may come between. */
struct core_tap_row {
	const void *tap;              /* the core's own */
	uint64_t seq;                 /* never 0 */
	struct slice from, to, match; /* match: as it was given; empty: none. Valid until the next step */
	bool closes;
	enum core_tap_state state;
	uint64_t carried, unmatched, muted;
	uint64_t held_since_us; /* its target has no room for its value since then; CORE_NEVER: nothing holds it up */
};
bool core_next_tap(const struct core *core, uint64_t after, struct core_tap_row *row);

/* What became of values at all taps, since the daemon was started. */
struct core_tap_counts {
	uint64_t carried, unmatched, muted;
	uint64_t held; /* taps that hold a value just now for which there is no room */
};

struct core_totals {
	struct core_tap_counts tapped;
	uint64_t taps, channels, connections, parked, parked_puts, buffered, promised, leased, delayed, bytes,
		unsent_bytes, max_memory;   /* promised: of those buffered, the promises. parked_puts: arms. delayed: of
					       those leased. bytes: of values, the unsent ones not included */
	uint64_t producers, producer_bytes; /* who puts once, and what is remembered of them */
	uint64_t parked_bytes, max_parked;
	uint64_t durable_bytes; /* what a checkpoint would take, about */
	bool is_draining;
};
void core_totals(const struct core *core, struct core_totals *totals);

#endif
