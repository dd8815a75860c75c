#include "daemon/core/leases.h"

#include <stdlib.h>

enum { FIRST_BUCKETS = 64 };

int leases_init(struct leases *leases, struct hash_key key)
{
	*leases = (struct leases){.n_buckets = FIRST_BUCKETS, .key = key};
	leases->buckets = calloc(FIRST_BUCKETS, sizeof(struct lease *));
	return leases->buckets ? 0 : -1;
}

void leases_finish(struct leases *leases)
{
	free(leases->buckets);
	leases->buckets = NULL;
}

/* Without branches on what is equal, and where: how long it takes tells nothing of a token. */
static bool equal(struct core_token a, struct core_token b)
{
	return ((a.words[0] ^ b.words[0]) | (a.words[1] ^ b.words[1])) == 0;
}

/* Tokens are random: any part of one is a hash. */
static struct lease **bucket_of(struct lease **buckets, size_t n_buckets, struct core_token token)
{
	return &buckets[token.words[0] & (n_buckets - 1)];
}

struct lease *leases_find(const struct leases *leases, struct core_token token)
{
	struct lease *lease = *bucket_of(leases->buckets, leases->n_buckets, token);
	while (lease && !equal(lease->token, token))
		lease = lease->bucket_next;
	return lease;
}

static void bucket_add(struct lease **buckets, size_t n_buckets, struct lease *lease)
{
	struct lease **bucket = bucket_of(buckets, n_buckets, lease->token);
	lease->bucket_next = *bucket;
	*bucket = lease;
}

/* Doubles the buckets. Without memory the chains just get longer. */
static void grow(struct leases *leases)
{
	size_t n = leases->n_buckets * 2;
	struct lease **buckets = calloc(n, sizeof(struct lease *));
	if (!buckets)
		return;
	for (size_t i = 0; i < leases->n_buckets; i++) {
		struct lease *lease = leases->buckets[i], *next;
		for (; lease; lease = next) {
			next = lease->bucket_next;
			bucket_add(buckets, n, lease);
		}
	}
	free(leases->buckets);
	leases->buckets = buckets;
	leases->n_buckets = n;
}

/* A keyed hash of a number that never comes again. */
static struct core_token make_token(struct leases *leases)
{
	uint64_t number[2] = {++leases->last, 0};
	struct core_token token;
	for (int i = 0; i < 2; i++) {
		number[1] = (uint64_t)i;
		token.words[i] = hash_secret(&leases->key, (struct slice){(const char *)number, sizeof(number)});
	}
	return token;
}

void leases_insert(struct leases *leases, struct lease *lease)
{
	lease->token = make_token(leases);
	if (leases->n >= leases->n_buckets)
		grow(leases);
	bucket_add(leases->buckets, leases->n_buckets, lease);
	leases->n++;
}

void leases_remove(struct leases *leases, struct lease *lease)
{
	struct lease **at = bucket_of(leases->buckets, leases->n_buckets, lease->token);
	while (*at != lease)
		at = &(*at)->bucket_next;
	*at = lease->bucket_next;
	leases->n--;
}
