#include "daemon/session/tap_match.h"

#include <stdlib.h>

struct tap_match {
	struct core_match match; /* first, so that the core's is ours */
	struct match *compiled;
};

static bool accepts(const struct core_match *match, struct slice value)
{
	return match_accepts(((const struct tap_match *)match)->compiled, value);
}

static void destroy(struct core_match *match)
{
	match_destroy(((struct tap_match *)match)->compiled);
	free(match);
}

struct core_match *tap_match_create(struct slice json, enum error *error, char why[MATCH_DETAIL_BYTES])
{
	bool lacks_memory;
	struct match *compiled = match_compile(json, &lacks_memory, why);
	struct tap_match *match = compiled ? malloc(sizeof(*match)) : NULL;
	if (!match) {
		*error = compiled || lacks_memory ? ERROR_OVERLOADED : ERROR_BAD_REQUEST;
		match_destroy(compiled);
		return NULL;
	}
	*match = (struct tap_match){
		{accepts, destroy, match_text(compiled), (uint32_t)(sizeof(*match) + match_bytes(compiled))}, compiled};
	*error = ERROR_NONE;
	return &match->match;
}

struct core_match *tap_match_again(struct slice json)
{
	enum error error;
	char why[MATCH_DETAIL_BYTES];
	return tap_match_create(json, &error, why);
}
