#include "daemon/core/place_table.h"

#include <stdlib.h>

#include "daemon/core/hash.h"

enum { NEIGHBOURS = 8 };

/* Places that follow each other stand beside each other, so many at a time: they mostly come and go in their order. */
static size_t home_of(const struct place_table *table, uint64_t number, uint64_t place)
{
	uint64_t mixed = hash_mix(number * UINT64_C(0x9e3779b97f4a7c15) + place / NEIGHBOURS);
	return (mixed * NEIGHBOURS + place % NEIGHBOURS) & (table->cap - 1);
}

struct place_entry *place_table_find(const struct place_table *table, uint64_t number, uint64_t place)
{
	if (table->cap == 0)
		return NULL;
	size_t at = home_of(table, number, place);
	for (; table->entries[at].item; at = (at + 1) & (table->cap - 1))
		if (table->entries[at].number == number && table->entries[at].place == place)
			return &table->entries[at];
	return NULL;
}

static void insert(struct place_table *table, struct place_entry entry)
{
	size_t at = home_of(table, entry.number, entry.place);
	while (table->entries[at].item)
		at = (at + 1) & (table->cap - 1);
	table->entries[at] = entry;
	table->n++;
}

int place_table_insert(struct place_table *table, struct place_entry entry)
{
	if (table->n * 2 >= table->cap) {
		struct place_table grown = {.cap = table->cap ? table->cap * 2 : 64};
		if (!(grown.entries = calloc(grown.cap, sizeof(*grown.entries))))
			return -1;
		for (size_t i = 0; i < table->cap; i++)
			if (table->entries[i].item)
				insert(&grown, table->entries[i]);
		free(table->entries);
		*table = grown;
	}
	insert(table, entry);
	return 0;
}

/* Those that stand behind it, up to the next free place, may have wanted its place: they are put in anew. */
void place_table_remove(struct place_table *table, struct place_entry *entry)
{
	size_t at = (size_t)(entry - table->entries);
	entry->item = NULL;
	table->n--;
	for (at = (at + 1) & (table->cap - 1); table->entries[at].item; at = (at + 1) & (table->cap - 1)) {
		struct place_entry moved = table->entries[at];
		table->entries[at].item = NULL;
		table->n--;
		insert(table, moved);
	}
}
