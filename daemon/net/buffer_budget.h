/* How much memory the buffers of all streams take together, and who is to be closed while it is too much. For net/
 * alone.
 *
 * A stream waits if it holds an incomplete frame, or output that its peer has no room for. Of those that wait,
 * strangers go first, so that nobody who has not logged in can close those who have. Of strangers, and then of the
 * others, the half that has stood still the longest (a peer that trickles, or that does not read) is looked at, and of
 * these who holds most is closed: so who gets on is served, and not many have to go. */
#ifndef MILLRACE_NET_BUFFER_BUDGET_H
#define MILLRACE_NET_BUFFER_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;

struct budget_place { /* of a stream that waits, or has; zero-initialise */
	struct budget_place *previous, *next;
	struct stream *stream; /* NULL: it does not wait */
	size_t bytes;          /* that it holds */
	bool is_stranger;
};

struct budget_list { /* the one that has stood still the longest first */
	struct budget_place *first, *last;
	size_t n;
};

struct buffer_budget { /* zero-initialise, then set max_bytes */
	uint64_t bytes, max_bytes;
	struct budget_list strangers, known;
};

/* *known, of which a stream's part was counted, becomes `bytes`. */
void buffer_budget_count(struct buffer_budget *budget, size_t *known, size_t bytes);

/* The stream waits, and holds so many bytes; it goes to the end of its list if it has got on since the last time. */
void buffer_budget_wait(struct buffer_budget *budget, struct budget_place *place, struct stream *stream, size_t bytes,
			bool is_stranger, bool has_moved);
void buffer_budget_leave(struct buffer_budget *budget, struct budget_place *place);

static inline bool buffer_budget_is_over(const struct buffer_budget *budget)
{
	return budget->bytes > budget->max_bytes;
}

/* The stream to close now for the sake of this one, which has just grown (or NULL): another, or this one if it is a
 * stranger, and somebody known would go else. NULL if there is room, or if no other waits. */
struct stream *buffer_budget_victim(const struct buffer_budget *budget, const struct stream *grown);

#endif
