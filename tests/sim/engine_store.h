/* What an engine keeps: rows in the order of their keys, of which some go with a lease, and leases that end. It knows
 * no time but what it is told, and nobody who asks. */
#ifndef MILLRACE_TESTS_SIM_ENGINE_STORE_H
#define MILLRACE_TESTS_SIM_ENGINE_STORE_H

#include "daemon/cluster/engine.h"

enum { ENGINE_STORE_LEASES = 64 };

struct engine_store {
	/* A row is about to be there, or to be gone. */
	void (*on_change)(void *arg, struct slice key);
	void *arg;
	uint64_t revision;
	uint64_t bytes; /* of keys and values */
	struct stored **rows;
	size_t n_rows, cap_rows;
	struct engine_store_lease {
		uint64_t id, ttl_us, ends_us;
	} leases[ENGINE_STORE_LEASES];
	size_t n_leases;
	uint64_t last_lease;
};

/* It is zeroed before, but for on_change, arg and revision. */
void engine_store_finish(struct engine_store *store);

/* All writes happen if all compares hold, and the leases that are named are there; else none does, and it is false. */
bool engine_store_transact(struct engine_store *store, const struct engine_compare *compares, size_t n_compares,
			   const struct engine_write *writes, size_t n_writes);

struct engine_store_range {
	struct slice key, end; /* end empty: only the key */
	size_t limit;
	bool keys_only;
};
/* Copies, in one piece of memory, the caller's. */
struct engine_row *engine_store_range(const struct engine_store *store, const struct engine_store_range *range,
				      size_t *n_rows, bool *has_more);

/* 0: there are too many. */
uint64_t engine_store_grant(struct engine_store *store, uint64_t ttl_us, uint64_t now_us);
/* False: there is no such lease. */
bool engine_store_keep_alive(struct engine_store *store, uint64_t id, uint64_t now_us, uint64_t *ttl_us);
bool engine_store_revoke(struct engine_store *store, uint64_t id);
/* Each lasts as long from now on as when it began. */
void engine_store_keep_all_alive(struct engine_store *store, uint64_t now_us);
/* Of those whose time has come: how many. */
size_t engine_store_end_leases(struct engine_store *store, uint64_t now_us);
/* When the first of them ends; UINT64_MAX: there is none. */
uint64_t engine_store_next_us(const struct engine_store *store);

#endif
