/* alter: another capacity and the like, without losing what is there. */
#include <stdio.h>
#include <string.h>

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

/* -- What takes long goes on in other turns -- */

enum { WORK = 40, ADMITTED_A_TURN = WORK / 5, PUTS = 50, VALUES = 500 };

/* So that what comes of an alts that is parked on both does not depend on where a turn ends. */
START_TEST(puts_enter_after_those_who_are_told_the_end_of_their_channel)
{
	char line[32];
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 create e unbuffered", "a2 ok created");
	expect("a3 puts c 1 2 3", "");
	for (int i = 1; i <= WORK; i++) {
		snprintf(line, sizeof(line), "b%d take e", i);
		expect(line, "");
	}
	fixture_limit_work(WORK);
	fixture_later(1);
	fixture_do("a4 close e");
	expect("a5 alter c bounded 9", "a5 ok altered");
	expect_books("c", "buffered 1 puts 1 bytes 3 accepted 1");
	while (fixture_parked('b') > 0) {
		ck_assert_uint_eq(fixture_parked('a'), 1);
		fixture_later(1);
		fixture_do("- tick");
	}
	fixture_finish(VALUES);
	expect_books("c", "buffered 3 bytes 3 accepted 3");
}
END_TEST

/* b has puts parked on c, for all of which there is room from now on. */
static void admit_many(void)
{
	char line[32];
	fixture_limit_work(WORK);
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	for (int i = 1; i <= PUTS; i++) {
		snprintf(line, sizeof(line), "b%d put c %d", i, i);
		expect(line, "");
	}
	ck_assert_ptr_nonnull(strstr(fixture_do("a3 alter c bounded 1000"), "a3 ok altered; b1 ok; b2 ok"));
	ck_assert_uint_eq(fixture_parked('b'), PUTS - ADMITTED_A_TURN);
}

START_TEST(parked_puts_enter_in_slices_and_in_order)
{
	admit_many();
	expect("d1 put c y", ""); /* it comes behind those who are parked */
	expect("d2 puts c z z2", "");
	expect("d3 put c w timeout 0", "d3 timeout");
	expect("d4 alts put:c=v timeout 0", "d4 timeout");
	expect("d5 put c v delay 5", "");
	expect("a4 create from bounded 9", "a4 ok created");
	expect("a5 put from f", "a5 ok");
	expect("a6 move from to c", "a6 ok moved 0 left 1");
	expect("b99 cancel 50", "b50 cancelled; b99 ok");
	expect("a7 take c", "a7 ok x");
	ck_assert_int_ge(fixture_finish(VALUES), (PUTS - ADMITTED_A_TURN) / ADMITTED_A_TURN);
	ck_assert_uint_eq(fixture_parked('b') + fixture_parked('d'), 0);
	expect("a8 put c last", "a8 ok");
	char taken[512] = "a9 ok";
	for (int i = 1; i < PUTS; i++)
		snprintf(taken + strlen(taken), sizeof(taken) - strlen(taken), " %d", i);
	strcat(taken, " y z z2 last");
	expect("a9 take c max 100", taken);
}
END_TEST

START_TEST(takers_are_served_while_puts_enter)
{
	char line[64];
	admit_many();
	expect("a4 take c", "a4 ok x");
	for (int i = 1; i < PUTS; i++) { /* they take from the buffer, and then from those who are parked */
		snprintf(line, sizeof(line), i <= ADMITTED_A_TURN ? "a5 ok %d" : "a5 ok %d; b%d ok", i, i);
		expect("a5 take c", line);
	}
	expect("a6 take c", "a6 ok 50; b50 ok");
	expect("e1 take c", "");
	expect("d1 put c y", "e1 ok y; d1 ok"); /* nobody is parked before it any more */
	expect("d2 put c z", "d2 ok");
	fixture_finish(VALUES);
	expect_buffer("c", "z");
}
END_TEST

START_TEST(a_channel_may_end_while_puts_enter)
{
	admit_many();
	expect("a4 close c", "a4 ok");
	expect("d1 put c y", "d1 closed");
	fixture_finish(VALUES);
	ck_assert_uint_eq(fixture_parked('b'), 0);
	expect_books("c", "closed buffered 51 bytes 92 accepted 51");
	expect("a5 delete c force", "a5 ok discarded 51");
	fixture_finish(VALUES);
	admit_many();
	expect("a4 alter c bounded 2", "a4 ok altered"); /* it has more than that already */
	fixture_finish(VALUES);
	ck_assert_uint_eq(fixture_parked('b'), PUTS - ADMITTED_A_TURN);
	ck_assert_ptr_nonnull(strstr(fixture_do("a5 alter c bounded 1000"), "a5 ok altered"));
	fixture_do("a6 delete c force");
	fixture_finish(VALUES);
	ck_assert_uint_eq(fixture_parked('b'), 0);
}
END_TEST

START_TEST(batches_and_delayed_puts_enter_in_slices)
{
	fixture_limit_work(WORK);
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	for (int i = 1; i <= 9; i++) {
		char line[128];
		snprintf(line, sizeof(line), "b%d puts c 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9%s", i,
			 i % 2 ? "" : " delay 5");
		expect(line, "");
	}
	expect("a3 alter c bounded 1000", "a3 ok altered; b1 ok accepted 20; b2 ok accepted 20");
	ck_assert_uint_eq(fixture_parked('b'), 7);
	ck_assert_int_ge(fixture_finish(VALUES), 3);
	ck_assert_uint_eq(fixture_parked('b'), 0);
	expect_books("c", "buffered 101 leased 80 delayed 80 bytes 181 accepted 181");
}
END_TEST

/* They have gone at once; only their memory goes in slices. */
START_TEST(what_a_sliding_channel_sheds_is_freed_in_slices)
{
	fixture_limit_work(WORK);
	expect("a1 create c sliding 500", "a1 ok created");
	for (int i = 0; i < VALUES - 3; i++)
		fixture_do("a2 put c xx");
	expect("b1 take c lease 1000", "b1 ok xx lease 1 deliveries 1");
	expect("b2 take c lease 1000", "b2 ok xx lease 2 deliveries 1");
	expect("a3 puts c y1 y2 y3", "a3 ok accepted 3");
	expect("b3 nack 2", "b3 ok"); /* it is among those that came back */
	fixture_later(1);
	expect("a4 alter c sliding 2", "a4 ok altered");
	ck_assert_uint_eq(fixture_totals().bytes, (VALUES - WORK) * (2 + VALUE_OVERHEAD));
	expect_buffer("c", "y2 y3");
	expect_books("c", "buffered 2 leased 1 bytes 6 accepted 500 evicted 497");
	expect("a5 take c", "a5 ok y2");
	expect("a6 puts c y4 y5", "a6 ok accepted 2 evicted 1");
	ck_assert_int_ge(fixture_finish(VALUES), VALUES / WORK - 2);
	ck_assert_uint_eq(fixture_totals().bytes, 3 * (2 + VALUE_OVERHEAD));
	expect("a7 alter c sliding 1", "a7 ok altered");
	expect("b4 nack 1", "b4 ok");
	expect_buffer("c", "y5");
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
		parked_puts_enter_in_slices_and_in_order,
		takers_are_served_while_puts_enter,
		a_channel_may_end_while_puts_enter,
		batches_and_delayed_puts_enter_in_slices,
		what_a_sliding_channel_sheds_is_freed_in_slices,
		puts_enter_after_those_who_are_told_the_end_of_their_channel,
	};
	return fixture_main("core: alter", tests, sizeof(tests) / sizeof(tests[0]));
}
