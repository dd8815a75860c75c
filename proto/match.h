/* Which values a tap carries: an object of JSON pointers (RFC 6901), each with the string, number, boolean or null that
 * has to be there, such as {"/type": "order", "/customer/vip": true}. Compiled once; a value is then read in one pass,
 * without a tree and without allocating. Pure; a compiled one never changes.
 *
 * Strings are equal after unescaping, numbers by their value, exactly, however they are written. Where an object has a
 * member more than once, the last one counts. {} accepts everything. */
#ifndef MILLRACE_PROTO_MATCH_H
#define MILLRACE_PROTO_MATCH_H

#include <stdbool.h>

#include "proto/slice.h"

enum {
	MATCH_MAX_POINTERS = 32,
	MATCH_MAX_BYTES = 4096, /* of the object's text */
	MATCH_DETAIL_BYTES = 128,
};

struct match;

/* From a text; what stands behind its object is not looked at. NULL: `why` says in a sentence what is wrong, and
 * *lacks_memory whether it is only that. The caller's, until match_destroy(). */
struct match *match_compile(struct slice json, bool *lacks_memory, char why[MATCH_DETAIL_BYTES]);
void match_destroy(struct match *match); /* NULL is fine */

/* Whether the value, a valid JSON text, has all that the match asks for. */
bool match_accepts(const struct match *match, struct slice value);

/* The memory that it takes. */
size_t match_bytes(const struct match *match);

/* The text that it was compiled from. Valid as long as the match. */
struct slice match_text(const struct match *match);

#endif
