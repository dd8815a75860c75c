#include "client/machine/deadlines.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_ROOM = 16 };

void deadlines_finish(struct deadlines *deadlines)
{
	free(deadlines->heap);
	*deadlines = (struct deadlines){0};
}

int deadlines_reserve(struct deadlines *deadlines)
{
	size_t room = deadlines->room ? deadlines->room * 2 : FIRST_ROOM;
	struct deadline **heap;

	if (deadlines->n_reserved == deadlines->room) {
		heap = realloc(deadlines->heap, room * sizeof(struct deadline *));
		if (!heap)
			return -1;
		deadlines->heap = heap;
		deadlines->room = room;
	}
	deadlines->n_reserved++;
	return 0;
}

void deadlines_release(struct deadlines *deadlines, struct deadline *deadline)
{
	assert(deadlines->n_reserved > 0);
	deadlines_remove(deadlines, deadline);
	deadlines->n_reserved--;
}

static void put_at(struct deadlines *deadlines, size_t place, struct deadline *deadline)
{
	deadlines->heap[place - 1] = deadline;
	deadline->place = place;
}

static void rise(struct deadlines *deadlines, struct deadline *deadline)
{
	size_t place = deadline->place;

	for (; place > 1 && deadlines->heap[place / 2 - 1]->due_ms > deadline->due_ms; place /= 2)
		put_at(deadlines, place, deadlines->heap[place / 2 - 1]);
	put_at(deadlines, place, deadline);
}

static void sink(struct deadlines *deadlines, struct deadline *deadline)
{
	size_t place = deadline->place, child;

	for (; (child = place * 2) <= deadlines->n; place = child) {
		if (child < deadlines->n && deadlines->heap[child]->due_ms < deadlines->heap[child - 1]->due_ms)
			child++;
		if (deadlines->heap[child - 1]->due_ms >= deadline->due_ms)
			break;
		put_at(deadlines, place, deadlines->heap[child - 1]);
	}
	put_at(deadlines, place, deadline);
}

void deadlines_set(struct deadlines *deadlines, struct deadline *deadline, int64_t due_ms)
{
	deadline->due_ms = due_ms;
	if (!deadline->place) {
		assert(deadlines->n < deadlines->room);
		put_at(deadlines, ++deadlines->n, deadline);
	}
	rise(deadlines, deadline);
	sink(deadlines, deadline);
}

void deadlines_remove(struct deadlines *deadlines, struct deadline *deadline)
{
	struct deadline *last;

	if (!deadline->place)
		return;
	last = deadlines->heap[--deadlines->n];
	if (last != deadline) {
		put_at(deadlines, deadline->place, last);
		rise(deadlines, last);
		sink(deadlines, last);
	}
	deadline->place = 0;
}

struct deadline *deadlines_first(const struct deadlines *deadlines)
{
	return deadlines->n ? deadlines->heap[0] : NULL;
}
