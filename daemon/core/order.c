#include "daemon/core/order.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_CAP = 64, PLACES_AT_ONCE = 8 };

static_assert(sizeof(uintptr_t) == 8, "a place holds a seq or a pointer");

static struct request *place_request(uintptr_t place)
{
	return place & 1 ? NULL : (struct request *)place;
}

static uint64_t place_seq(uintptr_t place)
{
	return place & 1 ? place >> 1 : ((struct request *)place)->parked.seq;
}

void order_finish(struct order *order)
{
	free(order->places);
	*order = (struct order){0};
}

/* Of those that left, the ones that the compaction passes are forgotten. */
static void compact_some(struct order *order)
{
	for (int i = 0; i < PLACES_AT_ONCE && order->read < order->n; i++) {
		struct request *request = place_request(order->places[order->read]);
		if (request) {
			request->parked.order_index = order->written;
			order->places[order->written++] = order->places[order->read];
		} else {
			order->n_left--;
		}
		order->read++;
	}
	if (order->read < order->n)
		return;
	order->n = order->written;
	order->written = order->read = 0;
}

/* Somebody has come or left. */
static void keep_compact(struct order *order)
{
	if (order->read > 0 || (order->n_left > FIRST_CAP && order->n_left > order->n / 2))
		compact_some(order);
}

int order_reserve(struct order *order)
{
	if (order->n < order->cap)
		return 0;
	uint32_t cap = order->cap ? order->cap * 2 : FIRST_CAP;
	uintptr_t *places = realloc(order->places, cap * sizeof(*places));
	if (!places)
		return -1;
	order->places = places;
	order->cap = cap;
	return 0;
}

void order_append(struct order *order, struct request *request)
{
	assert(order->n < order->cap);
	request->parked.seq = ++order->last_seq;
	request->parked.order_index = order->n;
	order->places[order->n++] = (uintptr_t)request;
	if (order->read > 0)
		compact_some(order);
}

void order_remove(struct order *order, struct request *request)
{
	uint32_t at = request->parked.order_index;
	assert(at < order->n && order->places[at] == (uintptr_t)request);
	if (order->read == 0 && at == order->n - 1) {
		order->n--;
		return;
	}
	order->places[at] = (uintptr_t)(request->parked.seq << 1 | 1);
	order->n_left++;
	keep_compact(order);
}

void order_swap(struct order *order, struct request *a, struct request *b)
{
	uint32_t at = a->parked.order_index;
	uint64_t seq = a->parked.seq;
	a->parked.order_index = b->parked.order_index;
	a->parked.seq = b->parked.seq;
	b->parked.order_index = at;
	b->parked.seq = seq;
	order->places[a->parked.order_index] = (uintptr_t)a;
	order->places[b->parked.order_index] = (uintptr_t)b;
}

/* The first of the places from `low` to before `high` whose seq is greater than `after`; `high`: there is none. */
static uint32_t search(const struct order *order, uint32_t low, uint32_t high, uint64_t after)
{
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (place_seq(order->places[middle]) > after)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* The first place whose seq is greater than `after`; n: there is none. */
static uint32_t place_after(const struct order *order, uint64_t after)
{
	uint32_t at = search(order, 0, order->written, after);
	return at < order->written ? at : search(order, order->read, order->n, after);
}

struct request *order_find(const struct order *order, uint64_t seq)
{
	uint32_t at = seq ? place_after(order, seq - 1) : order->n;
	return at < order->n && place_seq(order->places[at]) == seq ? place_request(order->places[at]) : NULL;
}

struct request *order_after(const struct order *order, uint64_t after)
{
	uint32_t at = place_after(order, after);
	while (at < order->n && !place_request(order->places[at]))
		at = at + 1 == order->written ? order->read : at + 1;
	return at < order->n ? place_request(order->places[at]) : NULL;
}
