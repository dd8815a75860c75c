/* All channels as they are, copied some at a time: each row is of one moment, the next of a later one. So no
 * turn of the loop is long, however many channels there are. Rows are in order of name. */
#ifndef MILLRACE_HTTP_SNAPSHOT_H
#define MILLRACE_HTTP_SNAPSHOT_H

#include "daemon/core/rows.h"
#include "proto/name.h"

struct snapshot_row {
	struct core_channel_row row; /* what it points to is the snapshot's */
	uint32_t bytes;              /* of it, with that */
	struct core_waits waits[2];  /* of puts and of takes; only there with row.put_waits */
};

struct snapshot { /* zero-initialise */
	struct snapshot_block *first, *last;
	char after[NAME_MAX_BYTES]; /* the channel that was looked at last */
	size_t after_len;
	bool failed; /* for lack of memory: rows are missing at its end */
};

struct snapshot_cursor {
	const struct snapshot_block *block;
	uint32_t at;
};

/* The next channel, which snapshot_copy() copies if it is wanted. False: there is none. */
bool snapshot_next_channel(struct snapshot *snapshot, const struct core *core, struct core_channel_row *row);
bool snapshot_copy(struct snapshot *snapshot, const struct core_channel_row *row); /* false: it has failed */
void snapshot_finish(struct snapshot *snapshot);

/* Rows one after the other: begin, then next until NULL. Those that are copied later follow, if the cursor stands at
 * the end. */
struct snapshot_cursor snapshot_begin(const struct snapshot *snapshot);
const struct snapshot_row *snapshot_next(const struct snapshot *snapshot, struct snapshot_cursor *cursor);

#endif
