/* All channels as they are, copied a slice at a time: each row is of one moment, the next slice of a later one. So no
 * turn of the loop is long, however many channels there are. Rows are in order of name. */
#ifndef MILLRACE_HTTP_SNAPSHOT_H
#define MILLRACE_HTTP_SNAPSHOT_H

#include "daemon/core/rows.h"

struct snapshot_row {
	struct core_channel_row row; /* what it points to is the snapshot's */
	uint32_t bytes;              /* of it, with that */
	struct core_waits waits[2];  /* of puts and of takes; only there with row.put_waits */
};

struct snapshot { /* zero-initialise */
	struct snapshot_block *first, *last;
	bool failed; /* for lack of memory: rows are missing at its end */
};

struct snapshot_cursor {
	const struct snapshot_block *block;
	uint32_t at;
};

/* Copies the next `n` channels; false when all are there (or it failed). */
bool snapshot_slice(struct snapshot *snapshot, const struct core *core, unsigned n);
void snapshot_finish(struct snapshot *snapshot);

/* Rows one after the other: begin, then next until NULL. Those of a slice to come follow, if the cursor stands at the
 * end. */
struct snapshot_cursor snapshot_begin(const struct snapshot *snapshot);
const struct snapshot_row *snapshot_next(const struct snapshot *snapshot, struct snapshot_cursor *cursor);

#endif
