#include "daemon/core/store.h"

#include "daemon/core/hash.h"

void store_push(struct store *store, struct value *value)
{
	value_list_push(&store->entered, value);
	store->n++;
}

/* -- The tree of those that came back -- */

/* Splits a treap into the values before `seq`, and those after it. */
static void split(struct value *root, uint64_t seq, struct value **before, struct value **after)
{
	while (root) {
		if (root->seq < seq) {
			*before = root;
			before = &root->right;
			root = root->right;
		} else {
			*after = root;
			after = &root->left;
			root = root->left;
		}
	}
	*before = *after = NULL;
}

void store_return(struct store *store, struct value *value)
{
	struct value **at = &store->returned;
	uint64_t weight = hash_mix(value->seq);
	while (*at && hash_mix((*at)->seq) >= weight)
		at = value->seq < (*at)->seq ? &(*at)->left : &(*at)->right;
	split(*at, value->seq, &value->left, &value->right);
	*at = value;
	store->n++;
}

static struct value *returned_first(const struct store *store)
{
	struct value *first = store->returned;
	while (first && first->left)
		first = first->left;
	return first;
}

static struct value *returned_pop(struct store *store)
{
	struct value **at = &store->returned;
	while ((*at)->left)
		at = &(*at)->left;
	struct value *first = *at;
	*at = first->right;
	return first;
}

struct value *store_returned_after(const struct store *store, uint64_t seq)
{
	struct value *found = NULL;
	for (struct value *at = store->returned; at;) {
		if (at->seq > seq) {
			found = at;
			at = at->left;
		} else {
			at = at->right;
		}
	}
	return found;
}

/* -- Both -- */

static bool is_before(const struct value *a, const struct value *b)
{
	return a && (!b || a->seq < b->seq);
}

struct value *store_first(const struct store *store)
{
	struct value *returned = returned_first(store);
	return is_before(returned, store->entered.head) ? returned : store->entered.head;
}

struct value *store_pop(struct store *store)
{
	if (store->n == 0)
		return NULL;
	store->n--;
	struct value *returned = returned_first(store);
	struct value *value =
		is_before(returned, store->entered.head) ? returned_pop(store) : value_list_pop(&store->entered);
	value->next = NULL;
	return value;
}

/* The first of those that entered, at least one. */
static struct value_list cut_entered(struct value_list *entered, size_t n, uint64_t *bytes)
{
	struct value *last = entered->head;
	*bytes += last->len;
	for (size_t i = 1; i < n; i++) {
		last = last->next;
		*bytes += last->len;
	}
	struct value_list cut = {entered->head, last, n};
	entered->head = last->next;
	if (!entered->head)
		entered->tail = NULL;
	entered->n -= n;
	last->next = NULL;
	return cut;
}

struct value_list store_cut(struct store *store, size_t n, uint64_t *bytes)
{
	struct value_list cut = {0};
	*bytes = 0;
	while (store->returned && cut.n < n) {
		struct value *value = store_pop(store);
		*bytes += value->len;
		value_list_push(&cut, value);
	}
	size_t n_left = n - cut.n;
	if (n_left > 0) {
		struct value_list entered = cut_entered(&store->entered, n_left, bytes);
		store->n -= n_left;
		value_list_join(&cut, &entered);
	}
	return cut;
}

void store_unpop(struct store *store, struct value_list *values)
{
	store->n += values->n;
	value_list_join(values, &store->entered);
	store->entered = *values;
	*values = (struct value_list){0};
}

void store_clear(struct store *store)
{
	struct value *value;
	while ((value = store_pop(store)))
		value_destroy(value);
}

const struct value *store_next(const struct store *store, struct store_cursor *cursor)
{
	const struct value *entered = cursor->entered, *returned = store_returned_after(store, cursor->seq);
	const struct value *next = is_before(returned, entered) ? returned : entered;
	if (!next)
		return NULL;
	cursor->seq = next->seq;
	if (next == entered)
		cursor->entered = entered->next;
	return next;
}
