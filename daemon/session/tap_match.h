/* A tap's match as the core wants it: proto/match.h's, behind a struct core_match. */
#ifndef MILLRACE_SESSION_TAP_MATCH_H
#define MILLRACE_SESSION_TAP_MATCH_H

#include "daemon/core/core.h"
#include "proto/match.h"

/* From the text of an object of JSON pointers, which is valid JSON. NULL, and *error and `why` say what is wrong. The
 * caller's, until an event takes it over, or core_match_destroy(). */
struct core_match *tap_match_create(struct slice json, enum error *error, char why[MATCH_DETAIL_BYTES]);

/* The same from a text that has been one. NULL: no memory, or this version does not know it. */
struct core_match *tap_match_again(struct slice json);

#endif
