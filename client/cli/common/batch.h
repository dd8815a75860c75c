/* Values on their way into requests: the text of a JSON array, of which any part is an array too. */
#ifndef MILLRACE_CLI_COMMON_BATCH_H
#define MILLRACE_CLI_COMMON_BATCH_H

#include <stdint.h>

#include "proto/buffer.h"
#include "proto/slice.h"

enum { BATCH_VALUES = 1000 };

struct batch {
	struct buffer text; /* each value with one byte before it: a comma, or the bracket of those that are sent */
	size_t begins[BATCH_VALUES];  /* where in the text */
	uint64_t lines[BATCH_VALUES]; /* where each came from */
	size_t n;
	size_t bracket; /* where the last array ended with a bracket in place of a comma; 0: nowhere */
};

/* Zero-initialised is empty. */
void batch_finish(struct batch *batch);
void batch_clear(struct batch *batch);

/* Whether one more value of `len` bytes may join; the first always may. */
bool batch_has_room(const struct batch *batch, size_t len, size_t max_bytes);

/* 0, or -1 without memory. There must be room. */
int batch_add(struct batch *batch, struct slice value, uint64_t line);

/* The array of `n` values from `from` on (both within the batch); valid until the batch changes, or another array is
 * asked for, which must not begin before this one. bytes are NULL without memory. */
struct slice batch_array(struct batch *batch, size_t from, size_t n);

#endif
