/* Delayed put: accepted now, entering later. */
#include "tests/lib/core_fixture.h"

START_TEST(a_delayed_put_answers_at_once_and_enters_when_its_delay_has_passed)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 put c x delay 50", "a2 ok");
	expect_buffer("c", "");
	expect("b1 take c timeout 0", "b1 timeout");
	fixture_later(49);
	expect("tick", "");
	expect_buffer("c", "");
	fixture_later(1);
	expect("b2 take c timeout 0", "b2 ok x"); /* what is due comes before the turn's requests */
	expect_books("c", "accepted 1 taken 1");
}
END_TEST

START_TEST(it_counts_as_leased_and_as_delayed_and_takes_its_room)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 put c x delay 50", "a2 ok");
	expect_books("c", "leased 1 delayed 1 bytes 1 accepted 1");
	expect("a3 put c y", "a3 ok");
	expect("a4 put c z", "");
	expect("b1 take c lease 9", "b1 ok y lease 1 deliveries 1");
	expect("b2 nack 1 delay 9", "b2 ok");
	expect_books("c", "leased 2 delayed 1 puts 1 bytes 3 accepted 2"); /* a delayed nack is none */
	expect_leases(0, "");
	expect("a5 create d dropping 1", "a5 ok created");
	expect("a6 put d x delay 50", "a6 ok");
	expect("a7 put d y", "a7 dropped");
	expect("a8 put d y delay 1", "a8 dropped");
}
END_TEST

START_TEST(its_value_enters_at_the_end_of_the_channel)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 put c late delay 50", "a2 ok");
	expect("a3 put c early", "a3 ok");
	expect("a4 puts c u v delay 20", "a4 ok accepted 2");
	fixture_later(20);
	expect("a5 put c w", "a5 ok");
	fixture_later(30);
	expect("tick", "");
	expect_buffer("c", "early u v w late");
}
END_TEST

START_TEST(those_that_are_due_together_enter_in_the_order_of_acceptance)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 put c x delay 50", "a2 ok");
	expect("a3 put c y delay 50", "a3 ok");
	fixture_later(10);
	expect("a4 put c z delay 40", "a4 ok");
	fixture_later(40);
	expect("tick", "");
	expect_buffer("c", "x y z");
}
END_TEST

START_TEST(a_take_that_waits_is_served_when_it_enters_and_not_before)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("b1 take c", "");
	expect("a2 put c x delay 5", "a2 ok");
	expect_waiters("c", "b1 take c");
	fixture_later(5);
	expect("tick", "b1 ok x");
	expect("b2 take c max 3", "");
	expect("a3 puts c u v delay 5", "a3 ok accepted 2");
	fixture_later(5);
	expect("tick", "b2 ok u v");
}
END_TEST

START_TEST(it_parks_as_any_other_and_its_delay_counts_from_acceptance)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 put c y delay 50", "");
	fixture_later(100);
	expect("tick", "");
	expect("d1 take c", "d1 ok x; b1 ok");
	expect_books("c", "leased 1 delayed 1 bytes 1 accepted 2 taken 1");
	fixture_later(49);
	expect("d2 take c timeout 0", "d2 timeout");
	fixture_later(1);
	expect("d3 take c timeout 0", "d3 ok y");
}
END_TEST

START_TEST(a_batch_is_accepted_as_room_comes_and_its_parts_keep_their_order)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 puts c u v w delay 50", "");
	fixture_later(10);
	expect("d1 take c", "d1 ok x");
	expect_books("c", "leased 2 delayed 2 puts 1 bytes 3 accepted 3 taken 1");
	fixture_later(40);
	expect("d2 take c", "d2 ok u; b1 ok accepted 3");
	fixture_later(49);
	expect("d3 take c max 9", "d3 ok v");
	fixture_later(1);
	expect("d4 take c max 9", "d4 ok w");
}
END_TEST

START_TEST(parked_puts_are_let_in_in_their_order_whether_they_have_a_delay_or_not)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 put c y delay 9", "");
	expect("b2 put c z", "");
	expect("b3 put c w delay 9", "");
	expect_waiters("c", "b1 put c; b2 put c; b3 put c");
	expect("d1 take c", "d1 ok x; b1 ok");
	fixture_later(9);
	expect("d2 take c", "d2 ok y; b2 ok");
	expect("d3 take c", "d3 ok z; b3 ok");
}
END_TEST

START_TEST(a_take_does_not_take_from_a_parked_put_with_a_delay)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 take c lease 100", "b1 ok x lease 1 deliveries 1");
	expect("a3 put c y delay 9", "");
	expect("a4 put c z", "");
	expect("b2 take c", "b2 ok z; a4 ok");
	expect("b3 take c", "");
	expect_waiters("c", "a3 put c; b3 take c");
	expect("b4 ack 1", "b4 ok; a3 ok");
	fixture_later(9);
	expect("tick", "b3 ok y");
}
END_TEST

START_TEST(a_parked_put_with_a_delay_times_out_is_cancelled_and_ends_with_its_channel)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 puts c y z delay 9 timeout 5", "");
	expect("b2 put c y delay 9", "");
	expect("b3 put c y delay 9 timeout 0", "b3 timeout");
	expect("b4 put c y delay 9", "");
	fixture_later(5);
	expect("tick", "b1 timeout accepted 0");
	expect("b5 cancel 2", "b2 cancelled; b5 ok");
	expect("a3 delete c", "a3 error not_empty");
	expect("a4 delete c force", "b4 closed; a4 ok discarded 1");
}
END_TEST

START_TEST(on_sliding_it_evicts_when_it_enters)
{
	expect("a1 create c sliding 2", "a1 ok created");
	expect("a2 puts c x y", "a2 ok accepted 2");
	expect("a3 puts c u v w delay 5", "a3 ok accepted 3");
	expect_buffer("c", "x y");
	fixture_later(5);
	expect("tick", "");
	expect_buffer("c", "v w");
	expect_books("c", "buffered 2 bytes 2 accepted 5 evicted 3");
}
END_TEST

START_TEST(on_dropping_what_finds_no_room_is_shed_at_once)
{
	expect("a1 create c dropping 2", "a1 ok created");
	expect("a2 puts c x y z delay 5", "a2 dropped accepted 2");
	fixture_later(5);
	expect("tick", "");
	expect_buffer("c", "x y");
	expect_books("c", "buffered 2 bytes 2 accepted 2 dropped 1");
}
END_TEST

START_TEST(on_close_it_still_comes)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x delay 5", "a2 ok");
	expect("a3 put c y delay 5", "");
	expect("a4 close c", "a4 ok");
	expect("a5 put c z delay 5", "a5 closed");
	expect("b1 take c", "");
	expect("b2 take c", "");
	expect("b3 take c", "");
	fixture_later(5);
	expect("tick", "b1 ok x; a3 ok");
	fixture_later(5);
	expect("tick", "b2 ok y; b3 closed");
}
END_TEST

START_TEST(delete_with_force_discards_it)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("a2 puts c x y delay 5", "a2 ok accepted 2");
	expect("a3 delete c", "a3 error not_empty");
	expect("a4 delete c force", "a4 ok discarded 2");
	fixture_later(5);
	expect("tick", "");
}
END_TEST

START_TEST(unbuffered_channels_and_promises_refuse_it)
{
	expect("a1 create u unbuffered", "a1 ok created");
	expect("a2 create p promise", "a2 ok created");
	expect("a3 put u x delay 5", "a3 error bad_request");
	expect("a4 put p x delay 5", "a4 error bad_request");
	expect("b1 take u", "");
	expect("a5 put u x delay 0", "b1 ok x; a5 ok"); /* 0 is none */
}
END_TEST

START_TEST(a_daemon_that_drains_waits_for_it)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("a2 put c x delay 5", "a2 ok");
	fixture_drain();
	expect("a3 put c y delay 5", "a3 error draining");
	ck_assert(!core_is_drained(fixture.core));
	fixture_later(5);
	expect("b1 take c", "b1 ok x");
	ck_assert(core_is_drained(fixture.core));
}
END_TEST

START_TEST(it_outlives_its_connection)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("b1 put c x delay 5", "b1 ok");
	expect("b leaves", "");
	fixture_later(5);
	expect("tick", "");
	expect_buffer("c", "x");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_delayed_put_answers_at_once_and_enters_when_its_delay_has_passed,
		it_counts_as_leased_and_as_delayed_and_takes_its_room,
		its_value_enters_at_the_end_of_the_channel,
		those_that_are_due_together_enter_in_the_order_of_acceptance,
		a_take_that_waits_is_served_when_it_enters_and_not_before,
		it_parks_as_any_other_and_its_delay_counts_from_acceptance,
		a_batch_is_accepted_as_room_comes_and_its_parts_keep_their_order,
		parked_puts_are_let_in_in_their_order_whether_they_have_a_delay_or_not,
		a_take_does_not_take_from_a_parked_put_with_a_delay,
		a_parked_put_with_a_delay_times_out_is_cancelled_and_ends_with_its_channel,
		on_sliding_it_evicts_when_it_enters,
		on_dropping_what_finds_no_room_is_shed_at_once,
		on_close_it_still_comes,
		delete_with_force_discards_it,
		unbuffered_channels_and_promises_refuse_it,
		a_daemon_that_drains_waits_for_it,
		it_outlives_its_connection,
	};
	return fixture_main("core: delayed puts", tests, sizeof(tests) / sizeof(tests[0]));
}
