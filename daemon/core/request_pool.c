#include "daemon/core/request_pool.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/kept.h"

enum { KEPT_REQUESTS = 1024 };

struct request *request_pool_get(struct request_pool *pool, size_t n_arms, bool has_terms)
{
	void *kept = pool->first;
	if (!kept || !request_is_small(n_arms, has_terms))
		return malloc(sizeof(struct request) + n_arms * sizeof(struct arm) +
			      (has_terms ? sizeof(struct put_terms) : 0));
	memcpy(&pool->first, kept, sizeof(pool->first));
	pool->n--;
	return kept;
}

void request_pool_put(struct request_pool *pool, void *request, bool is_small)
{
	if (!KEEPS_MEMORY || !is_small || pool->n == KEPT_REQUESTS) {
		free(request);
		return;
	}
	memcpy(request, &pool->first, sizeof(pool->first));
	pool->first = request;
	pool->n++;
}

void request_pool_finish(struct request_pool *pool)
{
	while (pool->first) {
		void *request = pool->first;
		memcpy(&pool->first, request, sizeof(pool->first));
		free(request);
	}
}
