/* Puts without an id: they park and count as any other; nobody waits for them, and nobody can cancel them. */
#include "tests/lib/core_fixture.h"

START_TEST(they_enter_as_any_other)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a put c x", "a ok");
	expect("a put c y", "");
	expect("a put c z", "");
	expect_waiters("c", "a put c; a put c");
	expect("b1 take c max 5", "b1 ok x y z; a ok; a ok");
}
END_TEST

START_TEST(they_meet_takes_and_alts)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 alts take:c", "");
	expect("a put c x", "b1 ok arm 0 take c x; a ok");
	expect("a put c y", "");
	expect("b2 alts take:c", "b2 ok arm 0 take c y; a ok");
}
END_TEST

START_TEST(any_number_of_them_may_be_parked_but_max_inflight)
{
	fixture.limits.max_inflight = 2;
	fixture_set_limits();
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a put c x", "");
	expect("a put c y", "");
	expect("a put c z", "a error too_many_inflight");
	expect("a2 take c", "a2 ok x; a ok");
}
END_TEST

START_TEST(they_time_out_and_are_closed_with_their_channel)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a put c x timeout 5", "");
	expect("a put c y", "");
	fixture_later(5);
	expect("tick", "a timeout");
	expect("b1 delete c force", "a closed; b1 ok");
	expect("a put c z", "a error no_such_channel");
}
END_TEST

START_TEST(they_cannot_be_cancelled_but_go_with_their_connection)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a put c x", "");
	expect("b1 cancel 1", "b1 error no_such_request");
	expect("a leaves", "");
	expect_waiters("c", "");
	expect("b2 take c timeout 0", "b2 timeout");
}
END_TEST

START_TEST(a_later_put_with_an_id_is_their_flush)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a put c x", "a ok");
	expect("a put c y", "");
	expect("a2 put c z", "");
	expect("b1 take c", "b1 ok x; a ok");
	expect("b2 take c", "b2 ok y; a2 ok");
}
END_TEST

START_TEST(a_batch_without_an_id_says_how_much_is_in)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a puts c x y z timeout 5", "");
	fixture_later(5);
	expect("tick", "a timeout accepted 1");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		they_enter_as_any_other,
		they_meet_takes_and_alts,
		any_number_of_them_may_be_parked_but_max_inflight,
		they_time_out_and_are_closed_with_their_channel,
		they_cannot_be_cancelled_but_go_with_their_connection,
		a_later_put_with_an_id_is_their_flush,
		a_batch_without_an_id_says_how_much_is_in,
	};
	return fixture_main("core: puts without an id", tests, sizeof(tests) / sizeof(tests[0]));
}
