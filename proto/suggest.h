/* "Did you mean": the nearest of some names to one that does not exist. Pure. */
#ifndef MILLRACE_PROTO_SUGGEST_H
#define MILLRACE_PROTO_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>

enum { SUGGEST_MAX_BYTES = 128 }; /* of names: longer ones are never near */

struct suggestion { /* zero-initialise but for `wrong` */
	const char *wrong;
	char name[SUGGEST_MAX_BYTES + 1]; /* the nearest so far; "" if none is near */
	size_t distance;
};

/* Looks at one more name. Near is what a slip of the fingers makes: a letter that is wrong, missing, too many or
 * exchanged with its neighbour, in names of six letters or more two of them; and what a wrong name of three letters or
 * more is the beginning of. */
void suggest_consider(struct suggestion *suggestion, const char *name);

/* "; did you mean 'NAME'?" into text[size], or "" if nothing is near. Returns text. */
const char *suggest_text(const struct suggestion *suggestion, char *text, size_t size);

#endif
