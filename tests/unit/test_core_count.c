/* Takes with a count: that many takes in one request, a reply for each value, until it ends. */
#include <stdio.h>

#include "tests/lib/core_fixture.h"

START_TEST(each_value_has_its_reply_and_says_how_many_are_left)
{
	expect("a1 create c bounded 8", "a1 ok created");
	expect("a2 puts c u v", "a2 ok accepted 2");
	expect("b1 take c count 3", "b1 ok u left 2; b1 ok v left 1");
	expect_waiters("c", "b1 take c");
	expect_books("c", "takes 1 accepted 2 taken 2");
	expect("a3 puts c w x", "b1 ok w left 0; a3 ok accepted 2");
	expect_buffer("c", "x");
	expect_waiters("", "");
}
END_TEST

START_TEST(it_takes_from_parked_puts_too)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 put c u", "");
	expect("a3 puts c v w", "");
	expect("b1 take c count 9", "b1 ok u left 8; a2 ok; b1 ok v left 7; b1 ok w left 6; a3 ok accepted 2");
}
END_TEST

START_TEST(after_each_value_it_queues_again_behind_the_others)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c count 3", "");
	expect("c1 take c", "");
	expect("d1 take c count 2", "");
	expect_waiters("c", "b1 take c; c1 take c; d1 take c");
	expect("a2 put c u", "b1 ok u left 2; a2 ok");
	expect_waiters("c", "c1 take c; d1 take c; b1 take c");
	expect("a3 puts c v w x y z",
	       "c1 ok v; d1 ok w left 1; b1 ok x left 1; d1 ok y left 0; b1 ok z left 0; a3 ok accepted 5");
}
END_TEST

START_TEST(it_ends_with_what_is_left)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("b1 take c count 5 timeout 20", "");
	expect("a2 put c u", "b1 ok u left 4; a2 ok");
	fixture_later(20);
	expect("tick", "b1 timeout left 4");
	expect("b2 take c count 5", "");
	expect("b3 cancel 2", "b2 cancelled left 5; b3 ok");
	expect("b4 take c count 5", "");
	expect("a3 put c v", "b4 ok v left 4; a3 ok");
	expect("a4 close c", "b4 closed left 4; a4 ok");
	expect("b5 take c count 2", "b5 closed left 2");
}
END_TEST

START_TEST(a_closed_channel_gives_what_it_has_first)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 puts c u v", "a2 ok accepted 2");
	expect("a3 close c", "a3 ok");
	expect("b1 take c count 9", "b1 ok u left 8; b1 ok v left 7; b1 closed left 7");
}
END_TEST

START_TEST(a_deleted_channel_ends_it_in_a_queue_and_at_rest)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("b1 take c count 9", "");
	expect("d1 take c count 9", "");
	expect("d pauses", "");
	expect("a2 delete c", "b1 closed left 9; d1 closed left 9; a2 ok");
}
END_TEST

START_TEST(time_out_nought_takes_what_is_there)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("b1 take c count 2 timeout 0", "b1 timeout left 2");
	expect("a2 puts c u v", "a2 ok accepted 2");
	expect("b2 take c count 3 timeout 0", "b2 ok u left 2; b2 ok v left 1; b2 timeout left 1");
	expect_waiters("", "");
}
END_TEST

START_TEST(it_is_one_request)
{
	fixture.limits.max_inflight = 1;
	fixture_set_limits();
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c count 9", "");
	expect("b1 take c", "b1 error duplicate_id");
	expect("b2 take c count 9", "b2 error too_many_inflight");
	expect("a2 put c u", "b1 ok u left 8; a2 ok");
	expect("b leaves", "");
	expect("a3 put c v timeout 0", "a3 timeout");
}
END_TEST

START_TEST(waiters_are_limited_where_it_queues)
{
	expect("a1 create c unbuffered waiters 1", "a1 ok created");
	expect("b1 take c count 2", "");
	expect("d1 take c count 2", "d1 error too_many_waiters left 2");
	expect("b2 cancel 1", "b1 cancelled left 2; b2 ok");
	expect("a2 put c u", "");
	expect("d2 take c count 2", "d2 ok u left 1; a2 ok");
}
END_TEST

START_TEST(a_promise_has_no_count)
{
	expect("a1 create p promise", "a1 ok created");
	expect("b1 take p count 2", "b1 error bad_request");
	expect("a2 put p u", "a2 ok");
	expect("b1 take p count 2", "b1 error bad_request");
}
END_TEST

/* So many values, numbered from `from`. */
static const char *numbers(const char *before, unsigned from, unsigned n)
{
	static char line[4096];
	size_t len = (size_t)snprintf(line, sizeof(line), "%s", before);
	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, " %u", from + i);
	return line;
}

static unsigned count_of(const char *text, const char *word)
{
	unsigned n = 0;
	for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
		n++;
	return n;
}

START_TEST(a_turn_gives_it_at_most_64)
{
	expect("a1 create c bounded 1000", "a1 ok created");
	for (unsigned i = 0; i < 2; i++)
		fixture_do(numbers("a2 puts c", i * 100, 100));
	ck_assert_uint_eq(count_of(fixture_do("b1 take c count 150"), "b1 ok"), 64);
	ck_assert_uint_eq(core_deadline(fixture.core), fixture.now_us + 1); /* it asks for another turn */
	expect("tick", "");
	expect("d1 take c", "d1 ok 64"); /* it is in nobody's way */
	expect_waiters("", "");
	fixture_later(1);
	ck_assert_uint_eq(count_of(fixture_do("tick"), "b1 ok"), 64);
	fixture_later(1);
	ck_assert_uint_eq(count_of(fixture_do("tick"), "b1 ok"), 150 - 128);
	ck_assert_uint_eq(core_deadline(fixture.core), CORE_NEVER);
	expect("b1 take c max 2", "b1 ok 151 152");
}
END_TEST

START_TEST(puts_give_it_no_more_in_a_turn)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c count 1000", "");
	ck_assert_uint_eq(count_of(fixture_do(numbers("a2 puts c", 0, 70)), "b1 ok"), 64);
	expect_books("c", "puts 1 bytes 12 accepted 64 taken 64");
	fixture_later(1);
	ck_assert_uint_eq(count_of(fixture_do("tick"), "b1 ok"), 6);
	expect_waiters("c", "b1 take c");
}
END_TEST

START_TEST(nor_more_bytes_than_a_reply_may_have)
{
	fixture.limits.max_take_bytes = 6;
	fixture_set_limits();
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 puts c uu vv ww", "a2 ok accepted 3");
	expect("b1 take c count 9", "b1 ok uu left 8; b1 ok vv left 7");
	fixture_later(1);
	expect("tick", "b1 ok ww left 6");
}
END_TEST

START_TEST(a_paused_connection_is_out_of_every_queue)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c count 9 timeout 50", "");
	expect("b2 take c count 9", "");
	expect("d1 take c count 2", "");
	expect("b pauses", "");
	expect_waiters("", "d1 take c");
	expect("a2 puts c u v", "d1 ok u left 1; d1 ok v left 0; a2 ok accepted 2");
	expect("a3 put c w", "");
	expect("b3 take c count 9", "");
	ck_assert_uint_eq(core_deadline(fixture.core), fixture.now_us + 50000);
	fixture_later(50);
	expect("tick", "b1 timeout left 9");
	expect("b4 cancel 3", "b3 cancelled left 9; b4 ok");
	expect("b resumes", "b2 ok w left 8; a3 ok");
	expect_waiters("c", "b2 take c");
}
END_TEST

START_TEST(it_joins_at_the_end_when_its_connection_resumes)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c count 9", "");
	expect("d1 take c", "");
	expect("b pauses", "");
	expect("b resumes", "");
	expect_waiters("c", "d1 take c; b1 take c");
	expect("b pauses", "");
	expect("b leaves", "");
	expect_waiters("c", "d1 take c");
}
END_TEST

START_TEST(at_rest_it_still_learns_that_the_channel_is_closed)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c count 9", "");
	expect("b pauses", "");
	expect("a2 close c", "a2 ok");
	expect("b resumes", "b1 closed left 9");
}
END_TEST

START_TEST(time_outs_of_one_moment_end_in_the_order_of_their_requests)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c count 9 timeout 10", "");
	expect("d1 take c timeout 10", "");
	expect("e1 take c count 9 timeout 10", "");
	expect("a2 put c u", "b1 ok u left 8; a2 ok");
	fixture_later(10);
	expect("tick", "b1 timeout left 8; d1 timeout; e1 timeout left 9");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		each_value_has_its_reply_and_says_how_many_are_left,
		it_takes_from_parked_puts_too,
		after_each_value_it_queues_again_behind_the_others,
		it_ends_with_what_is_left,
		a_closed_channel_gives_what_it_has_first,
		a_deleted_channel_ends_it_in_a_queue_and_at_rest,
		time_out_nought_takes_what_is_there,
		it_is_one_request,
		waiters_are_limited_where_it_queues,
		a_promise_has_no_count,
		a_turn_gives_it_at_most_64,
		puts_give_it_no_more_in_a_turn,
		nor_more_bytes_than_a_reply_may_have,
		a_paused_connection_is_out_of_every_queue,
		it_joins_at_the_end_when_its_connection_resumes,
		at_rest_it_still_learns_that_the_channel_is_closed,
		time_outs_of_one_moment_end_in_the_order_of_their_requests,
	};
	return fixture_main("core: takes with a count", tests, sizeof(tests) / sizeof(tests[0]));
}
