#include "tests/lib/journal_fixture.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/daemon.h"

char *journal_folder;

struct running_journal running;

const struct disk_calls *journal_disk_calls;

void journal_setup(void)
{
	journal_folder = directory_create();
}

void journal_teardown(void)
{
	directory_destroy(journal_folder);
}

/* What was read, and what of it is lost. */
static struct {
	uint64_t records, sum;
	char losses[1000];
} found;

static int count_record(void *arg, const struct record *record, char *error)
{
	(void)arg, (void)error;
	found.records++;
	found.sum += record->place;
	return 0;
}

static void note_loss(void *arg, const char *what)
{
	(void)arg;
	strncat(found.losses, what, sizeof(found.losses) - strlen(found.losses) - 2);
	strcat(found.losses, "\n");
}

/* Reads running.disk. */
static int read_it(bool is_salvaged, char error[RECOVERY_ERROR_BYTES])
{
	memset(&found, 0, sizeof(found));
	static uint64_t random;
	segment_log_init(&running.log, running.disk, JOURNAL_SEGMENT, ++random);
	struct recovery recovery = {
		.log = &running.log, .on_record = count_record, .on_lost = is_salvaged ? note_loss : NULL};
	return recovery_read(&recovery, error);
}

struct disk_calls *journal_open_disk(bool read_only)
{
	static struct disk_calls calls;
	char error[DISK_ERROR_BYTES];
	running.disk = disk_open(journal_folder, read_only, error);
	ck_assert_msg(running.disk != NULL, "%s", error);
	journal_disk_calls = running.disk->calls;
	calls = *journal_disk_calls;
	running.disk->calls = &calls;
	return &calls;
}

void journal_start_on_disk(void)
{
	char error[RECOVERY_ERROR_BYTES];
	ck_assert_msg(read_it(false, error) == 0, "%s", error);
	ck_assert_int_eq(segment_log_begin(&running.log), 0);
	running.writer = writer_create(&running.log);
	ck_assert_ptr_nonnull(running.writer);
	ck_assert_int_eq(journal_init(&running.journal, &(struct journal_settings){.max_batch = JOURNAL_MAX_BATCH},
				      writer_carrier(running.writer), running.log.next),
			 0);
}

void journal_start(void)
{
	journal_open_disk(false);
	journal_start_on_disk();
}

void journal_stop(void)
{
	writer_destroy(running.writer);
	journal_finish(&running.journal);
	segment_log_finish(&running.log);
	disk_close(running.disk);
}

void journal_turn(void)
{
	static uint64_t now_us;
	for (uint64_t due_us; (due_us = journal_end_turn(&running.journal, now_us)) != UINT64_MAX; now_us = due_us)
		;
}

void journal_hear(void)
{
	struct pollfd descriptor = {.fd = writer_descriptor(running.writer), .events = POLLIN};
	ck_assert_int_eq(poll(&descriptor, 1, 60000), 1);
	writer_hear(running.writer);
	journal_notice(&running.journal);
	ck_assert_ptr_null(journal_failure(&running.journal));
	journal_turn();
}

void journal_wait(uint64_t batch)
{
	while (journal_committed(&running.journal) < batch)
		journal_hear();
}

void journal_put(uint64_t place, size_t len)
{
	static char bytes[1 << 22];
	record_write(journal_records(&running.journal),
		     &(struct record){.kind = RECORD_PUT, .channel = 1, .place = place, .value = {bytes, len}});
	journal_end_step(&running.journal);
}

void journal_write(uint64_t n)
{
	journal_start();
	for (uint64_t place = 1; place <= n; place++) {
		uint64_t batch = journal_batch(&running.journal);
		journal_put(place, 50);
		journal_turn();
		journal_wait(batch);
	}
	journal_stop();
}

/* Looks at running.disk, and closes it. */
static int look(bool is_salvaged, char error[RECOVERY_ERROR_BYTES])
{
	int result = read_it(is_salvaged, error);
	segment_log_finish(&running.log);
	disk_close(running.disk);
	return result;
}

uint64_t journal_expect_records(uint64_t records)
{
	char error[RECOVERY_ERROR_BYTES];
	journal_open_disk(true);
	ck_assert_msg(look(false, error) == 0, "%s", error);
	ck_assert_uint_eq(found.records, records);
	return found.sum;
}

void journal_expect_refusal(const char *why)
{
	char error[RECOVERY_ERROR_BYTES] = "";
	journal_open_disk(true);
	ck_assert_int_eq(look(false, error), -1);
	ck_assert_msg(strstr(error, why) != NULL, "\"%s\" is not in: %s", why, error);
}

uint64_t journal_expect_losses_on_disk(uint64_t records, const char *losses)
{
	char error[RECOVERY_ERROR_BYTES];
	ck_assert_msg(look(true, error) == 0, "%s", error);
	ck_assert_str_eq(found.losses, losses);
	ck_assert_uint_eq(found.records, records);
	return found.sum;
}

uint64_t journal_expect_losses(uint64_t records, const char *losses)
{
	journal_open_disk(true);
	return journal_expect_losses_on_disk(records, losses);
}

const char *journal_segment(uint64_t first)
{
	static char paths[2][400], (*path)[400] = paths;
	char name[SEGMENT_NAME_BYTES];
	segment_name(name, first);
	path = path == paths ? paths + 1 : paths;
	snprintf(*path, sizeof(*path), "%s/%s", journal_folder, name);
	return *path;
}

void journal_patch(uint64_t first, off_t offset, const char *bytes, size_t len)
{
	int fd = open(journal_segment(first), O_WRONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, len, offset), (ssize_t)len);
	close(fd);
}
