/* Who is waited for before the next run goes to the disk. */
#include "daemon/journal/journal.h"
#include "tests/lib/suite.h"

static void gather(struct company *company, unsigned n)
{
	while (n--)
		company_gather(company);
}

START_TEST(whoever_is_alone_waits_for_nobody)
{
	struct company company = {0};
	ck_assert_uint_eq(company_awaited_until(&company, 1000), 0);
	for (int i = 0; i < 3; i++) {
		gather(&company, 1);
		ck_assert_uint_eq(company_awaited_until(&company, 1000), 0);
		company_leave(&company, 1000);
		company_is_answered(&company);
	}
}
END_TEST

START_TEST(those_who_gathered_meanwhile_wait_until_those_are_back_who_were_answered)
{
	struct company company = {0};
	gather(&company, 25);
	company_leave(&company, 200);
	gather(&company, 20);
	company_is_answered(&company);
	ck_assert_uint_eq(company_awaited_until(&company, 1000), 1400);
	gather(&company, 24);
	ck_assert_uint_eq(company_awaited_until(&company, 1100), 1400);
	gather(&company, 1);
	ck_assert_uint_eq(company_awaited_until(&company, 1200), 0);
	company_leave(&company, 1200);
	company_is_answered(&company); /* now they are one company */
	gather(&company, 44);
	ck_assert_uint_eq(company_awaited_until(&company, 2000), 2400);
	gather(&company, 1);
	ck_assert_uint_eq(company_awaited_until(&company, 2010), 0);
}
END_TEST

START_TEST(who_waited_in_vain_goes_alone_for_some_runs)
{
	struct company company = {0};
	unsigned n_waits = 0;
	gather(&company, 10);
	for (uint64_t now_us = 1000, run = 0; run < 80; run++, now_us += 1000) {
		company_leave(&company, now_us - 800);
		gather(&company, 10);
		company_is_answered(&company);
		n_waits += company_awaited_until(&company, now_us) > 0;
		ck_assert_uint_eq(company_awaited_until(&company, now_us + 400), 0);
	}
	ck_assert_uint_eq(n_waits, 10);
}
END_TEST

START_TEST(a_slow_disk_makes_nobody_wait_for_long)
{
	struct company company = {0};
	gather(&company, 2);
	company_leave(&company, 7);
	gather(&company, 1);
	company_is_answered(&company);
	ck_assert_uint_eq(company_awaited_until(&company, 1000007), 1005007);
}
END_TEST

/* -- In a journal -- */

static struct fake { /* a carrier that commits when the test says so, and tells no times */
	struct carrier carrier;
	uint64_t committed;
} fake;

static void append(struct carrier *carrier, char *run, size_t len, uint64_t last)
{
	(void)carrier, (void)run, (void)len, (void)last;
}

static void drop_before(struct carrier *carrier, uint64_t number)
{
	(void)carrier, (void)number;
}

static void tell_status(struct carrier *carrier, struct carrier_status *status)
{
	*status = (struct carrier_status){.committed = ((struct fake *)carrier)->committed};
}

static void record(struct journal *journal, size_t len)
{
	static char bytes[4096];
	record_write(journal_records(journal), &(struct record){.kind = RECORD_PUT, .value = {bytes, len}});
	journal_end_step(journal);
}

START_TEST(a_journal_waits_once_all_that_was_under_way_is_committed)
{
	struct journal journal;
	fake = (struct fake){.carrier = {&(struct carrier_calls){append, drop_before, tell_status}}};
	ck_assert_int_eq(journal_init(&journal, &(struct journal_settings){.max_batch = 4000}, &fake.carrier, 1), 0);
	record(&journal, 4096); /* a batch of its own */
	record(&journal, 10);
	ck_assert_uint_eq(journal_end_turn(&journal, 1000), UINT64_MAX);
	ck_assert(journal_is_under_way(&journal));
	record(&journal, 10);
	fake.committed = 1;
	ck_assert(journal_notice(&journal));
	ck_assert_uint_eq(journal_end_turn(&journal, 1500), UINT64_MAX);
	fake.committed = 2;
	ck_assert(journal_notice(&journal));
	ck_assert_uint_eq(journal_end_turn(&journal, 2000), 2500);
	record(&journal, 10);
	record(&journal, 10);
	ck_assert_uint_eq(journal_end_turn(&journal, 2100), UINT64_MAX);
	ck_assert(journal_is_under_way(&journal));
	journal_finish(&journal);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		whoever_is_alone_waits_for_nobody,
		those_who_gathered_meanwhile_wait_until_those_are_back_who_were_answered,
		who_waited_in_vain_goes_alone_for_some_runs,
		a_slow_disk_makes_nobody_wait_for_long,
		a_journal_waits_once_all_that_was_under_way_is_committed,
		NULL,
	};
	Suite *suite = suite_create("journal: company");
	suite_case(suite, "company", NULL, NULL, tests);
	return suite_run(suite);
}
