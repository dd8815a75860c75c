#include "daemon/access/pattern_set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/limits.h"
#include "proto/name.h"

struct pattern {
	const char *glob;
	size_t literal; /* bytes before the first wildcard */
	unsigned rights;
};

struct pattern_set {
	size_t n, room;
	struct pattern patterns[];
};

struct pattern_set *pattern_set_create(size_t n)
{
	struct pattern_set *set = malloc(sizeof(*set) + n * sizeof(struct pattern));
	if (set)
		*set = (struct pattern_set){.room = n};
	return set;
}

void pattern_set_destroy(struct pattern_set *set)
{
	free(set);
}

void pattern_set_add(struct pattern_set *set, const char *glob, unsigned rights)
{
	assert(set->n < set->room);
	set->patterns[set->n++] = (struct pattern){glob, strcspn(glob, "*?[\\"), rights};
}

/* By the literal bytes; of those of which one begins with the other the shorter comes first. */
static int compare(const void *a, const void *b)
{
	const struct pattern *x = a, *y = b;
	int order = memcmp(x->glob, y->glob, x->literal < y->literal ? x->literal : y->literal);
	return order ? order : (x->literal > y->literal) - (x->literal < y->literal);
}

void pattern_set_sort(struct pattern_set *set)
{
	if (set->n > 0)
		qsort(set->patterns, set->n, sizeof(struct pattern), compare);
}

/* Of patterns[low .. high), whose literals are longer than `at` and equal before it, the first with a byte of at least
 * `byte` there. */
static size_t first_with(const struct pattern_set *set, size_t low, size_t high, size_t at, unsigned byte)
{
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if ((unsigned char)set->patterns[middle].glob[at] < byte)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether a pattern whose literal the name begins with matches the rest of it. Names with '_' in front are the daemon's
 * own: "*" alone does not mean them. */
static bool matches_rest(const struct pattern *pattern, struct slice name, uint64_t *n_tried)
{
	const char *rest = pattern->glob + pattern->literal;
	if (name_is_reserved(name) != (pattern->glob[0] == '_'))
		return false;
	if (rest[0] == '\0')
		return name.len == pattern->literal;
	if (rest[0] == '*' && rest[1] == '\0')
		return true;
	struct slice rest_of_name = {name.bytes + pattern->literal, name.len - pattern->literal},
		     glob = slice_from(rest);
	++*n_tried;
	if (!name_may_match(rest_of_name, glob))
		return false;
	*n_tried += rest_of_name.len * glob.len / GLOB_STEPS_A_PATTERN;
	return name_matches(rest_of_name, glob);
}

unsigned pattern_set_rights(const struct pattern_set *set, struct slice name, uint64_t *n_tried)
{
	unsigned rights = 0;
	size_t low = 0, high = set->n;
	for (size_t at = 0; low < high; at++) {
		for (; low < high && set->patterns[low].literal == at; low++) {
			const struct pattern *pattern = &set->patterns[low];
			if ((pattern->rights & ~rights) && matches_rest(pattern, name, n_tried))
				rights |= pattern->rights;
		}
		if (at == name.len)
			break;
		unsigned byte = (unsigned char)name.bytes[at];
		low = first_with(set, low, high, at, byte);
		high = first_with(set, low, high, at, byte + 1);
	}
	return rights;
}
