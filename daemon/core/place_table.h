/* A hash table by two numbers, such as a channel's and a place in it; open addressing, grows by itself.
 * Zero-initialised is empty. */
#ifndef MILLRACE_CORE_PLACE_TABLE_H
#define MILLRACE_CORE_PLACE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct place_entry {
	uint64_t number, place; /* of a channel: 0; of a lease: the halves of its token */
	void *item;             /* NULL: free */
};

struct place_table {
	struct place_entry *entries;
	size_t n, cap; /* cap: a power of two; n of them are in use */
};

/* NULL: there is none. Valid until the table changes. */
struct place_entry *place_table_find(const struct place_table *table, uint64_t number, uint64_t place);
/* One that is not there yet. -1: no memory. */
int place_table_insert(struct place_table *table, struct place_entry entry);
void place_table_remove(struct place_table *table, struct place_entry *entry);

#endif
