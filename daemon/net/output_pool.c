#include "daemon/net/output_pool.h"

void output_pool_finish(struct output_pool *pool)
{
	while (pool->n > 0)
		buffer_finish(&pool->buffers[--pool->n]);
}

void output_pool_lend(struct output_pool *pool, struct buffer *buffer)
{
	if (!buffer->cap && pool->n > 0)
		*buffer = pool->buffers[--pool->n];
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
