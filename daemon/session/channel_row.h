/* A channel as `stat`, `list` and `alter` show it: a pure encoder. */
#ifndef MILLRACE_SESSION_CHANNEL_ROW_H
#define MILLRACE_SESSION_CHANNEL_ROW_H

#include "daemon/core/rows.h"
#include "proto/buffer.h"

/* Appends the row as members of an answer, or as an object in an array. `now_us`: the time from which ages are told. */
void channel_row_write_members(struct buffer *out, const struct core_channel_row *row, uint64_t now_us);
void channel_row_write(struct buffer *out, const struct core_channel_row *row, uint64_t now_us);

#endif
