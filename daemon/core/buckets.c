#include "daemon/core/buckets.h"

#include <assert.h>
#include <stdlib.h>

enum {
	GROWS = 2,      /* buckets that one insertion adds at most */
	SHRINKS = 8,    /* that one removal takes away at most; most of them are empty then */
	SPARSE = 4,     /* it shrinks while there are so many times the buckets that are wanted */
	FIRST_POWER = 6 /* of BUCKETS_FIRST */
};

static_assert(1 << FIRST_POWER == BUCKETS_FIRST, "the first segment has BUCKETS_FIRST buckets");

static void **next_of(const struct buckets *buckets, void *item)
{
	return (void **)((char *)item + buckets->kind->next);
}

int buckets_init(struct buckets *buckets, const struct buckets_kind *kind)
{
	*buckets = (struct buckets){.kind = kind, .n_buckets = BUCKETS_FIRST, .mask = BUCKETS_FIRST - 1};
	buckets->segments[0] = calloc(BUCKETS_FIRST, sizeof(void *));
	return buckets->segments[0] ? 0 : -1;
}

void buckets_finish(struct buckets *buckets)
{
	for (size_t i = 0; i < BUCKETS_SEGMENTS; i++)
		free(buckets->segments[i]);
	*buckets = (struct buckets){0};
}

/* The segment that a bucket is the first of; NULL: it is not the first of any. */
static void ***segment_begun_by(struct buckets *buckets, size_t at)
{
	if (at & (at - 1))
		return NULL;
	return &buckets->segments[63 - __builtin_clzll(at) - FIRST_POWER + 1];
}

/* Adds the next bucket, with the items that belong there. */
static void grow(struct buckets *buckets, const void *owner)
{
	size_t at = buckets->n_buckets, half = buckets->mask + 1;
	void ***segment = segment_begun_by(buckets, at);
	if (segment && !*segment && !(*segment = calloc(at, sizeof(void *))))
		return;
	buckets->n_buckets++;
	void **from = buckets_place(buckets, at - half), **to = buckets_place(buckets, at);
	*to = NULL;
	while (*from) {
		void *item = *from;
		if ((buckets->kind->hash(owner, item) & (2 * half - 1)) == at) {
			*from = *next_of(buckets, item);
			*next_of(buckets, item) = *to;
			*to = item;
		} else {
			from = next_of(buckets, item);
		}
	}
	if (buckets->n_buckets == 2 * half)
		buckets->mask = 2 * half - 1;
}

/* Gives the items of the last bucket back to the one that they came from. */
static void shrink(struct buckets *buckets)
{
	size_t at = --buckets->n_buckets;
	if (at <= buckets->mask)
		buckets->mask >>= 1;
	void **to = buckets_place(buckets, at - buckets->mask - 1), **from = buckets_place(buckets, at);
	while (*to)
		to = next_of(buckets, *to);
	*to = *from;
	*from = NULL;
	void ***segment = segment_begun_by(buckets, at);
	if (segment) {
		free(*segment);
		*segment = NULL;
	}
}

void buckets_insert(struct buckets *buckets, const void *owner, void *item)
{
	void **bucket = buckets_at(buckets, buckets->kind->hash(owner, item));
	*next_of(buckets, item) = *bucket;
	*bucket = item;
	buckets->n++;
	for (int i = 0; i < GROWS && buckets->n * buckets->kind->an_item > buckets->n_buckets; i++)
		grow(buckets, owner);
}

void buckets_remove(struct buckets *buckets, const void *owner, void *item)
{
	void **at = buckets_at(buckets, buckets->kind->hash(owner, item));
	while (*at != item)
		at = next_of(buckets, *at);
	*at = *next_of(buckets, item);
	buckets->n--;
	for (int i = 0; i < SHRINKS && buckets->n_buckets > BUCKETS_FIRST &&
			buckets->n * buckets->kind->an_item * SPARSE < buckets->n_buckets;
	     i++)
		shrink(buckets);
}
