#include "tests/sim/durable_world.h"

#include <inttypes.h>
#include <stdio.h>

const char *const durable_names[CHANNELS] = {"b", "d", "n", "s", "p", "m"};

uint64_t durable_pick(struct durable_world *world, uint64_t n)
{
	return disk_model_random(&world->random) % n;
}

uint8_t durable_bit_of(struct slice name)
{
	for (int i = 0; i < CHANNELS; i++)
		if (slice_equal(name, slice_from(durable_names[i])))
			return (uint8_t)(1 << i);
	return 0;
}

void durable_fail(struct durable_world *world, const char *what, uint64_t number, uint64_t last)
{
	if (!world->why[0])
		snprintf(world->why, sizeof(world->why),
			 "%s (%" PRIu64 "): batch %" PRIu64 " is the last, of %" PRIu64 " to %" PRIu64, what, number,
			 last, world->low, world->high);
}
