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
	struct log log;
	struct recovery recovery;
	uint64_t batches, batch, bytes;
	struct record_buffer line; /* dump's */
	struct log *salvaged;      /* salvage's */
	struct record_buffer run;
	uint64_t losses;
	int failure;
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
	log_init(&inspection->log, inspection->disk, 0, 0);
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
		log_finish(&inspection->log);
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
		       path, inspection.log.n_segments, log_bytes(&inspection.log), inspection.batches,
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

/* Writes the records that have gathered as one batch. */
static void write_batch(struct inspection *inspection)
{
	struct record_buffer *run = &inspection->run;
	if (run->len <= BATCH_HEAD_BYTES || inspection->failure < 0)
		return;
	uint32_t len = (uint32_t)(run->len - BATCH_HEAD_BYTES);
	if (record_reserve(run, JOURNAL_BLOCK) < 0) {
		inspection->failure = -ENOMEM;
		return;
	}
	batch_open(run->bytes, inspection->salvaged->next, len);
	memset(run->bytes + run->len, 0, batch_span(len) - run->len);
	inspection->failure = log_append(inspection->salvaged, run->bytes, batch_span(len));
	run->len = 0;
}

static void keep_batch(void *arg, uint64_t number, struct slice records)
{
	struct inspection *inspection = arg;
	struct record_buffer *run = &inspection->run;
	count_batch(arg, number, records);
	if (run->len + records.len > BATCH_BYTES)
		write_batch(inspection);
	if (record_reserve(run, BATCH_HEAD_BYTES + records.len) < 0) {
		inspection->failure = -ENOMEM;
		return;
	}
	if (run->len == 0) {
		memset(run->bytes, 0, BATCH_HEAD_BYTES);
		run->len = BATCH_HEAD_BYTES;
	}
	memcpy(run->bytes + run->len, records.bytes, records.len);
	run->len += records.len;
}

static int salvage(struct inspection *inspection, const char *path, const char *to)
{
	int status = inspect(inspection, path);
	write_batch(inspection);
	if (inspection->failure < 0)
		return fail(to, strerror(-inspection->failure));
	if (status == 0)
		printf("%s has what can be read of %s: %" PRIu64 " batches with %" PRIu64 " records, and %" PRIu64
		       " places were damaged. To use it: stop the daemon, move %s away, and %s in its place\n",
		       to, path, inspection->batches, inspection->recovery.records, inspection->losses, path, to);
	return status;
}

int inspect_salvage(const char *path)
{
	char to[400], error[DISK_ERROR_BYTES];
	int status = 1;
	size_t len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		len--;
	snprintf(to, sizeof(to), "%.*s.salvaged", (int)(len < sizeof(to) - 16 ? len : sizeof(to) - 16), path);
	if (access(to, F_OK) == 0)
		return fail(to, "is there already: move it away first");
	struct disk *disk = disk_open(to, false, error);
	if (!disk)
		return fail(to, error);
	struct log log;
	struct inspection inspection = {.recovery = {.on_batch = keep_batch, .on_lost = print_loss}, .salvaged = &log};
	log_init(&log, disk, SEGMENT_BYTES, (uint64_t)getpid());
	int result = log_begin(&log);
	if (result < 0)
		fail(to, strerror(-result));
	else
		status = salvage(&inspection, path, to);
	finish(&inspection);
	log_finish(&log);
	disk_close(disk);
	return status;
}
