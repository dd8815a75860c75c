#include "daemon/core/hash.h"

#include <string.h>

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static inline void sip_add(struct sip *s, uint64_t word, int rounds)
{
	s->v3 ^= word;
	for (int i = 0; i < rounds; i++)
		sip_round(s);
	s->v0 ^= word;
}

static inline uint64_t sip(const struct hash_key *key, struct slice bytes, int rounds, int last_rounds)
{
	struct sip s = {key->k0 ^ UINT64_C(0x736f6d6570736575), key->k1 ^ UINT64_C(0x646f72616e646f6d),
			key->k0 ^ UINT64_C(0x6c7967656e657261), key->k1 ^ UINT64_C(0x7465646279746573)};
	const char *at = bytes.bytes;
	size_t left = bytes.len;
	uint64_t word;
	for (; left >= 8; at += 8, left -= 8) {
		memcpy(&word, at, 8);
		sip_add(&s, word, rounds);
	}
	word = 0;
	if (left)
		memcpy(&word, at, left);
	sip_add(&s, word | (uint64_t)bytes.len << 56, rounds);
	s.v2 ^= 0xff;
	for (int i = 0; i < last_rounds; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t hash_bytes(const struct hash_key *key, struct slice bytes)
{
	return sip(key, bytes, 1, 3);
}

uint64_t hash_secret(const struct hash_key *key, struct slice bytes)
{
	return sip(key, bytes, 2, 4);
}
