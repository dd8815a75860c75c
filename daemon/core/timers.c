#include "daemon/core/timers.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_CAP = 64 };

static bool is_before(const struct timer *a, const struct timer *b)
{
	return a->deadline_us != b->deadline_us ? a->deadline_us < b->deadline_us : (int32_t)(a->seq - b->seq) < 0;
}

void timers_finish(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){0};
}

int timers_reserve(struct timers *timers)
{
	if (timers->n + timers->reserved < timers->cap) {
		timers->reserved++;
		return 0;
	}
	uint32_t cap = timers->cap ? timers->cap * 2 : FIRST_CAP;
	struct timer **heap = realloc(timers->heap, cap * sizeof(struct timer *));
	if (!heap)
		return -1;
	timers->heap = heap;
	timers->cap = cap;
	timers->reserved++;
	return 0;
}

void timers_unreserve(struct timers *timers)
{
	assert(timers->reserved > 0);
	timers->reserved--;
}

static void place(struct timers *timers, uint32_t at, struct timer *timer)
{
	timers->heap[at] = timer;
	timer->index = at & TIMER_NONE;
}

static void sift_up(struct timers *timers, uint32_t at, struct timer *timer)
{
	while (at > 0 && is_before(timer, timers->heap[(at - 1) / 2])) {
		place(timers, at, timers->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	place(timers, at, timer);
}

static void sift_down(struct timers *timers, uint32_t at, struct timer *timer)
{
	for (;;) {
		uint32_t child = 2 * at + 1;
		if (child + 1 < timers->n && is_before(timers->heap[child + 1], timers->heap[child]))
			child++;
		if (child >= timers->n || !is_before(timers->heap[child], timer))
			break;
		place(timers, at, timers->heap[child]);
		at = child;
	}
	place(timers, at, timer);
}

void timers_add(struct timers *timers, struct timer *timer)
{
	assert(timers->reserved > 0 && timers->n < timers->cap);
	timers->reserved--;
	timer->seq = ++timers->last_seq;
	sift_up(timers, timers->n++, timer);
}

void timers_remove(struct timers *timers, struct timer *timer)
{
	uint32_t at = timer->index;
	if (at == TIMER_NONE)
		return;
	assert(at < timers->n && timers->heap[at] == timer);
	timer->index = TIMER_NONE;
	struct timer *last = timers->heap[--timers->n];
	if (last == timer)
		return;
	if (at > 0 && is_before(last, timers->heap[(at - 1) / 2]))
		sift_up(timers, at, last);
	else
		sift_down(timers, at, last);
}

void timers_move(struct timers *timers, struct timer *timer, uint64_t deadline_us)
{
	timers_remove(timers, timer);
	timers->reserved++; /* its own */
	timer->deadline_us = deadline_us;
	timers_add(timers, timer);
}

bool timers_check(const struct timers *timers)
{
	if (timers->n + timers->reserved > timers->cap)
		return false;
	for (uint32_t i = 0; i < timers->n; i++) {
		if (timers->heap[i]->index != i)
			return false;
		if (i > 0 && is_before(timers->heap[i], timers->heap[(i - 1) / 2]))
			return false;
	}
	return true;
}
