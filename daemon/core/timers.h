/* Whatever is due at a time, the earliest first, those of one moment in the order in which they were added: a binary heap of nodes that are embedded in what
 * they time. */
#ifndef MILLRACE_CORE_TIMERS_H
#define MILLRACE_CORE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIMER_NONE = UINT32_MAX }; /* the index of one that is not in the heap */

struct timer {
	uint64_t deadline_us;
	uint64_t seq;
	uint32_t index;
};

struct timers {
	struct timer **heap;
	uint32_t n, cap;
	uint64_t last_seq;
};

void timers_finish(struct timers *timers);
int timers_reserve(struct timers *timers); /* room for one more; -1: no memory */
void timers_add(struct timers *timers, struct timer *timer); /* its deadline is set, and room reserved */
void timers_remove(struct timers *timers, struct timer *timer); /* nothing if it is not in the heap */

static inline struct timer *timers_first(const struct timers *timers)
{
	return timers->n ? timers->heap[0] : NULL;
}

/* Whether every node is where it thinks it is, and no child comes before its parent. */
bool timers_check(const struct timers *timers);

#endif
