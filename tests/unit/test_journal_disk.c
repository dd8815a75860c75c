/* The journal on a real folder: its thread, its lock, and journals that are not as they were left. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/journal/recovery.h"
#include "daemon/journal/writer.h"
#include "tests/lib/daemon.h"
#include "tests/lib/suite.h"

enum { SEGMENT = 1 << 20, MAX_BATCH = 1 << 18 };

static char *directory;

static struct running { /* a journal that is open */
	struct disk *disk;
	struct log log;
	struct writer *writer;
	struct journal journal;
} running;

static void setup(void)
{
	directory = directory_create();
}

static void teardown(void)
{
	directory_destroy(directory);
}

/* What was read. */
static struct {
	uint64_t records, sum;
} found;

static int count_record(void *arg, const struct record *record, char *error)
{
	(void)arg, (void)error;
	found.records++;
	found.sum += record->place;
	return 0;
}

static int read_journal(struct disk *disk, struct log *log, char error[RECOVERY_ERROR_BYTES])
{
	memset(&found, 0, sizeof(found));
	log_init(log, disk, SEGMENT, 1);
	struct recovery recovery = {.log = log, .on_record = count_record};
	return recovery_read(&recovery, error);
}

/* On running.disk. */
static void begin_journal(void)
{
	char error[RECOVERY_ERROR_BYTES];
	ck_assert_msg(read_journal(running.disk, &running.log, error) == 0, "%s", error);
	ck_assert_int_eq(log_begin(&running.log), 0);
	running.writer = writer_create(&running.log);
	ck_assert_ptr_nonnull(running.writer);
	ck_assert_int_eq(journal_init(&running.journal, &(struct journal_settings){.max_batch = MAX_BATCH},
				      writer_carrier(running.writer), running.log.next),
			 0);
}

static void start_journal(void)
{
	char error[RECOVERY_ERROR_BYTES];
	running.disk = disk_open(directory, false, error);
	ck_assert_msg(running.disk != NULL, "%s", error);
	begin_journal();
}

static void stop_journal(void)
{
	writer_destroy(running.writer);
	journal_finish(&running.journal);
	log_finish(&running.log);
	disk_close(running.disk);
}

/* The end of a turn; where that asks to be called again later, it is later at once. */
static void end_turn(void)
{
	static uint64_t now_us;
	for (uint64_t due_us; (due_us = journal_end_turn(&running.journal, now_us)) != UINT64_MAX; now_us = due_us)
		;
}

static void wait_until_committed(uint64_t number)
{
	struct pollfd descriptor = {.fd = writer_descriptor(running.writer), .events = POLLIN};
	while (journal_committed(&running.journal) < number) {
		ck_assert_int_eq(poll(&descriptor, 1, 60000), 1);
		writer_hear(running.writer);
		journal_notice(&running.journal);
		ck_assert_ptr_null(journal_failure(&running.journal));
		end_turn();
	}
}

static void put(uint64_t place, size_t len)
{
	static char bytes[1 << 22];
	record_write(journal_records(&running.journal),
		     &(struct record){.kind = RECORD_PUT, .channel = 1, .place = place, .value = {bytes, len}});
	journal_end_step(&running.journal);
}

/* Writes so many records, each committed before the next. */
static void write_records(uint64_t n)
{
	start_journal();
	for (uint64_t place = 1; place <= n; place++) {
		uint64_t batch = journal_batch(&running.journal);
		put(place, 50);
		end_turn();
		wait_until_committed(batch);
	}
	stop_journal();
}

static void expect_read(uint64_t records)
{
	char error[RECOVERY_ERROR_BYTES];
	struct log log;
	struct disk *disk = disk_open(directory, true, error);
	ck_assert_ptr_nonnull(disk);
	ck_assert_msg(read_journal(disk, &log, error) == 0, "%s", error);
	ck_assert_uint_eq(found.records, records);
	log_finish(&log);
	disk_close(disk);
}

static void expect_refused(const char *why)
{
	char error[RECOVERY_ERROR_BYTES] = "";
	struct log log;
	struct disk *disk = disk_open(directory, true, error);
	ck_assert_ptr_nonnull(disk);
	ck_assert_int_eq(read_journal(disk, &log, error), -1);
	ck_assert_msg(strstr(error, why) != NULL, "\"%s\" is not in: %s", why, error);
	log_finish(&log);
	disk_close(disk);
}

/* Changes bytes of a segment. */
static void patch(uint64_t first, off_t offset, const char *bytes, size_t len)
{
	char name[SEGMENT_NAME_BYTES], path[400];
	segment_name(name, first);
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	int fd = open(path, O_WRONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, len, offset), (ssize_t)len);
	close(fd);
}

START_TEST(what_was_committed_is_read_at_the_next_start)
{
	write_records(5);
	expect_read(5);
	write_records(3);
	expect_read(8);
}
END_TEST

START_TEST(records_of_many_batches_and_segments_come_back_in_order)
{
	start_journal();
	for (uint64_t place = 1; place <= 64; place++) {
		put(place, MAX_BATCH);
		end_turn();
	}
	wait_until_committed(64);
	ck_assert_uint_gt(running.log.n_segments, 10);
	stop_journal();
	expect_read(64);
	ck_assert_uint_eq(found.sum, 64 * 65 / 2);
}
END_TEST

START_TEST(a_batch_that_is_larger_than_a_segment_gets_one_of_its_own_size)
{
	start_journal();
	put(1, 3 * SEGMENT);
	end_turn();
	put(2, 3 * SEGMENT);
	wait_until_committed(2);
	stop_journal();
	expect_read(2);
}
END_TEST

START_TEST(a_run_waits_for_others_as_long_as_it_may)
{
	start_journal();
	running.journal.settings.max_delay_us = 1000;
	put(1, 10);
	ck_assert_uint_eq(journal_end_turn(&running.journal, 5000), 6000);
	put(2, 10);
	ck_assert_uint_eq(journal_end_turn(&running.journal, 5999), 6000);
	ck_assert_uint_eq(journal_batch(&running.journal), 1);
	ck_assert_uint_eq(journal_end_turn(&running.journal, 6000), UINT64_MAX);
	ck_assert_uint_eq(journal_batch(&running.journal), 2);
	wait_until_committed(1);
	put(3, MAX_BATCH); /* and not at all, once it is large enough */
	ck_assert_uint_eq(journal_end_turn(&running.journal, 6001), UINT64_MAX);
	wait_until_committed(2);
	stop_journal();
	expect_read(3);
}
END_TEST

START_TEST(where_runs_are_short_what_comes_next_was_written_before)
{
	start_journal();
	put(1, 10);
	end_turn();
	wait_until_committed(1);
	stop_journal();
	ck_assert_uint_gt(running.log.filled, running.log.at + MAX_BATCH / 2);
	start_journal();
	put(2, SEGMENT / 2);
	end_turn();
	wait_until_committed(2);
	stop_journal();
	ck_assert_uint_le(running.log.filled, running.log.at); /* a long one is as quick without */
	expect_read(2);
}
END_TEST

static const struct disk_calls *real_calls;
static unsigned refusals;

/* Of what is allocated only what records need is there, as on a thin volume. */
static int write_records_alone(struct disk *disk, int handle, const void *bytes, size_t len, uint64_t offset)
{
	const char *at = bytes;
	if (len <= MAX_BATCH / 2 || at[0] != 0)
		return real_calls->write(disk, handle, bytes, len, offset);
	refusals++;
	return -ENOSPC;
}

START_TEST(where_there_is_no_room_nothing_is_written_before)
{
	start_journal();
	put(1, 10);
	end_turn();
	wait_until_committed(1);
	stop_journal();

	char error[DISK_ERROR_BYTES];
	running.disk = disk_open(directory, false, error);
	ck_assert_msg(running.disk != NULL, "%s", error);
	real_calls = running.disk->calls;
	struct disk_calls calls = *real_calls;
	calls.write = write_records_alone;
	running.disk->calls = &calls;
	begin_journal();
	for (uint64_t place = 2; place <= 9; place++) {
		put(place, 10);
		end_turn();
		wait_until_committed(place);
	}
	stop_journal();
	ck_assert_uint_eq(refusals, 1); /* it is not tried again in that segment */
	expect_read(9);
}
END_TEST

START_TEST(a_checkpoint_lets_old_segments_go_and_they_serve_again)
{
	start_journal();
	for (uint64_t place = 1; place <= 40; place++) {
		put(place, MAX_BATCH);
		end_turn();
	}
	wait_until_committed(40);
	size_t before = running.log.n_segments;
	journal_begin_checkpoint(&running.journal);
	put(41, 10);
	journal_end_checkpoint(&running.journal);
	end_turn();
	wait_until_committed(41);
	ck_assert_uint_eq(running.journal.checkpoints, 1);
	stop_journal(); /* the thread ends with its work done */
	ck_assert_uint_gt(before, 5);
	start_journal();
	ck_assert_uint_le(running.log.n_segments, 3);
	stop_journal();
}
END_TEST

START_TEST(a_second_daemon_on_the_folder_is_refused)
{
	char error[DISK_ERROR_BYTES], pid[32];
	start_journal();
	ck_assert_ptr_null(disk_open(directory, false, error));
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	ck_assert_msg(strstr(error, "in use by another millraced") && strstr(error, pid), "%s", error);
	struct disk *reader = disk_open(directory, true, error); /* to look is allowed */
	ck_assert_ptr_nonnull(reader);
	disk_close(reader);
	stop_journal();
}
END_TEST

START_TEST(the_last_part_of_a_path_is_made_and_no_more)
{
	char error[DISK_ERROR_BYTES], path[400];
	snprintf(path, sizeof(path), "%s/a/b", directory);
	ck_assert_ptr_null(disk_open(path, false, error));
	ck_assert_ptr_nonnull(strstr(error, "cannot be made: No such file"));
	snprintf(path, sizeof(path), "%s/a", directory);
	struct disk *disk = disk_open(path, false, error);
	ck_assert_msg(disk != NULL, "%s", error);
	disk_close(disk);
	char lock[410];
	snprintf(lock, sizeof(lock), "%s/lock", path);
	unlink(lock);
	rmdir(path);
}
END_TEST

START_TEST(a_torn_end_is_left_out)
{
	write_records(5);
	patch(1, 5 * JOURNAL_BLOCK + 60, "x", 1);
	expect_read(4);
	write_records(2); /* and goes on from there */
	expect_read(6);
}
END_TEST

START_TEST(a_bad_batch_with_a_whole_one_behind_it_is_damage)
{
	write_records(5);
	patch(1, 3 * JOURNAL_BLOCK + 60, "x", 1);
	expect_refused("00000000000000000001.journal is damaged at offset 12288: batch 3 cannot be read, and batch 4 "
		       "behind it is whole. Nothing was changed.");
}
END_TEST

START_TEST(a_journal_of_a_newer_version_is_refused)
{
	write_records(1);
	patch(1, 16, "\x02", 1);
	expect_refused("written by a newer millraced (format 2, this one knows 1)");
}
END_TEST

START_TEST(a_file_of_somebody_else_is_refused)
{
	write_records(1);
	patch(1, 0, "#!/bin/sh", 9);
	expect_refused("this is no journal of Millrace");
}
END_TEST

START_TEST(a_segment_that_is_missing_or_renamed_is_refused)
{
	char name[SEGMENT_NAME_BYTES], path[400], other[400];
	write_records(2);
	write_records(2);
	write_records(2);
	segment_name(name, 3);
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	snprintf(other, sizeof(other), "%s/aside", directory);
	ck_assert_int_eq(rename(path, other), 0);
	expect_refused("batches 3 to 4 are missing before it");
	ck_assert_int_eq(rename(other, path), 0);
	expect_read(6);
	segment_name(name, 1);
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	ck_assert_int_eq(rename(path, other), 0);
	expect_refused("the segments before it are missing");
	segment_name(name, 9);
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	ck_assert_int_eq(rename(other, path), 0);
	expect_refused("the file was renamed");
}
END_TEST

START_TEST(a_segment_that_was_cut_short_is_refused_if_it_lost_anything)
{
	char name[SEGMENT_NAME_BYTES], path[400];
	write_records(3);
	write_records(1);
	segment_name(name, 1);
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	ck_assert_int_eq(truncate(path, 4 * JOURNAL_BLOCK), 0);
	expect_read(4);
	ck_assert_int_eq(truncate(path, 3 * JOURNAL_BLOCK), 0);
	expect_refused("batches 3 to 3 are missing before it");
	ck_assert_int_eq(truncate(path, 10), 0);
	expect_refused("its head is broken");
}
END_TEST

START_TEST(a_record_of_an_unknown_kind_is_refused)
{
	start_journal();
	put(1, 10);
	journal_records(&running.journal)->bytes[BATCH_HEAD_BYTES] = 100;
	end_turn();
	wait_until_committed(1);
	stop_journal();
	expect_refused("in the batch at offset 4096, which this version does not know");
}
END_TEST

START_TEST(a_folder_without_rights_says_so)
{
	char error[DISK_ERROR_BYTES];
	if (geteuid() == 0)
		return; /* root may do all */
	chmod(directory, 0500);
	ck_assert_ptr_null(disk_open(directory, false, error));
	ck_assert_ptr_nonnull(strstr(error, "Permission denied"));
	chmod(directory, 0700);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		what_was_committed_is_read_at_the_next_start,
		records_of_many_batches_and_segments_come_back_in_order,
		a_batch_that_is_larger_than_a_segment_gets_one_of_its_own_size,
		a_run_waits_for_others_as_long_as_it_may,
		where_runs_are_short_what_comes_next_was_written_before,
		where_there_is_no_room_nothing_is_written_before,
		a_checkpoint_lets_old_segments_go_and_they_serve_again,
		a_second_daemon_on_the_folder_is_refused,
		the_last_part_of_a_path_is_made_and_no_more,
		a_torn_end_is_left_out,
		a_bad_batch_with_a_whole_one_behind_it_is_damage,
		a_journal_of_a_newer_version_is_refused,
		a_file_of_somebody_else_is_refused,
		a_segment_that_is_missing_or_renamed_is_refused,
		a_segment_that_was_cut_short_is_refused_if_it_lost_anything,
		a_record_of_an_unknown_kind_is_refused,
		a_folder_without_rights_says_so,
		NULL,
	};
	Suite *suite = suite_create("journal: disk");
	suite_case(suite, "disk", setup, teardown, tests);
	return suite_run(suite);
}
