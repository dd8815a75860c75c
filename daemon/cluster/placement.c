#include "daemon/cluster/placement.h"

/* All daemons compute the same, whatever they run on. Nobody gains from a collision: that only places groups. */
static uint64_t mix(uint64_t sum, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		sum = (sum ^ (unsigned char)bytes.bytes[i]) * UINT64_C(0x100000001b3);
	sum = (sum ^ 0xff) * UINT64_C(0x100000001b3); /* where it ends counts too */
	sum ^= sum >> 29;
	return sum * UINT64_C(0xbf58476d1ce4e5b9) ^ sum >> 32;
}

static const uint64_t EMPTY_SUM = UINT64_C(0xcbf29ce484222325);

static size_t find(struct slice daemon, const struct slice *daemons, size_t n)
{
	size_t i = 0;
	while (i < n && !slice_equal(daemons[i], daemon))
		i++;
	return i;
}

static struct slice configured(const struct placement *placement, struct slice group)
{
	for (size_t i = 0; i < placement->n_rules; i++)
		if (slice_equal(placement->rules[i].group, group))
			return placement->rules[i].daemon;
	return (struct slice){0};
}

size_t placement_choose(const struct placement *placement, struct slice group, struct slice home,
			const struct slice *daemons, size_t n)
{
	size_t chosen = home.len ? find(home, daemons, n) : n;
	if (chosen == n)
		chosen = find(configured(placement, group), daemons, n);
	if (chosen < n)
		return chosen;
	uint64_t highest = 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t weight = mix(mix(EMPTY_SUM, group), daemons[i]) | 1;
		if (weight > highest) {
			highest = weight;
			chosen = i;
		}
	}
	return chosen;
}

uint64_t placement_sum(const struct placement *placement)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < placement->n_rules; i++)
		sum += mix(mix(EMPTY_SUM, placement->rules[i].group), placement->rules[i].daemon);
	return sum;
}
