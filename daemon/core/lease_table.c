#include "daemon/core/lease_table.h"

#include <stdlib.h>

enum { FIRST_BUCKETS = 64 };

int lease_table_init(struct lease_table *table, struct hash_key key)
{
	*table = (struct lease_table){.n_buckets = FIRST_BUCKETS, .key = key};
	table->buckets = calloc(FIRST_BUCKETS, sizeof(struct lease *));
	return table->buckets ? 0 : -1;
}

void lease_table_finish(struct lease_table *table)
{
	free(table->buckets);
	table->buckets = NULL;
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

struct lease *lease_table_find(const struct lease_table *table, struct core_token token)
{
	struct lease *lease = *bucket_of(table->buckets, table->n_buckets, token);
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
static void grow(struct lease_table *table)
{
	size_t n = table->n_buckets * 2;
	struct lease **buckets = calloc(n, sizeof(struct lease *));
	if (!buckets)
		return;
	for (size_t i = 0; i < table->n_buckets; i++) {
		struct lease *lease = table->buckets[i], *next;
		for (; lease; lease = next) {
			next = lease->bucket_next;
			bucket_add(buckets, n, lease);
		}
	}
	free(table->buckets);
	table->buckets = buckets;
	table->n_buckets = n;
}

/* A keyed hash of a number that never comes again. */
static struct core_token make_token(struct lease_table *table)
{
	uint64_t number[2] = {++table->last, 0};
	struct core_token token;
	for (int i = 0; i < 2; i++) {
		number[1] = (uint64_t)i;
		token.words[i] = hash_secret(&table->key, (struct slice){(const char *)number, sizeof(number)});
	}
	return token;
}

void lease_table_insert(struct lease_table *table, struct lease *lease)
{
	lease_table_insert_again(table, lease, make_token(table));
}

void lease_table_insert_again(struct lease_table *table, struct lease *lease, struct core_token token)
{
	lease->token = token;
	if (table->n >= table->n_buckets)
		grow(table);
	bucket_add(table->buckets, table->n_buckets, lease);
	table->n++;
}

void lease_table_remove(struct lease_table *table, struct lease *lease)
{
	struct lease **at = bucket_of(table->buckets, table->n_buckets, lease->token);
	while (*at != lease)
		at = &(*at)->bucket_next;
	*at = lease->bucket_next;
	table->n--;
}
