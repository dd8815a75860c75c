/* Long frames that come piece by piece: what is only announced takes no memory, what comes is not copied again and
 * again, and a frame that is alone in its memory may be given away with it. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/frame.h"
#include "tests/lib/memory.h"
#include "tests/lib/stream_fixture.h"
#include "tests/lib/suite.h"
#include "tests/lib/system.h"

enum { MAX_FRAME = 16 << 20, LONG = 3 << 20 };

static bool gives;
static uint64_t frames, frame_bytes, given;
static const char *front; /* of the incomplete frame, where it was seen last */
static unsigned moves;    /* how often it was elsewhere than before */
static size_t max_to_give = SIZE_MAX;

static const char *content(void)
{
	static char *bytes;
	if (bytes)
		return bytes;
	bytes = malloc(MAX_FRAME);
	for (size_t i = 0; i < MAX_FRAME; i++)
		bytes[i] = (char)('a' + i % 17);
	return bytes;
}

static size_t take_frames(struct stream *read, char *bytes, size_t len)
{
	size_t done = 0;
	struct slice body;
	size_t used, wanted = 0;
	loop_now_us(net_fixture.loop);
	while (frame_next((struct slice){bytes + done, len - done}, MAX_FRAME, &body, &used, &wanted) == FRAME_WHOLE) {
		char *block = gives ? stream_give_input(read, max_to_give) : NULL;
		ck_assert_mem_eq(body.bytes, content(), body.len);
		if (block) {
			given++;
			ck_assert_ptr_eq(block + STREAM_LEAD_BYTES, bytes);
			ck_assert_ptr_null(stream_give_input(read, max_to_give));
			memset(block, 'z', STREAM_LEAD_BYTES + len);
			free(block);
		}
		frames++;
		frame_bytes += body.len;
		done += used;
	}
	if (done < len) {
		stream_expect(read, wanted);
		moves += bytes + done != front;
		front = bytes + done;
	}
	return done;
}

static void setup(void)
{
	stream_fixture_start(take_frames, NULL, 1 << 20);
}

static void append_frame(struct buffer *out, size_t len)
{
	char header[FRAME_HEADER_BYTES];
	frame_write_length(header, len);
	buffer_append(out, header, sizeof(header));
	buffer_append(out, content(), len);
}

/* Sends so much of it, at most `step` bytes a turn. */
static void send_bytes(struct buffer *bytes, size_t len, size_t step)
{
	while (len > 0) {
		ssize_t n = write(net_fixture.peer, buffer_front(bytes), len < step ? len : step);
		if (n > 0) {
			buffer_consume(bytes, (size_t)n);
			len -= (size_t)n;
		}
		turn();
	}
}

static void send_all(struct buffer *bytes, size_t step)
{
	send_bytes(bytes, buffer_len(bytes), step);
	for (int i = 0; i < 100; i++)
		turn();
	buffer_finish(bytes);
}

static const size_t steps[] = {1000, 10000, 17000, 100000, 1 << 20};

START_TEST(a_long_frame_is_given_away)
{
	struct buffer bytes = {0};
	gives = true;
	append_frame(&bytes, LONG);
	send_all(&bytes, steps[_i]);
	append_frame(&bytes, 10);
	send_all(&bytes, steps[_i]);
	ck_assert_uint_eq(frames, 2);
	ck_assert_uint_eq(frame_bytes, LONG + 10);
	ck_assert_uint_eq(given, 1);
}
END_TEST

START_TEST(frames_of_all_lengths_come_whole_whether_they_are_given_away_or_not)
{
	struct buffer bytes = {0};
	uint64_t n = 0;
	gives = _i % 2;
	fake_system.max_bytes = _i < 2 ? 0 : 30000;
	for (size_t len = 1; len < 200000; len = len * 3 / 2 + 7, n += 3)
		for (int i = 0; i < 3; i++)
			append_frame(&bytes, len);
	uint64_t sum = buffer_len(&bytes) - n * FRAME_HEADER_BYTES;
	send_all(&bytes, 1 << 20);
	for (int i = 0; i < 1000; i++)
		turn();
	fake_system.max_bytes = 0;
	ck_assert_uint_eq(frames, n);
	ck_assert_uint_eq(frame_bytes, sum);
}
END_TEST

START_TEST(a_long_frame_moves_seldom)
{
	struct buffer bytes = {0};
	append_frame(&bytes, MAX_FRAME - 1);
	send_all(&bytes, 1 << 20);
	ck_assert_uint_eq(frames, 1);
	ck_assert_uint_le(moves, 4);
}
END_TEST

START_TEST(what_is_announced_alone_takes_no_memory)
{
	struct buffer bytes = {0};
	append_frame(&bytes, MAX_FRAME - 1);
	send_bytes(&bytes, 100000, 10000);
	ck_assert_uint_le(stream_group_buffer_bytes(net_fixture.streams),
			  100000 + STREAM_LEAD_BYTES + FRAME_HEADER_BYTES);
	send_bytes(&bytes, 900000, 10000);
	ck_assert_uint_ge(stream_group_buffer_bytes(net_fixture.streams), 1000000);
	ck_assert_uint_le(stream_group_buffer_bytes(net_fixture.streams),
			  1000000 + STREAM_LEAD_BYTES + FRAME_HEADER_BYTES);
	buffer_finish(&bytes);
}
END_TEST

START_TEST(a_block_that_is_larger_than_is_wanted_is_kept)
{
	struct buffer bytes = {0};
	gives = true;
	max_to_give = LONG;
	append_frame(&bytes, LONG);
	send_all(&bytes, 100000);
	ck_assert_uint_eq(frames, 1);
	ck_assert_uint_eq(given, 0);
}
END_TEST

START_TEST(without_memory_the_stream_ends)
{
	struct buffer bytes = {0};
	append_frame(&bytes, LONG);
	send_bytes(&bytes, 20000, 10000);
	if (!memory_can_fail()) {
		send_all(&bytes, 1 << 20);
		return;
	}
	for (int i = 0; i < 10 && !memory.has_failed; i++) {
		ssize_t n = write(net_fixture.peer, buffer_front(&bytes), 200000);
		ck_assert_int_gt(n, 0);
		buffer_consume(&bytes, (size_t)n);
		memory = (struct memory){.countdown = 1, .run = 1, .is_counting = true};
		int result = stream_fixture_poll();
		memory.is_counting = false; /* for libcheck too */
		ck_assert_int_eq(result, 0);
	}
	ck_assert(memory.has_failed);
	turn();
	ck_assert(net_fixture.is_gone);
	buffer_finish(&bytes);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_long_frame_moves_seldom,
		what_is_announced_alone_takes_no_memory,
		a_block_that_is_larger_than_is_wanted_is_kept,
		without_memory_the_stream_ends,
		NULL,
	};
	Suite *suite = suite_create("net: long frames");
	suite_case(suite, "memory", setup, stream_fixture_stop, tests);
	suite_rows(suite, setup, stream_fixture_stop, a_long_frame_is_given_away, sizeof(steps) / sizeof(steps[0]));
	suite_rows(suite, setup, stream_fixture_stop,
		   frames_of_all_lengths_come_whole_whether_they_are_given_away_or_not, 4);
	return suite_run(suite);
}
