/* The memory of output buffers that are empty, kept for the next that is not. For net/ alone. */
#ifndef MILLRACE_NET_OUTPUT_POOL_H
#define MILLRACE_NET_OUTPUT_POOL_H

#include <stdbool.h>

#include "proto/buffer.h"

enum {
	OUTPUT_POOLED_BYTES = 64 * 1024, /* what has grown beyond that is not kept */
	OUTPUT_POOL_BUFFERS = 64,
};

struct output_pool { /* zero-initialise */
	struct buffer buffers[OUTPUT_POOL_BUFFERS];
	size_t n;
};

void output_pool_finish(struct output_pool *pool);

/* Gives a buffer without memory that of another before it. Where none is left it gets fresh memory; but where very many
 * have something to send at once, it begins small. Without memory it stays as it is. */
void output_pool_lend(struct output_pool *pool, struct buffer *buffer, bool are_many);

/* Takes the memory of a buffer, whose content is not needed any more. */
void output_pool_take_back(struct output_pool *pool, struct buffer *buffer);

#endif
