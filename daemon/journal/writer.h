/* The writer: carries batches to the disk, in a thread of its own. */
#ifndef MILLRACE_JOURNAL_WRITER_H
#define MILLRACE_JOURNAL_WRITER_H

#include "daemon/journal/journal.h"
#include "daemon/journal/segment_log.h"

struct writer;

/* The log, after segment_log_begin(), is the writer's until writer_destroy(). NULL, with errno: no thread, descriptor
 * or memory. */
struct writer *writer_create(struct segment_log *log);

/* What was handed over is written first, as far as there is room for it. NULL is fine. */
void writer_destroy(struct writer *writer);

struct carrier *writer_carrier(struct writer *writer);

/* Becomes readable when the status has changed; whoever waits for that reads it empty with writer_hear(). */
int writer_descriptor(const struct writer *writer);
void writer_hear(struct writer *writer);

#endif
