/* Which daemon had best have which group. */
#include <stdio.h>

#include "daemon/cluster/placement.h"
#include "tests/lib/suite.h"

enum { GROUPS = 3000, DAEMONS = 5 };

static const struct slice daemons[DAEMONS] = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}};
static const struct placement_rule rules[] = {{{"orders", 6}, {"b", 1}}, {{"bills", 5}, {"x", 1}}};
static const struct placement none, configured = {rules, 2};
static const struct slice nowhere;

static size_t choose(const struct placement *placement, unsigned number, const struct slice *among, size_t n)
{
	char name[16];
	int len = snprintf(name, sizeof(name), "g%u", number);
	return placement_choose(placement, (struct slice){name, (size_t)len}, nowhere, among, n);
}

START_TEST(each_has_its_part)
{
	unsigned had[DAEMONS] = {0};
	for (unsigned i = 0; i < GROUPS; i++)
		had[choose(&none, i, daemons, DAEMONS)]++;
	for (size_t i = 0; i < DAEMONS; i++) {
		ck_assert_uint_gt(had[i], GROUPS / DAEMONS * 8 / 10);
		ck_assert_uint_lt(had[i], GROUPS / DAEMONS * 12 / 10);
	}
}
END_TEST

START_TEST(who_goes_moves_nothing_of_the_others)
{
	for (unsigned i = 0; i < GROUPS; i++) {
		size_t before = choose(&none, i, daemons, DAEMONS), after = choose(&none, i, daemons, DAEMONS - 1);
		if (before < DAEMONS - 1)
			ck_assert_uint_eq(before, after);
		else
			ck_assert_uint_lt(after, DAEMONS - 1);
	}
}
END_TEST

START_TEST(in_whatever_order_they_are_known)
{
	struct slice reversed[DAEMONS];
	for (size_t i = 0; i < DAEMONS; i++)
		reversed[i] = daemons[DAEMONS - 1 - i];
	for (unsigned i = 0; i < GROUPS; i++)
		ck_assert_uint_eq(choose(&none, i, daemons, DAEMONS),
				  DAEMONS - 1 - choose(&none, i, reversed, DAEMONS));
}
END_TEST

START_TEST(people_go_before_the_configuration_and_that_before_chance)
{
	const struct slice orders = SLICE("orders"), bills = SLICE("bills");
	ck_assert_uint_eq(placement_choose(&configured, orders, nowhere, daemons, DAEMONS), 1);
	ck_assert_uint_eq(placement_choose(&configured, orders, SLICE("d"), daemons, DAEMONS), 3);
	ck_assert_uint_eq(placement_choose(&configured, orders, SLICE("gone"), daemons, DAEMONS), 1);
	/* Those who are not up get nothing. */
	ck_assert_uint_eq(placement_choose(&configured, orders, nowhere, daemons, 1), 0);
	ck_assert_uint_eq(placement_choose(&configured, bills, nowhere, daemons, DAEMONS),
			  placement_choose(&none, bills, nowhere, daemons, DAEMONS));
	ck_assert_uint_eq(placement_choose(&configured, orders, SLICE("d"), daemons, 0), 0);
}
END_TEST

START_TEST(rules_have_a_sum)
{
	const struct placement_rule reversed[] = {rules[1], rules[0]},
				    other[] = {rules[0], {rules[1].group, SLICE("y")}};
	uint64_t sum = placement_sum(&configured);
	ck_assert_uint_eq(placement_sum(&(struct placement){reversed, 2}), sum);
	ck_assert_uint_ne(placement_sum(&(struct placement){other, 2}), sum);
	ck_assert_uint_ne(placement_sum(&(struct placement){rules, 1}), sum);
	ck_assert_uint_ne(placement_sum(&none), sum);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		each_has_its_part,
		who_goes_moves_nothing_of_the_others,
		in_whatever_order_they_are_known,
		people_go_before_the_configuration_and_that_before_chance,
		rules_have_a_sum,
		NULL,
	};
	Suite *suite = suite_create("cluster: placement");
	suite_case(suite, "all", NULL, NULL, tests);
	return suite_run(suite);
}
