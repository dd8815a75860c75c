#include "daemon/net/buffer_budget.h"

#include <assert.h>

enum { MAX_CANDIDATES = 32 };

static struct budget_list *list_of(struct buffer_budget *budget, bool is_stranger)
{
	return is_stranger ? &budget->strangers : &budget->known;
}

void buffer_budget_leave(struct buffer_budget *budget, struct budget_place *place)
{
	if (!place->stream)
		return;
	struct budget_list *list = list_of(budget, place->is_stranger);
	*(place->previous ? &place->previous->next : &list->first) = place->next;
	*(place->next ? &place->next->previous : &list->last) = place->previous;
	list->n--;
	*place = (struct budget_place){.stream = NULL};
}

void buffer_budget_wait(struct buffer_budget *budget, struct budget_place *place, struct stream *stream, size_t bytes,
			bool is_stranger, bool has_moved)
{
	if (place->stream && place->is_stranger == is_stranger && !has_moved) {
		place->bytes = bytes;
		return;
	}
	buffer_budget_leave(budget, place);
	struct budget_list *list = list_of(budget, is_stranger);
	*place = (struct budget_place){
		.previous = list->last, .stream = stream, .bytes = bytes, .is_stranger = is_stranger};
	*(list->last ? &list->last->next : &list->first) = place;
	list->last = place;
	list->n++;
}

void buffer_budget_count(struct buffer_budget *budget, size_t *known, size_t bytes)
{
	assert(budget->bytes >= *known);
	budget->bytes += bytes - *known;
	*known = bytes;
}

/* Of the half of the list that has stood still the longest, who holds most; NULL: nobody but `grown` is there. */
static struct stream *choose(const struct budget_list *list, const struct stream *grown)
{
	const struct budget_place *most = NULL, *place = list->first;
	size_t left = (list->n + 1) / 2 < MAX_CANDIDATES ? (list->n + 1) / 2 : MAX_CANDIDATES;
	for (; place && (left > 0 || !most); place = place->next) {
		if (place->stream != grown && (!most || place->bytes > most->bytes))
			most = place;
		left -= left > 0;
	}
	return most ? most->stream : NULL;
}

struct stream *buffer_budget_victim(const struct buffer_budget *budget, const struct stream *grown)
{
	if (!buffer_budget_is_over(budget))
		return NULL;
	struct stream *stranger = choose(&budget->strangers, grown), *known = choose(&budget->known, grown);
	if (!stranger && known && budget->strangers.first)
		return budget->strangers.first->stream; /* which has grown itself */
	return stranger ? stranger : known;
}
