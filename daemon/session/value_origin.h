/* Where dead letters came from, as replies tell it: a pure encoder. */
#ifndef MILLRACE_SESSION_VALUE_ORIGIN_H
#define MILLRACE_SESSION_VALUE_ORIGIN_H

#include "daemon/core/core.h"
#include "proto/buffer.h"

/* The members of a take's reply that say so; none if it has no dead letter. `now_us`: the time from which ages are
 * told.
 */
void origin_write_members(struct buffer *out, const struct core_reply *reply, uint64_t now_us);

/* The origin of one value, or `null`. */
void origin_write_or_null(struct buffer *out, const struct value *value, uint64_t now_us);

#endif
