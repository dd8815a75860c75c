/* The buckets of a hash table that is threaded through its items, and that grows and shrinks by itself a few buckets
 * at a time (linear hashing): an insertion or removal moves no more than the items of these.
 *
 * With L the greatest power of two that is not greater than the number of buckets, an item is in the bucket that its
 * hash modulo 2L says, if there is that one yet, else in the one modulo L. The next bucket to come takes its items from
 * the one L before it. Buckets lie in segments, each as large as all before it, so that none of them ever moves. */
#ifndef MILLRACE_CORE_BUCKETS_H
#define MILLRACE_CORE_BUCKETS_H

#include <stddef.h>
#include <stdint.h>

enum { BUCKETS_FIRST = 64, BUCKETS_SEGMENTS = 40 };

/* What kind of items they are. `owner` is what the functions of this file are given. */
struct buckets_kind {
	size_t next;      /* the offset of an item's pointer to the next in its bucket */
	uint32_t an_item; /* so many buckets for each item */
	uint64_t (*hash)(const void *owner, const void *item);
};

struct buckets {
	const struct buckets_kind *kind;
	void **segments[BUCKETS_SEGMENTS];
	size_t n_buckets;
	size_t mask; /* L - 1 */
	size_t n;    /* items */
};

int buckets_init(struct buckets *buckets, const struct buckets_kind *kind); /* -1: no memory */
void buckets_finish(struct buckets *buckets);                               /* the items are their owner's */

static inline void **buckets_place(const struct buckets *buckets, size_t at)
{
	if (at < BUCKETS_FIRST)
		return &buckets->segments[0][at];
	int power = 63 - __builtin_clzll(at);
	return &buckets->segments[power - 5][at - ((size_t)1 << power)];
}

/* The first item of the bucket where one with this hash is, if it is there. */
static inline void **buckets_at(const struct buckets *buckets, uint64_t hash)
{
	size_t at = hash & (2 * buckets->mask + 1);
	return buckets_place(buckets, at < buckets->n_buckets ? at : hash & buckets->mask);
}

/* Without memory for another bucket the chains just get longer. */
void buckets_insert(struct buckets *buckets, const void *owner, void *item);
void buckets_remove(struct buckets *buckets, const void *owner, void *item);

#endif
