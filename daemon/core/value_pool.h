/* Memory of values that were destroyed, kept for those that come: a value comes and goes with every hand-off. Blocks
 * are kept by classes of their size, the last one that was freed is given first, and not many are kept. Zero-initialise
 * it; it has to stay for as long as there are values whose account has it. */
#ifndef MILLRACE_CORE_VALUE_POOL_H
#define MILLRACE_CORE_VALUE_POOL_H

#include <stddef.h>

enum {
	VALUE_POOL_CLASSES = 144,           /* of 16 bytes each: larger blocks are malloc's alone */
	VALUE_POOL_MAX_BYTES = 1024 * 1024, /* of blocks that are kept */
};

struct value_pool {
	void *free[VALUE_POOL_CLASSES]; /* each begins with a pointer to the next one */
	size_t bytes;
};

/* A block of at least so many bytes, and its end. `pool` may be NULL in both, and need not be the same. NULL: no
 * memory. */
void *value_pool_get(struct value_pool *pool, size_t bytes);
void value_pool_put(struct value_pool *pool, void *block, size_t bytes);

/* Frees what is kept. */
void value_pool_clear(struct value_pool *pool);

#endif
