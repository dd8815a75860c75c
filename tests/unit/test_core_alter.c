/* alter: another capacity and the like, without losing what is there. */
#include "tests/lib/core_fixture.h"

START_TEST(more_capacity_lets_parked_puts_in)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 put c y", "");
	expect("b2 puts c z z2", "");
	expect("a3 alter c bounded 3", "a3 ok altered; b1 ok");
	expect_buffer("c", "x y z");
	expect("a4 alter c bounded 4", "a4 ok altered; b2 ok accepted 2");
}
END_TEST

START_TEST(less_capacity_sheds_nothing_and_puts_wait_for_room)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("a2 puts c x y z", "a2 ok accepted 3");
	expect("a3 alter c bounded 1", "a3 ok altered");
	expect_buffer("c", "x y z");
	expect("a4 put c w", "");
	expect("b1 take c max 2", "b1 ok x y");
	expect_waiters("c", "a4 put c");
	expect("b2 take c", "b2 ok z; a4 ok");
	expect_books("c", "buffered 1 bytes 1 accepted 4 taken 3");
}
END_TEST

START_TEST(less_capacity_on_dropping_sheds_what_comes_then)
{
	expect("a1 create c dropping 3", "a1 ok created");
	expect("a2 puts c x y z", "a2 ok accepted 3");
	expect("a3 alter c dropping 1", "a3 ok altered");
	expect_buffer("c", "x y z");
	expect("a4 put c w", "a4 dropped");
}
END_TEST

START_TEST(less_capacity_on_sliding_sheds_the_oldest)
{
	expect("a1 create c sliding 4", "a1 ok created");
	expect("a2 puts c w x y z", "a2 ok accepted 4");
	expect("a3 alter c sliding 2", "a3 ok altered");
	expect_buffer("c", "y z");
	expect_books("c", "buffered 2 bytes 2 accepted 4 evicted 2");
}
END_TEST

START_TEST(kind_and_ephemeral_stay)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 alter c sliding 1", "a2 error channel_exists");
	expect("a3 create e bounded 1 ephemeral", "a3 ok created");
	expect("a4 alter e bounded 2", "a4 error channel_exists");
	expect("a5 alter nowhere bounded 1", "a5 error no_such_channel");
}
END_TEST

START_TEST(the_same_definition_alters_nothing)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("- alter c bounded 1", "- ok");
	expect("- alter c bounded 2", "- ok altered");
	expect("a2 create c bounded 2", "a2 ok");
	expect("a3 create c bounded 1", "a3 error channel_exists");
}
END_TEST

START_TEST(a_dead_letter_channel_is_another_bounded_one)
{
	expect("a1 create dead bounded 1", "a1 ok created");
	expect("a2 create slide sliding 1", "a2 ok created");
	expect("a3 create c bounded 2", "a3 ok created");
	expect("a4 alter c bounded 2 dead 1 nowhere", "a4 error bad_channel");
	expect("a5 alter c bounded 2 dead 1 slide", "a5 error bad_channel");
	expect("a6 alter c bounded 2 dead 1 c", "a6 error bad_channel");
	expect("a7 alter c bounded 2 dead 1 dead", "a7 ok altered");
	expect("a8 put c x", "a8 ok");
	expect("b1 take c lease 100", "b1 ok x lease 1 deliveries 1");
	expect("b2 nack 1", "b2 ok");
	expect_buffer("dead", "x");
	expect("a9 alter c bounded 2", "a9 ok altered"); /* none any more */
	expect("a10 put c y", "a10 ok");
	expect("b1 take c lease 100", "b1 ok y lease 2 deliveries 1");
	expect("b2 nack 2", "b2 ok");
	expect_buffer("c", "y");
}
END_TEST

START_TEST(max_waiters_holds_for_who_comes_then)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 take c", "");
	expect("a3 take c", "");
	expect("b1 alter c unbuffered waiters 1", "b1 ok altered");
	expect("a4 take c", "a4 error too_many_waiters");
	expect_waiters("c", "a2 take c; a3 take c");
	expect("b2 alter c unbuffered", "b2 ok altered"); /* the default again */
	expect("a4 take c", "");
}
END_TEST

START_TEST(a_closed_channel_and_a_draining_daemon_can_be_altered)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 puts c x y", "");
	expect("a3 close c", "a3 ok");
	fixture_drain();
	expect("a4 alter c bounded 2", "a4 ok altered; a2 ok accepted 2");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		more_capacity_lets_parked_puts_in,
		less_capacity_sheds_nothing_and_puts_wait_for_room,
		less_capacity_on_dropping_sheds_what_comes_then,
		less_capacity_on_sliding_sheds_the_oldest,
		kind_and_ephemeral_stay,
		the_same_definition_alters_nothing,
		a_dead_letter_channel_is_another_bounded_one,
		max_waiters_holds_for_who_comes_then,
		a_closed_channel_and_a_draining_daemon_can_be_altered,
	};
	return fixture_main("core: alter", tests, sizeof(tests) / sizeof(tests[0]));
}
