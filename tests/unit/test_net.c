/* Streams on a loop, without the sessions above them: what one peer can make of a turn. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/net/loop.h"
#include "daemon/net/stream.h"
#include "daemon/net/stream_group.h"
#include "tests/lib/suite.h"
#include "tests/lib/system.h"

enum { READS = 100, START_US = 1000000 };

static struct loop *loop;
static struct stream_group *streams;
static struct stream stream;
static int peer;              /* the other end of `stream` */
static unsigned reads, turns; /* calls of on_bytes, and of on_turn_end */
static bool is_gone;

static void on_end(struct stream *ended)
{
	(void)ended;
}

static void on_gone(struct stream *gone)
{
	is_gone = true;
	stream_finish(gone);
}

static void open_stream(const struct stream_handlers *handlers)
{
	int pair[2], bytes = 4096;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	peer = pair[1];
	ck_assert_int_eq(stream_init(&stream, streams, pair[0], NULL, 1 << 20, handlers), 0);
}

static void setup(void)
{
	fake_system.now_us = START_US;
	loop = loop_create();
	ck_assert_ptr_nonnull(loop);
	streams = stream_group_create(loop);
	ck_assert_ptr_nonnull(streams);
}

static void teardown(void)
{
	close(peer);
	if (!is_gone && stream.group)
		stream_finish(&stream);
	stream_group_destroy(streams);
	loop_destroy(loop);
	fake_system.now_us = 0;
}

static void on_turn_end(void *arg)
{
	(void)arg;
	turns++;
}

/* -- A peer that always has something more to say -- */

static void say(const char *bytes, size_t len)
{
	ck_assert_int_eq(write(peer, bytes, len), (ssize_t)len);
}

static size_t read_and_ask_for_more(struct stream *read, char *bytes, size_t len)
{
	(void)read, (void)bytes;
	loop_now_us(loop); /* as the daemon does: only then has a turn anything to end */
	if (++reads < READS)
		say("x", 1);
	else
		loop_stop(loop);
	return len;
}

static const struct stream_handlers eager = {.on_bytes = read_and_ask_for_more, .on_end = on_end, .on_gone = on_gone};

START_TEST(a_loop_that_spins_ends_its_turns_though_something_is_always_ready)
{
	open_stream(&eager);
	loop_set_spin(loop, 1000);
	say("x", 1);
	ck_assert_int_eq(loop_run(loop, on_turn_end, NULL), 0);
	ck_assert_uint_eq(reads, READS);
	ck_assert_uint_ge(turns, READS);
}
END_TEST

START_TEST(a_poll_is_one_turn_though_something_is_always_ready)
{
	open_stream(&eager);
	say("x", 1);
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert_int_eq(loop_poll(loop, on_turn_end, NULL), 0);
		ck_assert_uint_eq(turns, i);
		ck_assert_uint_eq(reads, i);
	}
}
END_TEST

/* -- A peer that reads again while its stream is queued to be sent -- */

static size_t reply_with_much(struct stream *read, char *bytes, size_t len)
{
	static const char much[100000];
	static char taken[1 << 20];
	(void)bytes;
	buffer_append(stream_output(read, 0), much, sizeof(much));
	if (++reads == 2) {
		loop_stop(loop);
		while (recv(peer, taken, sizeof(taken), MSG_DONTWAIT) > 0)
			; /* now the socket has room, and the stream is in the queue of what is sent at the end of the
			     turn */
	}
	return len;
}

static void no_matter(struct stream *sent)
{
	(void)sent;
}

static const struct stream_handlers verbose = {
	.on_bytes = reply_with_much, .on_sent = no_matter, .on_end = on_end, .on_gone = on_gone};

START_TEST(a_peer_that_reads_again_while_its_stream_is_queued_does_not_stop_a_loop_that_spins)
{
	open_stream(&verbose);
	loop_set_spin(loop, 1000);
	say("x", 1);
	ck_assert_int_eq(loop_poll(loop, on_turn_end, NULL), 0);
	ck_assert(stream_has_unsent(&stream));
	say("x", 1);
	ck_assert_int_eq(loop_run(loop, on_turn_end, NULL), 0);
	ck_assert_uint_eq(reads, 2);
}
END_TEST

/* -- Many peers, each of whom takes its time -- */

enum { MANY = 20, SLOW_US = 500 };

static struct stream many[MANY];
static unsigned many_gone;

static size_t read_slowly(struct stream *read, char *bytes, size_t len)
{
	(void)read, (void)bytes;
	loop_now_us(loop);
	fake_system.now_us += SLOW_US;
	reads++;
	return len;
}

static void on_one_gone(struct stream *gone)
{
	many_gone++;
	stream_finish(gone);
}

static const struct stream_handlers slow = {
	.on_bytes = read_slowly, .on_sent = no_matter, .on_end = on_end, .on_gone = on_one_gone};

static void check_many(void)
{
	for (int i = 0; i < MANY; i++)
		ck_assert_msg(!stream_check(&many[i]), "%s", stream_check(&many[i]));
}

static int peers[MANY];

static void open_many(void)
{
	for (int i = 0; i < MANY; i++) {
		int pair[2];
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
		ck_assert_int_eq(stream_init(&many[i], streams, pair[0], NULL, 1 << 20, &slow), 0);
		peers[i] = pair[1];
	}
}

static void all_say_something(void)
{
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(write(peers[i], "x", 1), 1);
}

static void close_many(void)
{
	for (int i = 0; i < MANY; i++)
		close(peers[i]);
	while (many_gone < MANY)
		ck_assert_int_eq(loop_poll(loop, on_turn_end, NULL), 0);
}

/* A turn reads no more than what makes it long, and then one of those who wait. */
static void turn_that_is_not_too_long(void)
{
	unsigned before = reads;
	ck_assert_int_eq(loop_poll(loop, on_turn_end, NULL), 0);
	ck_assert_uint_gt(reads, before);
	ck_assert_uint_le((reads - before) * SLOW_US, LOOP_LONG_TURN_US + 2 * SLOW_US);
	check_many();
}

START_TEST(a_turn_that_is_long_leaves_the_others_for_the_next)
{
	open_many();
	all_say_something();
	while (reads < MANY)
		turn_that_is_not_too_long();
	ck_assert_uint_eq(reads, MANY); /* and each was read once */
	close_many();
}
END_TEST

START_TEST(those_who_wait_and_those_who_come_share_a_turn)
{
	open_many();
	for (int i = 0; i < MANY; i++) {
		all_say_something();
		turn_that_is_not_too_long();
	}
	close_many();
}
END_TEST

/* -- A peer that sends very many requests at once -- */

enum { REQUESTS = 1000, REQUEST_US = 20, REQUESTS_BETWEEN_LOOKS = 40 };

/* Each byte is a request. */
static size_t read_requests(struct stream *read, char *bytes, size_t len)
{
	size_t done = 0;
	uint64_t written_before = stream_written(read);
	(void)bytes;
	loop_now_us(loop);
	for (; done < len && !stream_has_had_its_turn(read, written_before); done++) {
		fake_system.now_us += REQUEST_US;
		stream_look_at_clock(read);
	}
	reads += (unsigned)done;
	return done;
}

static const struct stream_handlers pipelining = {
	.on_bytes = read_requests, .on_sent = no_matter, .on_end = on_end, .on_gone = on_gone};

START_TEST(what_one_read_has_brought_goes_on_in_other_turns)
{
	static const char requests[REQUESTS];
	open_stream(&pipelining);
	say(requests, sizeof(requests));
	for (unsigned before = 0; reads < REQUESTS; before = reads) {
		ck_assert_int_eq(loop_poll(loop, on_turn_end, NULL), 0);
		ck_assert_uint_gt(reads, before);
		ck_assert_uint_le(reads - before, LOOP_LONG_TURN_US / REQUEST_US + REQUESTS_BETWEEN_LOOKS);
		ck_assert_msg(!stream_check(&stream), "%s", stream_check(&stream));
	}
	ck_assert_uint_ge(turns, REQUESTS * REQUEST_US / LOOP_LONG_TURN_US / 2);
}
END_TEST

/* -- A stream that is broken while it is not watched -- */

static void await_gone(void)
{
	for (unsigned i = 0; !is_gone; i++) {
		ck_assert_int_eq(loop_poll(loop, on_turn_end, NULL), 0);
		ck_assert_uint_lt(i, 10);
	}
}

static size_t fill_output(struct stream *read, char *bytes, size_t len)
{
	static const char much[3 << 20]; /* more than max_output, even without a share of a turn */
	(void)bytes, (void)len;
	buffer_append(stream_output(read, 0), much, sizeof(much));
	return 1;
}

static const struct stream_handlers full = {
	.on_bytes = fill_output, .on_sent = no_matter, .on_end = on_end, .on_gone = on_gone};

START_TEST(a_full_stream_that_is_broken_between_turns_ends)
{
	open_stream(&full);
	say("x", 1);
	ck_assert_int_eq(loop_poll(loop, on_turn_end, NULL), 0);
	ck_assert(stream_is_full(&stream));
	stream_break(&stream);
	ck_assert_ptr_null(stream_check(&stream));
	await_gone();
}
END_TEST

START_TEST(a_stream_whose_peer_has_ended_ends_when_it_is_broken)
{
	open_stream(&full);
	say("x", 1);
	ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(loop_poll(loop, on_turn_end, NULL), 0);
	ck_assert(!is_gone);
	stream_break(&stream);
	await_gone();
}
END_TEST

START_TEST(a_stream_that_is_refused_and_broken_ends)
{
	open_stream(&full);
	say("x", 1);
	ck_assert_int_eq(loop_poll(loop, on_turn_end, NULL), 0);
	stream_refuse(&stream);
	stream_break(&stream);
	await_gone();
}
END_TEST

/* -- A peer that does not read -- */

static unsigned n_slow;

static void count_slow(struct stream *sent)
{
	n_slow += stream_peer_is_slow(sent);
}

static const struct stream_handlers watched = {
	.on_bytes = fill_output, .on_sent = count_slow, .on_end = on_end, .on_gone = on_gone};

/* Its socket has room for a stream's share of a turn, but is not writable after it, nor ever again. */
START_TEST(a_peer_whose_room_ends_with_a_share_is_slow)
{
	int bytes = 3 << 19;
	open_stream(&watched);
	ck_assert_int_eq(setsockopt(stream.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
	n_slow = 0;
	say("x", 1);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(loop_poll(loop, on_turn_end, NULL), 0);
	ck_assert_uint_eq(n_slow, 1);
}
END_TEST

/* -- Output that nobody may see any more -- */

static size_t answer(struct stream *asked, char *bytes, size_t len)
{
	(void)bytes;
	loop_now_us(loop);
	buffer_append(stream_output(asked, 0), "answer", 6);
	return len;
}

static void on_sent(struct stream *sent)
{
	(void)sent;
}

static const struct stream_handlers answering = {
	.on_bytes = answer, .on_sent = on_sent, .on_end = on_end, .on_gone = on_gone};

static void ask(void)
{
	say("x", 1);
	ck_assert_int_eq(loop_poll(loop, on_turn_end, NULL), 0);
}

START_TEST(what_is_written_after_its_time_waits_until_there_is_more)
{
	char bytes[64];
	open_stream(&answering);
	stream_group_send_until(streams, START_US + 100);
	ask();
	ck_assert_int_eq(read(peer, bytes, sizeof(bytes)), 6);
	fake_system.now_us = START_US + 100;
	ask();
	ask();
	ck_assert_int_lt(read(peer, bytes, sizeof(bytes)), 0);
	stream_group_send_until(streams, START_US + 200);
	ck_assert_int_eq(loop_poll(loop, on_turn_end, NULL), 0);
	ck_assert_int_eq(read(peer, bytes, sizeof(bytes)), 12);
}
END_TEST

START_TEST(what_waits_is_forgotten_with_its_stream)
{
	char bytes[64];
	open_stream(&answering);
	stream_group_send_until(streams, 0);
	ask();
	stream_group_forget_unsent(streams);
	stream_finish(&stream);
	stream.group = NULL;
	ck_assert_int_eq(read(peer, bytes, sizeof(bytes)), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_loop_that_spins_ends_its_turns_though_something_is_always_ready,
		a_poll_is_one_turn_though_something_is_always_ready,
		a_peer_that_reads_again_while_its_stream_is_queued_does_not_stop_a_loop_that_spins,
		a_turn_that_is_long_leaves_the_others_for_the_next,
		those_who_wait_and_those_who_come_share_a_turn,
		what_one_read_has_brought_goes_on_in_other_turns,
		NULL,
	};
	const TTest *const broken[] = {
		a_full_stream_that_is_broken_between_turns_ends,
		a_stream_whose_peer_has_ended_ends_when_it_is_broken,
		a_stream_that_is_refused_and_broken_ends,
		NULL,
	};
	const TTest *const unread[] = {
		a_peer_whose_room_ends_with_a_share_is_slow,
		NULL,
	};
	const TTest *const late[] = {
		what_is_written_after_its_time_waits_until_there_is_more,
		what_waits_is_forgotten_with_its_stream,
		NULL,
	};
	Suite *suite = suite_create("net: streams");
	suite_case(suite, "turns", setup, teardown, tests);
	suite_case(suite, "broken", setup, teardown, broken);
	suite_case(suite, "unread", setup, teardown, unread);
	suite_case(suite, "late", setup, teardown, late);
	return suite_run(suite);
}
