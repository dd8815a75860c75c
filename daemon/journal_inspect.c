#include "daemon/journal_inspect.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/journal/recovery.h"

enum {
	SEGMENT_BYTES = 64 << 20, /* of a journal that is salvaged */
	BATCH_BYTES = 1 << 20,
	LINE_BYTES = 2048, /* of a record, beside its bytes */
};

/* -- Reading -- */

struct inspection {
	struct disk *disk;
	struct segment_log log;
	struct recovery recovery;
	uint64_t batches, batch, bytes;
	struct record_buffer line; /* dump's */
	char to[300];              /* salvage's: the folder */
	struct segment_log kept;   /* and what is in it, once there is something to be kept */
	struct record_buffer run;
	uint64_t losses;
};

static int fail(const char *path, const char *why)
{
	fprintf(stderr, "millraced: %s: %s\n", path, why);
	return 1;
}

static int inspect(struct inspection *inspection, const char *path)
{
	char error[RECOVERY_ERROR_BYTES];
	if (!(inspection->disk = disk_open(path, true, error))) {
		fprintf(stderr, "millraced: %s\n", error);
		return 1;
	}
	segment_log_init(&inspection->log, inspection->disk, 0, 0);
	inspection->recovery.log = &inspection->log;
	inspection->recovery.arg = inspection;
	int result = recovery_read(&inspection->recovery, error);
	if (result == 0 && inspection->log.n_segments == 0)
		result = snprintf(error, sizeof(error), "there is no journal in it");
	if (result != 0)
		fail(path, error);
	return result != 0;
}

static void finish(struct inspection *inspection)
{
	if (inspection->disk)
		segment_log_finish(&inspection->log);
	disk_close(inspection->disk);
	record_buffer_finish(&inspection->line);
	record_buffer_finish(&inspection->run);
}

/* -- Check -- */

static void count_batch(void *arg, uint64_t number, struct slice records)
{
	struct inspection *inspection = arg;
	inspection->batch = number;
	inspection->batches++;
	inspection->bytes += records.len;
}

int inspect_check(const char *path)
{
	struct inspection inspection = {.recovery = {.on_batch = count_batch}};
	int status = inspect(&inspection, path);
	if (status == 0)
		printf("%s is good: %zu segments of %" PRIu64 " bytes, %" PRIu64 " batches with %" PRIu64
		       " records of %" PRIu64 " bytes\n",
		       path, inspection.log.n_segments, segment_log_bytes(&inspection.log), inspection.batches,
		       inspection.recovery.records, inspection.bytes);
	if (status == 0 && inspection.recovery.torn[0])
		printf("the last write had not ended when the daemon did, and is left out: %s\n",
		       inspection.recovery.torn);
	finish(&inspection);
	return status;
}

/* -- Dump -- */

static int print_record(void *arg, const struct record *record, char *error)
{
	struct inspection *inspection = arg;
	struct record_buffer *line = &inspection->line;
	if (record_reserve(line, LINE_BYTES + record_bound(record)) < 0) {
		snprintf(error, RECOVERY_ERROR_BYTES, "no memory for a record");
		return -1;
	}
	if (record_print(record, line->bytes, line->cap))
		printf("{\"batch\":%" PRIu64 ",%s\n", inspection->batch, line->bytes + 1);
	return 0;
}

int inspect_dump(const char *path)
{
	struct inspection inspection = {.recovery = {.on_batch = count_batch, .on_record = print_record}};
	int status = inspect(&inspection, path);
	finish(&inspection);
	if (fflush(stdout) != 0 || ferror(stdout))
		return fail(path, strerror(errno));
	return status;
}

/* -- Salvage -- */

static void print_loss(void *arg, const char *what)
{
	struct inspection *inspection = arg;
	inspection->losses++;
	printf("lost: %s\n", what);
}

/* 0, or -1 with `error`. */
static int begin_kept(struct inspection *inspection, char *error)
{
	struct disk *disk = disk_open(inspection->to, false, error);
	if (!disk)
		return -1;
	segment_log_init(&inspection->kept, disk, SEGMENT_BYTES, (uint64_t)getpid());
	return segment_log_begin(&inspection->kept);
}

/* Writes the records that have gathered as one batch. 0, or -1 with `error`. */
static int write_batch(struct inspection *inspection, char *error)
{
	struct record_buffer *run = &inspection->run;
	uint32_t len = (uint32_t)(run->len - BATCH_HEAD_BYTES);
	error[0] = '\0';
	int result = inspection->kept.disk ? 0 : begin_kept(inspection, error);
	if (result == 0 && record_reserve(run, JOURNAL_BLOCK) < 0)
		result = -ENOMEM;
	if (result == 0) {
		batch_open(run->bytes, inspection->kept.next, len);
		memset(run->bytes + run->len, 0, batch_span(len) - run->len);
		size_t done = 0;
		result = segment_log_append(&inspection->kept, run->bytes, batch_span(len), &done);
		if (result > 0)
			result = -ENOSPC;
	}
	run->len = 0;
	if (result < 0 && !error[0])
		snprintf(error, RECOVERY_ERROR_BYTES, "%s cannot be written to: %s", inspection->to, strerror(-result));
	return result < 0 ? -1 : 0;
}

/* Record by record: of a batch that ends in what this version does not know, what is before that is kept. */
static int keep_record(void *arg, const struct record *record, char *error)
{
	struct inspection *inspection = arg;
	struct record_buffer *run = &inspection->run;
	if (run->len > BATCH_BYTES && write_batch(inspection, error) < 0)
		return -1;
	if (record_reserve(run, BATCH_HEAD_BYTES + record_bound(record)) < 0) {
		snprintf(error, RECOVERY_ERROR_BYTES, "no memory for a record");
		return -1;
	}
	if (run->len == 0) {
		memset(run->bytes, 0, BATCH_HEAD_BYTES);
		run->len = BATCH_HEAD_BYTES;
	}
	record_write(run, record);
	return 0;
}

static int salvage(struct inspection *inspection, const char *path)
{
	char error[RECOVERY_ERROR_BYTES];
	int status = inspect(inspection, path);
	if (status != 0)
		return status;
	if (inspection->run.len == 0)
		return fail(path, "nothing of it can be read");
	if (write_batch(inspection, error) < 0)
		return fail(path, error);
	printf("%s has what can be read of %s: %" PRIu64 " batches with %" PRIu64 " records, and %" PRIu64
	       " places were damaged. To use it: stop the daemon, move %s away, and %s in its place\n",
	       inspection->to, path, inspection->batches, inspection->recovery.records, inspection->losses, path,
	       inspection->to);
	return 0;
}

int inspect_salvage(const char *path)
{
	struct inspection inspection = {
		.recovery = {.on_batch = count_batch, .on_record = keep_record, .on_lost = print_loss}};
	size_t len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		len--;
	if (snprintf(inspection.to, sizeof(inspection.to), "%.*s.salvaged", (int)len, path) >=
	    (int)sizeof(inspection.to))
		return fail(path, "a shorter path is needed");
	if (access(inspection.to, F_OK) == 0)
		return fail(inspection.to, "is there already: move it away first");
	int status = salvage(&inspection, path);
	finish(&inspection);
	if (inspection.kept.disk)
		segment_log_finish(&inspection.kept);
	disk_close(inspection.kept.disk);
	return status;
}
