/* For tests of the journal on a real folder: one that is open, with its thread, and what is read of it. */
#ifndef MILLRACE_TESTS_JOURNAL_FIXTURE_H
#define MILLRACE_TESTS_JOURNAL_FIXTURE_H

#include "daemon/journal/recovery.h"
#include "daemon/journal/writer.h"

enum { JOURNAL_SEGMENT = 1 << 20, JOURNAL_MAX_BATCH = 1 << 18 };

extern char *journal_folder; /* of the test */

extern struct running_journal { /* one that is open */
	struct disk *disk;
	struct segment_log log;
	struct writer *writer;
	struct journal journal;
} running;

void journal_setup(void);
void journal_teardown(void);

/* Opens running.disk. Returns its calls, of which the test may put others in place; the real ones are beside it. */
struct disk_calls *journal_open_disk(bool read_only);
extern const struct disk_calls *journal_disk_calls;

void journal_start(void);
/* Likewise, on running.disk. */
void journal_start_on_disk(void);
void journal_stop(void);

/* The end of a turn; where that asks to be called again later, it is later at once. */
void journal_turn(void);
/* Waits for what the thread tells, once; and until the batch is committed. */
void journal_hear(void);
void journal_wait(uint64_t batch);
/* A step with one record: a put of so many bytes. */
void journal_put(uint64_t place, size_t len);
/* A life of the daemon: so many records, each committed before the next. */
void journal_write(uint64_t records);

/* The journal is good and has so many records. Returns the sum of their places. */
uint64_t journal_expect_records(uint64_t records);
/* The journal is refused, and that is in the sentence that says why. */
void journal_expect_refusal(const char *why);
/* What can be salvaged of it are so many records, and that is lost, a line each. Likewise returns the sum. */
uint64_t journal_expect_losses(uint64_t records, const char *losses);
/* Likewise, of running.disk, which it closes. */
uint64_t journal_expect_losses_on_disk(uint64_t records, const char *losses);

/* The path of a segment, until the call after the next. */
const char *journal_segment(uint64_t first);
/* Changes bytes of a segment. */
void journal_patch(uint64_t first, off_t offset, const char *bytes, size_t len);

#endif
