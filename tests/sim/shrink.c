/* Shrinking: leave out halves, quarters, … single operations, as long as what is left still fails. */
#include <stdlib.h>

#include "tests/sim/replay.h"

static bool fails(const struct script *script, size_t *at)
{
	struct replay_seen seen = {0};
	char why[REPLAY_WHY];
	return !replay(script, &seen, at, why);
}

/* Leaves out `n` operations from `from` on, if the rest still fails; then drops what comes after its failure, too. */
static bool leave_out(struct script *script, size_t from, size_t n)
{
	struct script rest = *script;
	size_t at;
	rest.operations = malloc(script->n * sizeof(*rest.operations));
	if (!rest.operations)
		abort();
	rest.n = script->n - n;
	memcpy(rest.operations, script->operations, from * sizeof(*rest.operations));
	memcpy(rest.operations + from, script->operations + from + n, (rest.n - from) * sizeof(*rest.operations));
	bool is_better = rest.n > 0 && fails(&rest, &at);
	if (is_better) {
		memcpy(script->operations, rest.operations, rest.n * sizeof(*rest.operations));
		script->n = at + 1;
	}
	free(rest.operations);
	return is_better;
}

struct script *replay_shrink(const struct script *script)
{
	struct script *shrunken = malloc(sizeof(*shrunken));
	size_t at;
	if (!shrunken)
		abort();
	*shrunken = *script;
	shrunken->operations = malloc(script->n * sizeof(*script->operations));
	if (!shrunken->operations)
		abort();
	memcpy(shrunken->operations, script->operations, script->n * sizeof(*script->operations));
	if (fails(script, &at))
		shrunken->n = at + 1;
	bool is_better = true;
	for (size_t part = shrunken->n / 2 + 1; part > 1 || is_better; part = part > 1 ? part / 2 : 1) {
		is_better = false;
		for (size_t from = 0; from < shrunken->n;) {
			size_t n = part < shrunken->n - from ? part : shrunken->n - from;
			if (leave_out(shrunken, from, n))
				is_better = true;
			else
				from += part;
		}
	}
	return shrunken;
}
