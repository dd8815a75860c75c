/* Taps: how values are carried from one channel to another inside the daemon, and how a tap is made. */
#include <stdio.h>

#include "tests/lib/core_fixture.h"

/* -- A pipe, a mult -- */

START_TEST(one_tap_from_a_channel_is_a_pipe)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 create d bounded 2", "a2 ok created");
	expect("a3 tap c d", "a3 ok created");
	expect("a4 put c x", "a4 ok");
	expect("a5 put c y", "a5 ok");
	expect_buffer("d", "x y");
	expect_books("c", "takes 1 accepted 2 taken 2");
	expect_taps("c>d carried 2");
}
END_TEST

START_TEST(several_taps_are_a_mult_each_gets_every_value)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d bounded 2", "a2 ok created");
	expect("a3 create e bounded 2", "a3 ok created");
	expect("a4 tap c d", "a4 ok created");
	expect("a5 tap c e", "a5 ok created");
	expect("b1 take e", "");
	expect("a6 put c x", "a6 ok; b1 ok x");
	expect_buffer("d", "x");
	expect_taps("c>d carried 1; c>e carried 1");
}
END_TEST

START_TEST(the_taps_of_a_channel_together_are_one_taker_in_its_queue)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 create e bounded 9", "a3 ok created");
	expect("b1 take c", "");
	expect("a4 tap c d", "a4 ok created");
	expect("a5 tap c e", "a5 ok created");
	expect("b2 take c", "");
	expect_waiters("c", "b1 take c; - tap c; b2 take c");
	expect("a6 put c x", "b1 ok x; a6 ok");
	expect("a7 put c y", "a7 ok");
	expect_waiters("c", "b2 take c; - tap c");
	expect("a8 put c z", "b2 ok z; a8 ok");
	expect_buffer("d", "y");
	expect_buffer("e", "y");
}
END_TEST

START_TEST(the_next_value_is_taken_when_all_have_accepted)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 create e bounded 1", "a3 ok created");
	expect("a4 tap c d", "a4 ok created");
	expect("a5 tap c e", "a5 ok created");
	expect("a6 puts c 1 2 3", "a6 ok accepted 3");
	expect_buffer("d", "1 2");
	expect_buffer("e", "1");
	expect_buffer("c", "3");
	expect_taps("c>d carried 2; c>e held carried 1");
	expect("b1 take e", "b1 ok 1");
	expect_buffer("d", "1 2 3");
	expect_buffer("c", "");
}
END_TEST

START_TEST(until_all_have_accepted_a_value_counts_as_leased_in_the_source)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 tap c d", "a3 ok created");
	expect("a4 put c x", "a4 ok");
	expect_books("c", "leased 1 bytes 1 accepted 1");
	expect_books("d", "puts 1 bytes 1");
	expect("a5 put c y", "a5 ok");
	expect("a6 put c z", "");
	expect_books("c", "buffered 1 leased 1 puts 1 bytes 3 accepted 2");
	expect("b1 take d", "b1 ok x; a6 ok");
	expect_books("c", "buffered 1 leased 1 bytes 2 accepted 3 taken 1");
}
END_TEST

START_TEST(backpressure_reaches_through_a_chain)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 create e unbuffered", "a3 ok created");
	expect("a4 tap c d", "a4 ok created");
	expect("a5 tap d e", "a5 ok created");
	expect("a6 put c 1", "a6 ok");
	expect("a7 put c 2", "a7 ok");
	expect("a8 put c 3", "");
	expect("b1 take e", "b1 ok 1; a8 ok");
	expect("b2 take e", "b2 ok 2");
	expect("b3 take e", "b3 ok 3");
	expect_books("c", "takes 1 accepted 3 taken 3");
}
END_TEST

START_TEST(each_side_keeps_its_overload_policy)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d dropping 1", "a2 ok created");
	expect("a3 create e sliding 1", "a3 ok created");
	expect("a4 tap c d", "a4 ok created");
	expect("a5 tap c e", "a5 ok created");
	expect("a6 puts c 1 2 3", "a6 ok accepted 3");
	expect_buffer("d", "1");
	expect_buffer("e", "3");
	expect_books("d", "buffered 1 bytes 1 accepted 1 dropped 2");
	expect_books("e", "buffered 1 bytes 1 accepted 3 evicted 2");
}
END_TEST

START_TEST(carried_does_not_count_what_was_shed)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d dropping 1", "a2 ok created");
	expect("a3 tap c d", "a3 ok created");
	expect("a4 puts c 1 2 3", "a4 ok accepted 3");
	expect_taps("c>d carried 1");
}
END_TEST

START_TEST(what_was_there_before_the_tap_is_carried_too)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 put c 1", "a3 ok");
	expect("a4 put c 2", "");
	expect("a5 tap c d", "a5 ok created; a4 ok");
	expect_buffer("d", "1 2");
}
END_TEST

START_TEST(a_value_that_comes_back_is_carried)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 put c x", "a3 ok");
	expect("b1 take c lease 50", "b1 ok x lease 1 deliveries 1");
	expect("a4 tap c d", "a4 ok created");
	expect("b2 nack 1", "b2 ok");
	expect_buffer("d", "x");
}
END_TEST

START_TEST(alts_match_taps_on_both_sides)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 tap c d", "a3 ok created");
	expect("b1 alts take:d put:c=x", "b1 ok arm 1 put c");
	expect("b2 alts take:d timeout 0", "b2 ok arm 0 take d x");
	expect("b3 alts take:d", "");
	expect("a4 put c y", "a4 ok; b3 ok arm 0 take d y");
}
END_TEST

/* -- Match -- */

START_TEST(a_match_makes_it_a_pub)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 create e bounded 9", "a3 ok created");
	expect("a4 tap c d match x", "a4 ok created");
	expect("a5 tap c e match y", "a5 ok created");
	expect("a6 puts c x1 y1 x2", "a6 ok accepted 3");
	expect_buffer("d", "x1 x2");
	expect_buffer("e", "y1");
	expect_taps("c>d match x carried 2 unmatched 1; c>e match y carried 1 unmatched 2");
}
END_TEST

START_TEST(a_value_that_no_tap_matches_is_taken)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 tap c d match x", "a3 ok created");
	expect("a4 puts c y z", "a4 ok accepted 2");
	expect_books("c", "takes 1 accepted 2 taken 2");
	expect_taps("c>d match x unmatched 2");
}
END_TEST

/* -- Making them -- */

START_TEST(a_tap_that_is_there_is_as_now_given_and_its_counters_stay)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 tap c d match x mute stays", "a3 ok created");
	expect("a4 puts c x y", "a4 ok accepted 2");
	expect_taps("c>d mute match x stays unmatched 1 muted 1");
	expect("a5 tap c d", "a5 ok");
	expect_taps("c>d unmatched 1 muted 1");
}
END_TEST

START_TEST(a_tap_makes_its_target_which_goes_with_the_connection)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("b1 tap c _t.1 new sliding 1", "b1 ok created");
	expect("a2 puts c 1 2", "a2 ok accepted 2");
	expect("b2 take _t.1", "b2 ok 2");
	expect("b leaves", "");
	expect_taps("");
	expect_books("_t.1", "none");
	expect("a3 put c 3", "a3 ok");
	expect_buffer("c", "3");
}
END_TEST

START_TEST(a_circle_is_refused_and_named)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 create e bounded 9", "a3 ok created");
	expect("a4 tap c c", "a4 error bad_request circle c");
	expect("a5 tap c d", "a5 ok created");
	expect("a6 tap d e", "a6 ok created");
	expect("a7 tap d c", "a7 error bad_request circle d c");
	expect("a8 tap e c", "a8 error bad_request circle e c d");
	expect_taps("c>d; d>e");
}
END_TEST

START_TEST(a_channel_has_at_most_64_taps)
{
	char line[80], reply[80];
	expect("a1 create c bounded 9", "a1 ok created");
	for (int i = 0; i <= CORE_MAX_TAPS; i++) {
		snprintf(line, sizeof(line), "a%d create d%d dropping 1", 100 + i, i);
		snprintf(reply, sizeof(reply), "a%d ok created", 100 + i);
		expect(line, reply);
		snprintf(line, sizeof(line), "a%d tap c d%d", 200 + i, i);
		snprintf(reply, sizeof(reply), i < CORE_MAX_TAPS ? "a%d ok created" : "a%d error overloaded", 200 + i);
		expect(line, reply);
	}
	expect("a2 put c x", "a2 ok");
	expect_buffer("d63", "x");
	expect_books("d64", "");
}
END_TEST

START_TEST(there_are_at_most_max_taps)
{
	fixture.limits.max_taps = 1;
	fixture_set_limits();
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 tap c d", "a3 ok created");
	expect("a4 tap c _t.1 new bounded 1", "a4 error overloaded");
	expect_books("_t.1", "none");
	expect("a5 tap c d pause", "a5 ok");
	expect("a6 untap c d", "a6 ok");
	expect("a7 tap c d", "a7 ok created");
}
END_TEST

START_TEST(a_channel_that_is_not_there_is_named)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 tap c d", "a2 error no_such_channel");
	expect("a3 tap d c", "a3 error no_such_channel");
}
END_TEST

START_TEST(draining_refuses_new_taps_and_goes_on_with_those_that_are_there)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 create e bounded 9", "a3 ok created");
	expect("a4 tap c d", "a4 ok created");
	expect("a5 puts c 1 2", "a5 ok accepted 2");
	fixture_drain();
	expect("a6 tap c e", "a6 error draining");
	ck_assert(!core_is_drained(fixture.core));
	expect("b1 take d", "b1 ok 1");
	expect("b2 take d", "b2 ok 2");
	ck_assert(core_is_drained(fixture.core));
	expect("abandon", "");
	expect_taps("c>d carried 2");
}
END_TEST

/* -- Promises -- */

START_TEST(a_promise_as_source_is_carried_once_to_each_tap_which_does_not_end)
{
	expect("a1 create p promise", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 create e bounded 9", "a3 ok created");
	expect("a4 tap p d", "a4 ok created");
	expect_waiters("p", "");
	expect("a5 put p x", "a5 ok");
	expect("a6 tap p e", "a6 ok created");
	expect("a7 tap p d", "a7 ok");
	expect_buffer("d", "x");
	expect_buffer("e", "x");
	expect_buffer("p", "x");
	expect("a8 close p", "a8 ok");
	expect_taps("p>d carried 1; p>e carried 1");
	expect_books("p", "closed buffered 1 bytes 1 accepted 1 taken 2");
}
END_TEST

START_TEST(a_promise_that_is_never_made_closes_what_it_is_tapped_to)
{
	expect("a1 create p promise", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 tap p d", "a3 ok created");
	expect("a4 close p", "a4 ok");
	expect_taps("");
	expect_books("d", "closed");
}
END_TEST

START_TEST(a_promise_as_target_keeps_the_first_value)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create p promise", "a2 ok created");
	expect("a3 tap c p", "a3 ok created");
	expect("b1 take p", "");
	expect("a4 puts c 1 2", "a4 ok accepted 2; b1 ok 1");
	expect_books("p", "buffered 1 bytes 1 accepted 1 taken 1 dropped 1");
	expect_taps("c>p carried 1");
}
END_TEST

/* -- Memory, turns -- */

START_TEST(the_bytes_of_a_value_are_shared_by_all_its_copies)
{
	char line[40];
	expect("a1 create c bounded 9", "a1 ok created");
	for (int i = 0; i < CORE_MAX_TAPS; i++) {
		snprintf(line, sizeof(line), "a create d%d bounded 9", i);
		fixture_do(line);
		snprintf(line, sizeof(line), "a tap c d%d", i);
		fixture_do(line);
	}
	expect("a2 put c 1234567890", "a2 ok");
	ck_assert_uint_eq(fixture_totals().bytes, CORE_MAX_TAPS * VALUE_OVERHEAD + 10);
	expect_books("d0", "buffered 1 bytes 10 accepted 1");
}
END_TEST

START_TEST(what_is_long_goes_on_in_the_next_turn)
{
	fixture_limit_work(20);
	expect("a1 create c bounded 99", "a1 ok created");
	expect("a2 create d bounded 99", "a2 ok created");
	expect("a3 puts c 1 2 3 4 5 6 7 8", "a3 ok accepted 8");
	fixture_later(1);
	expect("a4 tap c d", "a4 ok created");
	ck_assert(core_has_backlog(fixture.core));
	ck_assert_uint_eq(core_deadline(fixture.core), fixture.now_us + 1);
	int turns = 0;
	for (; core_has_backlog(fixture.core); turns++)
		expect("tick", "");
	ck_assert_int_ge(turns, 2);
	expect_buffer("d", "1 2 3 4 5 6 7 8");
}
END_TEST

START_TEST(a_tapped_channel_does_not_go_the_short_way)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 tap c d pause", "a3 ok created");
	struct value *value = value_create("x", 1, NULL);
	struct core_alone into_c = {fixture.now_us, 0, fixture.connections[0], 4, SLICE("c"), false, 0},
			  into_d = into_c;
	struct core_reply handed;
	into_d.channel = SLICE("d");
	ck_assert(!core_put_alone(fixture.core, &into_c, value, &handed));
	ck_assert(core_put_alone(fixture.core, &into_d, value, &handed));
	ck_assert_ptr_null(handed.cookie);
	ck_assert(!core_take_alone(fixture.core, &into_c, &value));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		one_tap_from_a_channel_is_a_pipe,
		several_taps_are_a_mult_each_gets_every_value,
		the_taps_of_a_channel_together_are_one_taker_in_its_queue,
		the_next_value_is_taken_when_all_have_accepted,
		until_all_have_accepted_a_value_counts_as_leased_in_the_source,
		backpressure_reaches_through_a_chain,
		each_side_keeps_its_overload_policy,
		carried_does_not_count_what_was_shed,
		what_was_there_before_the_tap_is_carried_too,
		a_value_that_comes_back_is_carried,
		alts_match_taps_on_both_sides,
		a_match_makes_it_a_pub,
		a_value_that_no_tap_matches_is_taken,
		a_tap_that_is_there_is_as_now_given_and_its_counters_stay,
		a_tap_makes_its_target_which_goes_with_the_connection,
		a_circle_is_refused_and_named,
		a_channel_has_at_most_64_taps,
		there_are_at_most_max_taps,
		a_channel_that_is_not_there_is_named,
		draining_refuses_new_taps_and_goes_on_with_those_that_are_there,
		a_promise_as_source_is_carried_once_to_each_tap_which_does_not_end,
		a_promise_that_is_never_made_closes_what_it_is_tapped_to,
		a_promise_as_target_keeps_the_first_value,
		the_bytes_of_a_value_are_shared_by_all_its_copies,
		what_is_long_goes_on_in_the_next_turn,
		a_tapped_channel_does_not_go_the_short_way,
	};
	return fixture_main("core: taps", tests, sizeof(tests) / sizeof(tests[0]));
}
