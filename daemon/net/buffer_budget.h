/* How much memory the buffers of a loop's streams take together, and who has stood still the longest while it is too
 * much. For net/ alone.
 *
 * A stream waits if it holds an incomplete frame, or output that its peer has no room for. The waiting ones are listed
 * in the order of their last progress, so the first is the one that memory is best taken from: a peer that trickles, or
 * that does not read. */
#ifndef MILLRACE_NET_BUFFER_BUDGET_H
#define MILLRACE_NET_BUFFER_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/log.h"

struct stream;

struct buffer_budget { /* of a loop; zero-initialise, then set max_bytes */
	uint64_t bytes, max_bytes;
	struct stream *first, *last;
	struct log_seldom log;
};

struct budget_place { /* of a stream that waits, or has; zero-initialise */
	struct stream *previous, *next;
	bool is_waiting;
};

/* What the stream's buffers take now, whether it waits (then it has a place), and whether it has got on since the last
 * time. */
void buffer_budget_update(struct buffer_budget *budget, struct stream *stream, size_t bytes, bool is_waiting,
			  bool has_moved);
void buffer_budget_leave(struct buffer_budget *budget, struct stream *stream);

/* The stream to close now for the sake of this one, which has just grown; NULL if there is room, or if no other waits.
 */
struct stream *buffer_budget_victim(const struct buffer_budget *budget, const struct stream *grown);

#endif
