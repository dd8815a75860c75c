#include "daemon/server/memory_trim.h"

#include <malloc.h>

#include "daemon/log.h"

static void on_timer(void *arg)
{
	struct memory_trim *trim = arg;
	trim->since_us = 0;
	trim->peak_bytes = 0;
	value_pool_clear(trim->values);
	malloc_trim(0);
	log_info("what the values of a burst took went back to the system");
}

int memory_trim_init(struct memory_trim *trim, struct loop *loop, struct value_pool *values)
{
	/* Otherwise the end of the heap, and each large block, would go back to the system and be asked of it again
	 * turn by turn, whose pages come empty one by one: the timer gives back what is really not needed. */
	mallopt(M_TRIM_THRESHOLD, MEMORY_KEPT_BYTES);
	mallopt(M_MMAP_THRESHOLD, MEMORY_KEPT_BYTES / 2); /* malloc has no greater one */
	/* Threads share this heap: what one takes and the loop frees is the loop's again; and a heap of a thread's own
	 * would grow by a page at a time. */
	mallopt(M_ARENA_MAX, 1);
	trim->loop = loop;
	trim->values = values;
	trim->timer = loop_timer_create(loop, on_timer, trim);
	return trim->timer ? 0 : -1;
}

void memory_trim_finish(struct memory_trim *trim)
{
	loop_timer_destroy(trim->timer);
	trim->timer = NULL;
}

void memory_trim_turn(struct memory_trim *trim, uint64_t bytes)
{
	if (bytes > trim->peak_bytes)
		trim->peak_bytes = bytes;
	if (trim->peak_bytes < MEMORY_TRIM_BYTES + bytes || trim->peak_bytes / 2 < bytes) {
		if (trim->since_us)
			loop_timer_set(trim->timer, UINT64_MAX);
		trim->since_us = 0;
		return;
	}
	uint64_t now_us = loop_now_us(trim->loop), at_us = now_us + MEMORY_TRIM_QUIET_MS * 1000;
	if (!trim->since_us)
		trim->since_us = now_us;
	uint64_t latest_us = trim->since_us + MEMORY_TRIM_LATEST_MS * 1000;
	loop_timer_set(trim->timer, at_us < latest_us ? at_us : latest_us);
}
