/* What there is to see: books, buffers, who waits; each in pages. */
#include <stdio.h>

#include "tests/lib/core_fixture.h"

START_TEST(the_books_balance_at_every_moment_and_counters_never_fall)
{
	expect("a1 create s sliding 2", "a1 ok created");
	expect("a2 puts s u v w", "a2 ok accepted 3 evicted 1");
	expect_books("s", "buffered 2 bytes 2 accepted 3 evicted 1");
	expect("b1 take s", "b1 ok v");
	expect_books("s", "buffered 1 bytes 1 accepted 3 taken 1 evicted 1");
	expect("a3 close s", "a3 ok");
	expect_books("s", "closed buffered 1 bytes 1 accepted 3 taken 1 evicted 1");
}
END_TEST

START_TEST(an_alts_counts_once_an_arm)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("b1 alts take:c take:c put:d=x", "");
	expect_books("c", "takes 2");
	expect_books("d", "puts 1 bytes 1");
}
END_TEST

START_TEST(bytes_are_those_of_buffered_and_parked_values)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 puts c xx yyy", "");
	expect_books("c", "buffered 1 puts 1 bytes 5 accepted 1");
	expect("b1 take c", "b1 ok xx; a2 ok accepted 2");
	expect_books("c", "buffered 1 bytes 3 accepted 2 taken 1");
}
END_TEST

START_TEST(waiters_come_oldest_first_with_all_their_arms)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d bounded 1", "a2 ok created");
	expect("a3 put d x", "a3 ok");
	expect("b1 put d y", "");
	expect("c1 alts take:c put:d=z", "");
	expect("b2 take c", "");
	expect_waiters("", "b1 put d; c1 alts take c put d; b2 take c");
	expect_waiters("c", "c1 alts take c put d; b2 take c");
	expect_waiters("d", "b1 put d; c1 alts take c put d");
	expect_waiters("none", "");
}
END_TEST

START_TEST(an_alts_with_many_arms_on_a_channel_is_one_waiter_of_it)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 alts take:c take:c take:c", "");
	expect("b2 take c", "");
	expect_waiters("c", "b1 alts take c take c take c; b2 take c");
}
END_TEST

START_TEST(channels_are_listed_in_order_of_name)
{
	expect("a1 create b unbuffered", "a1 ok created");
	expect("a2 create a.long unbuffered", "a2 ok created");
	expect("a3 create a unbuffered", "a3 ok created");
	expect("a4 create B unbuffered", "a4 ok created");
	struct core_channel_row row;
	struct slice after = SLICE("");
	const char *expected[] = {"B", "a", "a.long", "b"};
	for (int i = 0; i < 4; i++) {
		ck_assert(core_next_channel(fixture.core, after, &row));
		ck_assert(slice_equal(row.name, slice_from(expected[i])));
		after = row.name;
	}
	ck_assert(!core_next_channel(fixture.core, after, &row));
	ck_assert(core_next_channel(fixture.core, SLICE("aa"), &row) && slice_equal(row.name, SLICE("b")));
}
END_TEST

START_TEST(peek_takes_nothing)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("a2 puts c x y", "a2 ok accepted 2");
	expect_buffer("c", "x y");
	expect_buffer("c", "x y");
	expect_buffer("none", "none");
}
END_TEST

START_TEST(totals_are_sums)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 puts c xx yy", "");
	expect("b1 alts take:none", "b1 error no_such_channel arm 0");
	struct core_totals totals = fixture_totals();
	ck_assert_uint_eq(totals.channels, 1);
	ck_assert_uint_eq(totals.connections, 2);
	ck_assert_uint_eq(totals.parked, 1);
	ck_assert_uint_eq(totals.buffered, 1);
	ck_assert_uint_eq(totals.bytes, 4 + 2 * VALUE_OVERHEAD);
}
END_TEST

static struct core_channel_row row_of(const char *channel)
{
	struct core_channel_row row;
	ck_assert(core_stat(fixture.core, slice_from(channel), &row));
	return row;
}

START_TEST(the_oldest_waiter_of_each_side_is_known)
{
	expect("a1 create c bounded 1", "a1 ok created");
	ck_assert(row_of("c").oldest_put_us == CORE_NEVER && row_of("c").oldest_take_us == CORE_NEVER);
	uint64_t begin_us = fixture.now_us;
	expect("b1 take c", "");
	fixture_later(5);
	expect("b2 take c", "");
	ck_assert_uint_eq(row_of("c").oldest_take_us, begin_us);
	expect("b3 cancel 1", "b1 cancelled; b3 ok");
	ck_assert_uint_eq(row_of("c").oldest_take_us, begin_us + 5000);
	fixture_later(5);
	expect("a2 puts c x y z", "b2 ok x");
	ck_assert(row_of("c").oldest_take_us == CORE_NEVER);
	ck_assert_uint_eq(row_of("c").oldest_put_us, begin_us + 10000);
}
END_TEST

static uint64_t sum_of(const struct core_waits *waits)
{
	uint64_t sum = 0;
	for (int i = 0; i <= CORE_WAIT_BOUNDS; i++)
		sum += waits->n[i];
	return sum;
}

START_TEST(waits_are_counted_where_they_ended_by_how_long_they_were)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	ck_assert_ptr_null(row_of("c").put_waits);
	expect("b1 take c", "");
	fixture_later(1);
	expect("a3 put c x", "b1 ok x; a3 ok"); /* the take waited exactly the first bound; the put did not wait */
	ck_assert_uint_eq(row_of("c").take_waits->n[0], 1);
	ck_assert_uint_eq(row_of("c").take_waits->sum_us, 1000);
	ck_assert_uint_eq(sum_of(row_of("c").put_waits), 0);
	expect("a4 put c y", "");
	fixture_later(2);
	expect("b2 take c", "b2 ok y; a4 ok");
	ck_assert_uint_eq(row_of("c").put_waits->n[1], 1);
	expect("b3 alts take:c put:d=z", "");
	fixture_later(100000);
	expect("a5 take d", "a5 ok z; b3 ok arm 1 put d");
	ck_assert_uint_eq(row_of("d").put_waits->n[CORE_WAIT_BOUNDS], 1);
	ck_assert_uint_eq(sum_of(row_of("c").take_waits), 1);
}
END_TEST

START_TEST(waits_that_nobody_served_are_not_counted)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c timeout 5", "");
	fixture_later(10);
	expect("- tick", "b1 timeout");
	expect("b2 take c count 2", "");
	fixture_later(10);
	expect("a2 puts c x y", "b2 ok x left 1; b2 ok y left 0; a2 ok accepted 2");
	expect("b3 take c", "");
	expect("a3 close c", "b3 closed; a3 ok");
	ck_assert_uint_eq(sum_of(row_of("c").take_waits), 0);
}
END_TEST

START_TEST(names_that_are_expected_mean_what_they_did)
{
	char line[64];
	const struct slice names[] = {SLICE("c7"), SLICE("gone"), SLICE("c9"), SLICE("never there")};
	fixture.limits.max_channels = 2000;
	fixture_set_limits();
	expect("a1 create gone bounded 9", "a1 ok created");
	for (int i = 0; i < 1100; i++) {
		ck_assert(i > 1000 || !core_is_vast(fixture.core));
		snprintf(line, sizeof(line), "a1 create c%d bounded 9", i);
		expect(line, "a1 ok created");
	}
	ck_assert(core_is_vast(fixture.core));
	core_expect(fixture.core, names, 4);
	expect("a2 put c7 x", "a2 ok");
	expect("a3 delete gone", "a3 ok");
	core_expect(fixture.core, names, 4);
	expect("a4 put gone x", "a4 error no_such_channel");
	expect("a5 take c7", "a5 ok x");
	core_expect(fixture.core, names, 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		the_books_balance_at_every_moment_and_counters_never_fall,
		an_alts_counts_once_an_arm,
		bytes_are_those_of_buffered_and_parked_values,
		waiters_come_oldest_first_with_all_their_arms,
		an_alts_with_many_arms_on_a_channel_is_one_waiter_of_it,
		channels_are_listed_in_order_of_name,
		peek_takes_nothing,
		totals_are_sums,
		the_oldest_waiter_of_each_side_is_known,
		waits_are_counted_where_they_ended_by_how_long_they_were,
		waits_that_nobody_served_are_not_counted,
		names_that_are_expected_mean_what_they_did,
	};
	return fixture_main("core: books and looking", tests, sizeof(tests) / sizeof(tests[0]));
}
