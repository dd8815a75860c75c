/* How much memory the buffers of all streams take together, and who has stood still the longest while it is too much.
 * For net/ alone.
 *
 * A stream waits if it holds an incomplete frame, or output that its peer has no room for. The waiting ones are listed
 * in the order of their last progress, so the first is the one that memory is best taken from: a peer that trickles, or
 * that does not read. */
#ifndef MILLRACE_NET_BUFFER_BUDGET_H
#define MILLRACE_NET_BUFFER_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;

struct budget_place { /* of a stream that waits, or has; zero-initialise */
	struct budget_place *previous, *next;
	struct stream *stream; /* NULL: it does not wait */
};

struct buffer_budget { /* zero-initialise, then set max_bytes */
	uint64_t bytes, max_bytes;
	struct budget_place *first, *last;
};

/* *known, of which a stream's part was counted, becomes `bytes`. */
void buffer_budget_count(struct buffer_budget *budget, size_t *known, size_t bytes);

/* The stream waits; it goes to the end of the list if it has got on since the last time. */
void buffer_budget_wait(struct buffer_budget *budget, struct budget_place *place, struct stream *stream,
			bool has_moved);
void buffer_budget_leave(struct buffer_budget *budget, struct budget_place *place);

static inline bool buffer_budget_is_over(const struct buffer_budget *budget)
{
	return budget->bytes > budget->max_bytes;
}

/* The stream to close now for the sake of this one, which has just grown; NULL if there is room, or if no other waits.
 */
struct stream *buffer_budget_victim(const struct buffer_budget *budget, const struct stream *grown);

#endif
