/* The sum, and the list of those that wait, the longest first. */
#include "daemon/net/buffer_budget.h"

#include "daemon/net/stream.h"

static void unlink_place(struct buffer_budget *budget, struct stream *stream)
{
	struct budget_place *place = &stream->extra->place;
	if (!place->is_waiting)
		return;
	*(place->previous ? &place->previous->extra->place.next : &budget->first) = place->next;
	*(place->next ? &place->next->extra->place.previous : &budget->last) = place->previous;
	place->previous = place->next = NULL;
	place->is_waiting = false;
}

static void link_last(struct buffer_budget *budget, struct stream *stream)
{
	struct budget_place *place = &stream->extra->place;
	place->previous = budget->last;
	*(budget->last ? &budget->last->extra->place.next : &budget->first) = stream;
	budget->last = stream;
	place->is_waiting = true;
}

void buffer_budget_update(struct buffer_budget *budget, struct stream *stream, size_t bytes, bool is_waiting,
			  bool has_moved)
{
	budget->bytes += bytes - stream->budget_bytes;
	stream->budget_bytes = bytes;
	if (!stream->extra)
		return; /* it has never waited */
	if (!is_waiting || has_moved)
		unlink_place(budget, stream);
	if (is_waiting && !stream->extra->place.is_waiting)
		link_last(budget, stream);
}

void buffer_budget_leave(struct buffer_budget *budget, struct stream *stream)
{
	buffer_budget_update(budget, stream, 0, false, false);
}

struct stream *buffer_budget_victim(const struct buffer_budget *budget, const struct stream *grown)
{
	if (budget->bytes <= budget->max_bytes)
		return NULL;
	return budget->first == grown ? grown->extra->place.next : budget->first;
}
