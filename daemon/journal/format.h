/* The format of the journal's files: a segment is a header, which fills a block, and batches, each of which begins at a
 * block. Pure: bytes in memory. All numbers are little-endian.
 *
 * A batch names its segment's salt, its own number and the checksum of the batch before it, and its checksum goes over
 * all of that: so nothing that was on the disk before, of this segment or another, can be taken for what follows. It
 * also says up to which number batches were known to be on the disk when it was written: so a batch that is torn by a
 * power cut, which may be followed by a whole one of the same write, is told from one that was damaged later. */
#ifndef MILLRACE_JOURNAL_FORMAT_H
#define MILLRACE_JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	JOURNAL_FORMAT = 1,
	JOURNAL_BLOCK = 4096, /* what a disk writes at once: no write touches a block that an earlier one has written */
	BATCH_HEAD_BYTES = 44,
	SEGMENT_NAME_BYTES = 32,
};

struct segment_head {
	uint64_t salt;
	uint64_t first; /* the number of its first batch */
	uint32_t chain; /* the checksum of the batch before that */
	uint64_t size;  /* of the file, with a checksum of its own; 0: it is not told, as in the first versions */
};

enum segment_verdict {
	SEGMENT_GOOD,
	SEGMENT_FOREIGN, /* not written by us */
	SEGMENT_NEWER,   /* by a newer version: *format says which */
	SEGMENT_BROKEN,
};

void segment_head_write(char block[JOURNAL_BLOCK], const struct segment_head *head);
enum segment_verdict segment_head_read(const char block[JOURNAL_BLOCK], struct segment_head *head, uint32_t *format);

/* Names rise with the numbers, in order of bytes. */
void segment_name(char name[SEGMENT_NAME_BYTES], uint64_t first);
bool segment_name_read(const char *name, uint64_t *first); /* false: that is no segment's name */

struct batch_head {
	uint64_t salt, number;
	uint64_t synced; /* all up to this one were on the disk before it was written */
	uint32_t len;    /* of its records, which follow its head */
	uint32_t chain;  /* the checksum of the batch before it */
	uint32_t sum;    /* its own; batch_seal() computes it */
};

/* What whoever gathers records knows of a batch: the rest is up to batch_seal(). */
void batch_open(char *batch, uint64_t number, uint32_t len);

/* Writes the head in front of the records, which are there. Returns its checksum. */
uint32_t batch_seal(char *batch, struct batch_head head);

/* Whether these bytes begin with what looks like a head of this salt. They must be BATCH_HEAD_BYTES at least. */
bool batch_head_read(const char *bytes, uint64_t salt, struct batch_head *head);
/* Whether head and records are as they were sealed. */
bool batch_is_whole(const char *batch, const struct batch_head *head);

/* How far it is from a batch to the next. */
static inline uint64_t batch_span(uint32_t len)
{
	return ((uint64_t)BATCH_HEAD_BYTES + len + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
}

#endif
