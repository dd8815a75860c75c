#include "daemon/journal/recovery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char advice[] = "Nothing was changed. Restore a backup, or see what `millraced --journal-salvage` keeps";

/* One segment, while it is read. */
struct reader {
	struct recovery *recovery;
	char *error;
	struct disk *disk;
	int handle;
	char name[SEGMENT_NAME_BYTES];
	uint64_t size, at;
	uint64_t next; /* the first batch of the segment behind it; 0: it is the last */
	uint64_t salt;
	bool is_unreadable; /* and that was told */
	bool follows;       /* a segment that was read */
	char *bytes;        /* of the batch that was read last */
	size_t cap;
};

__attribute__((format(printf, 2, 3))) static int fail(struct reader *reader, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reader->error, RECOVERY_ERROR_BYTES, format, arguments);
	va_end(arguments);
	return -1;
}

/* Damage: an error, or with on_lost it is told, and 0. */
__attribute__((format(printf, 3, 4))) static int lose(struct reader *reader, uint64_t offset, const char *format, ...)
{
	struct recovery *recovery = reader->recovery;
	char what[160];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	if (!recovery->on_lost)
		return fail(reader, "%s is damaged at offset %" PRIu64 ": %s. %s", reader->name, offset, what, advice);
	fail(reader, "%s at offset %" PRIu64 ": %s", reader->name, offset, what);
	recovery->on_lost(recovery->arg, reader->error);
	return 0;
}

/* Likewise, of what the system refuses. */
static int lose_access(struct reader *reader, uint64_t offset, const char *what, int reason)
{
	if (!reader->recovery->on_lost)
		return fail(reader, "%s cannot be %s: %s", reader->name, what, strerror(reason));
	return lose(reader, offset, "it cannot be %s: %s", what, strerror(reason));
}

/* How many bytes were read into reader->bytes: none where that is lost; -1. */
static int64_t read_at(struct reader *reader, uint64_t offset, size_t skip, size_t len)
{
	if (skip + len > reader->cap) {
		char *bytes = realloc(reader->bytes, skip + len);
		if (!bytes)
			return fail(reader, "no memory for a batch of %zu bytes", len);
		reader->bytes = bytes;
		reader->cap = skip + len;
	}
	int64_t n = reader->disk->calls->read(reader->disk, reader->handle, reader->bytes + skip, len, offset + skip);
	if (n >= 0)
		return n;
	bool was_told = reader->is_unreadable;
	reader->is_unreadable = true;
	return was_told ? 0 : lose_access(reader, offset, "read", (int)-n);
}

/* 1: a batch of this segment is there, and as it was sealed; 0: none is; -1. */
static int read_batch(struct reader *reader, uint64_t at, struct batch_head *head)
{
	if (at + JOURNAL_BLOCK > reader->size)
		return 0;
	int64_t n = read_at(reader, at, 0, JOURNAL_BLOCK);
	if (n < BATCH_HEAD_BYTES || !batch_head_read(reader->bytes, reader->salt, head))
		return n < 0 ? -1 : 0;
	uint64_t span = batch_span(head->len);
	if (at + span > reader->size)
		return 0;
	if (span > JOURNAL_BLOCK) {
		n = read_at(reader, at, JOURNAL_BLOCK, span - JOURNAL_BLOCK);
		if (n < (int64_t)(span - JOURNAL_BLOCK))
			return n < 0 ? -1 : 0;
	}
	return batch_is_whole(reader->bytes, head);
}

/* Hands on the records of the batch that was read last. */
static int give_records(struct reader *reader, const struct batch_head *head)
{
	struct recovery *recovery = reader->recovery;
	struct slice left = {reader->bytes + BATCH_HEAD_BYTES, head->len};
	if (recovery->on_batch)
		recovery->on_batch(recovery->arg, head->number, left);
	while (left.len > 0) {
		struct record record;
		ptrdiff_t len = record_read(left, &record);
		if (len < 0 && recovery->on_lost)
			return lose(reader, reader->at,
				    "the rest of a batch is of records that this version does not know");
		if (len < 0)
			return fail(reader,
				    "%s has records, in the batch at offset %" PRIu64
				    ", which this version does not know. "
				    "Nothing was changed: start the version that has written them",
				    reader->name, reader->at);
		if (recovery->on_record && recovery->on_record(recovery->arg, &record, reader->error) != 0)
			return -1;
		if (record.kind == RECORD_CHECKPOINT_END && record.begin >= recovery->first)
			recovery->is_rebased = true;
		recovery->records++;
		left.bytes += len;
		left.len -= (size_t)len;
	}
	return 0;
}

/* The next batch does not follow at reader->at. Goes on behind it, if something is there that has to be read; 1: there
 * is, and reader->at is where; 0: the segment ends here. */
static int look_behind(struct reader *reader, uint64_t expected)
{
	struct batch_head head;
	if (reader->next == expected)
		return 0; /* whatever is behind it was given up */
	int64_t n = read_at(reader, reader->at, 0, BATCH_HEAD_BYTES);
	if (n < 0)
		return -1;
	if (n == BATCH_HEAD_BYTES && batch_head_read(reader->bytes, reader->salt, &head))
		snprintf(reader->recovery->torn, sizeof(reader->recovery->torn),
			 "batch %" PRIu64 ", %s at offset %" PRIu64, expected, reader->name, reader->at);
	for (uint64_t at = reader->at + JOURNAL_BLOCK; at + JOURNAL_BLOCK <= reader->size; at += JOURNAL_BLOCK) {
		int found = read_batch(reader, at, &head);
		if (found < 0)
			return -1;
		bool was_synced = found && head.synced >= expected;
		if (!found || head.number < expected || (!was_synced && !reader->recovery->on_lost))
			continue;
		if (lose(reader, reader->at,
			 "batch %" PRIu64 " cannot be read, and batch %" PRIu64 " behind it is whole", expected,
			 head.number) < 0)
			return -1;
		reader->recovery->torn[0] = '\0';
		reader->at = at;
		return 1;
	}
	return 0;
}

static int read_segment(struct reader *reader)
{
	struct segment_log *log = reader->recovery->log;
	struct batch_head head;
	bool is_chained = true;
	for (;;) {
		int found = read_batch(reader, reader->at, &head);
		if (found < 0)
			return -1;
		if (!found || (is_chained && (head.number != log->next || head.chain != log->chain))) {
			int goes_on = look_behind(reader, log->next);
			if (goes_on <= 0)
				return goes_on;
			is_chained = false;
			continue;
		}
		is_chained = true;
		if (reader->recovery->first == 0)
			reader->recovery->first = head.number;
		log->next = head.number + 1;
		log->chain = head.sum;
		if (give_records(reader, &head) < 0)
			return -1;
		reader->at += batch_span(head.len);
	}
}

/* Reads the head. 1: it is good, and follows; 0: it was told as lost; -1. */
static int begin_segment(struct reader *reader, uint64_t first)
{
	struct segment_log *log = reader->recovery->log;
	struct segment_head head;
	uint32_t format = 0;
	int64_t n = read_at(reader, 0, 0, JOURNAL_BLOCK);
	if (n < 0)
		return -1;
	switch (n < JOURNAL_BLOCK ? SEGMENT_BROKEN : segment_head_read(reader->bytes, &head, &format)) {
	case SEGMENT_FOREIGN:
		return lose(reader, 0, "this is no journal of Millrace");
	case SEGMENT_NEWER:
		return fail(reader,
			    "%s was written by a newer millraced (format %" PRIu32 ", this one knows %d). Nothing was "
			    "changed: start that version",
			    reader->name, format, JOURNAL_FORMAT);
	case SEGMENT_BROKEN:
		return lose(reader, 0, "its head is broken");
	case SEGMENT_GOOD:
		break;
	}
	if (head.first != first)
		return lose(reader, 0, "its head names another segment: the file was renamed");
	if (!reader->next && reader->size < head.size && /* of any other it shows in the one behind it */
	    lose(reader, reader->size, "it was cut short, and had %" PRIu64 " bytes", head.size) < 0)
		return -1;
	if (head.size && reader->size > head.size)
		reader->size = head.size; /* whatever is behind it was never ours */
	if (reader->follows && head.first > log->next &&
	    lose(reader, 0, "batches %" PRIu64 " to %" PRIu64 " are missing before it", log->next, head.first - 1) < 0)
		return -1;
	if (reader->follows && (head.first < log->next || (head.first == log->next && head.chain != log->chain)))
		return lose(reader, 0,
			    "batch %" PRIu64 " was expected, and it begins with %" PRIu64 ": it is of another journal",
			    log->next, head.first);
	reader->follows = true; /* and the first one whatever was dropped */
	log->next = head.first;
	log->chain = head.chain;
	reader->salt = head.salt;
	reader->at = JOURNAL_BLOCK;
	return 1;
}

/* -- The folder -- */

struct folder_listing {
	struct segment_log *log;
	int failed;
};

static void on_name(void *arg, const char *name, uint64_t size)
{
	struct folder_listing *listing = arg;
	uint64_t first;
	if (strcmp(name, "spare") == 0) {
		listing->log->has_spare = size >= listing->log->segment_bytes;
		listing->log->spare_size = size;
	}
	if (segment_name_read(name, &first) && segment_log_add(listing->log, first, size) < 0)
		listing->failed = -ENOMEM;
}

static int compare_segments(const void *a, const void *b)
{
	const struct segment *one = a, *other = b;
	return (one->first > other->first) - (one->first < other->first);
}

static int read_all(struct reader *reader)
{
	struct segment_log *log = reader->recovery->log;
	for (size_t i = 0; i < log->n_segments; i++) {
		segment_name(reader->name, log->segments[i].first);
		reader->size = log->segments[i].size;
		reader->next = i + 1 < log->n_segments ? log->segments[i + 1].first : 0;
		reader->is_unreadable = false;
		reader->handle = reader->disk->calls->open(reader->disk, reader->name, false);
		if (reader->handle < 0 && lose_access(reader, 0, "opened", -reader->handle) < 0)
			return -1;
		if (reader->handle < 0)
			continue;
		int result = begin_segment(reader, log->segments[i].first);
		if (result > 0)
			result = read_segment(reader);
		reader->disk->calls->close(reader->disk, reader->handle);
		if (result < 0)
			return -1;
	}
	return 0;
}

int recovery_read(struct recovery *recovery, char error[RECOVERY_ERROR_BYTES])
{
	struct segment_log *log = recovery->log;
	struct reader reader = {.recovery = recovery, .error = error, .disk = log->disk};
	struct folder_listing listing = {.log = log};
	int result = log->disk->calls->list(log->disk, on_name, &listing);
	if (result < 0 || listing.failed < 0)
		return fail(&reader, "the folder cannot be read: %s", strerror(result < 0 ? -result : -listing.failed));
	if (log->n_segments > 0)
		qsort(log->segments, log->n_segments, sizeof(*log->segments), compare_segments);
	result = read_all(&reader);
	free(reader.bytes);
	if (result == 0 && log->n_segments > 0 && log->segments[0].first > 1 && !recovery->is_rebased) {
		segment_name(reader.name, log->segments[0].first);
		result = lose(&reader, 0, "the segments before it are missing");
	}
	return result;
}
