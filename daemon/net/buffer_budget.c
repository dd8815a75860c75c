/* The sum, and the list of those that wait, the longest first. */
#include "daemon/net/buffer_budget.h"

#include <assert.h>

void buffer_budget_leave(struct buffer_budget *budget, struct budget_place *place)
{
	if (!place->stream)
		return;
	*(place->previous ? &place->previous->next : &budget->first) = place->next;
	*(place->next ? &place->next->previous : &budget->last) = place->previous;
	*place = (struct budget_place){.stream = NULL};
}

void buffer_budget_wait(struct buffer_budget *budget, struct budget_place *place, struct stream *stream, bool has_moved)
{
	if (place->stream && !has_moved)
		return;
	buffer_budget_leave(budget, place);
	*place = (struct budget_place){.previous = budget->last, .stream = stream};
	*(budget->last ? &budget->last->next : &budget->first) = place;
	budget->last = place;
}

void buffer_budget_count(struct buffer_budget *budget, size_t *known, size_t bytes)
{
	assert(budget->bytes >= *known);
	budget->bytes += bytes - *known;
	*known = bytes;
}

struct stream *buffer_budget_victim(const struct buffer_budget *budget, const struct stream *grown)
{
	const struct budget_place *first = budget->first;
	if (!buffer_budget_is_over(budget) || !first)
		return NULL;
	if (first->stream == grown)
		first = first->next;
	return first ? first->stream : NULL;
}
