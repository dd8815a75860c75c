/* Dead letters: what came back too often goes to another channel, or waits until it can. */
#include "tests/lib/core_fixture.h"

START_TEST(after_so_many_returns_it_is_a_dead_letter)
{
	expect("a1 create dead bounded 9", "a1 ok created");
	expect("a2 create c bounded 1 dead 2 dead", "a2 ok created");
	expect("a3 put c x", "a3 ok");
	expect("a4 put c y", "");
	expect("b1 take c lease 1000", "b1 ok x lease 1 deliveries 1");
	expect("b2 nack 1", "b2 ok");
	expect("b3 take c lease 10", "b3 ok x lease 2 deliveries 2");
	fixture_later(10);
	expect("tick", "a4 ok"); /* there is room */
	expect_buffer("dead", "x");
	expect_books("c", "buffered 1 bytes 1 accepted 2 dead_lettered 1");
	expect("b4 take dead lease 1000", "b4 ok x lease 3 deliveries 1 from c deliveries 2 expired 0 ms ago");
}
END_TEST

START_TEST(where_there_is_no_room_it_waits_and_counts_as_leased)
{
	expect("a1 create dead bounded 1", "a1 ok created");
	expect("a2 put dead z", "a2 ok");
	expect("a3 create c bounded 2 dead 1 dead", "a3 ok created");
	expect("a4 puts c x y", "a4 ok accepted 2");
	expect("b1 take c max 2 lease 1000", "b1 ok x y lease 1 deliveries 1 1");
	expect("b2 nack 1", "b2 ok");
	expect_books("c", "leased 2 accepted 2");
	expect_books("dead", "buffered 1 puts 1 bytes 3 accepted 1");
	expect("a5 put c v", "");
	expect("a6 delete c", "a6 error not_empty");
	expect("a7 close c", "a7 ok");
	expect("d1 take dead", "d1 ok z; a5 ok"); /* one entered: c has room */
	expect("d2 take c", "d2 ok v");
	expect("d3 take c", ""); /* the other may come back */
	expect("d4 take dead", "d4 ok x from c deliveries 1 nack 0 ms ago; d3 closed");
	expect_books("dead", "buffered 1 bytes 1 accepted 3 taken 2");
	expect_books("c", "closed accepted 3 taken 1 dead_lettered 2");
}
END_TEST

START_TEST(a_take_that_waits_there_gets_it_at_once)
{
	expect("a1 create dead bounded 1", "a1 ok created");
	expect("a2 create c bounded 2 dead 1 dead", "a2 ok created");
	expect("d1 take dead lease 50", "");
	expect("a3 put c x", "a3 ok");
	expect("b1 take c lease 1000", "b1 ok x lease 1 deliveries 1");
	expect("b leaves", "d1 ok x lease 2 deliveries 1 from c deliveries 1 disconnected 0 ms ago");
	expect_books("c", "accepted 1 dead_lettered 1");
	expect_books("dead", "leased 1 bytes 1 accepted 1");
}
END_TEST

START_TEST(without_a_channel_to_go_to_it_comes_back)
{
	expect("a1 create dead bounded 1", "a1 ok created");
	expect("a2 create c bounded 3 dead 1 dead", "a2 ok created");
	expect("a3 puts c x y", "a3 ok accepted 2");
	expect("b1 take c lease 1000", "b1 ok x lease 1 deliveries 1");
	expect("a4 close dead", "a4 ok");
	expect("b2 nack 1", "b2 ok; undeliverable 1 c");
	expect_buffer("c", "x y");
	expect("a5 delete dead", "a5 ok");
	expect("b3 take c lease 1000", "b3 ok x lease 2 deliveries 2");
	expect("b4 nack 2", "b4 ok; undeliverable 1 c");
	expect("a6 create dead bounded 1", "a6 ok created");
	expect("b5 take c max 2 lease 1000", "b5 ok x y lease 3 deliveries 3 1");
	expect("b6 nack 3", "b6 ok");
	expect_buffer("dead", "x");
	expect_books("dead", "buffered 1 puts 1 bytes 2 accepted 1");
	expect("a7 delete dead force", "a7 ok discarded 1; undeliverable 1 c");
	expect_books("c", "buffered 1 bytes 1 accepted 2 dead_lettered 1");
}
END_TEST

START_TEST(a_lease_may_begin_and_go_in_one_step)
{
	expect("a1 create c bounded 1 ephemeral", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("a3 take c lease 1000", "a3 ok x lease 1 deliveries 1");
	expect("b1 take c lease 1000", "");
	expect("a leaves", "b1 ok x lease 2 deliveries 2"); /* it came back, went to b, and then the channel went */
	expect("b2 ack 2", "b2 error no_such_lease");
}
END_TEST

START_TEST(dead_letters_go_with_their_source)
{
	expect("a1 create dead bounded 1", "a1 ok created");
	expect("a2 put dead z", "a2 ok");
	expect("a3 create c bounded 2 dead 1 dead", "a3 ok created");
	expect("a4 put c x", "a4 ok");
	expect("b1 take c lease 1000", "b1 ok x lease 1 deliveries 1");
	expect("b2 nack 1", "b2 ok");
	expect("a5 delete c force", "a5 ok discarded 1");
	expect_books("dead", "buffered 1 bytes 1 accepted 1");
	expect_waiters("", "");
}
END_TEST

START_TEST(dead_letter_names_another_bounded_channel_that_exists)
{
	expect("a1 create c bounded 2 dead 1 dead", "a1 error bad_channel");
	expect("a2 create dead sliding 2", "a2 ok created");
	expect("a3 create c bounded 2 dead 1 dead", "a3 error bad_channel");
	expect("a4 create c bounded 2 dead 1 c", "a4 error bad_channel");
	expect("a5 create grave bounded 2", "a5 ok created");
	expect("a6 create c bounded 2 dead 1 grave", "a6 ok created");
	expect("a7 create c bounded 2 dead 1 grave", "a7 ok");
	expect("a8 create c bounded 2 dead 2 grave", "a8 error channel_exists");
	expect("a9 create c bounded 2", "a9 error channel_exists");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		after_so_many_returns_it_is_a_dead_letter,
		where_there_is_no_room_it_waits_and_counts_as_leased,
		a_take_that_waits_there_gets_it_at_once,
		without_a_channel_to_go_to_it_comes_back,
		a_lease_may_begin_and_go_in_one_step,
		dead_letters_go_with_their_source,
		dead_letter_names_another_bounded_channel_that_exists,
	};
	return fixture_main("core: dead letters", tests, sizeof(tests) / sizeof(tests[0]));
}
