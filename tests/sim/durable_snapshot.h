/* What there is in a core's durable channels, what a restart makes of it, and a sum of it all: so two cores are
 * compared without looking at how they keep it. */
#ifndef MILLRACE_TESTS_SIM_DURABLE_SNAPSHOT_H
#define MILLRACE_TESTS_SIM_DURABLE_SNAPSHOT_H

#include "daemon/core/state.h"

enum { SNAPSHOT_VALUES = 400 };

struct snapshot_value {
	uint64_t place;
	uint32_t id, deliveries;
	bool is_leased, is_sticky, is_delayed, is_held;
	struct timer timer; /* of a delayed put */
	char origin;        /* of a dead letter: the channel that gave it up; 0: it is none */
	uint32_t origin_deliveries;
	uint8_t origin_reason;
};

struct snapshot_channel {
	const struct channel *channel;
	uint64_t last_place;
	bool is_told;  /* the journal knows that somebody has what the taps hold */
	size_t n_taps; /* that are durable */
	size_t n;
	struct snapshot_value values[SNAPSHOT_VALUES];
};

/* The number that a value begins with. */
uint32_t snapshot_id_of(const struct value *value);

/* All durable channels, in the order of their numbers; how many there are. */
size_t snapshot_take(const struct core *core, struct snapshot_channel *channels);
/* What the channels would be after a restart. */
void snapshot_restart(struct snapshot_channel *channels, size_t n);
uint64_t snapshot_sum(const struct snapshot_channel *channels, size_t n);

#endif
