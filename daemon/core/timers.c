#include "daemon/core/timers.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_CAP = 64 };

static bool is_before(const struct request *a, const struct request *b)
{
	if (a->parked.deadline_us != b->parked.deadline_us)
		return a->parked.deadline_us < b->parked.deadline_us;
	return a->parked.seq < b->parked.seq;
}

void timers_finish(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){0};
}

int timers_reserve(struct timers *timers)
{
	if (timers->n < timers->cap)
		return 0;
	uint32_t cap = timers->cap ? timers->cap * 2 : FIRST_CAP;
	struct request **heap = realloc(timers->heap, cap * sizeof(struct request *));
	if (!heap)
		return -1;
	timers->heap = heap;
	timers->cap = cap;
	return 0;
}

static void place(struct timers *timers, uint32_t at, struct request *request)
{
	timers->heap[at] = request;
	request->parked.timer_index = at;
}

static void sift_up(struct timers *timers, uint32_t at, struct request *request)
{
	while (at > 0 && is_before(request, timers->heap[(at - 1) / 2])) {
		place(timers, at, timers->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	place(timers, at, request);
}

static void sift_down(struct timers *timers, uint32_t at, struct request *request)
{
	for (;;) {
		uint32_t child = 2 * at + 1;
		if (child + 1 < timers->n && is_before(timers->heap[child + 1], timers->heap[child]))
			child++;
		if (child >= timers->n || !is_before(timers->heap[child], request))
			break;
		place(timers, at, timers->heap[child]);
		at = child;
	}
	place(timers, at, request);
}

void timers_add(struct timers *timers, struct request *request)
{
	assert(timers->n < timers->cap);
	sift_up(timers, timers->n++, request);
}

void timers_remove(struct timers *timers, struct request *request)
{
	uint32_t at = request->parked.timer_index;
	if (at == REQUEST_NO_TIMER)
		return;
	assert(at < timers->n && timers->heap[at] == request);
	request->parked.timer_index = REQUEST_NO_TIMER;
	struct request *last = timers->heap[--timers->n];
	if (last == request)
		return;
	if (at > 0 && is_before(last, timers->heap[(at - 1) / 2]))
		sift_up(timers, at, last);
	else
		sift_down(timers, at, last);
}

bool timers_check(const struct timers *timers)
{
	for (uint32_t i = 0; i < timers->n; i++) {
		if (timers->heap[i]->parked.timer_index != i)
			return false;
		if (i > 0 && is_before(timers->heap[i], timers->heap[(i - 1) / 2]))
			return false;
	}
	return true;
}
