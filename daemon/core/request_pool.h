/* The memory of requests. One with a single arm parks and ends with every hand-off to somebody who waits: of these some
 * are kept for those that come. */
#ifndef MILLRACE_CORE_REQUEST_POOL_H
#define MILLRACE_CORE_REQUEST_POOL_H

#include "daemon/core/request.h"

struct request_pool { /* zero-initialise */
	void *first;  /* each begins with a pointer to the next one */
	uint32_t n;
};

/* Whether a request is one of those that are kept. */
static inline bool request_is_small(size_t n_arms, bool has_terms)
{
	return n_arms == 1 && !has_terms;
}

/* With room for so many arms, and terms; nothing of it is set. NULL: no memory. */
struct request *request_pool_get(struct request_pool *pool, size_t n_arms, bool has_terms);
/* A request, or the reply that it has become. */
void request_pool_put(struct request_pool *pool, void *request, bool is_small);

void request_pool_finish(struct request_pool *pool);

#endif
