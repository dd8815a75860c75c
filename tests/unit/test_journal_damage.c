/* Journals that are not as they were left: what is read of them, and which are refused. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/journal_fixture.h"
#include "tests/lib/suite.h"

START_TEST(a_torn_end_is_left_out)
{
	journal_write(5);
	journal_patch(1, 5 * JOURNAL_BLOCK + 60, "x", 1);
	journal_expect_records(4);
	journal_write(2); /* and goes on from there */
	journal_expect_records(6);
}
END_TEST

START_TEST(a_bad_batch_with_a_whole_one_behind_it_is_damage)
{
	journal_write(5);
	journal_patch(1, 3 * JOURNAL_BLOCK + 60, "x", 1);
	journal_expect_refusal(
		"00000000000000000001.journal is damaged at offset 12288: batch 3 cannot be read, and batch 4 "
		"behind it is whole. Nothing was changed.");
}
END_TEST

START_TEST(a_journal_of_a_newer_version_is_refused)
{
	journal_write(1);
	journal_patch(1, 16, "\x02", 1);
	journal_expect_refusal("written by a newer millraced (format 2, this one knows 1)");
}
END_TEST

START_TEST(a_file_of_somebody_else_is_refused)
{
	journal_write(1);
	journal_patch(1, 0, "#!/bin/sh", 9);
	journal_expect_refusal("this is no journal of Millrace");
}
END_TEST

START_TEST(a_segment_that_is_missing_or_renamed_is_refused)
{
	char other[400];
	journal_write(2);
	journal_write(2);
	journal_write(2);
	snprintf(other, sizeof(other), "%s/aside", journal_folder);
	ck_assert_int_eq(rename(journal_segment(3), other), 0);
	journal_expect_refusal("batches 3 to 4 are missing before it");
	ck_assert_int_eq(rename(other, journal_segment(3)), 0);
	journal_expect_records(6);
	ck_assert_int_eq(rename(journal_segment(1), other), 0);
	journal_expect_refusal("the segments before it are missing");
	ck_assert_int_eq(rename(other, journal_segment(9)), 0);
	journal_expect_refusal("the file was renamed");
}
END_TEST

START_TEST(a_segment_that_was_cut_short_is_refused_if_it_lost_anything)
{
	journal_write(3);
	journal_write(1);
	ck_assert_int_eq(truncate(journal_segment(1), 4 * JOURNAL_BLOCK), 0);
	journal_expect_records(4);
	ck_assert_int_eq(truncate(journal_segment(1), 3 * JOURNAL_BLOCK), 0);
	journal_expect_refusal("batches 3 to 3 are missing before it");
	ck_assert_int_eq(truncate(journal_segment(1), 10), 0);
	journal_expect_refusal("its head is broken");
}
END_TEST

START_TEST(a_last_segment_that_was_cut_short_is_refused)
{
	journal_write(3);
	ck_assert_int_eq(truncate(journal_segment(1), 3 * JOURNAL_BLOCK), 0);
	journal_expect_refusal("00000000000000000001.journal is damaged at offset 12288: it was cut short, and had "
			       "1048576 bytes");
	journal_expect_losses(
		2, "00000000000000000001.journal at offset 12288: it was cut short, and had 1048576 bytes\n");
}
END_TEST

START_TEST(what_is_behind_the_size_of_a_segment_is_not_read)
{
	journal_write(3);
	ck_assert_int_eq(truncate(journal_segment(1), (off_t)1 << 42), 0); /* to read that takes minutes */
	journal_expect_records(3);
}
END_TEST

START_TEST(a_first_segment_of_which_nothing_is_left_is_damage)
{
	journal_write(2);
	journal_write(2);
	ck_assert_int_eq(truncate(journal_segment(1), JOURNAL_BLOCK), 0);
	journal_expect_refusal("00000000000000000003.journal is damaged at offset 0: batches 1 to 2 are missing "
			       "before it");
}
END_TEST

/* Whatever stands where a segment was: what was in it is not forgotten. */
START_TEST(what_has_a_segments_name_and_is_no_file_is_refused)
{
	char other[400];
	journal_write(2);
	journal_write(2);
	snprintf(other, sizeof(other), "%s/aside", journal_folder);
	ck_assert_int_eq(rename(journal_segment(3), other), 0);
	ck_assert_int_eq(symlink("nowhere", journal_segment(3)), 0);
	journal_expect_refusal("00000000000000000003.journal cannot be opened: No such file or directory");
	ck_assert_int_eq(unlink(journal_segment(3)), 0);
	ck_assert_int_eq(mkfifo(journal_segment(3), 0600), 0);
	journal_expect_refusal("00000000000000000003.journal cannot be read: Illegal seek");
	ck_assert_int_eq(unlink(journal_segment(3)), 0);
	ck_assert_int_eq(mkdir(journal_segment(3), 0700), 0);
	journal_expect_refusal("00000000000000000003.journal cannot be read: Is a directory");
	ck_assert_int_eq(rmdir(journal_segment(3)), 0);
	ck_assert_int_eq(rename(other, journal_segment(3)), 0);
	journal_expect_records(4);
}
END_TEST

START_TEST(a_record_of_an_unknown_kind_is_refused)
{
	journal_start();
	journal_put(1, 10);
	journal_records(&running.journal)->bytes[BATCH_HEAD_BYTES] = 100;
	journal_turn();
	journal_wait(1);
	journal_stop();
	journal_expect_refusal("in the batch at offset 4096, which this version does not know");
}
END_TEST

/* -- What can be kept of it -- */

/* The third block of every file is bad. */
static int64_t read_around(struct disk *disk, int handle, void *bytes, size_t len, uint64_t offset)
{
	bool is_bad = offset < 3 * JOURNAL_BLOCK && offset + len > 2 * JOURNAL_BLOCK;
	return is_bad ? -EIO : journal_disk_calls->read(disk, handle, bytes, len, offset);
}

START_TEST(what_the_disk_cannot_read_is_lost_and_no_more)
{
	journal_write(3);
	journal_write(3);
	ck_assert_int_eq(rename(journal_segment(4), journal_segment(99)), 0);
	ck_assert_int_eq(symlink("nowhere", journal_segment(4)), 0);
	journal_open_disk(true)->read = read_around;
	journal_expect_losses_on_disk(
		2, "00000000000000000001.journal at offset 8192: it cannot be read: Input/output error\n"
		   "00000000000000000001.journal at offset 8192: batch 2 cannot be read, and batch 3 behind it is "
		   "whole\n"
		   "00000000000000000004.journal at offset 0: it cannot be opened: No such file or directory\n"
		   "00000000000000000099.journal at offset 0: its head names another segment: the file was renamed\n");
}
END_TEST

/* Batches 2 and 3 were of one write, which the power cut: nobody was answered, and the next start has begun at 2. */
START_TEST(what_was_given_up_stays_given_up)
{
	journal_start();
	journal_put(1, 50);
	journal_turn();
	journal_wait(1);
	journal_put(1000, JOURNAL_MAX_BATCH);
	journal_put(2000, 50);
	journal_turn();
	journal_wait(3);
	journal_stop();
	journal_patch(1, 2 * JOURNAL_BLOCK + 100, "x", 1);
	journal_write(2);
	ck_assert_uint_eq(journal_expect_losses(3, ""), 1 + 1 + 2);
	journal_write(1);
	journal_expect_records(4);
}
END_TEST

START_TEST(a_segment_of_another_journal_is_left_out)
{
	char other[400];
	snprintf(other, sizeof(other), "%s/aside", journal_folder);
	journal_write(3);
	journal_write(3);
	ck_assert_int_eq(rename(journal_segment(4), other), 0);
	ck_assert_int_eq(unlink(journal_segment(1)), 0);
	journal_write(3);
	journal_write(1);
	ck_assert_int_eq(rename(other, journal_segment(4)), 0);
	journal_expect_refusal("batch 4 was expected, and it begins with 4: it is of another journal");
	journal_expect_losses(
		3, "00000000000000000004.journal at offset 0: batch 4 was expected, and it begins with 4: it is of "
		   "another journal\n");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_torn_end_is_left_out,
		a_bad_batch_with_a_whole_one_behind_it_is_damage,
		a_journal_of_a_newer_version_is_refused,
		a_file_of_somebody_else_is_refused,
		a_segment_that_is_missing_or_renamed_is_refused,
		a_segment_that_was_cut_short_is_refused_if_it_lost_anything,
		a_last_segment_that_was_cut_short_is_refused,
		what_is_behind_the_size_of_a_segment_is_not_read,
		a_first_segment_of_which_nothing_is_left_is_damage,
		what_has_a_segments_name_and_is_no_file_is_refused,
		a_record_of_an_unknown_kind_is_refused,
		what_the_disk_cannot_read_is_lost_and_no_more,
		what_was_given_up_stays_given_up,
		a_segment_of_another_journal_is_left_out,
		NULL,
	};
	Suite *suite = suite_create("journal: damage");
	suite_case(suite, "damage", journal_setup, journal_teardown, tests);
	return suite_run(suite);
}
