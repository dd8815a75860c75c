/* Replies that were not sent: their values go back as they were. */
#include "tests/lib/core_fixture.h"

START_TEST(what_was_not_sent_goes_back_as_it_was)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("a2 puts c x y z", "a2 ok accepted 3");
	expect("b1 take c lease 1000", "b1 ok x lease 1 deliveries 1");
	expect("b keeps", "");
	expect("b2 take c lease 1000 sticky", "b2 ok y lease 2 deliveries 1");
	expect("b3 take c", "b3 ok z");
	expect_books("c", "leased 2 bytes 2 accepted 3 taken 1");
	expect("b leaves", "");
	expect_books("c", "buffered 3 bytes 3 accepted 3 taken 1 returned 1");
	expect("d1 take c max 3 lease 1000", "d1 ok x y z lease 3 deliveries 2 1 1");
}
END_TEST

START_TEST(what_was_sent_is_gone)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("b keeps", "");
	expect("b1 take c", "");
	expect("a2 put c x", "b1 ok x; a2 ok");
	expect("b sends", "");
	expect("b leaves", "");
	expect_books("c", "accepted 1 taken 1");
}
END_TEST

START_TEST(it_goes_to_a_parked_take_and_to_no_other_channel_of_that_name)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b keeps", "");
	expect("b1 take c", "b1 ok x");
	expect("d1 alts take:c", "");
	expect("b leaves", "d1 ok arm 0 take c x");
	expect("a3 put c y", "a3 ok");
	expect("e keeps", "");
	expect("e1 take c", "e1 ok y");
	expect("a4 delete c", "a4 ok");
	expect("a5 create c bounded 3", "a5 ok created");
	expect("e leaves", "");
	expect_books("c", "");
}
END_TEST

START_TEST(a_promise_is_not_given_back)
{
	expect("a1 create p promise", "a1 ok created");
	expect("a2 put p x", "a2 ok");
	expect("b keeps", "");
	expect("b1 take p", "b1 ok x");
	expect("b leaves", "");
	expect_books("p", "buffered 1 bytes 1 accepted 1 taken 1");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		what_was_not_sent_goes_back_as_it_was,
		what_was_sent_is_gone,
		it_goes_to_a_parked_take_and_to_no_other_channel_of_that_name,
		a_promise_is_not_given_back,
	};
	return fixture_main("core: unsent replies", tests, sizeof(tests) / sizeof(tests[0]));
}
