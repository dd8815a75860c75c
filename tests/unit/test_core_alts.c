/* alts: exactly one arm, in random order or in theirs; alts that meet alts; arms that never match each other. */
#include "tests/lib/core_fixture.h"

START_TEST(all_arms_are_checked_first_and_a_bad_one_refuses_the_whole)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 alts priority take:c take:none", "b1 error no_such_channel arm 1");
	expect("b2 alts take:none put:c=y", "b2 error no_such_channel arm 0");
	expect_waiters("", "");
	expect_buffer("c", "x");
	expect_books("c", "buffered 1 bytes 1 accepted 1");
}
END_TEST

START_TEST(a_refused_alts_leaves_nothing_parked)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 alts take:c put:c=x take:none", "b1 error no_such_channel arm 2");
	expect_books("c", "");
	expect("a2 put c y timeout 0", "a2 timeout");
}
END_TEST

START_TEST(with_priority_the_first_arm_that_can_proceed_does)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 create d bounded 1", "a2 ok created");
	expect("a3 put d x", "a3 ok");
	expect("b1 alts priority take:c take:d put:c=y", "b1 ok arm 1 take d x");
	expect("b2 alts priority put:c=y take:c", "b2 ok arm 0 put c");
	expect("b3 alts priority put:c=z take:c", "b3 ok arm 1 take c y");
}
END_TEST

START_TEST(a_put_arm_on_a_dropping_channel_always_can)
{
	expect("a1 create d dropping 1", "a1 ok created");
	expect("b1 alts put:d=x", "b1 ok arm 0 put d");
	expect("b2 alts put:d=y", "b2 dropped arm 0 put d");
	expect_books("d", "buffered 1 bytes 1 accepted 1 dropped 1");
}
END_TEST

START_TEST(a_put_arm_on_a_sliding_channel_always_can)
{
	expect("a1 create s sliding 1", "a1 ok created");
	expect("b1 alts put:s=x", "b1 ok arm 0 put s");
	expect("b2 alts put:s=y", "b2 ok arm 0 put s evicted 1");
	expect_buffer("s", "y");
}
END_TEST

START_TEST(a_put_arm_on_a_promise_always_can)
{
	expect("a1 create p promise", "a1 ok created");
	expect("b1 alts put:p=x", "b1 ok arm 0 put p");
	expect("b2 alts put:p=y", "b2 dropped arm 0 put p");
	expect("b3 alts take:p", "b3 ok arm 0 take p x");
	expect("b4 alts take:p", "b4 ok arm 0 take p x");
}
END_TEST

START_TEST(a_put_arm_on_a_closed_channel_can)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 close c", "a3 ok");
	expect("b1 alts take:d put:c=x", "b1 closed arm 1 put c");
	expect_books("d", "");
}
END_TEST

START_TEST(a_take_arm_is_closed_only_where_a_take_would_be)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("a3 close c", "a3 ok");
	expect("b1 alts take:c", "b1 ok arm 0 take c x");
	expect("b2 alts take:c", "b2 closed arm 0 take c");
}
END_TEST

START_TEST(all_arms_park_together_and_the_first_to_be_matched_withdraws_the_others)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("b1 alts take:c put:d=x take:d", "");
	expect_waiters("", "b1 alts take c put d take d");
	expect("a3 put c y", "b1 ok arm 0 take c y; a3 ok");
	expect_waiters("", "");
	expect_books("d", "");
	expect("a4 take d timeout 0", "a4 timeout");
}
END_TEST

START_TEST(two_alts_may_match_each_other)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("b1 alts take:c take:d", "");
	expect("c1 alts put:d=x", "b1 ok arm 1 take d x; c1 ok arm 0 put d");
	expect_waiters("", "");
	expect("b2 alts put:c=y take:d", "");
	expect("c2 alts priority take:c put:d=z", "c2 ok arm 0 take c y; b2 ok arm 0 put c");
	expect_waiters("", "");
}
END_TEST

START_TEST(the_arms_of_one_alts_never_match_each_other)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 alts take:c put:c=x", "");
	expect("b2 alts priority put:c=y take:c timeout 0", "b1 ok arm 0 take c y; b2 ok arm 0 put c");
	expect("b3 alts priority put:c=x take:c", "");
	expect_waiters("c", "b3 alts put c take c");
}
END_TEST

START_TEST(arms_of_one_alts_on_a_bounded_channel_do_not_meet_either)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("b1 alts priority take:c put:c=x", "b1 ok arm 1 put c");
	expect("b2 alts priority put:c=y take:c", "b2 ok arm 1 take c x");
}
END_TEST

START_TEST(two_alts_of_both_arms_each_match_once)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 alts take:c put:c=x", "");
	expect("c1 alts priority take:c put:c=y", "c1 ok arm 0 take c x; b1 ok arm 1 put c");
	expect_waiters("", "");
	expect_books("c", "accepted 1 taken 1");
}
END_TEST

START_TEST(the_same_channel_several_times)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 alts take:c take:c take:c", "");
	expect_books("c", "takes 3");
	expect("a2 put c x", "b1 ok arm 0 take c x; a2 ok");
	expect_books("c", "accepted 1 taken 1");
	expect("b2 alts priority put:c=u put:c=v", "");
	expect("a3 take c", "a3 ok u; b2 ok arm 0 put c");
	expect("a4 take c timeout 0", "a4 timeout");
}
END_TEST

START_TEST(a_timeout_of_0_is_the_default_of_core_async_and_nothing_parks)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 alts take:c put:c=x timeout 0", "b1 timeout");
	expect_waiters("", "");
	expect_books("c", "");
}
END_TEST

START_TEST(an_alts_that_times_out_leaves_every_queue)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d bounded 1", "a2 ok created");
	expect("b1 alts take:c take:d put:c=x timeout 5", "");
	fixture_later(5);
	expect("tick", "b1 timeout");
	expect_waiters("", "");
	expect("a3 put c y timeout 0", "a3 timeout");
}
END_TEST

START_TEST(a_parked_put_arm_enters_a_buffer_that_gets_room)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 alts put:c=y", "");
	expect("b2 put c z", "");
	expect("a3 take c", "a3 ok x; b1 ok arm 0 put c");
	expect("a4 take c max 5", "a4 ok y z; b2 ok");
}
END_TEST

START_TEST(a_put_arm_and_a_take_offered_a_value_at_the_same_moment_lose_nothing)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d bounded 1", "a2 ok created");
	expect("b1 alts take:d put:c=x", "");
	expect("a3 close c", "a3 ok");
	expect("a4 put d y", "b1 ok arm 0 take d y; a4 ok");
	expect_books("c", "closed");
	expect("b2 take c", "b2 closed");
	expect_books("d", "accepted 1 taken 1");
}
END_TEST

START_TEST(sixty_four_arms)
{
	expect("a1 create c unbuffered", "a1 ok created");
	char line[1024] = "b1 alts";
	for (int i = 0; i < CORE_MAX_ARMS; i++)
		strcat(line, " take:c");
	ck_assert_str_eq(fixture_do(line), "");
	expect_books("c", "takes 64");
	expect("a2 put c x", "b1 ok arm 0 take c x; a2 ok");
	expect_books("c", "accepted 1 taken 1");
}
END_TEST

START_TEST(the_first_pass_is_in_random_order_and_fair)
{
	unsigned first = 0;
	expect("a1 create c bounded 2000", "a1 ok created");
	expect("a2 create d bounded 2000", "a2 ok created");
	for (int i = 0; i < 1000; i++) {
		ck_assert_str_eq(fixture_do("a3 put c x"), "a3 ok");
		ck_assert_str_eq(fixture_do("a4 put d x"), "a4 ok");
		first += strstr(fixture_do("b1 alts take:c take:d"), "arm 0") != NULL;
	}
	ck_assert_uint_gt(first, 400);
	ck_assert_uint_lt(first, 600);
}
END_TEST

START_TEST(the_same_seed_makes_the_same_choices)
{
	char choices[2][65] = {"", ""};
	for (int round = 0; round < 2; round++) {
		fixture_stop();
		fixture_start_seeded(42);
		fixture_do("a1 create d dropping 1");
		for (int i = 0; i < 64; i++)
			strcat(choices[round], strstr(fixture_do("b1 alts put:d=x put:d=y"), "arm 0") ? "0" : "1");
	}
	ck_assert_str_eq(choices[0], choices[1]);
	ck_assert(strchr(choices[0], '0') && strchr(choices[0], '1'));
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		all_arms_are_checked_first_and_a_bad_one_refuses_the_whole,
		a_refused_alts_leaves_nothing_parked,
		with_priority_the_first_arm_that_can_proceed_does,
		a_put_arm_on_a_dropping_channel_always_can,
		a_put_arm_on_a_sliding_channel_always_can,
		a_put_arm_on_a_promise_always_can,
		a_put_arm_on_a_closed_channel_can,
		a_take_arm_is_closed_only_where_a_take_would_be,
		all_arms_park_together_and_the_first_to_be_matched_withdraws_the_others,
		two_alts_may_match_each_other,
		the_arms_of_one_alts_never_match_each_other,
		arms_of_one_alts_on_a_bounded_channel_do_not_meet_either,
		two_alts_of_both_arms_each_match_once,
		the_same_channel_several_times,
		a_timeout_of_0_is_the_default_of_core_async_and_nothing_parks,
		an_alts_that_times_out_leaves_every_queue,
		a_parked_put_arm_enters_a_buffer_that_gets_room,
		a_put_arm_and_a_take_offered_a_value_at_the_same_moment_lose_nothing,
		sixty_four_arms,
		the_first_pass_is_in_random_order_and_fair,
		the_same_seed_makes_the_same_choices,
	};
	return fixture_main("core: alts", tests, sizeof(tests) / sizeof(tests[0]));
}
