/* Time: what ends when, and what happens first in an instant. */
#include "tests/lib/core_fixture.h"

START_TEST(timeout_counts_from_the_arrival_of_the_request)
{
	expect("a1 create c unbuffered", "a1 ok created");
	fixture_later(100);
	expect("b1 take c timeout 10", "");
	fixture_later(9);
	expect("tick", "");
	fixture_later(1);
	expect("tick", "b1 timeout");
}
END_TEST

START_TEST(nothing_ends_early)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c timeout 1", "");
	fixture.now_us += 999;
	expect("tick", "");
	fixture.now_us += 1;
	expect("tick", "b1 timeout");
}
END_TEST

START_TEST(without_a_timeout_a_request_parks_until_it_is_served)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c", "");
	ck_assert(core_deadline(fixture.core) == CORE_NEVER);
	fixture_later(2000000000);
	expect("tick", "");
	expect("a2 put c x", "b1 ok x; a2 ok");
}
END_TEST

START_TEST(max_park_ms_caps_both)
{
	fixture.limits.max_park_ms = 50;
	fixture_set_limits();
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c", "");
	expect("b2 take c timeout 1000", "");
	expect("b3 take c timeout 20", "");
	fixture_later(20);
	expect("tick", "b3 timeout");
	fixture_later(30);
	expect("tick", "b1 timeout; b2 timeout");
}
END_TEST

START_TEST(what_is_due_happens_before_the_requests_of_that_turn_earliest_first)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c timeout 20", "");
	expect("b2 take c timeout 10", "");
	expect("b3 take c timeout 30", "");
	fixture_later(20);
	expect("a2 put c x", "b2 timeout; b1 timeout; b3 ok x; a2 ok");
}
END_TEST

START_TEST(those_due_at_the_same_instant_end_in_the_order_in_which_they_parked)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c timeout 10", "");
	expect("c1 put c x timeout 0", "b1 ok x; c1 ok");
	expect("b2 take c timeout 10", "");
	expect("b3 take c timeout 10", "");
	expect("b4 alts take:c timeout 10", "");
	fixture_later(10);
	expect("tick", "b2 timeout; b3 timeout; b4 timeout");
}
END_TEST

START_TEST(a_value_that_was_handed_over_is_never_also_timed_out)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c timeout 10", "");
	fixture_later(9);
	expect("a2 put c x", "b1 ok x; a2 ok");
	fixture_later(10);
	expect("tick", "");
}
END_TEST

START_TEST(a_timed_out_request_leaves_every_queue)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 put c x timeout 10", "");
	fixture_later(10);
	expect("tick", "b1 timeout");
	expect("a2 take c timeout 0", "a2 timeout");
	expect_books("c", "");
	ck_assert(core_deadline(fixture.core) == CORE_NEVER);
}
END_TEST

START_TEST(timeout_0_is_offer_and_poll)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("b1 take c timeout 0", "b1 timeout");
	expect("b2 put c x timeout 0", "b2 ok");
	expect("b3 put c y timeout 0", "b3 timeout");
	expect("b4 take c timeout 0", "b4 ok x");
}
END_TEST

START_TEST(a_batch_has_one_timeout_and_says_how_much_of_it_is_in)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("b1 puts c v w x y timeout 10", "");
	fixture_later(5);
	expect("a2 take c", "a2 ok v");
	fixture_later(5);
	expect("tick", "b1 timeout accepted 3");
	expect_buffer("c", "w x");
}
END_TEST

START_TEST(a_batch_with_timeout_0_puts_what_there_is_room_for)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("b1 puts c v w x timeout 0", "b1 timeout accepted 2");
	expect_buffer("c", "v w");
}
END_TEST

START_TEST(a_put_in_the_instant_of_a_takes_deadline_does_not_reach_it)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c timeout 10", "");
	fixture_later(10);
	expect("a2 put c x timeout 0", "b1 timeout; a2 timeout");
}
END_TEST

START_TEST(the_deadline_is_the_earliest_of_all)
{
	expect("a1 create c unbuffered", "a1 ok created");
	uint64_t now_us = fixture.now_us;
	expect("b1 take c timeout 30", "");
	ck_assert_uint_eq(core_deadline(fixture.core), now_us + 30000);
	expect("b2 take c timeout 10", "");
	ck_assert_uint_eq(core_deadline(fixture.core), now_us + 10000);
	expect("b3 cancel 2", "b2 cancelled; b3 ok");
	ck_assert_uint_eq(core_deadline(fixture.core), now_us + 30000);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		timeout_counts_from_the_arrival_of_the_request,
		nothing_ends_early,
		without_a_timeout_a_request_parks_until_it_is_served,
		max_park_ms_caps_both,
		what_is_due_happens_before_the_requests_of_that_turn_earliest_first,
		those_due_at_the_same_instant_end_in_the_order_in_which_they_parked,
		a_value_that_was_handed_over_is_never_also_timed_out,
		a_timed_out_request_leaves_every_queue,
		timeout_0_is_offer_and_poll,
		a_batch_has_one_timeout_and_says_how_much_of_it_is_in,
		a_batch_with_timeout_0_puts_what_there_is_room_for,
		a_put_in_the_instant_of_a_takes_deadline_does_not_reach_it,
		the_deadline_is_the_earliest_of_all,
	};
	return fixture_main("core: time", tests, sizeof(tests) / sizeof(tests[0]));
}
