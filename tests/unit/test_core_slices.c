/* What takes long goes on in other turns: what one turn does of it is bounded, and in between nobody sees anything that
 * did not happen. Work is counted here, not time. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/core_fixture.h"

enum { WORK = 40, VALUES = 1000, LEASES = 60, CHANNELS = 50 };

static const char *line(const char *format, int n)
{
	static char text[64];
	snprintf(text, sizeof(text), format, n);
	return text;
}

START_TEST(the_values_of_a_deleted_channel_are_freed_in_slices)
{
	fixture_limit_work(WORK);
	expect("a1 create c bounded 1000", "a1 ok created");
	for (int i = 0; i < VALUES; i++)
		fixture_do("a2 put c xx");
	expect("a3 delete c force", "a3 ok discarded 1000");
	uint64_t left = (2 + VALUE_OVERHEAD) * (VALUES - WORK);
	ck_assert_uint_eq(fixture_totals().bytes, left); /* it is not free yet, and counts */
	expect("a4 take c", "a4 error no_such_channel");
	expect("a5 create c bounded 2", "a5 ok created");
	ck_assert_uint_eq(fixture_totals().bytes, left); /* the turn's work is done */
	expect("a6 put c yy", "a6 ok");
	int turns = fixture_finish(10 * VALUES);
	ck_assert_int_ge(turns, VALUES / WORK - 1);
	ck_assert_int_le(turns, VALUES / WORK + 1);
	expect_books("c", "buffered 1 bytes 2 accepted 1");
	ck_assert_uint_eq(fixture_totals().bytes, 2 + VALUE_OVERHEAD);
}
END_TEST

START_TEST(the_leases_of_a_deleted_channel_are_over_at_once)
{
	fixture_limit_work(WORK);
	expect("a1 create c bounded 1000", "a1 ok created");
	for (int i = 1; i <= LEASES; i++) {
		fixture_do("a2 put c x");
		fixture_do(i % 2 ? "b3 take c lease 1000" : "b3 take c lease 90000 sticky");
	}
	expect("a4 delete c force", "a4 ok discarded 60");
	expect("b5 ack 57", "b5 error no_such_lease");
	expect("b6 extend 58 100", "b6 error no_such_lease");
	ck_assert_uint_eq(fixture_totals().leased, 0);
	fixture_later(2000); /* most of them have yet to be freed when their time is over */
	expect("- tick", "");
	expect("b leaves", ""); /* and their connection ends */
	fixture_finish(10 * VALUES);
	ck_assert_uint_eq(fixture_totals().bytes, 0);
}
END_TEST

START_TEST(the_leases_of_an_ended_connection_return_in_slices_and_in_order)
{
	char text[16];
	fixture_limit_work(WORK);
	expect("a1 create c bounded 1000", "a1 ok created");
	for (int i = 1; i <= LEASES; i++) {
		fixture_do(line("a2 put c %d", i));
		fixture_do("b3 take c lease 90000");
	}
	expect("b leaves", "");
	ck_assert(core_has_backlog(fixture.core));
	expect("a4 ack 60", "a4 ok"); /* its lease has not ended yet */
	for (int i = 1; i < LEASES; i++) {
		while (strcmp(fixture_do("a5 take c timeout 0"), line("a5 ok %d", i)) != 0) {
			ck_assert(core_has_backlog(fixture.core));
			fixture_later(1);
			fixture_do("- tick");
		}
	}
	fixture_finish(10 * VALUES);
	snprintf(text, sizeof(text), "taken %d", LEASES);
	ck_assert_ptr_nonnull(strstr(fixture_books("c"), text));
}
END_TEST

START_TEST(leases_return_in_slices_of_their_values)
{
	fixture_limit_work(WORK);
	expect("a1 create c bounded 1000", "a1 ok created");
	for (int i = 1; i <= VALUES; i++)
		fixture_do("a2 put c x");
	for (int i = 0; i < 10; i++)
		fixture_do("b3 take c max 100 lease 90000");
	expect("b leaves", "");
	ck_assert_uint_ge(fixture_totals().leased, VALUES - WORK - 100); /* who has done its work returns no other */
	ck_assert_int_ge(fixture_finish(10 * VALUES), 8);
	expect_books("c", "buffered 1000 bytes 1000 accepted 1000");
}
END_TEST

/* -- Who has very much to do keeps no other from going on -- */

/* The taps have more to carry than fits into a turn. */
static void keep_taps_busy(void)
{
	expect("a1 create c bounded 1000", "a1 ok created");
	for (int i = 0; i < VALUES; i++)
		fixture_do("a2 put c x");
	expect("a3 create t sliding 1", "a3 ok created");
	expect("a4 tap c t", "a4 ok created");
}

/* A request, at whose end taps carry, comes before the tick. */
static void turn(void)
{
	fixture_later(1);
	fixture_do("a5 take c timeout 0");
	fixture_do("- tick");
	ck_assert_str_ne(fixture_books("c"), "none");
}

START_TEST(leases_return_and_memory_is_freed_while_taps_carry)
{
	fixture_limit_work(WORK);
	expect("a6 create l bounded 1000", "a6 ok created");
	expect("a7 create d bounded 1000", "a7 ok created");
	for (int i = 0; i < 50; i++) {
		fixture_do("a8 put l x");
		fixture_do("b9 take l lease 90000");
	}
	for (int i = 0; i < 100; i++)
		fixture_do("a8 put d xxxxxxxx");
	keep_taps_busy();
	fixture_later(1);
	expect("b leaves", "");
	fixture_do("a10 delete d force");
	uint64_t freed = fixture_totals().bytes;
	for (int i = 0; i < 50 && fixture_totals().leased > 1; i++)
		turn();
	ck_assert_uint_le(fixture_totals().leased, 1); /* what the taps hold */
	expect_books("l", "buffered 50 bytes 50 accepted 50");
	ck_assert_uint_le(fixture_totals().bytes, freed - 40 * (8 + VALUE_OVERHEAD));
	ck_assert_str_ne(fixture_buffer("c"), ""); /* and all that time the taps had more to carry */
}
END_TEST

START_TEST(the_ephemeral_channels_of_an_ended_connection_go_in_slices)
{
	fixture_limit_work(WORK);
	for (int i = 0; i < CHANNELS; i++)
		fixture_do(line("b1 create e%02d unbuffered ephemeral", i));
	expect("a1 take e49", "");
	expect("b leaves", "");
	ck_assert(core_has_backlog(fixture.core));
	struct core_channel_row row;
	ck_assert(core_stat(fixture.core, SLICE("e49"), &row));
	/* Its owner is gone: whoever comes next may have the name. */
	expect("c1 create e49 unbuffered ephemeral", "c1 ok created");
	fixture_later(1);
	expect("- tick", "a1 closed"); /* the one that waited there, in the next turn: this one had its work */
	ck_assert_int_ge(fixture_finish(10 * VALUES), CHANNELS / (WORK / 16 + 1) - 2); /* a channel costs 16 */
	ck_assert(!core_stat(fixture.core, SLICE("e48"), &row));
	ck_assert(core_stat(fixture.core, SLICE("e49"), &row));
}
END_TEST

/* -- Promises -- */

enum { WAITERS = 90, VALUE_BYTES = 500, LENT_A_TURN = 2000 };

static struct core_connection *connection_of(char letter)
{
	return fixture.connections[letter - 'a'];
}

static uint32_t parked_of(char letter)
{
	return core_parked(connection_of(letter));
}

static void wait_for_promise(void)
{
	fixture.limits.max_take_bytes = LENT_A_TURN;
	fixture_set_limits();
	expect("a1 create p promise", "a1 ok created");
	for (int i = 1; i <= WAITERS; i++)
		fixture_do(line("b%d take p", i));
}

static void keep_promise(void)
{
	char text[VALUE_BYTES + 32];
	snprintf(text, sizeof(text), "a2 put p %0*d", VALUE_BYTES, 0);
	fixture_do(text);
}

START_TEST(takes_that_wait_for_a_promise_are_served_in_slices)
{
	enum { A_TURN = LENT_A_TURN / (VALUE_BYTES + VALUE_OVERHEAD) + 1 };
	wait_for_promise();
	keep_promise();
	ck_assert_uint_eq(parked_of('b'), WAITERS - A_TURN);
	fixture_do("c1 take p"); /* who comes now finds it */
	ck_assert_uint_eq(parked_of('c'), 0);
	expect("b91 cancel 90", "b90 cancelled; b91 ok");
	expect("a3 close p", "a3 ok");
	ck_assert_uint_eq(parked_of('b'), WAITERS - A_TURN - 1);
	int turns = fixture_finish(10 * VALUES);
	ck_assert_int_ge(turns, WAITERS / A_TURN - 2);
	ck_assert_uint_eq(parked_of('b'), 0);
}
END_TEST

START_TEST(a_paused_connection_gets_a_promise_when_it_resumes)
{
	wait_for_promise();
	expect("b pauses", "");
	expect("c1 take p", "");
	keep_promise();
	fixture_finish(10 * VALUES);
	ck_assert_uint_eq(parked_of('c'), 0);
	ck_assert_uint_eq(parked_of('b'), WAITERS);
	fixture_do("b resumes");
	ck_assert_uint_gt(parked_of('b'), WAITERS / 2); /* of this turn it had its share */
	fixture_finish(10 * VALUES);
	ck_assert_uint_eq(parked_of('b'), 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		the_values_of_a_deleted_channel_are_freed_in_slices,
		the_leases_of_a_deleted_channel_are_over_at_once,
		the_leases_of_an_ended_connection_return_in_slices_and_in_order,
		leases_return_in_slices_of_their_values,
		leases_return_and_memory_is_freed_while_taps_carry,
		the_ephemeral_channels_of_an_ended_connection_go_in_slices,
		takes_that_wait_for_a_promise_are_served_in_slices,
		a_paused_connection_gets_a_promise_when_it_resumes,
	};
	return fixture_main("core: slices", tests, sizeof(tests) / sizeof(tests[0]));
}
