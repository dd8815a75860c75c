/* Values of parked puts that end before they have entered are in no channel any more, at once; their memory is freed in
 * slices, and counts until then. */
#include <stdio.h>
#include <string.h>

#include "daemon/journal/record.h"
#include "tests/lib/core_fixture.h"

enum { WORK = 40, BATCHES = 20, BATCH = 20, VALUES = BATCHES * BATCH, COST = 2 + VALUE_OVERHEAD };

static struct record_buffer records;
static struct core_recorder recorder;

static const char *batch(int id, const char *terms)
{
	static char line[256];
	int n = snprintf(line, sizeof(line), "b%d puts c", id);
	for (int i = 0; i < BATCH; i++)
		n += snprintf(line + n, sizeof(line) - (size_t)n, " xx");
	snprintf(line + n, sizeof(line) - (size_t)n, " %s", terms);
	return line;
}

/* All of b's. */
static void park_batches(const char *terms)
{
	for (int i = 1; i <= BATCHES; i++)
		expect(batch(i, terms), "");
	ck_assert_uint_eq(fixture_totals().bytes, VALUES * COST);
}

/* The batches are gone but for their memory; this turn has freed as much as its work goes. */
static void expect_slices(void)
{
	expect_waiters("", "");
	expect_books("c", "");
	ck_assert_uint_eq(fixture_totals().bytes, (VALUES - WORK) * COST);
	ck_assert_int_ge(fixture_finish(VALUES), VALUES / WORK - 1);
	ck_assert_uint_eq(fixture_totals().bytes, 0);
}

START_TEST(values_of_who_leaves_are_freed_in_slices)
{
	static const char *const ends[] = {"b hangs up", "b leaves", "b revoke put:c"};
	fixture_limit_work(WORK);
	expect("a1 create c unbuffered", "a1 ok created");
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		park_batches("");
		fixture_later(1);
		fixture_do(ends[i]);
		expect_slices();
	}
}
END_TEST

START_TEST(values_of_puts_that_are_cancelled_are_freed_in_slices)
{
	fixture_limit_work(WORK);
	expect("a1 create c unbuffered", "a1 ok created");
	park_batches("");
	for (int i = 1; i <= BATCHES; i++) {
		char line[32];
		snprintf(line, sizeof(line), "b99 cancel %d", i);
		ck_assert_ptr_nonnull(strstr(fixture_do(line), "b99 ok"));
	}
	expect_slices();
}
END_TEST

START_TEST(values_of_puts_that_time_out_are_freed_in_slices)
{
	fixture_limit_work(WORK);
	expect("a1 create c unbuffered", "a1 ok created");
	park_batches("timeout 5");
	fixture_later(5);
	fixture_do("- tick");
	ck_assert_uint_eq(fixture_totals().bytes, (VALUES - WORK) * COST);
	ck_assert_int_ge(fixture_finish(VALUES), VALUES / WORK - 1);
	expect_books("c", "");
	ck_assert_uint_eq(fixture_totals().bytes, 0);
}
END_TEST

START_TEST(values_of_puts_to_a_deleted_channel_are_freed_in_slices)
{
	fixture_limit_work(WORK);
	expect("a1 create c unbuffered", "a1 ok created");
	park_batches("");
	fixture_do("a2 delete c force");
	ck_assert_uint_eq(fixture_totals().bytes, (VALUES - WORK) * COST);
	ck_assert_int_ge(fixture_finish(VALUES), VALUES / WORK - 1);
	ck_assert_uint_eq(fixture_totals().bytes, 0);
}
END_TEST

/* The source goes, and with it what it had parked at its dead_letter channel. */
START_TEST(dead_letters_of_a_deleted_channel_are_freed_in_slices)
{
	fixture_limit_work(WORK);
	expect("a1 create d bounded 1", "a1 ok created");
	expect("a1 put d y", "a1 ok");
	expect("a2 create c bounded 1000 dead 1 d", "a2 ok created");
	for (int i = 1; i <= BATCHES; i++) {
		char nack[32];
		ck_assert_ptr_nonnull(strstr(fixture_do(batch(i, "")), "ok"));
		ck_assert_ptr_nonnull(strstr(fixture_do("a3 take c max 100 lease 1000"), "lease"));
		snprintf(nack, sizeof(nack), "a4 nack %d", i);
		expect(nack, "a4 ok");
	}
	expect("a5 delete c force", "a5 ok discarded 400");
	expect_waiters("", "");
	expect_books("d", "buffered 1 bytes 1 accepted 1");
	ck_assert_uint_eq(fixture_totals().bytes, (VALUES - WORK) * COST + 1 + VALUE_OVERHEAD);
	fixture_finish(VALUES);
	ck_assert_uint_eq(fixture_totals().bytes, 1 + VALUE_OVERHEAD);
}
END_TEST

START_TEST(values_of_put_arms_are_freed_in_slices)
{
	fixture_limit_work(WORK);
	expect("a1 create c unbuffered", "a1 ok created");
	for (int i = 1; i <= VALUES / 4; i++) {
		char line[96];
		snprintf(line, sizeof(line), "b%d alts put:c=xx put:c=xx put:c=xx put:c=xx", i);
		expect(line, "");
	}
	expect("b hangs up", "");
	expect_slices();
}
END_TEST

/* Who parks and leaves again gains no memory by it. */
START_TEST(what_is_yet_to_be_freed_counts_towards_max_memory)
{
	fixture_limit_work(WORK);
	expect("a1 create c unbuffered", "a1 ok created");
	fixture.limits.max_memory = VALUES * COST;
	fixture_set_limits();
	park_batches("");
	expect("a2 put c xx", "a2 error overloaded");
	expect("b hangs up", "");
	for (int i = 0; i < WORK; i++) {
		char line[32];
		snprintf(line, sizeof(line), "d%d put c xx", i + 1);
		expect(line, "");
	}
	expect("a3 put c xx", "a3 error overloaded");
	fixture_finish(VALUES);
	expect("a4 put c xx", "");
}
END_TEST

START_TEST(a_batch_that_entered_in_part_gives_up_the_rest)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("b1 puts c x yy zzz", "");
	expect_books("c", "buffered 1 puts 1 bytes 6 accepted 1");
	expect("a2 take c", "a2 ok x");
	expect_books("c", "buffered 1 puts 1 bytes 5 accepted 2 taken 1");
	expect("b2 cancel 1", "b1 cancelled accepted 2; b2 ok");
	expect_books("c", "buffered 1 bytes 2 accepted 2 taken 1");
	ck_assert_uint_eq(fixture_totals().bytes, 2 + VALUE_OVERHEAD);
}
END_TEST

/* -- The journal's room -- */

static void record_changes(void)
{
	recorder = (struct core_recorder){.buffer = &records, .batch = 1, .wall_ms = 1000000};
	fixture.recorder = &recorder;
}

static void expect_nothing_promised(void)
{
	fixture_finish(VALUES);
	ck_assert_uint_eq(records.promised, 0);
	records.len = 0;
}

START_TEST(nothing_stays_promised_for_what_will_not_enter)
{
	record_changes();
	expect("a1 create c bounded 1 durable", "a1 ok created");
	expect("a1 put c y", "a1 ok");
	expect("b1 puts c x yy zzz", "");
	expect("b2 alts put:c=xx put:c=yyy", "");
	expect("b3 puts c w ww delay 50 timeout 9", "");
	ck_assert_uint_gt(records.promised, 0);
	fixture_later(9);
	expect("- tick", "b3 timeout accepted 0");
	expect("b4 cancel 1", "b1 cancelled accepted 0; b4 ok");
	expect("b hangs up", "");
	expect_nothing_promised();
}
END_TEST

/* Dead letters of c that wait to enter d. */
static void park_dead_letters(const char *nack)
{
	expect("a1 create d bounded 1 durable", "a1 ok created");
	expect("a2 put d y", "a2 ok");
	expect("a3 create c bounded 9 durable dead 1 d", "a3 ok created");
	expect("a4 puts c x yy", "a4 ok accepted 2");
	ck_assert_ptr_nonnull(strstr(fixture_do("a5 take c max 2 lease 1000"), "lease"));
	expect(nack, "a6 ok");
	ck_assert_uint_gt(records.promised, 0);
}

START_TEST(nothing_stays_promised_for_dead_letters_of_deleted_channels)
{
	record_changes();
	park_dead_letters("a6 nack 1");
	expect("a7 delete d force", "a7 ok discarded 1; undeliverable 2 c");
	expect_nothing_promised();
	expect("a8 delete c force", "a8 ok discarded 2");
	park_dead_letters("a6 nack 2");
	expect("a9 delete c force", "a9 ok discarded 2");
	expect_nothing_promised();
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		values_of_who_leaves_are_freed_in_slices,
		values_of_puts_that_are_cancelled_are_freed_in_slices,
		values_of_puts_that_time_out_are_freed_in_slices,
		values_of_puts_to_a_deleted_channel_are_freed_in_slices,
		dead_letters_of_a_deleted_channel_are_freed_in_slices,
		values_of_put_arms_are_freed_in_slices,
		what_is_yet_to_be_freed_counts_towards_max_memory,
		a_batch_that_entered_in_part_gives_up_the_rest,
		nothing_stays_promised_for_what_will_not_enter,
		nothing_stays_promised_for_dead_letters_of_deleted_channels,
	};
	return fixture_main("core: graveyard", tests, sizeof(tests) / sizeof(tests[0]));
}
