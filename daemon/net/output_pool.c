#include "daemon/net/output_pool.h"

#include <stdlib.h>

void output_pool_finish(struct output_pool *pool)
{
	while (pool->n > 0)
		buffer_finish(&pool->buffers[--pool->n]);
}

void output_pool_lend(struct output_pool *pool, struct buffer *buffer, bool are_many)
{
	if (buffer->cap)
		return;
	if (pool->n > 0) {
		*buffer = pool->buffers[--pool->n];
	} else if (!are_many) {
		char *block = malloc(OUTPUT_POOLED_BYTES);
		if (block)
			*buffer = (struct buffer){.bytes = block, .cap = OUTPUT_POOLED_BYTES};
	}
}

void output_pool_take_back(struct output_pool *pool, struct buffer *buffer)
{
	if (buffer->cap > 0 && buffer->cap <= OUTPUT_POOLED_BYTES && pool->n < OUTPUT_POOL_BUFFERS) {
		buffer_clear(buffer);
		pool->buffers[pool->n++] = *buffer;
		*buffer = (struct buffer){0};
		return;
	}
	buffer_finish(buffer);
}
