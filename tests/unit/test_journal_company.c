/* Who is waited for before the next run goes to the disk. */
#include "daemon/journal/company.h"

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
		company_leave(&company);
		company_is_answered(&company, 800);
	}
}
END_TEST

START_TEST(those_who_gathered_meanwhile_wait_until_those_are_back_who_were_answered)
{
	struct company company = {0};
	gather(&company, 25);
	company_leave(&company);
	gather(&company, 20);
	company_is_answered(&company, 800);
	ck_assert_uint_eq(company_awaited_until(&company, 1000), 1400);
	gather(&company, 24);
	ck_assert_uint_eq(company_awaited_until(&company, 1100), 1400);
	gather(&company, 1);
	ck_assert_uint_eq(company_awaited_until(&company, 1200), 0);
	company_leave(&company);
	company_is_answered(&company, 800); /* now they are one company */
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
	for (uint64_t now_us = 0, run = 0; run < 80; run++, now_us += 1000) {
		company_leave(&company);
		gather(&company, 10);
		company_is_answered(&company, 800);
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
	company_leave(&company);
	gather(&company, 1);
	company_is_answered(&company, 1000000);
	ck_assert_uint_eq(company_awaited_until(&company, 7), 5007);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		whoever_is_alone_waits_for_nobody,
		those_who_gathered_meanwhile_wait_until_those_are_back_who_were_answered,
		who_waited_in_vain_goes_alone_for_some_runs,
		a_slow_disk_makes_nobody_wait_for_long,
		NULL,
	};
	Suite *suite = suite_create("journal: company");
	suite_case(suite, "company", NULL, NULL, tests);
	return suite_run(suite);
}
