/* The log: segments in a folder, and batches at the end of the last. Blocking calls; for the I/O thread, and before it
 * starts. It knows nothing of what records say.
 *
 * - A batch is on the disk when segment_log_append() has returned 0. A call that failed is never tried again: who gets
 * an error stops using the log.
 * - Every start begins a new segment, so no write goes where an earlier life of the daemon has left off.
 * - Of the room for one segment more, the `spare`, it always has a file, which becomes the next segment. Where there is
 *   no room for a new spare, the log is full: the last segment is what is left for records that make room.
 * - Segments end with the oldest first, and the folder is synced after each: what is there is always contiguous. */
#ifndef MILLRACE_JOURNAL_SEGMENT_LOG_H
#define MILLRACE_JOURNAL_SEGMENT_LOG_H

#include "daemon/journal/disk.h"
#include "daemon/journal/format.h"

struct segment {
	uint64_t first; /* the number of its first batch */
	uint64_t size;
};

struct segment_log {
	struct disk *disk;
	uint64_t segment_bytes;
	uint64_t random;   /* where salts come from */
	const char *doing; /* what the call was about that failed */

	uint64_t next;     /* the number of the next batch */
	uint32_t chain;    /* the checksum of the last one */
	int handle;        /* of the last segment; -1: none has begun */
	uint64_t salt, at; /* of that: where the next batch goes */
	uint64_t filled;   /* and up to where there are blocks that were written once: see segment_log_fill_ahead() */
	size_t last_run;   /* bytes of the last one */
	bool has_spare;
	uint64_t spare_size;
	uint64_t needed; /* what the next segment has to have at least, for a batch that is larger than others */
	struct segment *segments; /* the oldest first */
	size_t n_segments, cap;
};

/* Empty. `random`: any number that no other start has. */
void segment_log_init(struct segment_log *log, struct disk *disk, uint64_t segment_bytes, uint64_t random);
void segment_log_finish(struct segment_log *log);

/* A segment that is there, the oldest first: recovery's. -ENOMEM. */
int segment_log_add(struct segment_log *log, uint64_t first, uint64_t size);

/* After recovery: makes sure that what was read is on the disk, and begins a segment. -ENOSPC: there is no room. */
int segment_log_begin(struct segment_log *log);

/* Writes a run of batches, of which batch_open() has told number and length, from *done on, and says there how far it
 * has come. The run is changed in place. 1: there is no room for the segment that comes next; nothing has failed, and
 * it may be called again to go on. */
int segment_log_append(struct segment_log *log, char *run, size_t len, size_t *done);

/* Makes the spare, if it is lacking, or too small. -ENOSPC is no failure, but the log is full. */
int segment_log_make_spare(struct segment_log *log);

/* Whether a call has failed since there is no room. */
bool segment_log_lacks_room(int result);

/* Room that was merely allocated changes the file's metadata when it is first written to, and the sync waits for that
 * too, half as long again. So where runs are short, zeros are written ahead of them, much at once; where there is no
 * room for that, none. */
int segment_log_fill_ahead(struct segment_log *log);

/* Segments of which all batches have smaller numbers are dropped. */
int segment_log_drop_before(struct segment_log *log, uint64_t number);

uint64_t segment_log_bytes(const struct segment_log *log); /* on the disk, without the spare */

#endif
