/* Parked requests by connection and id: a hash table, threaded through the requests, that grows by itself. */
#ifndef MILLRACE_CORE_IDS_H
#define MILLRACE_CORE_IDS_H

#include "daemon/core/buckets.h"
#include "daemon/core/request.h"

struct ids {
	struct buckets buckets;
	uint64_t salt;
};

int ids_init(struct ids *ids, uint64_t salt); /* -1: no memory */
void ids_finish(struct ids *ids);
struct request *ids_find(const struct ids *ids, const struct core_connection *connection, uint64_t id);
void ids_insert(struct ids *ids, struct request *request);
void ids_remove(struct ids *ids, struct request *request);

#endif
