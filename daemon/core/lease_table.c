#include "daemon/core/lease_table.h"

#include <stddef.h>

/* Tokens are random: any part of one is a hash. */
static uint64_t hash_of(const void *owner, const void *item)
{
	(void)owner;
	return ((const struct lease *)item)->token.words[0];
}

static const struct buckets_kind kind = {offsetof(struct lease, bucket_next), 1, hash_of};

int lease_table_init(struct lease_table *table, struct hash_key key)
{
	*table = (struct lease_table){.key = key};
	return buckets_init(&table->buckets, &kind);
}

void lease_table_finish(struct lease_table *table)
{
	buckets_finish(&table->buckets);
}

/* Without branches on what is equal, and where: how long it takes tells nothing of a token. */
static bool equal(struct core_token a, struct core_token b)
{
	return ((a.words[0] ^ b.words[0]) | (a.words[1] ^ b.words[1])) == 0;
}

struct lease *lease_table_find(const struct lease_table *table, struct core_token token)
{
	struct lease *lease = *buckets_at(&table->buckets, token.words[0]);
	while (lease && !equal(lease->token, token))
		lease = lease->bucket_next;
	return lease;
}

/* A keyed hash of a number that never comes again. */
static struct core_token token_of(const struct lease_table *table, uint64_t seq)
{
	uint64_t number[2] = {seq, 0};
	struct core_token token;
	for (int i = 0; i < 2; i++) {
		number[1] = (uint64_t)i;
		token.words[i] = hash_secret(&table->key, (struct slice){(const char *)number, sizeof(number)});
	}
	return token;
}

struct lease *lease_table_find_seq(const struct lease_table *table, uint64_t seq)
{
	return lease_table_find(table, token_of(table, seq));
}

void lease_table_insert(struct lease_table *table, struct lease *lease)
{
	lease_table_insert_again(table, lease, token_of(table, table->last_seq + 1));
}

void lease_table_insert_again(struct lease_table *table, struct lease *lease, struct core_token token)
{
	lease->seq = ++table->last_seq;
	lease->token = token;
	buckets_insert(&table->buckets, table, lease);
}

void lease_table_remove(struct lease_table *table, struct lease *lease)
{
	buckets_remove(&table->buckets, table, lease);
}
