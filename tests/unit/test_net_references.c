/* A stream's output with pieces that are referred to and not copied: wherever the sending of it is cut, the peer gets
 * the same bytes, and each piece is released once, when its last byte is sent or when nothing more can be. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/limits.h"
#include "daemon/net/references.h"
#include "tests/lib/memory.h"
#include "tests/lib/stream_fixture.h"
#include "tests/lib/suite.h"
#include "tests/lib/system.h"

/* -- Pieces alone -- */

struct piece {
	const char *text;
	bool is_released;
};

static struct piece pieces[] = {{"alpha", false}, {"b", false}, {"gamma!", false}};
static const char whole[] = "12alpha3bgamma!456789"; /* "b" and "gamma!" stand side by side */

static void release(void *owner)
{
	struct piece *piece = owner;
	ck_assert(!piece->is_released);
	piece->is_released = true;
}

static bool add(struct references *references, const struct buffer *out, int i)
{
	return references_add(references, out, pieces[i].text, strlen(pieces[i].text), &pieces[i]);
}

static void write_all(struct references *references, struct buffer *out)
{
	for (int i = 0; i < 3; i++)
		pieces[i].is_released = false;
	buffer_append(out, "12", 2);
	ck_assert(add(references, out, 0));
	buffer_append(out, "3", 1);
	ck_assert(add(references, out, 1));
	ck_assert(add(references, out, 2));
	buffer_append(out, "456789", 6);
}

/* What would be sent first, as text. */
static struct slice first_bytes(const struct references *references, const struct buffer *out, size_t max, int n_slices)
{
	static char bytes[sizeof(whole)];
	struct iovec slices[8];
	size_t len = 0;
	int n = references_slices(references, out, max, slices, n_slices);
	ck_assert_int_ge(n, 1);
	ck_assert_int_le(n, n_slices);
	for (int i = 0; i < n; i++) {
		ck_assert_uint_gt(slices[i].iov_len, 0);
		memcpy(bytes + len, slices[i].iov_base, slices[i].iov_len);
		len += slices[i].iov_len;
	}
	ck_assert_uint_le(len, max);
	return (struct slice){bytes, len};
}

static void expect_released(size_t sent)
{
	static const size_t ends[] = {7, 9, 15};
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pieces[i].is_released, sent >= ends[i]);
}

/* Takes `cut` bytes, then `step` at a time, as far as so many slices go. */
static void send_in_steps(size_t cut, size_t step, int n_slices)
{
	struct references references = {0};
	struct buffer out = {0};
	size_t len = strlen(whole), sent = 0;
	write_all(&references, &out);
	for (size_t max = cut; references.bytes > 0; max = step) {
		struct slice next = first_bytes(&references, &out, max, n_slices);
		ck_assert_mem_eq(next.bytes, whole + sent, next.len);
		references_consume(&references, &out, next.len, release);
		sent += next.len;
		expect_released(sent);
	}
	ck_assert_uint_eq(buffer_len(&out), len - sent);
	ck_assert_mem_eq(buffer_front(&out), whole + sent, len - sent);
	ck_assert_ptr_null(references.rows);
	buffer_finish(&out);
}

START_TEST(pieces_may_be_cut_anywhere)
{
	for (size_t cut = 1; cut < sizeof(whole); cut++)
		for (size_t step = 1; step < sizeof(whole); step++)
			for (int n_slices = 3; n_slices <= 8; n_slices++)
				send_in_steps(cut, step, n_slices);
}
END_TEST

START_TEST(pieces_are_added_while_others_are_sent)
{
	struct references references = {0};
	struct buffer out = {0};
	size_t n_released = 0;
	for (int i = 0; i < 1000; i++) {
		struct piece *piece = &pieces[i % 3];
		piece->is_released = false;
		buffer_append(&out, "<", 1);
		ck_assert(add(&references, &out, i % 3));
		buffer_append(&out, ">", 1);
		size_t unsent = buffer_len(&out) + references.bytes;
		references_consume(&references, &out, i % 7 ? unsent - 1 : unsent / 2, release);
		n_released += piece->is_released;
		references_consume(&references, &out, buffer_len(&out) + references.bytes - 1, release);
		ck_assert(piece->is_released);
	}
	ck_assert_uint_gt(n_released, 0);
	ck_assert_uint_eq(references.bytes, 0);
	buffer_finish(&out);
}
END_TEST

/* -- In a stream -- */

enum { PIECE_BYTES = 100000, N_OWNERS = 4, MAX_OUTPUT = 1 << 20 };

static unsigned released[N_OWNERS];
static size_t piece_bytes;
static struct buffer expected, received;

static char *piece_of(int owner)
{
	static char *large[N_OWNERS];
	if (!large[owner])
		large[owner] = malloc(TURN_SENT_BYTES);
	for (size_t i = 0; i < piece_bytes; i++)
		large[owner][i] = (char)('a' + (i * 7 + (size_t)owner) % 23);
	return large[owner];
}

static void release_owner(void *owner)
{
	++*(unsigned *)owner;
}

/* A head, and a piece, and a tail, for each owner. */
static size_t answer(struct stream *asked, char *bytes, size_t len)
{
	(void)bytes;
	loop_now_us(net_fixture.loop);
	for (int i = 0; i < N_OWNERS; i++) {
		struct buffer *out = stream_output(asked, piece_bytes);
		const char *piece = piece_of(i);
		buffer_append(out, "<head of it:", 12);
		ck_assert(stream_refer(asked, piece, piece_bytes, &released[i]));
		buffer_append(out, ">", 1);
		buffer_append(&expected, "<head of it:", 12);
		buffer_append(&expected, piece, piece_bytes);
		buffer_append(&expected, ">", 1);
	}
	return len;
}

static void setup(void)
{
	int bytes = 4096;
	piece_bytes = PIECE_BYTES;
	stream_fixture_start(answer, release_owner, MAX_OUTPUT);
	setsockopt(net_fixture.stream.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static void teardown(void)
{
	stream_fixture_stop();
	for (int i = 0; i < N_OWNERS; i++)
		ck_assert_uint_eq(released[i], 1);
	buffer_finish(&expected);
	buffer_finish(&received);
}

static void ask(void)
{
	ck_assert_int_eq(write(net_fixture.peer, "x", 1), 1);
	turn();
}

/* Reads at most so much. */
static void read_some(size_t max)
{
	char *to = buffer_reserve(&received, max);
	ssize_t n = read(net_fixture.peer, to, max);
	if (n > 0)
		buffer_commit(&received, (size_t)n);
}

static void read_all(void)
{
	for (int i = 0; buffer_len(&received) < buffer_len(&expected); i++) {
		turn();
		read_some(1 << 20);
		ck_assert_int_lt(i, 1000000);
	}
	ck_assert_mem_eq(buffer_front(&received), buffer_front(&expected), buffer_len(&expected));
	ck_assert(!stream_has_unsent(&net_fixture.stream));
	ck_assert_uint_eq(stream_sent(&net_fixture.stream), buffer_len(&expected));
}

START_TEST(a_stream_sends_what_is_referred_to_however_it_is_cut)
{
	static const struct system systems[] = {
		{.max_bytes = 0},
		{.max_bytes = 0, .again = 3},
		{.max_bytes = 20, .again = 2},
		{.max_bytes = 3000, .again = 2},
		{.max_bytes = 200000, .again = 5},
	};
	fake_system = systems[_i];
	fake_system.now_us = 1000000;
	piece_bytes = fake_system.max_bytes == 20 ? 500 : PIECE_BYTES;
	ask();
	while (buffer_len(&expected) == 0)
		turn(); /* its reading may be interrupted too */
	read_all();
}
END_TEST

START_TEST(what_is_referred_to_is_unsent_and_takes_memory)
{
	ask();
	uint64_t all = N_OWNERS * (piece_bytes + 13);
	ck_assert_uint_eq(stream_written(&net_fixture.stream), all);
	ck_assert_uint_gt(stream_written(&net_fixture.stream), stream_sent(&net_fixture.stream));
	ck_assert_uint_ge(stream_group_buffer_bytes(net_fixture.streams), all - stream_sent(&net_fixture.stream));
	ck_assert_uint_le(stream_group_buffer_bytes(net_fixture.streams),
			  all - stream_sent(&net_fixture.stream) + 65536);
	ck_assert_uint_le(stream_group_unsent_value_bytes(net_fixture.streams), all - stream_sent(&net_fixture.stream));
	ck_assert(!stream_is_full(&net_fixture.stream));
	for (int i = 0; released[1] == 0; i++) {
		read_some(10000);
		turn();
		ck_assert_int_lt(i, 1000);
	}
	ck_assert_uint_eq(released[0], 1); /* in order */
	ck_assert_uint_eq(released[3], 0);
	read_all();
}
END_TEST

START_TEST(a_peer_that_vanishes_releases_all)
{
	ask();
	ck_assert_uint_eq(released[3], 0);
}
END_TEST

START_TEST(a_stream_that_breaks_releases_all)
{
	ask();
	stream_break(&net_fixture.stream);
	for (int i = 0; i < N_OWNERS; i++)
		ck_assert_uint_eq(released[i], 1);
}
END_TEST

START_TEST(what_is_held_is_not_sent)
{
	stream_hold(&net_fixture.stream, 7);
	ask();
	ck_assert_uint_eq(stream_sent(&net_fixture.stream), 0);
	stream_group_release(net_fixture.streams, 7);
	read_all();
}
END_TEST

START_TEST(a_turn_sends_so_much_of_one_stream)
{
	int bytes = 64 << 20;
	setsockopt(net_fixture.stream.fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	piece_bytes = TURN_SENT_BYTES;
	ck_assert_int_eq(write(net_fixture.peer, "x", 1), 1);
	for (uint64_t before = 0; stream_has_unsent(&net_fixture.stream) || before == 0;
	     before = stream_sent(&net_fixture.stream)) {
		turn();
		ck_assert_uint_le(stream_sent(&net_fixture.stream) - before, TURN_SENT_BYTES);
		ck_assert(!stream_peer_is_slow(&net_fixture.stream));
		read_some(4 * TURN_SENT_BYTES);
	}
	read_all();
}
END_TEST

START_TEST(without_memory_nothing_is_referred_to)
{
	unsigned owner = 0;
	if (memory_can_fail()) {
		struct buffer *out = stream_output(&net_fixture.stream, 1);
		memory = (struct memory){.countdown = 1, .run = 2, .is_counting = true};
		bool has_referred = stream_refer(&net_fixture.stream, "a", 1, &owner);
		memory.is_counting = false; /* for libcheck too */
		ck_assert(!has_referred);
		buffer_append(out, "b", 1);
		buffer_append(&expected, "b", 1);
		ck_assert_uint_eq(owner, 0);
	}
	ask();
	read_all();
}
END_TEST

int main(void)
{
	const TTest *const alone[] = {pieces_may_be_cut_anywhere, pieces_are_added_while_others_are_sent, NULL};
	const TTest *const in_a_stream[] = {
		what_is_referred_to_is_unsent_and_takes_memory,
		a_peer_that_vanishes_releases_all,
		a_stream_that_breaks_releases_all,
		what_is_held_is_not_sent,
		a_turn_sends_so_much_of_one_stream,
		without_memory_nothing_is_referred_to,
		NULL,
	};
	Suite *suite = suite_create("net: references");
	suite_case(suite, "alone", NULL, NULL, alone);
	suite_rows(suite, setup, teardown, a_stream_sends_what_is_referred_to_however_it_is_cut, 5);
	suite_case(suite, "in a stream", setup, teardown, in_a_stream);
	return suite_run(suite);
}
