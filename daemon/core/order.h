/* All parked requests in the order in which they parked, for those who look at them: an array that is appended to. Who
 * leaves, leaves its number in its place; when most places are such, the array is compacted. So a page of waiters is
 * found by binary search, and parking costs O(1).
 *
 * The compaction goes a few places on with each request that comes or leaves, so that nobody has to wait for it. While
 * it is under way, those of the places before `read` that are still of use stand before `written`, and between the two
 * is nothing. */
#ifndef MILLRACE_CORE_ORDER_H
#define MILLRACE_CORE_ORDER_H

#include "daemon/core/request.h"

struct order {
	uintptr_t *places; /* a struct request *, or the seq of one that left, shifted left, with bit 0 set */
	uint32_t n, cap;
	uint32_t n_left;        /* places of requests that have left */
	uint32_t written, read; /* equal: no compaction is under way */
	uint64_t last_seq;
};

void order_finish(struct order *order);
int order_reserve(struct order *order);                          /* room for one more; -1: no memory */
void order_append(struct order *order, struct request *request); /* gives it its seq; room is reserved */
void order_remove(struct order *order, struct request *request);
void order_swap(struct order *order, struct request *a, struct request *b); /* their places, and their seqs */

/* The one with that seq; NULL: it has left. */
struct request *order_find(const struct order *order, uint64_t seq);
/* The oldest with a seq greater than `after`; NULL at the end. */
struct request *order_after(const struct order *order, uint64_t after);

#endif
