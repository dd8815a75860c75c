/* Whatever is due at a time, the earliest first, those of one moment in the order in which they were added: a binary
 * heap of nodes that are embedded in what they time. */
#ifndef MILLRACE_CORE_TIMERS_H
#define MILLRACE_CORE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIMER_NONE = (1 << 30) - 1 }; /* the index of one that is not in the heap */

struct timer {
	uint64_t deadline_us;
	uint32_t seq; /* rises, and wraps around: of those of one moment, no two are half of its range apart */
	uint32_t index : 30;
	uint32_t kind : 2; /* for its owner */
};

struct timers {
	struct timer **heap;
	uint32_t n, cap;
	uint32_t reserved; /* places, beside the n */
	uint32_t last_seq;
};

void timers_finish(struct timers *timers);
int timers_reserve(struct timers *timers);                      /* a place for one more; -1: no memory */
void timers_unreserve(struct timers *timers);                   /* it is not needed */
void timers_add(struct timers *timers, struct timer *timer);    /* to a reserved place; its deadline is set */
void timers_remove(struct timers *timers, struct timer *timer); /* with its place; nothing if it is not in the heap */
void timers_move(struct timers *timers, struct timer *timer, uint64_t deadline_us); /* one that is in the heap */

static inline struct timer *timers_first(const struct timers *timers)
{
	return timers->n ? timers->heap[0] : NULL;
}

/* Whether every node is where it thinks it is, and no child comes before its parent. */
bool timers_check(const struct timers *timers);

#endif
