#include "tests/sim/engine_store.h"

#include <assert.h>
#include <stdlib.h>

struct stored {
	struct slice key, value; /* in one piece of memory, of which this is at the front */
	uint64_t lease;
};

/* -- Rows -- */

static int compare_keys(struct slice a, struct slice b)
{
	int order = memcmp(a.bytes, b.bytes, a.len < b.len ? a.len : b.len);
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Where the key is, or would be. */
static size_t place_of(const struct engine_store *store, struct slice key)
{
	size_t low = 0, high = store->n_rows;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (compare_keys(store->rows[middle]->key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct stored *find(const struct engine_store *store, struct slice key)
{
	size_t i = place_of(store, key);
	return i < store->n_rows && slice_equal(store->rows[i]->key, key) ? store->rows[i] : NULL;
}

static void remove_rows(struct engine_store *store, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		store->bytes -= store->rows[i]->key.len + store->rows[i]->value.len;
		store->on_change(store->arg, store->rows[i]->key);
		free(store->rows[i]);
	}
	memmove(&store->rows[from], &store->rows[to], (store->n_rows - to) * sizeof(*store->rows));
	store->n_rows -= to - from;
}

static void put(struct engine_store *store, const struct engine_write *write)
{
	struct stored *row = malloc(sizeof(*row) + write->key.len + write->value.len);
	assert(row);
	char *bytes = (char *)(row + 1);
	memcpy(bytes, write->key.bytes, write->key.len);
	if (write->value.len)
		memcpy(bytes + write->key.len, write->value.bytes, write->value.len);
	*row = (struct stored){{bytes, write->key.len}, {bytes + write->key.len, write->value.len}, write->lease};
	size_t i = place_of(store, write->key);
	store->bytes += write->key.len + write->value.len;
	store->on_change(store->arg, row->key);
	if (i < store->n_rows && slice_equal(store->rows[i]->key, write->key)) {
		store->bytes -= store->rows[i]->key.len + store->rows[i]->value.len;
		free(store->rows[i]);
		store->rows[i] = row;
		return;
	}
	if (store->n_rows == store->cap_rows) {
		store->cap_rows = store->cap_rows ? 2 * store->cap_rows : 64;
		store->rows = realloc(store->rows, store->cap_rows * sizeof(*store->rows));
		assert(store->rows);
	}
	memmove(&store->rows[i + 1], &store->rows[i], (store->n_rows - i) * sizeof(*store->rows));
	store->rows[i] = row;
	store->n_rows++;
}

/* -- Leases -- */

static struct engine_store_lease *find_lease(struct engine_store *store, uint64_t id)
{
	for (size_t i = 0; i < store->n_leases; i++)
		if (store->leases[i].id == id)
			return &store->leases[i];
	return NULL;
}

static void end_lease(struct engine_store *store, struct engine_store_lease *lease)
{
	for (size_t i = store->n_rows; i-- > 0;)
		if (store->rows[i]->lease == lease->id)
			remove_rows(store, i, i + 1);
	*lease = store->leases[--store->n_leases];
	store->revision++;
}

size_t engine_store_end_leases(struct engine_store *store, uint64_t now_us)
{
	size_t n_ended = 0;
	for (size_t i = store->n_leases; i-- > 0;)
		if (store->leases[i].ends_us <= now_us) {
			end_lease(store, &store->leases[i]);
			n_ended++;
		}
	return n_ended;
}

uint64_t engine_store_next_us(const struct engine_store *store)
{
	uint64_t next_us = UINT64_MAX;
	for (size_t i = 0; i < store->n_leases; i++)
		next_us = store->leases[i].ends_us < next_us ? store->leases[i].ends_us : next_us;
	return next_us;
}

uint64_t engine_store_grant(struct engine_store *store, uint64_t ttl_us, uint64_t now_us)
{
	if (store->n_leases == ENGINE_STORE_LEASES)
		return 0;
	store->leases[store->n_leases++] = (struct engine_store_lease){++store->last_lease, ttl_us, now_us + ttl_us};
	return store->last_lease;
}

bool engine_store_keep_alive(struct engine_store *store, uint64_t id, uint64_t now_us, uint64_t *ttl_us)
{
	struct engine_store_lease *lease = find_lease(store, id);
	if (!lease)
		return false;
	lease->ends_us = now_us + lease->ttl_us;
	*ttl_us = lease->ttl_us;
	return true;
}

void engine_store_keep_all_alive(struct engine_store *store, uint64_t now_us)
{
	for (size_t i = 0; i < store->n_leases; i++)
		store->leases[i].ends_us = now_us + store->leases[i].ttl_us;
}

bool engine_store_revoke(struct engine_store *store, uint64_t id)
{
	struct engine_store_lease *lease = find_lease(store, id);
	if (lease)
		end_lease(store, lease);
	return lease != NULL;
}

/* -- Transactions and reads -- */

static bool holds(const struct engine_store *store, const struct engine_compare *compare)
{
	const struct stored *row = find(store, compare->key);
	switch (compare->how) {
	case ENGINE_IS:
		return row && slice_equal(row->value, compare->value);
	case ENGINE_BELOW:
		return row && compare_keys(row->value, compare->value) < 0;
	case ENGINE_ABSENT:
		break;
	}
	return !row;
}

static void carry_out(struct engine_store *store, const struct engine_write *write)
{
	size_t from = place_of(store, write->key);
	if (write->end.len)
		remove_rows(store, from, place_of(store, write->end));
	else if (!write->is_delete)
		put(store, write);
	else if (find(store, write->key))
		remove_rows(store, from, from + 1);
}

bool engine_store_transact(struct engine_store *store, const struct engine_compare *compares, size_t n_compares,
			   const struct engine_write *writes, size_t n_writes)
{
	bool all_hold = true;
	for (size_t i = 0; i < n_compares; i++)
		all_hold = all_hold && holds(store, &compares[i]);
	for (size_t i = 0; i < n_writes; i++)
		all_hold = all_hold && (!writes[i].lease || find_lease(store, writes[i].lease));
	for (size_t i = 0; i < n_writes && all_hold; i++)
		carry_out(store, &writes[i]);
	store->revision += all_hold;
	return all_hold;
}

struct engine_row *engine_store_range(const struct engine_store *store, const struct engine_store_range *range,
				      size_t *n_rows, bool *has_more)
{
	size_t from = place_of(store, range->key);
	size_t to = range->end.len ? place_of(store, range->end) : from + (find(store, range->key) != NULL);
	size_t n = to > from ? to - from : 0, bytes = 0;
	*has_more = n > range->limit;
	n = n < range->limit ? n : range->limit;
	for (size_t i = 0; i < n; i++)
		bytes += store->rows[from + i]->key.len + store->rows[from + i]->value.len;
	struct engine_row *rows = malloc(n * sizeof(*rows) + bytes + 1);
	assert(rows);
	char *at = (char *)(rows + n);
	for (size_t i = 0; i < n; i++) {
		const struct stored *row = store->rows[from + i];
		memcpy(at, row->key.bytes, row->key.len);
		memcpy(at + row->key.len, row->value.bytes, row->value.len);
		rows[i] = (struct engine_row){
			{at, row->key.len}, {at + row->key.len, range->keys_only ? 0 : row->value.len}, row->lease};
		at += row->key.len + row->value.len;
	}
	*n_rows = n;
	return rows;
}

void engine_store_finish(struct engine_store *store)
{
	remove_rows(store, 0, store->n_rows);
	free(store->rows);
}
