/* What waits takes memory beside its values: parked requests, 2.7 KiB those with 64 arms, leases and delayed puts; and
 * so does what taps match, up to 75 KiB. What they take together is bounded by limits.max_parked, where somebody asks
 * for it; what was accepted before, dead letters and what a journal brings back count, and are not refused. */
#ifndef MILLRACE_CORE_PARKED_BYTES_H
#define MILLRACE_CORE_PARKED_BYTES_H

#include "daemon/core/state.h"

enum { PARKED_OVERHEAD = 64 }; /* of each: its places in tables, the heap and the order, and malloc's own */

static inline uint64_t parked_bytes_of_request(size_t n_arms, bool has_terms)
{
	return sizeof(struct request) + n_arms * sizeof(struct arm) + (has_terms ? sizeof(struct put_terms) : 0) +
	       PARKED_OVERHEAD;
}

static inline uint64_t parked_bytes_of_lease(void)
{
	return sizeof(struct lease) + PARKED_OVERHEAD;
}

static inline uint64_t parked_bytes_of_delayed(void)
{
	return sizeof(struct delayed_put) + PARKED_OVERHEAD;
}

/* NULL: of none. */
static inline uint64_t parked_bytes_of_match(const struct core_match *match)
{
	return match ? match->bytes + PARKED_OVERHEAD : 0;
}

/* Whether there is room for so many. */
static inline bool parked_bytes_fit(struct core *core, uint64_t bytes)
{
	core->was_parked_full = core->limits.max_parked && core->parked_bytes + bytes > core->limits.max_parked;
	return !core->was_parked_full;
}

#endif
