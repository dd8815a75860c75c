/* The memory of output buffers that are empty, kept for the next that is not. For net/ alone. */
#ifndef MILLRACE_NET_OUTPUT_POOL_H
#define MILLRACE_NET_OUTPUT_POOL_H

#include <stdbool.h>

#include "proto/buffer.h"

enum {
	OUTPUT_BLOCK_BYTES = 64 * 1024,
	OUTPUT_POOL_BLOCKS = 64,
};

struct output_pool { /* zero-initialise */
	char *blocks[OUTPUT_POOL_BLOCKS];
	size_t n;
};

void output_pool_finish(struct output_pool *pool);

/* Gives a buffer without memory its first block. Without memory it stays as it is; and with an empty pool, where very
 * many have something to send at once: for thousands, fresh blocks would take longer than what is written to them. */
void output_pool_lend(struct output_pool *pool, struct buffer *buffer, bool are_many);

/* Takes the memory of a buffer, whose content is not needed any more. */
void output_pool_take_back(struct output_pool *pool, struct buffer *buffer);

#endif
