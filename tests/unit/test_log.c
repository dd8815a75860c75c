/* The log where nobody reads it, where peers would like to be obeyed by a terminal, and under the journal. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"
#include "tests/lib/suite.h"

static int reader; /* what is read here was written to stderr */
static char text[1 << 20];

static void redirect(int writer, bool as_json)
{
	ck_assert_int_eq(dup2(writer, STDERR_FILENO), STDERR_FILENO);
	close(writer);
	log_setup(as_json, LOG_LEVEL_INFO);
}

static void redirect_to_pipe(void)
{
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	reader = ends[0];
	fcntl(reader, F_SETFL, O_NONBLOCK);
	redirect(ends[1], false);
}

static void redirect_to_socket(void)
{
	int ends[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	reader = ends[0];
	fcntl(reader, F_SETFL, O_NONBLOCK);
	redirect(ends[1], false);
}

static const char *read_log(void)
{
	size_t len = 0;
	ssize_t n;
	while ((n = read(reader, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return text;
}

static unsigned count_lines(const char *lines)
{
	unsigned n = 0;
	for (; (lines = strchr(lines, '\n')); lines++)
		n++;
	return n;
}

/* Returns when all of them are said, which is the point. */
static void fill_and_go_on(void)
{
	enum { LINES = 20000 };
	for (int i = 0; i < LINES; i++)
		log_info("line %d", i);
	uint64_t dropped = log_dropped();
	ck_assert_uint_gt(dropped, 0);
	ck_assert_uint_eq(count_lines(read_log()), LINES - dropped);
	log_info("it goes on");
	char told[100];
	snprintf(told, sizeof(told), " warning: %llu lines of the log were dropped", (unsigned long long)dropped);
	ck_assert_ptr_nonnull(strstr(read_log(), told));
	ck_assert_ptr_nonnull(strstr(text, " info: it goes on\n"));
	log_info("once");
	ck_assert_ptr_null(strstr(read_log(), "dropped"));
	ck_assert_uint_eq(log_dropped(), dropped);
}

START_TEST(a_full_pipe_holds_nobody_up_and_the_dropped_are_counted)
{
	redirect_to_pipe();
	fill_and_go_on();
}
END_TEST

START_TEST(nor_does_a_full_socket)
{
	redirect_to_socket();
	fill_and_go_on();
}
END_TEST

START_TEST(others_who_share_the_pipe_still_block)
{
	redirect_to_pipe();
	log_info("line");
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
}
END_TEST

START_TEST(nothing_that_a_terminal_obeys_is_written)
{
	static const char *const commands[] = {
		"\x1b",         "\x7f",
		"\n",           "\r",
		"\t",           "\b",
		"\xc2\x80",     "\xc2\x85",
		"\xc2\x9b",     "\xc2\x9f",
		"\xd8\x9c",     "\xe2\x80\x8e",
		"\xe2\x80\x8f", "\xe2\x80\xa8",
		"\xe2\x80\xa9", "\xe2\x80\xaa",
		"\xe2\x80\xae", "\xe2\x81\xa6",
		"\xe2\x81\xa9", "\xef\xbb\xbf",
		"\xef\xbf\xb9", "\xf3\xa0\x81\x81",
		"\x9b",         "\xff",
		"\xed\xa0\x80",
	};
	redirect_to_pipe();
	for (int as_json = 0; as_json < 2; as_json++) {
		log_setup(as_json, LOG_LEVEL_INFO);
		for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
			log_info("a%sb", commands[i]);
			size_t len = strlen(read_log());
			ck_assert_msg(!memmem(text, len - 1, commands[i], strlen(commands[i])), "%zu", i);
			ck_assert_msg(strstr(text, "a?") != NULL, "%zu: %s", i, text);
			ck_assert_msg(strstr(text, "?b") != NULL, "%zu: %s", i, text);
			ck_assert_uint_eq(count_lines(text), 1);
		}
	}
}
END_TEST

START_TEST(what_people_write_stays)
{
	static const char people[] =
		"caf\xc3\xa9 \xc2\xa0 \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xe6\x97\xa5 \xf0\x9f\x98\x80";
	redirect_to_pipe();
	log_info("%s", people);
	ck_assert_ptr_nonnull(strstr(read_log(), people));
}
END_TEST

static void set_journal(unsigned long long device, unsigned long long inode)
{
	char stream[64];
	snprintf(stream, sizeof(stream), "%llu:%llu", device, inode);
	setenv("JOURNAL_STREAM", stream, 1);
	log_setup(false, LOG_LEVEL_INFO);
}

START_TEST(the_journal_is_believed_if_it_is_stderr)
{
	struct stat status;
	redirect_to_socket();
	ck_assert_int_eq(fstat(STDERR_FILENO, &status), 0);
	set_journal(status.st_dev, status.st_ino);
	log_warning("line");
	ck_assert_str_eq(read_log(), "<4>line\n");
	set_journal(status.st_dev, status.st_ino + 1);
	log_warning("line");
	ck_assert_ptr_nonnull(strstr(read_log(), "Z warning: line\n"));
	set_journal(status.st_dev + 1, status.st_ino);
	log_warning("line");
	ck_assert_ptr_nonnull(strstr(read_log(), "Z warning: line\n"));
	setenv("JOURNAL_STREAM", "yes", 1);
	log_setup(false, LOG_LEVEL_INFO);
	log_warning("line");
	ck_assert_ptr_nonnull(strstr(read_log(), "Z warning: line\n"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_full_pipe_holds_nobody_up_and_the_dropped_are_counted,
		nor_does_a_full_socket,
		others_who_share_the_pipe_still_block,
		nothing_that_a_terminal_obeys_is_written,
		what_people_write_stays,
		the_journal_is_believed_if_it_is_stderr,
		NULL,
	};
	Suite *suite = suite_create("log");
	suite_case(suite, "all", NULL, NULL, tests);
	return suite_run(suite);
}
