/* Batches: `values` and `max`. */
#include "tests/lib/core_fixture.h"

START_TEST(values_are_put_in_order_contiguously_in_one_step)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("b1 take c max 2", "");
	expect("a2 puts c v w x y", "b1 ok v w; a2 ok accepted 4");
	expect_buffer("c", "x y");
}
END_TEST

START_TEST(a_parked_take_with_max_gets_as_many_as_it_asked_for)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c max 3", "");
	expect("b2 take c", "");
	expect("a2 puts c v w x y", "b1 ok v w x; b2 ok y; a2 ok accepted 4");
}
END_TEST

START_TEST(a_batch_parks_until_all_are_in)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 puts c v w x y", "");
	expect_buffer("c", "v w");
	expect("b1 take c", "b1 ok v");
	expect_buffer("c", "w x");
	expect("b2 take c", "b2 ok w; a2 ok accepted 4");
	expect_buffer("c", "x y");
}
END_TEST

START_TEST(nobody_gets_in_between_the_values_of_a_batch)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 puts c x y z", "");
	expect("b1 put c w", "");
	expect("c1 take c", "c1 ok x");
	expect("c2 take c", "c2 ok y; a2 ok accepted 3");
	expect("c3 take c", "c3 ok z; b1 ok");
	expect("c4 take c", "c4 ok w");
}
END_TEST

START_TEST(on_a_dropping_channel_the_rest_of_a_batch_is_shed_and_counted)
{
	expect("a1 create d dropping 2", "a1 ok created");
	expect("a2 puts d w x y z", "a2 dropped accepted 2");
	expect_books("d", "buffered 2 bytes 2 accepted 2 dropped 2");
	expect("a3 puts d v", "a3 dropped accepted 0");
}
END_TEST

START_TEST(on_a_sliding_channel_a_batch_sheds_the_oldest_even_its_own)
{
	expect("a1 create s sliding 2", "a1 ok created");
	expect("a2 puts s v w x y z", "a2 ok accepted 5 evicted 3");
	expect_buffer("s", "y z");
}
END_TEST

START_TEST(a_take_with_max_takes_what_is_there_parked_puts_included)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c w", "a2 ok");
	expect("a3 put c x", "");
	expect("a4 puts c y z", "");
	expect("b1 take c max 10", "b1 ok w x y z; a3 ok; a4 ok accepted 2");
	expect_buffer("c", "");
}
END_TEST

START_TEST(a_take_with_max_parks_only_while_there_is_nothing)
{
	expect("a1 create c bounded 5", "a1 ok created");
	expect("b1 take c max 3", "");
	expect("a2 put c x", "b1 ok x; a2 ok");
	expect("b2 take c max 3 timeout 0", "b2 timeout");
}
END_TEST

START_TEST(a_take_with_max_stops_where_its_reply_would_be_too_long_but_gives_one)
{
	fixture.limits.max_take_bytes = 8;
	fixture_set_limits();
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 puts c xxx yyy zzz", "a2 ok accepted 3");
	expect("b1 take c max 9", "b1 ok xxx yyy");
	expect("b2 take c max 9", "b2 ok zzz");
	expect("a3 put c wwwwwwwwwwww", "a3 ok");
	expect("b3 take c max 9", "b3 ok wwwwwwwwwwww");
}
END_TEST

START_TEST(one_value_asked_for_with_max_is_still_a_batch_of_one)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 puts c x y", "a2 ok accepted 2");
	expect("b1 take c max 1", "b1 ok x");
}
END_TEST

START_TEST(parked_takes_with_max_share_a_batch_in_their_order)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c max 2", "");
	expect("c1 take c max 2", "");
	expect("d1 take c max 2", "");
	expect("a2 puts c v w x", "b1 ok v w; c1 ok x; a2 ok accepted 3");
	expect_waiters("c", "d1 take c");
}
END_TEST

START_TEST(a_batch_of_parked_puts_lets_those_behind_it_in_as_room_comes)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("a2 puts c u v w", "a2 ok accepted 3");
	expect("b1 puts c x y", "");
	expect("c1 put c z", "");
	expect("d1 take c max 3", "d1 ok u v w; b1 ok accepted 2; c1 ok");
	expect_buffer("c", "x y z");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		values_are_put_in_order_contiguously_in_one_step,
		a_parked_take_with_max_gets_as_many_as_it_asked_for,
		a_batch_parks_until_all_are_in,
		nobody_gets_in_between_the_values_of_a_batch,
		on_a_dropping_channel_the_rest_of_a_batch_is_shed_and_counted,
		on_a_sliding_channel_a_batch_sheds_the_oldest_even_its_own,
		a_take_with_max_takes_what_is_there_parked_puts_included,
		a_take_with_max_parks_only_while_there_is_nothing,
		a_take_with_max_stops_where_its_reply_would_be_too_long_but_gives_one,
		one_value_asked_for_with_max_is_still_a_batch_of_one,
		parked_takes_with_max_share_a_batch_in_their_order,
		a_batch_of_parked_puts_lets_those_behind_it_in_as_room_comes,
	};
	return fixture_main("core: batches", tests, sizeof(tests) / sizeof(tests[0]));
}
