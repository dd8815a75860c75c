/* Core replies as members of answers. */
#ifndef MILLRACE_SESSION_REPLIES_H
#define MILLRACE_SESSION_REPLIES_H

#include "daemon/session/session.h"
#include "proto/name.h"

enum { REPLY_DETAIL_BYTES = 2 * NAME_MAX_BYTES + 128 };

/* Whether it says no more than a value, and perhaps how many are left of a count: most replies by far. */
bool reply_is_plain_value(const struct core_reply *reply);

/* How many bytes of values are in it. */
size_t reply_value_bytes(const struct core_reply *reply);

/* Appends the members that the reply has beside its id and its status, which is not STATUS_ERROR. */
void reply_write_members(const struct answer *answer, const struct core_reply *reply);

/* The same for an error, beside its code and its text. */
void reply_write_error_members(const struct answer *answer, const struct core_reply *reply);

/* What an error is about, for people: in `detail`; NULL if there is nothing to add. */
const char *reply_detail(const struct core_reply *reply, char detail[REPLY_DETAIL_BYTES]);

/* Whether a put, or an alts' put arm, has shed values. */
bool reply_has_shed(const struct core_reply *reply);

/* Whether nobody is told: a put without an id is told only what its sender has to know. */
bool reply_is_silent(const struct core_reply *reply);

#endif
