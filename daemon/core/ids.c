#include "daemon/core/ids.h"

#include <stddef.h>

#include "daemon/core/hash.h"

static uint64_t hash(const struct ids *ids, const struct core_connection *connection, uint64_t id)
{
	return hash_mix(hash_mix((uint64_t)(uintptr_t)connection ^ ids->salt) + id);
}

static uint64_t hash_of(const void *owner, const void *item)
{
	const struct request *request = item;
	return hash(owner, request->parked.connection, request->parked.id);
}

static const struct buckets_kind kind = {offsetof(struct request, parked.id_next), 1, hash_of};

int ids_init(struct ids *ids, uint64_t salt)
{
	*ids = (struct ids){.salt = salt};
	return buckets_init(&ids->buckets, &kind);
}

void ids_finish(struct ids *ids)
{
	buckets_finish(&ids->buckets);
}

struct request *ids_find(const struct ids *ids, const struct core_connection *connection, uint64_t id)
{
	struct request *request = *buckets_at(&ids->buckets, hash(ids, connection, id));
	while (request && !(request->parked.id == id && request->parked.connection == connection))
		request = request->parked.id_next;
	return request;
}

void ids_insert(struct ids *ids, struct request *request)
{
	buckets_insert(&ids->buckets, ids, request);
}

void ids_remove(struct ids *ids, struct request *request)
{
	buckets_remove(&ids->buckets, ids, request);
}
