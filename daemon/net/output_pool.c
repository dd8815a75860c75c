#include "daemon/net/output_pool.h"

#include <stdlib.h>

void output_pool_finish(struct output_pool *pool)
{
	while (pool->n > 0)
		free(pool->blocks[--pool->n]);
}

void output_pool_lend(struct output_pool *pool, struct buffer *buffer, bool are_many)
{
	if (buffer->cap || (are_many && pool->n == 0))
		return;
	char *block = pool->n > 0 ? pool->blocks[--pool->n] : malloc(OUTPUT_BLOCK_BYTES);
	if (block)
		*buffer = (struct buffer){.bytes = block, .cap = OUTPUT_BLOCK_BYTES};
}

void output_pool_take_back(struct output_pool *pool, struct buffer *buffer)
{
	if (buffer->cap == OUTPUT_BLOCK_BYTES && pool->n < OUTPUT_POOL_BLOCKS) {
		pool->blocks[pool->n++] = buffer->bytes;
		*buffer = (struct buffer){0};
		return;
	}
	buffer_finish(buffer);
}
