/* The daemon's inside, turn by turn: what one connection's requests may write in one of them, or look at, and that they
 * go on by themselves in the next. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/session/session.h"
#include "proto/frame.h"
#include "tests/lib/inside.h"
#include "tests/lib/suite.h"
#include "tests/lib/system.h"

enum {
	VALUE_BYTES = 60000,
	PEEKS = 100,
	MAX_OUTPUT = 64 * PEEKS * 1024, /* more than all replies: nobody is ever full */
};

static struct inside inside;
static struct buffer received;

static void setup(void)
{
	ck_assert_int_eq(inside_start(&inside), 0);
	inside.sessions.limits.max_output = MAX_OUTPUT;
	stream_group_set_max_buffers(inside.streams, UINT64_MAX);
}

static void teardown(void)
{
	inside_run(&inside);
	ck_assert_uint_eq(inside.sessions.n, 0);
	inside_stop(&inside);
	buffer_finish(&received);
}

static void append_frame(struct buffer *out, const char *body)
{
	size_t mark = frame_begin(out);
	buffer_append(out, body, strlen(body));
	frame_end(out, mark);
}

static void send_all(int fd, struct buffer *frames)
{
	while (buffer_len(frames) > 0) {
		ssize_t n = write(fd, frames->bytes + frames->start, buffer_len(frames));
		ck_assert(n > 0 || errno == EAGAIN);
		if (n > 0)
			buffer_consume(frames, (size_t)n);
		else
			inside_run(&inside);
	}
	buffer_finish(frames);
}

static void put_value(int fd)
{
	static char body[VALUE_BYTES + 100];
	struct buffer frames = {0};
	snprintf(body, sizeof(body), "{\"op\":\"put\",\"channel\":\"d\",\"value\":\"%0*d\"}", VALUE_BYTES, 0);
	append_frame(&frames, body);
	send_all(fd, &frames);
	inside_run(&inside);
}

/* In one write, of which the daemon has seen nothing yet. */
static void send_peeks(int fd)
{
	struct buffer frames = {0};
	for (int i = 0; i < PEEKS; i++) {
		char body[64];
		snprintf(body, sizeof(body), "{\"id\":%d,\"op\":\"peek\",\"channel\":\"d\"}", i);
		append_frame(&frames, body);
	}
	ck_assert_int_eq(write(fd, frames.bytes, buffer_len(&frames)), (ssize_t)buffer_len(&frames));
	buffer_finish(&frames);
}

/* Replies have to come in the order of their ids. */
static int read_replies(int fd, int expected)
{
	char bytes[65536];
	ssize_t n;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		buffer_append(&received, bytes, (size_t)n);
	struct slice body;
	size_t used;
	while (frame_next(buffer_slice(&received), VALUE_BYTES + 1024, &body, &used, NULL) == FRAME_WHOLE) {
		struct message_reply reply;
		ck_assert_int_eq(message_decode_reply((char *)body.bytes, body.len, &reply), 0);
		ck_assert_int_eq((int)reply.id, expected);
		ck_assert_uint_gt(used, VALUE_BYTES);
		expected++;
		buffer_consume(&received, used);
	}
	return expected;
}

static uint64_t written(void)
{
	return stream_written(&inside.sessions.first->stream);
}

/* Runs the turns in which they come, the peer saying nothing more. */
static void expect_all(int fd)
{
	int expected = 0;
	for (int turns = 0; expected < PEEKS; turns++) {
		uint64_t before = written();
		inside_turn(&inside);
		ck_assert_uint_le(written() - before, TURN_OUTPUT_BYTES + VALUE_BYTES + 1024);
		expected = read_replies(fd, expected);
		ck_assert_int_lt(turns, 100 * PEEKS);
	}
}

START_TEST(a_turn_is_over_for_who_has_written_much_and_goes_on_in_the_next)
{
	int fd = inside_connect(&inside);
	put_value(fd);
	send_peeks(fd);
	expect_all(fd);
	close(fd);
}
END_TEST

START_TEST(a_peer_that_does_not_read_keeps_nobody_busy)
{
	int fd = inside_connect(&inside), other = inside_connect(&inside);
	put_value(fd);
	close(other);
	inside_run(&inside);
	send_peeks(fd);
	inside_run(&inside); /* which comes to an end */
	ck_assert_uint_gt(written(), (uint64_t)PEEKS * VALUE_BYTES);
	expect_all(fd);
	close(fd);
}
END_TEST

START_TEST(a_full_one_waits_until_it_is_read)
{
	inside.sessions.limits.max_output = 65536;
	int fd = inside_connect(&inside);
	put_value(fd);
	send_peeks(fd);
	inside_run(&inside); /* which comes to an end */
	ck_assert_uint_lt(written(), 4 * VALUE_BYTES);
	expect_all(fd);
	close(fd);
}
END_TEST

/* -- Pages -- */

enum { CHANNELS = 2500, LISTS = 40 };

static void create_channels(void)
{
	static const struct core_limits limits = {
		.max_memory = MIB, .max_channels = 2 * CHANNELS, .max_inflight = 10, .max_waiters = 10};
	struct core_event event = {.op = CORE_SET_LIMITS, .limits = &limits};
	broker_step(&inside.broker, &event);
	for (int i = 0; i < CHANNELS; i++) {
		char name[32];
		snprintf(name, sizeof(name), "z%05d", i);
		struct core_event create = {.op = CORE_CREATE,
					    .channel = slice_from(name),
					    .definition = {.kind = KIND_BOUNDED, .capacity = 1}};
		ck_assert_int_eq(broker_step(&inside.broker, &create), ERROR_NONE);
	}
}

static void send_text(int fd, const char *body)
{
	struct buffer frames = {0};
	append_frame(&frames, body);
	send_all(fd, &frames);
}

/* The next whole reply that has come, as text that lasts until the next call; NULL: none yet. */
static const char *read_text(int fd)
{
	static char text[80000];
	char bytes[65536];
	ssize_t n;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		buffer_append(&received, bytes, (size_t)n);
	struct slice body;
	size_t used;
	if (frame_next(buffer_slice(&received), 70000, &body, &used, NULL) != FRAME_WHOLE)
		return NULL;
	snprintf(text, sizeof(text), "%.*s", (int)body.len, body.bytes);
	buffer_consume(&received, used);
	return text;
}

static const char *ask(int fd, const char *body)
{
	const char *reply;
	send_text(fd, body);
	for (int turns = 0; !(reply = read_text(fd)); turns++) {
		ck_assert_int_lt(turns, 100);
		inside_turn(&inside);
		fake_system.now_us++;
	}
	return reply;
}

START_TEST(a_page_ends_after_a_thousand_rows_that_it_does_not_show)
{
	create_channels();
	int fd = inside_connect(&inside);
	ck_assert_str_eq(ask(fd, "{\"id\":1,\"op\":\"list\",\"match\":\"q*\"}"),
			 "{\"id\":1,\"status\":\"ok\",\"channels\":[],\"more\":true,\"next\":\"z00993\"}");
	ck_assert_str_eq(ask(fd, "{\"id\":2,\"op\":\"list\",\"match\":\"q*\",\"after\":\"z00993\"}"),
			 "{\"id\":2,\"status\":\"ok\",\"channels\":[],\"more\":true,\"next\":\"z01993\"}");
	ck_assert_str_eq(ask(fd, "{\"id\":3,\"op\":\"list\",\"match\":\"q*\",\"after\":\"z01993\"}"),
			 "{\"id\":3,\"status\":\"ok\",\"channels\":[],\"more\":false}");
	close(fd);
}
END_TEST

START_TEST(a_page_that_is_full_says_what_comes_next)
{
	create_channels();
	int fd = inside_connect(&inside);
	const char *reply = ask(fd, "{\"id\":1,\"op\":\"list\",\"match\":\"z*\",\"limit\":2}");
	ck_assert_ptr_nonnull(strstr(reply, "\"more\":true,\"next\":\"z00001\"}"));
	reply = ask(fd, "{\"id\":2,\"op\":\"list\",\"match\":\"z*\",\"limit\":100000}"); /* a frame is full first */
	ck_assert_uint_le(strlen(reply), 65536 + 1024);
	const char *next = strstr(reply, "\"more\":true,\"next\":\"z00");
	ck_assert_ptr_nonnull(next);
	char last[64];
	snprintf(last, sizeof(last), "{\"channel\":\"%.6s\"", strstr(next, "z00"));
	ck_assert_ptr_nonnull(strstr(reply, last)); /* behind the last row that is there */
	close(fd);
}
END_TEST

START_TEST(pages_of_many_requests_go_on_in_other_turns)
{
	create_channels();
	int fds[3], replies = 0;
	for (int i = 0; i < 3; i++) {
		fds[i] = inside_connect(&inside);
		struct buffer frames = {0};
		for (int id = 0; id < LISTS; id++) {
			char body[64];
			snprintf(body, sizeof(body), "{\"id\":%d,\"op\":\"list\",\"match\":\"q*\"}", id);
			append_frame(&frames, body);
		}
		ck_assert_int_eq(write(fds[i], frames.bytes, buffer_len(&frames)), (ssize_t)buffer_len(&frames));
		buffer_finish(&frames);
	}
	for (int turns = 0; replies < 3 * LISTS; turns++) {
		inside.sessions.turn_rows = 0;
		inside_turn(&inside);
		fake_system.now_us++;
		ck_assert_uint_le(inside.sessions.turn_rows, TURN_ROWS + 3 * PAGE_MIN_ROWS);
		for (int i = 0; i < 3; i++) {
			while (read_text(fds[i]))
				replies++;
			ck_assert_uint_eq(buffer_len(&received), 0);
		}
		ck_assert_int_lt(turns, 3 * LISTS);
	}
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}
END_TEST

START_TEST(a_page_of_waiters_says_what_comes_next)
{
	int fd = inside_connect(&inside);
	for (int id = 1; id <= 4; id++) {
		char body[64];
		snprintf(body, sizeof(body), "{\"id\":%d,\"op\":\"take\",\"channel\":\"a\"}", id);
		send_text(fd, body);
	}
	inside_run(&inside);
	const char *reply = ask(fd, "{\"id\":9,\"op\":\"waiters\",\"channel\":\"a\",\"limit\":3}");
	ck_assert_ptr_nonnull(strstr(reply, "\"more\":true,\"next\":3}"));
	ask(fd, "{\"id\":8,\"op\":\"cancel\",\"request\":3}"); /* the reply to 3 comes first */
	ck_assert_ptr_nonnull(read_text(fd));
	reply = ask(fd, "{\"id\":9,\"op\":\"waiters\",\"channel\":\"a\",\"after\":3}");
	ck_assert_ptr_nonnull(strstr(reply, "\"waiters\":[{\"seq\":4,"));
	ck_assert_ptr_nonnull(strstr(reply, "\"more\":false}"));
	close(fd);
}
END_TEST

/* Freeing many values goes on for many turns in which nothing is sent or received. */
START_TEST(a_run_ends_once_nothing_is_left_to_do)
{
	static const struct core_limits limits = {
		.max_memory = MIB, .max_channels = 10, .max_inflight = 10, .max_waiters = 10, .turn_work = 1};
	struct core_event event = {.op = CORE_SET_LIMITS, .limits = &limits};
	broker_step(&inside.broker, &event);
	int fd = inside_connect(&inside);
	ask(fd, "{\"id\":1,\"op\":\"create\",\"channel\":\"many\",\"kind\":\"bounded\",\"capacity\":20}");
	ask(fd, "{\"id\":2,\"op\":\"put\",\"channel\":\"many\",\"values\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14]}");
	ask(fd, "{\"id\":3,\"op\":\"delete\",\"channel\":\"many\",\"force\":true}");
	ck_assert(core_has_backlog(inside.core));
	ck_assert(!inside_is_settled(&inside));
	inside_run(&inside);
	ck_assert(!core_has_backlog(inside.core));
	ck_assert(inside_is_settled(&inside));
	close(fd);
	ck_assert(!inside_is_settled(&inside)); /* its end is there to be read */
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_run_ends_once_nothing_is_left_to_do,
		a_turn_is_over_for_who_has_written_much_and_goes_on_in_the_next,
		a_peer_that_does_not_read_keeps_nobody_busy,
		a_full_one_waits_until_it_is_read,
		a_page_ends_after_a_thousand_rows_that_it_does_not_show,
		a_page_that_is_full_says_what_comes_next,
		pages_of_many_requests_go_on_in_other_turns,
		a_page_of_waiters_says_what_comes_next,
		NULL,
	};
	Suite *suite = suite_create("inside: turns");
	suite_case(suite, "all", setup, teardown, tests);
	return suite_run(suite);
}
