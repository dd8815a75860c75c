/* The patterns of one user, put together so that what a name may be used for is found without trying all of them: they
 * are sorted by the bytes that they begin with before their first wildcard, and only those that begin as the name does
 * are tried. */
#ifndef MILLRACE_ACCESS_PATTERN_SET_H
#define MILLRACE_ACCESS_PATTERN_SET_H

#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

struct pattern_set;

/* Room for n patterns; NULL without memory. The patterns stay the caller's, and have to be there as long as the set. */
struct pattern_set *pattern_set_create(size_t n);
void pattern_set_destroy(struct pattern_set *set); /* NULL is fine */

/* The pattern gives these rights, bits of the caller's. At most n times; then pattern_set_sort(), once. */
void pattern_set_add(struct pattern_set *set, const char *glob, unsigned rights);
void pattern_set_sort(struct pattern_set *set);

/* All rights that the patterns give to this name. *n_tried is raised by how many patterns with a wildcard were matched
 * against it; one that is long, as the name is, counts as several. */
unsigned pattern_set_rights(const struct pattern_set *set, struct slice name, uint64_t *n_tried);

#endif
