/* Parked requests by deadline, the earliest first, those of one moment in the order of parking: a binary heap. */
#ifndef MILLRACE_CORE_TIMERS_H
#define MILLRACE_CORE_TIMERS_H

#include "daemon/core/request.h"

struct timers {
	struct request **heap;
	uint32_t n, cap;
};

void timers_finish(struct timers *timers);
int timers_reserve(struct timers *timers); /* room for one more; -1: no memory */
void timers_add(struct timers *timers, struct request *request); /* its deadline is set, and room reserved */
void timers_remove(struct timers *timers, struct request *request); /* nothing if it has no timer */

static inline struct request *timers_first(const struct timers *timers)
{
	return timers->n ? timers->heap[0] : NULL;
}

/* Whether every node is where it thinks it is, and no child comes before its parent. */
bool timers_check(const struct timers *timers);

#endif
