/* Keyed hashing: names and ids come from peers, who must not be able to make them collide. */
#ifndef MILLRACE_CORE_HASH_H
#define MILLRACE_CORE_HASH_H

#include <stdint.h>

#include "proto/slice.h"

struct hash_key {
	uint64_t k0, k1;
};

/* SipHash-1-3: for tables. */
uint64_t hash_bytes(const struct hash_key *key, struct slice bytes);
/* SipHash-2-4: for what nobody may guess. */
uint64_t hash_secret(const struct hash_key *key, struct slice bytes);

/* A bijection of 64 bits in which every input bit moves every output bit (splitmix64's finaliser). */
static inline uint64_t hash_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* The next number of a splitmix64 generator. */
static inline uint64_t random_next(uint64_t *state)
{
	return hash_mix(*state += UINT64_C(0x9e3779b97f4a7c15));
}

/* A number below n (n > 0), as even as 64 bits allow. */
static inline uint32_t random_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(((random_next(state) >> 32) * n) >> 32);
}

#endif
