/* Running one suite of tests, each in a process of its own. */
#ifndef MILLRACE_TESTS_SUITE_H
#define MILLRACE_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

enum { SUITE_TIMEOUT_S = 120 };

/* `tests` ends with NULL; setup and teardown (NULL: none) run around each, in its process, for at most so many seconds.
 */
static inline void suite_case_within(Suite *suite, const char *name, SFun setup, SFun teardown,
				     const TTest *const *tests, double timeout_s)
{
	TCase *tcase = tcase_create(name);
	tcase_set_timeout(tcase, timeout_s);
	if (setup || teardown)
		tcase_add_checked_fixture(tcase, setup, teardown);
	for (; *tests; tests++)
		tcase_add_test(tcase, *tests);
	suite_add_tcase(suite, tcase);
}

static inline void suite_case(Suite *suite, const char *name, SFun setup, SFun teardown, const TTest *const *tests)
{
	suite_case_within(suite, name, setup, teardown, tests, SUITE_TIMEOUT_S);
}

/* One test for each row of a table, whose number is `_i`. */
static inline void suite_rows(Suite *suite, SFun setup, SFun teardown, const TTest *test, size_t n_rows)
{
	TCase *tcase = tcase_create("rows");
	tcase_set_timeout(tcase, SUITE_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, test, 0, (int)n_rows);
	suite_add_tcase(suite, tcase);
}

static inline int suite_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
