/* The values in a channel, the oldest first: those that came in by puts are a list, for they come in their order; those
 * that came back (from leases, or because they could not be sent) are a tree, for they come in any. What comes out next
 * is the older of both firsts. */
#ifndef MILLRACE_CORE_STORE_H
#define MILLRACE_CORE_STORE_H

#include "daemon/core/value.h"

struct store { /* zero-initialised is empty */
	struct value_list entered;
	struct value *returned; /* the root of a treap: a search tree by seq, kept in balance by a hash of it */
	size_t n;               /* of both */
};

void store_push(struct store *store, struct value *value);   /* its seq is greater than that of all others */
void store_return(struct store *store, struct value *value); /* its seq is anything: O(log n) */

struct value *store_first(const struct store *store); /* NULL if empty */
struct value *store_pop(struct store *store);
/* Pops the n oldest. *bytes: the sum of their lengths. What has entered is passed over as fast as memory can be read.
 */
struct value_list store_cut(struct store *store, size_t n, uint64_t *bytes);
/* Puts values back that were popped, in that order, since nothing else has left: all are older than what is there.
 * Moved out of the list. O(1). */
void store_unpop(struct store *store, struct value_list *values);
void store_clear(struct store *store); /* destroys all */

/* From the oldest on, while nothing changes: begin with {store->entered.head, 0}. NULL at the end. O(1), or O(log n)
 * among those that came back. */
struct store_cursor {
	const struct value *entered; /* the next of these */
	uint64_t seq;                /* of the one that came last */
};
/* Of those that came back, the oldest whose seq is greater; NULL: none. O(log n). */
struct value *store_returned_after(const struct store *store, uint64_t seq);

const struct value *store_next(const struct store *store, struct store_cursor *cursor);

#endif
