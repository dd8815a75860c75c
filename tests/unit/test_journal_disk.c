/* The journal on a real folder: its thread, its lock, and its segments as they come and go. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/journal_fixture.h"
#include "tests/lib/suite.h"

START_TEST(what_was_committed_is_read_at_the_next_start)
{
	journal_write(5);
	journal_expect_records(5);
	journal_write(3);
	journal_expect_records(8);
}
END_TEST

START_TEST(records_of_many_batches_and_segments_come_back_in_order)
{
	journal_start();
	for (uint64_t place = 1; place <= 64; place++) {
		journal_put(place, JOURNAL_MAX_BATCH);
		journal_turn();
	}
	journal_wait(64);
	ck_assert_uint_gt(running.log.n_segments, 10);
	journal_stop();
	ck_assert_uint_eq(journal_expect_records(64), 64 * 65 / 2);
}
END_TEST

START_TEST(a_batch_that_is_larger_than_a_segment_gets_one_of_its_own_size)
{
	journal_start();
	journal_put(1, 3 * JOURNAL_SEGMENT);
	journal_turn();
	journal_put(2, 3 * JOURNAL_SEGMENT);
	journal_wait(2);
	journal_stop();
	journal_expect_records(2);
}
END_TEST

/* The segment that the start has begun has no batch yet, and the one that follows has the same name. */
START_TEST(a_first_batch_that_is_larger_than_its_segment_takes_the_place_of_that)
{
	journal_write(3);
	journal_start();
	journal_begin_checkpoint(&running.journal);
	journal_put(4, 3 * JOURNAL_SEGMENT);
	journal_end_checkpoint(&running.journal);
	journal_turn();
	journal_wait(4);
	journal_stop(); /* the thread ends with its work done */
	ck_assert_uint_eq(running.log.n_segments, 2);
	journal_expect_records(3); /* with those of the checkpoint */
}
END_TEST

START_TEST(a_run_waits_for_others_as_long_as_it_may)
{
	journal_start();
	running.journal.settings.max_delay_us = 1000;
	journal_put(1, 10);
	ck_assert_uint_eq(journal_end_turn(&running.journal, 5000), 6000);
	journal_put(2, 10);
	ck_assert_uint_eq(journal_end_turn(&running.journal, 5999), 6000);
	ck_assert_uint_eq(journal_batch(&running.journal), 1);
	ck_assert_uint_eq(journal_end_turn(&running.journal, 6000), UINT64_MAX);
	ck_assert_uint_eq(journal_batch(&running.journal), 2);
	journal_wait(1);
	journal_put(3, JOURNAL_MAX_BATCH); /* and not at all, once it is large enough */
	ck_assert_uint_eq(journal_end_turn(&running.journal, 6001), UINT64_MAX);
	journal_wait(2);
	journal_stop();
	journal_expect_records(3);
}
END_TEST

START_TEST(where_runs_are_short_what_comes_next_was_written_before)
{
	journal_start();
	journal_put(1, 10);
	journal_turn();
	journal_wait(1);
	journal_stop();
	ck_assert_uint_gt(running.log.filled, running.log.at + JOURNAL_MAX_BATCH / 2);
	journal_start();
	journal_put(2, JOURNAL_SEGMENT / 2);
	journal_turn();
	journal_wait(2);
	journal_stop();
	ck_assert_uint_le(running.log.filled, running.log.at); /* a long one is as quick without */
	journal_expect_records(2);
}
END_TEST

static unsigned refusals;

/* Of what is allocated only what records need is there, as on a thin volume. */
static int write_records_alone(struct disk *disk, int handle, const void *bytes, size_t len, uint64_t offset)
{
	const char *at = bytes;
	if (len <= JOURNAL_MAX_BATCH / 2 || at[0] != 0)
		return journal_disk_calls->write(disk, handle, bytes, len, offset);
	refusals++;
	return -ENOSPC;
}

START_TEST(where_there_is_no_room_nothing_is_written_before)
{
	journal_start();
	journal_put(1, 10);
	journal_turn();
	journal_wait(1);
	journal_stop();

	journal_open_disk(false)->write = write_records_alone;
	journal_start_on_disk();
	for (uint64_t place = 2; place <= 9; place++) {
		journal_put(place, 10);
		journal_turn();
		journal_wait(place);
	}
	journal_stop();
	ck_assert_uint_eq(refusals, 1); /* it is not tried again in that segment */
	journal_expect_records(9);
}
END_TEST

static bool is_full;

static int allocate_unless_full(struct disk *disk, int handle, uint64_t size)
{
	return is_full ? -ENOSPC : journal_disk_calls->allocate(disk, handle, size);
}

/* Hands over so many puts of so many bytes, for which there is no room at first. */
static void put_where_there_is_no_room(uint64_t puts, size_t len)
{
	journal_open_disk(false)->allocate = allocate_unless_full;
	journal_start_on_disk();
	is_full = true;
	for (uint64_t place = 1; place <= puts; place++)
		journal_put(place, len);
	journal_turn();
	while (!running.journal.status.waits_for_room)
		journal_hear();
	ck_assert_uint_eq(journal_committed(&running.journal), 0);
	is_full = false;
	running.journal.carrier->calls->drop_before(running.journal.carrier, 1); /* it looks at once */
	journal_wait(journal_last_batch(&running.journal));
	journal_stop();
	journal_expect_records(puts);
}

START_TEST(a_run_waits_where_there_is_no_room_for_its_segment)
{
	put_where_there_is_no_room(9, JOURNAL_MAX_BATCH); /* a segment has room for three */
}
END_TEST

/* There is a spare, which is too small for it. */
START_TEST(a_batch_that_is_larger_than_a_segment_waits_for_room_too)
{
	put_where_there_is_no_room(1, 3 * JOURNAL_SEGMENT);
}
END_TEST

START_TEST(a_checkpoint_lets_old_segments_go_and_they_serve_again)
{
	journal_start();
	for (uint64_t place = 1; place <= 40; place++) {
		journal_put(place, JOURNAL_MAX_BATCH);
		journal_turn();
	}
	journal_wait(40);
	size_t before = running.log.n_segments;
	journal_begin_checkpoint(&running.journal);
	journal_put(41, 10);
	journal_end_checkpoint(&running.journal);
	journal_turn();
	journal_wait(41);
	ck_assert_uint_eq(running.journal.checkpoints, 1);
	journal_stop(); /* the thread ends with its work done */
	ck_assert_uint_gt(before, 5);
	journal_start();
	ck_assert_uint_le(running.log.n_segments, 3);
	journal_stop();
}
END_TEST

START_TEST(a_second_daemon_on_the_folder_is_refused)
{
	char error[DISK_ERROR_BYTES], pid[32];
	journal_start();
	ck_assert_ptr_null(disk_open(journal_folder, false, error));
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	ck_assert_msg(strstr(error, "in use by another millraced") && strstr(error, pid), "%s", error);
	struct disk *reader = disk_open(journal_folder, true, error); /* to look is allowed */
	ck_assert_ptr_nonnull(reader);
	disk_close(reader);
	journal_stop();
}
END_TEST

START_TEST(the_last_part_of_a_path_is_made_and_no_more)
{
	char error[DISK_ERROR_BYTES], path[400];
	snprintf(path, sizeof(path), "%s/a/b", journal_folder);
	ck_assert_ptr_null(disk_open(path, false, error));
	ck_assert_ptr_nonnull(strstr(error, "cannot be made: No such file"));
	snprintf(path, sizeof(path), "%s/a", journal_folder);
	struct disk *disk = disk_open(path, false, error);
	ck_assert_msg(disk != NULL, "%s", error);
	disk_close(disk);
	char lock[410];
	snprintf(lock, sizeof(lock), "%s/lock", path);
	unlink(lock);
	rmdir(path);
}
END_TEST

START_TEST(a_folder_without_rights_says_so)
{
	char error[DISK_ERROR_BYTES];
	if (geteuid() == 0)
		return; /* root may do all */
	chmod(journal_folder, 0500);
	ck_assert_ptr_null(disk_open(journal_folder, false, error));
	ck_assert_ptr_nonnull(strstr(error, "Permission denied"));
	chmod(journal_folder, 0700);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		what_was_committed_is_read_at_the_next_start,
		records_of_many_batches_and_segments_come_back_in_order,
		a_batch_that_is_larger_than_a_segment_gets_one_of_its_own_size,
		a_first_batch_that_is_larger_than_its_segment_takes_the_place_of_that,
		a_run_waits_for_others_as_long_as_it_may,
		where_runs_are_short_what_comes_next_was_written_before,
		where_there_is_no_room_nothing_is_written_before,
		a_run_waits_where_there_is_no_room_for_its_segment,
		a_batch_that_is_larger_than_a_segment_waits_for_room_too,
		a_checkpoint_lets_old_segments_go_and_they_serve_again,
		a_second_daemon_on_the_folder_is_refused,
		the_last_part_of_a_path_is_made_and_no_more,
		a_folder_without_rights_says_so,
		NULL,
	};
	Suite *suite = suite_create("journal: disk");
	suite_case(suite, "disk", journal_setup, journal_teardown, tests);
	return suite_run(suite);
}
