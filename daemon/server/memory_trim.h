/* Memory that a burst of values took goes back to the system. malloc keeps what is freed in the midst of its heap; once
 * the values are gone, and the daemon has been quiet for a while, it is told to give that back. To do so may take some
 * milliseconds: hence not while there is anything else to do, but after MEMORY_TRIM_LATEST_MS all the same. */
#ifndef MILLRACE_SERVER_MEMORY_TRIM_H
#define MILLRACE_SERVER_MEMORY_TRIM_H

#include "daemon/core/value_pool.h"
#include "daemon/net/loop.h"

enum {
	MEMORY_TRIM_BYTES = 4 * 1024 * 1024, /* so much has to be free, and more than is in use */
	MEMORY_TRIM_QUIET_MS = 1000,
	MEMORY_TRIM_LATEST_MS = 5000,
	MEMORY_KEPT_BYTES = 64 * 1024 * 1024, /* so much may be free at the end of the heap in the meantime */
};

struct memory_trim { /* zero-initialise */
	struct loop *loop;
	struct value_pool *values;
	struct loop_timer *timer;
	uint64_t peak_bytes; /* the most that they took since the last time */
	uint64_t since_us;   /* when they were first seen to take much less; 0: they do not */
};

/* `values`: memory that is kept for values, which goes back too. -1: no memory. */
int memory_trim_init(struct memory_trim *trim, struct loop *loop, struct value_pool *values);
void memory_trim_finish(struct memory_trim *trim);

/* At the end of each turn: what the values, and what waits to be sent, take now. */
void memory_trim_turn(struct memory_trim *trim, uint64_t bytes);

#endif
