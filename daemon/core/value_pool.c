#include "daemon/core/value_pool.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/kept.h"

enum {
	CLASS_BYTES = 16, /* as malloc rounds too: no value takes more for being kept here */
	MALLOC_BYTES = 8, /* that malloc adds to each block */
};

static size_t class_of(size_t bytes)
{
	return (bytes + MALLOC_BYTES + CLASS_BYTES - 1) / CLASS_BYTES;
}

void *value_pool_get(struct value_pool *pool, size_t bytes)
{
	size_t class = class_of(bytes);
	if (class >= VALUE_POOL_CLASSES)
		return malloc(bytes);
	void *block = pool ? pool->free[class] : NULL;
	if (!block)
		return malloc(class * CLASS_BYTES - MALLOC_BYTES);
	memcpy(&pool->free[class], block, sizeof(block));
	pool->bytes -= class * CLASS_BYTES;
	return block;
}

void value_pool_put(struct value_pool *pool, void *block, size_t bytes)
{
	size_t class = class_of(bytes);
	if (!pool || class >= VALUE_POOL_CLASSES || !KEEPS_MEMORY ||
	    pool->bytes + class * CLASS_BYTES > VALUE_POOL_MAX_BYTES) {
		free(block);
		return;
	}
	memcpy(block, &pool->free[class], sizeof(block));
	pool->free[class] = block;
	pool->bytes += class * CLASS_BYTES;
}

void value_pool_clear(struct value_pool *pool)
{
	for (size_t class = 0; class < VALUE_POOL_CLASSES; class ++) {
		void *block = pool->free[class], *next;
		for (; block; block = next) {
			memcpy(&next, block, sizeof(next));
			free(block);
		}
	}
	*pool = (struct value_pool){0};
}
