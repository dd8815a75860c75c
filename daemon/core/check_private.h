/* What the files of core_check() share. Each check returns what is wrong, or NULL. */
#ifndef MILLRACE_CORE_CHECK_PRIVATE_H
#define MILLRACE_CORE_CHECK_PRIVATE_H

#include "daemon/core/parked_bytes.h"
#include "daemon/core/state.h"

#define CHECK(holds, what)                                                                                             \
	do {                                                                                                           \
		if (!(holds))                                                                                          \
			return what;                                                                                   \
	} while (0)

struct sums {
	uint64_t values; /* that are charged */
	uint64_t parked_bytes;
	bool is_shared; /* some of them have the same bytes */
	uint64_t taps, tap_requests, taps_held;
	uint64_t channels, buffered, promised, leased, delayed, held, bytes, puts, takes, resting, with_id,
		dead_letters;
};

/* With the lease that is prepared for it. */
static inline uint64_t request_bytes(const struct request *request)
{
	const struct parked *parked = &request->parked;
	bool is_leased = (parked->op == CORE_TAKE || parked->op == CORE_ALTS) && parked->lease;
	return parked_bytes_of_request(parked->n_arms, parked->has_terms) + (is_leased ? parked_bytes_of_lease() : 0);
}

/* -- check_channel.c -- */

/* Counts a value that is charged, and returns its length. */
uint64_t check_value(const struct value *value, struct sums *sums);

const char *check_channel(const struct core *core, const struct channel *channel, struct sums *sums);

/* A deleted channel, of which only the memory is left, and who has yet to be told. */
const char *check_removed(const struct channel *channel, struct sums *sums);

/* -- check_taps.c -- */

/* Those from the channel, and those into it. */
const char *check_taps(const struct core *core, const struct channel *channel, struct sums *sums);

#endif
