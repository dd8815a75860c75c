#include "daemon/core/ids.h"

#include <stdlib.h>

#include "daemon/core/hash.h"

enum { FIRST_BUCKETS = 64 };

static size_t bucket_of(const struct ids *ids, size_t n_buckets, const struct core_connection *connection, uint64_t id)
{
	return hash_mix(hash_mix((uint64_t)(uintptr_t)connection ^ ids->salt) + id) & (n_buckets - 1);
}

int ids_init(struct ids *ids, uint64_t salt)
{
	*ids = (struct ids){.n_buckets = FIRST_BUCKETS, .salt = salt};
	ids->buckets = calloc(FIRST_BUCKETS, sizeof(struct request *));
	return ids->buckets ? 0 : -1;
}

void ids_finish(struct ids *ids)
{
	free(ids->buckets);
	ids->buckets = NULL;
}

struct request *ids_find(const struct ids *ids, const struct core_connection *connection, uint64_t id)
{
	struct request *request = ids->buckets[bucket_of(ids, ids->n_buckets, connection, id)];
	while (request && !(request->parked.id == id && request->parked.connection == connection))
		request = request->parked.id_next;
	return request;
}

static void bucket_add(const struct ids *ids, struct request **buckets, size_t n_buckets, struct request *request)
{
	struct request **bucket = &buckets[bucket_of(ids, n_buckets, request->parked.connection, request->parked.id)];
	request->parked.id_next = *bucket;
	*bucket = request;
}

/* Doubles the buckets. Without memory the chains just get longer. */
static void grow(struct ids *ids)
{
	size_t n = ids->n_buckets * 2;
	struct request **buckets = calloc(n, sizeof(struct request *));
	if (!buckets)
		return;
	for (size_t i = 0; i < ids->n_buckets; i++) {
		struct request *request = ids->buckets[i], *next;
		for (; request; request = next) {
			next = request->parked.id_next;
			bucket_add(ids, buckets, n, request);
		}
	}
	free(ids->buckets);
	ids->buckets = buckets;
	ids->n_buckets = n;
}

void ids_insert(struct ids *ids, struct request *request)
{
	if (ids->n >= ids->n_buckets)
		grow(ids);
	bucket_add(ids, ids->buckets, ids->n_buckets, request);
	ids->n++;
}

void ids_remove(struct ids *ids, struct request *request)
{
	struct request **at =
		&ids->buckets[bucket_of(ids, ids->n_buckets, request->parked.connection, request->parked.id)];
	while (*at != request)
		at = &(*at)->parked.id_next;
	*at = request->parked.id_next;
	ids->n--;
}
