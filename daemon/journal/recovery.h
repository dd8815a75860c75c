/* Recovery: reads what a log's batches say, the contiguous prefix of them. Nothing on the disk is changed.
 *
 * The last batches may be torn: they were being written when the power went, and nobody had an answer that depends on
 * them. They are left out. Anything else that cannot be read is damage, and refused; or with `on_lost` it is told, and
 * reading goes on with the next batch that is whole. */
#ifndef MILLRACE_JOURNAL_RECOVERY_H
#define MILLRACE_JOURNAL_RECOVERY_H

#include "daemon/journal/segment_log.h"
#include "daemon/journal/record.h"

enum { RECOVERY_ERROR_BYTES = 400 };

struct recovery {
	struct segment_log *log; /* after segment_log_init(); gets segments, spare, `next` and `chain` */
	/* Each batch, then each of its records, in order. NULL: none. Not 0: reading stops, with an error that
	 * on_record() has written. */
	void (*on_batch)(void *arg, uint64_t number, struct slice records);
	int (*on_record)(void *arg, const struct record *record, char error[RECOVERY_ERROR_BYTES]);
	void (*on_lost)(void *arg, const char *what); /* NULL: damage is an error */
	void *arg;

	/* What it found: */
	uint64_t first; /* of its batches; 0: there is none */
	uint64_t records;
	char torn[120];  /* where the end was torn; empty: nowhere */
	bool is_rebased; /* it begins with the first batch ever, or a whole checkpoint is in it */
};

/* 0, or -1 with `error`, which names file and offset and says what to do. */
int recovery_read(struct recovery *recovery, char error[RECOVERY_ERROR_BYTES]);

#endif
