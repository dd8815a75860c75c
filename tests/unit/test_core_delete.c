/* delete: refused while anything is in the channel, unless forced; and ephemeral channels. */
#include "tests/lib/core_fixture.h"

START_TEST(delete_removes_an_empty_channel)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 delete c", "a2 ok");
	expect_books("c", "none");
	expect("b1 take c", "b1 error no_such_channel");
	expect("b2 delete c", "b2 error no_such_channel");
}
END_TEST

START_TEST(delete_is_refused_while_anything_is_buffered)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("a3 delete c", "a3 error not_empty");
	expect("b1 take c", "b1 ok x");
	expect("a4 delete c", "a4 ok");
}
END_TEST

START_TEST(delete_is_refused_while_anything_is_parked_to_be_put)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 alts put:c=x", "");
	expect("a3 delete c", "a3 error not_empty");
	expect_waiters("c", "a2 alts put c");
}
END_TEST

START_TEST(a_fulfilled_promise_counts_as_buffered)
{
	expect("a1 create p promise", "a1 ok created");
	expect("a2 put p x", "a2 ok");
	expect("a3 delete p", "a3 error not_empty");
	expect("a4 delete p force", "a4 ok discarded 1");
	expect_books("p", "none");
}
END_TEST

START_TEST(forced_delete_counts_what_was_discarded_and_tells_parked_puts_and_put_arms_closed)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 puts c x y", "a3 ok accepted 2");
	expect("b1 put c z", "");
	expect("b2 puts c v w", "");
	expect("b3 alts take:d put:c=u", "");
	expect("a4 delete c force", "b1 closed; b2 closed accepted 0; b3 closed arm 1 put c; a4 ok discarded 2");
	expect_waiters("", "");
	expect_books("d", "");
}
END_TEST

START_TEST(parked_takes_and_take_arms_get_closed)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("b1 take c", "");
	expect("b2 alts take:d take:c", "");
	expect("b3 take c max 2", "");
	expect("a3 delete c", "b1 closed; b2 closed arm 1 take c; b3 closed; a3 ok");
	expect_books("d", "");
}
END_TEST

START_TEST(an_alts_with_many_arms_on_a_deleted_channel_ends_once)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("b1 alts take:c take:c take:d take:c", "");
	expect("a3 delete c", "b1 closed arm 0 take c; a3 ok");
	expect_waiters("d", "");
}
END_TEST

START_TEST(a_batch_partly_in_says_so_when_its_channel_is_deleted)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("b1 puts c x y z", "");
	expect("a2 delete c force", "b1 closed accepted 1; a2 ok discarded 1");
}
END_TEST

START_TEST(a_deleted_name_can_be_created_anew_with_fresh_books)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("a3 delete c force", "a3 ok discarded 1");
	expect("a4 create c sliding 1", "a4 ok created");
	expect_books("c", "");
}
END_TEST

START_TEST(a_closed_channel_can_be_deleted)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 close c", "a2 ok");
	expect("a3 delete c", "a3 ok");
}
END_TEST

START_TEST(an_ephemeral_channel_goes_with_its_connection_as_if_forced)
{
	expect("a1 create r bounded 2 ephemeral", "a1 ok created");
	expect("b1 puts r x y", "b1 ok accepted 2");
	expect("b2 put r z", "");
	expect("c1 create s unbuffered ephemeral", "c1 ok created");
	expect("b3 take s", "");
	expect("a2 leaves", "b2 closed");
	expect_books("r", "none");
	expect_books("s", "takes 1");
	expect("c2 leaves", "b3 closed");
}
END_TEST

START_TEST(an_ephemeral_channel_of_another_connection_exists)
{
	expect("a1 create r bounded 2 ephemeral", "a1 ok created");
	expect("a2 create r bounded 2 ephemeral", "a2 ok");
	expect("b1 create r bounded 2 ephemeral", "b1 error channel_exists");
	expect("b2 create r bounded 2", "b2 error channel_exists");
	expect("a3 create r bounded 2", "a3 error channel_exists");
}
END_TEST

START_TEST(creating_the_same_again_says_that_it_was_there)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("b1 create c bounded 2", "b1 ok");
	expect("b2 create c bounded 3", "b2 error channel_exists");
	expect("b3 create c sliding 2", "b3 error channel_exists");
	expect("b4 create c bounded 2 waiters 5", "b4 error channel_exists");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		delete_removes_an_empty_channel,
		delete_is_refused_while_anything_is_buffered,
		delete_is_refused_while_anything_is_parked_to_be_put,
		a_fulfilled_promise_counts_as_buffered,
		forced_delete_counts_what_was_discarded_and_tells_parked_puts_and_put_arms_closed,
		parked_takes_and_take_arms_get_closed,
		an_alts_with_many_arms_on_a_deleted_channel_ends_once,
		a_batch_partly_in_says_so_when_its_channel_is_deleted,
		a_deleted_name_can_be_created_anew_with_fresh_books,
		a_closed_channel_can_be_deleted,
		an_ephemeral_channel_goes_with_its_connection_as_if_forced,
		an_ephemeral_channel_of_another_connection_exists,
		creating_the_same_again_says_that_it_was_there,
	};
	return fixture_main("core: delete", tests, sizeof(tests) / sizeof(tests[0]));
}
