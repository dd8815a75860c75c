/* Moments at which something is due, the earliest on top: a binary heap. What is due is embedded in what it is about.
 */
#ifndef MILLRACE_CLIENT_MACHINE_DEADLINES_H
#define MILLRACE_CLIENT_MACHINE_DEADLINES_H

#include <stddef.h>
#include <stdint.h>

struct deadline {
	int64_t due_ms;
	size_t place; /* in the heap, from 1; 0: it is in none */
};

struct deadlines { /* zero-initialised: empty */
	struct deadline **heap;
	size_t n, n_reserved, room;
};

void deadlines_finish(struct deadlines *deadlines);

/* Keeps room for one, so that deadlines_set() never fails, until deadlines_release(). 0, or -1: no memory. */
int deadlines_reserve(struct deadlines *deadlines);
void deadlines_release(struct deadlines *deadlines, struct deadline *deadline); /* it is in none afterwards */

/* Inserts the deadline, or moves it. */
void deadlines_set(struct deadlines *deadlines, struct deadline *deadline, int64_t due_ms);

void deadlines_remove(struct deadlines *deadlines, struct deadline *deadline); /* in none is fine */

static inline int64_t deadlines_earlier_ms(int64_t a_ms, int64_t b_ms)
{
	return a_ms < b_ms ? a_ms : b_ms;
}

/* The earliest; NULL: there is none. */
struct deadline *deadlines_first(const struct deadlines *deadlines);

#endif
