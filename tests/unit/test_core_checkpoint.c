/* Checkpoints go on in slices, and what is there moves between these. core_check() looks after every line whether the
 * checkpoint would go on with something that is gone. */
#include <stdio.h>
#include <string.h>

#include "daemon/journal/record.h"
#include "tests/lib/core_fixture.h"

enum { LETTERS = 60, VALUE_BYTES = 4000, SLICE_BYTES = 128 * 1024 };

static struct record_buffer records;
static struct core_recorder recorder;
static unsigned leased[4 * LETTERS]; /* how often records say so of a place */
static unsigned carried;             /* how many records say that of a tap */

static void start(void)
{
	recorder = (struct core_recorder){.buffer = &records, .batch = 1, .wall_ms = 1000000};
	fixture.recorder = &recorder;
	memset(leased, 0, sizeof(leased));
	carried = 0;
}

static void park_dead_letters(void)
{
	char line[VALUE_BYTES + 32], value[VALUE_BYTES + 1];
	memset(value, 'x', VALUE_BYTES);
	value[VALUE_BYTES] = '\0';
	snprintf(line, sizeof(line), "a1 put s %s", value);
	expect("a1 create d bounded 1 durable", "a1 ok created");
	expect("a1 create s bounded 1000 durable dead 1 d", "a1 ok created");
	expect("a1 put d y", "a1 ok");
	for (int i = 1; i <= LETTERS; i++) {
		char nack[32];
		expect(line, "a1 ok");
		ck_assert_ptr_nonnull(strstr(fixture_do("a2 take s lease 1000"), "lease"));
		snprintf(nack, sizeof(nack), "a3 nack %d", i);
		expect(nack, "a3 ok");
	}
}

/* Whether it was the last. */
static bool record_slice(void)
{
	records.len = 0;
	expect("- checkpoint", "");
	struct record record;
	for (size_t at = 0; at < records.len;) {
		ptrdiff_t len = record_read((struct slice){records.bytes + at, records.len - at}, &record);
		ck_assert_int_gt(len, 0);
		at += (size_t)len;
		if (record.kind == RECORD_LEASED)
			leased[record.place]++;
		carried += record.kind == RECORD_CARRIED && record.target;
	}
	return records.len < SLICE_BYTES;
}

START_TEST(each_dead_letter_is_recorded_once_in_slices)
{
	start();
	park_dead_letters();
	int slices = 1;
	while (!record_slice())
		ck_assert_int_lt(slices++, 10);
	ck_assert_int_ge(slices, 2);
	for (int i = 1; i <= LETTERS; i++)
		ck_assert_uint_eq(leased[i], 1);
}
END_TEST

START_TEST(the_dead_letter_that_comes_next_may_enter_before)
{
	start();
	park_dead_letters();
	ck_assert(!record_slice());
	int n = 0;
	while (leased[n + 1])
		n++;
	ck_assert_int_ge(n, 2);
	for (int i = 0; i < n + 2; i++) /* the one that was in `d`, those that were recorded, and one more */
		ck_assert_ptr_nonnull(strstr(fixture_do("b1 take d"), "b1 ok"));
	while (!record_slice())
		;
	for (int i = n + 3; i <= LETTERS; i++)
		ck_assert_uint_eq(leased[i], 1);
	char discarded[32];
	snprintf(discarded, sizeof(discarded), "a4 ok discarded %d", LETTERS - n - 2);
	expect("a4 delete s force", discarded);
}
END_TEST

START_TEST(their_channel_may_be_deleted_between_slices)
{
	start();
	park_dead_letters();
	ck_assert(!record_slice());
	ck_assert_ptr_nonnull(strstr(fixture_do("a4 delete s force"), "a4 ok discarded"));
	ck_assert(record_slice());
	expect("b1 take d", "b1 ok y");
}
END_TEST

static void put_records(unsigned n)
{
	char line[VALUE_BYTES + 32], value[VALUE_BYTES + 1];
	memset(value, 'x', VALUE_BYTES);
	value[VALUE_BYTES] = '\0';
	snprintf(line, sizeof(line), "a1 put c %s", value);
	for (unsigned i = 0; i < n; i++)
		expect(line, "a1 ok");
}

/* The first slice comes to about half of them. */
START_TEST(a_sliding_channel_may_shed_the_value_that_comes_next)
{
	static const char *const capacities[] = {"10", "50"};
	for (int i = 0; i < 2; i++) {
		char line[64];
		start();
		expect("a1 create c sliding 60 durable", "a1 ok created");
		put_records(LETTERS);
		ck_assert(!record_slice());
		snprintf(line, sizeof(line), "a2 alter c sliding %s durable", capacities[i]);
		expect(line, "a2 ok altered"); /* core_check() looks where the checkpoint goes on */
		while (!record_slice())
			;
		fixture_do("a3 delete c force");
	}
}
END_TEST

START_TEST(what_taps_have_carried_is_told_of_a_value_that_is_there)
{
	start();
	expect("a1 create s bounded 10 durable", "a1 ok created");
	expect("a1 create d bounded 10 durable", "a1 ok created");
	expect("a1 create e bounded 1 durable", "a1 ok created");
	expect("a1 tap s d", "a1 ok created");
	expect("a1 tap s e", "a1 ok created");
	expect("a1 put s x", "a1 ok");
	ck_assert(record_slice());
	ck_assert_uint_eq(carried, 0);
	expect("a1 put s y", "a1 ok");
	expect_taps("s>d carried 2; s>e held carried 1");
	ck_assert(record_slice());
	ck_assert_uint_eq(carried, 1);
}
END_TEST

START_TEST(what_a_promises_taps_have_carried_is_told)
{
	start();
	expect("a1 create s promise durable", "a1 ok created");
	expect("a1 create d bounded 10 durable", "a1 ok created");
	expect("a1 tap s d", "a1 ok created");
	expect("a1 put s x", "a1 ok");
	ck_assert(record_slice());
	ck_assert_uint_eq(carried, 1);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		each_dead_letter_is_recorded_once_in_slices,
		the_dead_letter_that_comes_next_may_enter_before,
		their_channel_may_be_deleted_between_slices,
		a_sliding_channel_may_shed_the_value_that_comes_next,
		what_taps_have_carried_is_told_of_a_value_that_is_there,
		what_a_promises_taps_have_carried_is_told,
	};
	return fixture_main("core: checkpoints", tests, sizeof(tests) / sizeof(tests[0]));
}
