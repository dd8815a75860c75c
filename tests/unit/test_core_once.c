/* Puts that name their producer and a number: sent again, they change nothing. */
#include <stdio.h>

#include "tests/lib/core_fixture.h"

START_TEST(the_same_again_changes_nothing_and_gets_that_outcome)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 put c x once p 7", "a2 ok");
	expect("a3 put c x once p 7", "a3 ok duplicate");
	expect("b1 put c y once p 7", "b1 ok duplicate"); /* the number counts, not the value */
	expect("b2 take c max 9", "b2 ok x");
	expect("a4 put c x once p 7", "a4 ok duplicate"); /* also when it has been taken */
	ck_assert_str_eq(fixture_books("c"), "accepted 1 taken 1");
}
END_TEST

START_TEST(a_producer_and_a_channel_have_numbers_of_their_own)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 put c x once p 1", "a3 ok");
	expect("a4 put c y once q 1", "a4 ok");
	expect("a5 put d z once p 1", "a5 ok");
	expect("a6 put d z once p 1", "a6 ok duplicate");
}
END_TEST

START_TEST(the_outcome_of_each_kind_is_remembered)
{
	expect("a1 create s sliding 1", "a1 ok created");
	expect("a2 put s x once p 1", "a2 ok");
	expect("a3 put s y once p 2", "a3 ok evicted 1");
	expect("a4 put s y once p 2", "a4 ok evicted 1 duplicate");
	expect("a5 create d dropping 2", "a5 ok created");
	expect("a6 puts d x y z once p 1", "a6 dropped accepted 2");
	expect("a7 puts d x y z once p 1", "a7 dropped accepted 2 duplicate");
	expect("a8 create f promise", "a8 ok created");
	expect("b1 put f x once p 1", "b1 ok");
	expect("b2 put f x once p 1", "b2 ok duplicate");
}
END_TEST

START_TEST(what_changed_nothing_is_not_remembered)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 create d dropping 1", "a2 ok created");
	expect("a3 put c x", "a3 ok");
	expect("a4 put d x", "a4 ok");
	expect("b1 put c y timeout 0 once p 1", "b1 timeout");
	expect("b2 put d y once p 1", "b2 dropped");
	expect("b3 put c y once p 2", "");
	expect("b4 cancel 3", "b3 cancelled; b4 ok");
	expect("b5 take c", "b5 ok x");
	expect("b6 take d", "b6 ok x");
	expect("b7 put c y once p 1", "b7 ok");
	expect("b8 put d y once p 1", "b8 ok");
	expect("b9 take c", "b9 ok y");
	expect("b1 put c z once p 2", "b1 ok");
	expect("c1 close c", "c1 ok");
	expect("c2 put c z once p 3", "c2 closed");
	expect("c3 put nowhere z once p 3", "c3 error no_such_channel");
}
END_TEST

START_TEST(of_a_batch_that_had_entered_in_part_only_the_rest_enters)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 puts c 1 2 3 4 timeout 0 once p 1", "a2 timeout accepted 2");
	expect("b1 take c", "b1 ok 1");
	expect("a3 puts c 1 2 3 4 timeout 0 once p 1", "a3 timeout accepted 3");
	expect("b2 take c max 9", "b2 ok 2 3");
	expect("a4 puts c 1 2 3 4 once p 1", "a4 ok accepted 4");
	expect("a5 puts c 1 2 3 4 once p 1", "a5 ok accepted 4 duplicate");
	expect("b3 take c max 9", "b3 ok 4");
}
END_TEST

START_TEST(a_parked_batch_that_ends_has_entered_in_part)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 puts c 1 2 3 4 once p 1", "");
	expect("a leaves", "");
	expect("b1 take c max 9", "b1 ok 1 2");
	expect("c1 puts c 1 2 3 4 once p 1", "c1 ok accepted 4");
	expect("b2 take c max 9", "b2 ok 3 4");
}
END_TEST

START_TEST(one_that_arrives_while_its_twin_is_parked_takes_its_place)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c 0", "a2 ok");
	expect("a3 put c first once p 1", "");
	expect("a4 put c second", "");
	expect("b1 put c first once p 1", "a3 cancelled");
	ck_assert_str_eq(fixture_waiters(""), "b1 put c; a4 put c");
	expect("c1 take c", "c1 ok 0; b1 ok");
	expect("c2 take c", "c2 ok first; a4 ok");
	expect("a5 put c first once p 1", "a5 ok duplicate");
}
END_TEST

START_TEST(of_a_batch_that_is_parked_in_part_the_twin_has_the_rest)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 puts c 1 2 3 once p 1", "");
	expect("b1 puts c 1 2 3 once p 1", "a2 cancelled accepted 1");
	expect("c1 take c", "c1 ok 1");
	expect("c2 take c", "c2 ok 2; b1 ok accepted 3");
	expect("c3 take c", "c3 ok 3");
	expect("c4 take c timeout 0", "c4 timeout");
}
END_TEST

START_TEST(one_of_the_older_connection_ends_itself)
{
	expect("a1 create c unbuffered", "a1 ok created"); /* a is there first */
	expect("b1 put c x once p 1", "");
	expect("a2 put c x once p 1", "a2 cancelled");
	expect("b2 put c x once p 1", "b1 cancelled"); /* its own connection is not older */
	expect("c1 take c", "c1 ok x; b2 ok");
}
END_TEST

START_TEST(a_twin_counts_as_the_one_whose_place_it_takes)
{
	struct core_quota quota = {0};
	fixture.limits.max_inflight = 1;
	fixture.limits.max_waiters = 1;
	fixture_set_limits();
	fixture_set_quota(&quota, (struct core_quota_limits){.max_parked = 1});
	expect("a1 create c unbuffered", "a1 ok created");
	fixture_join_quota('a', &quota);
	fixture_join_quota('b', &quota);
	expect("a2 put c x once p 1", "");
	expect("a3 put c x once p 1", "a2 cancelled");
	expect("b1 put c x once p 1", "a3 cancelled"); /* the same user's, after a cut */
	expect("b2 put c y once p 2", "b2 error too_many_inflight");
	expect("d1 put c y once p 2", "d1 error too_many_waiters");
	expect("d2 put c x once p 1", "b1 cancelled");
	expect("d3 take c", "d3 ok x; d2 ok");
	for (char letter = 'a'; letter <= 'b'; letter++)
		fixture_join_quota(letter, NULL);
}
END_TEST

START_TEST(one_that_does_not_wait_withdraws_its_twin)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 put c x once p 1", "");
	expect("b1 put c x timeout 0 once p 1", "a2 cancelled; b1 timeout");
	expect("c1 take c timeout 0", "c1 timeout");
}
END_TEST

START_TEST(duplicates_get_their_outcome_while_draining_and_over_max_memory)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 put c x once p 1", "a2 ok");
	fixture.limits.max_memory = 1;
	fixture_set_limits();
	expect("a3 put c y once p 2", "a3 error overloaded");
	expect("a4 put c x once p 1", "a4 ok duplicate");
	fixture_drain();
	expect("a5 put c y once p 2", "a5 error draining");
	expect("a6 put c x once p 1", "a6 ok duplicate");
}
END_TEST

START_TEST(the_last_1024_numbers_are_remembered_and_older_ones_are_stale)
{
	char line[64];
	expect("a1 create c sliding 1", "a1 ok created");
	for (int i = 1; i <= 1024; i++) {
		snprintf(line, sizeof(line), "a2 put c x once p %d", 2 * i);
		expect(line, i == 1 ? "a2 ok" : "a2 ok evicted 1");
	}
	expect("a3 put c x once p 2", "a3 ok duplicate");
	expect("a4 put c x once p 1", "a4 error stale_producer");
	expect("a5 put c x once p 5", "a5 ok evicted 1"); /* between, and new: the lowest is forgotten for it */
	expect("a6 put c x once p 2", "a6 error stale_producer");
	expect("a7 put c x once p 5", "a7 ok evicted 1 duplicate");
	expect("a8 put c x once p 4000", "a8 ok evicted 1");
	expect("b1 put c x once p 4", "b1 error stale_producer");
	expect("b2 put c x once p 2048", "b2 ok evicted 1 duplicate");
}
END_TEST

START_TEST(delete_forgets_them)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 put c x once p 1", "a2 ok");
	expect("a3 delete c force", "a3 ok discarded 1");
	expect("a4 create c bounded 9", "a4 ok created");
	expect("a5 put c x once p 1", "a5 ok");
}
END_TEST

START_TEST(a_producer_that_was_silent_for_its_time_is_forgotten)
{
	fixture.limits.producer_ttl_ms = 1000;
	fixture_set_limits();
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 put c x once p 1", "a2 ok");
	fixture_later(999);
	expect("a3 put c x once p 1", "a3 ok duplicate"); /* which was not silence */
	fixture_later(999);
	expect("a4 put c x once p 1", "a4 ok duplicate");
	fixture_later(1000);
	expect("tick", "");
	struct core_totals totals = fixture_totals();
	ck_assert_uint_eq(totals.producers, 0);
	ck_assert_uint_eq(totals.producer_bytes, 0);
	expect("a5 put c x once p 1", "a5 ok");
}
END_TEST

START_TEST(beyond_max_producers_the_longest_silent_is_forgotten_but_none_that_has_a_put_parked)
{
	fixture.limits.max_producers = 2;
	fixture_set_limits();
	expect("a1 create c bounded 3", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 put d x once p 1", "");
	expect("a4 put c x once q 1", "a4 ok");
	expect("a5 put c x once r 1", "a5 ok"); /* q is forgotten: p, which is silent for longer, has one parked */
	expect("a6 put c x once q 1", "a6 ok");
	expect("a7 put d y once q 2", "");
	expect("a8 put c x once s 1", "a8 error overloaded");
	expect("b1 take d", "b1 ok x; a3 ok");
	expect("b2 take d", "b2 ok y; a7 ok");
}
END_TEST

START_TEST(the_windows_count_towards_max_memory)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 put c x once p 1", "a2 ok");
	struct core_totals totals = fixture_totals();
	ck_assert_uint_gt(totals.producer_bytes, 0);
	fixture.limits.max_memory = totals.bytes + totals.producer_bytes + 65;
	fixture_set_limits();
	expect("a3 put c y", "a3 ok");
	fixture.limits.max_memory--;
	fixture_set_limits();
	expect("b1 take c", "b1 ok x");
	expect("b2 put c y", "b2 error overloaded");
}
END_TEST

START_TEST(a_put_without_id_is_put_once_too)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a put c x once p 1", "a ok");
	expect("a put c x once p 1", "a ok duplicate");
	expect("a put c y once p 2", "");
	expect("b1 put c y once p 2", "a cancelled");
	expect("c1 take c", "c1 ok x; b1 ok");
}
END_TEST

START_TEST(a_delayed_put_is_put_once_too)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x delay 100 once p 1", "a2 ok");
	expect("a3 put c x delay 100 once p 1", "a3 ok duplicate");
	expect("a4 put c y delay 100 once p 2", "");
	expect("b1 put c y delay 100 once p 2", "a4 cancelled");
	fixture_later(100);
	expect("tick", "");
	expect("c1 take c", "c1 ok x; b1 ok");
	fixture_later(100);
	expect("c2 take c", "c2 ok y");
	expect("c3 take c timeout 0", "c3 timeout");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		the_same_again_changes_nothing_and_gets_that_outcome,
		a_producer_and_a_channel_have_numbers_of_their_own,
		the_outcome_of_each_kind_is_remembered,
		what_changed_nothing_is_not_remembered,
		of_a_batch_that_had_entered_in_part_only_the_rest_enters,
		a_parked_batch_that_ends_has_entered_in_part,
		one_that_arrives_while_its_twin_is_parked_takes_its_place,
		of_a_batch_that_is_parked_in_part_the_twin_has_the_rest,
		one_of_the_older_connection_ends_itself,
		a_twin_counts_as_the_one_whose_place_it_takes,
		one_that_does_not_wait_withdraws_its_twin,
		duplicates_get_their_outcome_while_draining_and_over_max_memory,
		the_last_1024_numbers_are_remembered_and_older_ones_are_stale,
		delete_forgets_them,
		a_producer_that_was_silent_for_its_time_is_forgotten,
		beyond_max_producers_the_longest_silent_is_forgotten_but_none_that_has_a_put_parked,
		the_windows_count_towards_max_memory,
		a_put_without_id_is_put_once_too,
		a_delayed_put_is_put_once_too,
	};
	return fixture_main("core: once", tests, sizeof(tests) / sizeof(tests[0]));
}
