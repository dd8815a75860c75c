/* close: what can still be taken, who is woken, and who is not. */
#include "tests/lib/core_fixture.h"

START_TEST(close_is_idempotent)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 close c", "a2 ok");
	expect("b1 close c", "b1 ok");
	expect_books("c", "closed");
}
END_TEST

START_TEST(no_new_put_is_accepted_on_a_closed_channel_of_any_kind)
{
	expect("a1 create u unbuffered", "a1 ok created");
	expect("a2 create b bounded 1", "a2 ok created");
	expect("a3 create d dropping 1", "a3 ok created");
	expect("a4 create s sliding 1", "a4 ok created");
	expect("a5 create p promise", "a5 ok created");
	expect("a6 close u", "a6 ok");
	expect("a7 close b", "a7 ok");
	expect("a8 close d", "a8 ok");
	expect("a9 close s", "a9 ok");
	expect("a10 close p", "a10 ok");
	expect("b1 put u x", "b1 closed");
	expect("b2 put b x", "b2 closed");
	expect("b3 put d x", "b3 closed");
	expect("b4 put s x", "b4 closed");
	expect("b5 put p x", "b5 closed");
	expect("b6 puts b x y", "b6 closed accepted 0");
	expect_books("d", "closed");
}
END_TEST

START_TEST(what_is_buffered_can_still_be_taken_and_then_every_take_is_closed)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("a2 puts c x y", "a2 ok accepted 2");
	expect("a3 close c", "a3 ok");
	expect("b1 take c", "b1 ok x");
	expect("b2 take c", "b2 ok y");
	expect("b3 take c", "b3 closed");
	expect("b4 take c max 5", "b4 closed");
	expect("b5 take c timeout 0", "b5 closed");
	expect_books("c", "closed accepted 2 taken 2");
}
END_TEST

START_TEST(parked_takes_get_closed_in_the_order_in_which_they_parked)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c", "");
	expect("c1 alts take:c", "");
	expect("b2 take c max 3", "");
	expect("a2 close c", "b1 closed; c1 closed arm 0 take c; b2 closed; a2 ok");
	expect_waiters("", "");
}
END_TEST

START_TEST(what_was_parked_to_be_put_can_still_be_taken_after_what_is_buffered)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("a3 put c y", "");
	expect("a4 put c z", "");
	expect("b1 close c", "b1 ok");
	expect_books("c", "closed buffered 1 puts 2 bytes 3 accepted 1");
	expect("b2 take c", "b2 ok x; a3 ok");
	expect("b3 take c", "b3 ok y; a4 ok");
	expect("b4 take c", "b4 ok z");
	expect("b5 take c", "b5 closed");
}
END_TEST

START_TEST(a_parked_batch_enters_a_closed_channel_wholly)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 puts c x y z", "");
	expect("b1 close c", "b1 ok");
	expect("b2 take c", "b2 ok x");
	expect("b3 take c max 9", "b3 ok y z; a2 ok accepted 3");
	expect("b4 take c", "b4 closed");
}
END_TEST

START_TEST(a_parked_alts_put_arm_is_not_woken_by_a_close_and_can_still_be_taken_from)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 alts put:c=x take:d", "");
	expect("b1 close c", "b1 ok");
	expect_waiters("c", "a3 alts put c take d");
	expect("b2 take c", "b2 ok x; a3 ok arm 0 put c");
	expect("b3 take c", "b3 closed");
}
END_TEST

START_TEST(a_parked_put_on_a_closed_channel_may_still_time_out_or_be_cancelled)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 put c x timeout 10", "");
	expect("a3 put c y", "");
	expect("b1 close c", "b1 ok");
	fixture_later(10);
	expect("tick", "a2 timeout");
	expect("a4 cancel 3", "a3 cancelled; a4 ok");
	expect("b2 take c", "b2 closed");
	expect_books("c", "closed");
}
END_TEST

START_TEST(when_the_last_parked_put_leaves_a_closed_channel_nothing_is_left_to_take)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("a3 put c y", "");
	expect("b1 close c", "b1 ok");
	expect("a4 leaves", "");
	expect("b2 take c", "b2 ok x");
	expect("b3 take c", "b3 closed");
}
END_TEST

START_TEST(a_put_that_was_parked_when_the_channel_closed_is_never_closed)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("a3 put c y", "");
	expect("b1 close c", "b1 ok");
	expect("b2 close c", "b2 ok");
	expect("b3 take c max 2", "b3 ok x y; a3 ok");
}
END_TEST

START_TEST(a_promise_can_be_taken_for_ever_after_close_and_an_empty_one_is_closed)
{
	expect("a1 create p promise", "a1 ok created");
	expect("a2 create q promise", "a2 ok created");
	expect("a3 put p x", "a3 ok");
	expect("b1 take q", "");
	expect("a4 close p", "a4 ok");
	expect("a5 close q", "b1 closed; a5 ok");
	expect("b2 take p", "b2 ok x");
	expect("b3 take p", "b3 ok x");
	expect("b4 take q", "b4 closed");
}
END_TEST

START_TEST(a_channel_that_is_not_there_cannot_be_closed)
{
	expect("a1 close c", "a1 error no_such_channel");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		close_is_idempotent,
		no_new_put_is_accepted_on_a_closed_channel_of_any_kind,
		what_is_buffered_can_still_be_taken_and_then_every_take_is_closed,
		parked_takes_get_closed_in_the_order_in_which_they_parked,
		what_was_parked_to_be_put_can_still_be_taken_after_what_is_buffered,
		a_parked_batch_enters_a_closed_channel_wholly,
		a_parked_alts_put_arm_is_not_woken_by_a_close_and_can_still_be_taken_from,
		a_parked_put_on_a_closed_channel_may_still_time_out_or_be_cancelled,
		when_the_last_parked_put_leaves_a_closed_channel_nothing_is_left_to_take,
		a_put_that_was_parked_when_the_channel_closed_is_never_closed,
		a_promise_can_be_taken_for_ever_after_close_and_an_empty_one_is_closed,
		a_channel_that_is_not_there_cannot_be_closed,
	};
	return fixture_main("core: close", tests, sizeof(tests) / sizeof(tests[0]));
}
