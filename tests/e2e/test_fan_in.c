/* merge and take_first against the real daemon: what comes of several channels, and every way in which it ends. */
#include "tests/lib/patterns_fixture.h"

/* -- merge -- */

static const char *const in_and_other[] = {"in", "other"}, *const out[] = {"out"};

static int run_merge(void *flow)
{
	return mr_merge(m, in_and_other, 2, "out", flow);
}

static int run_merge_slowly(void *from)
{
	return mr_merge(m, from, 1, "slow", NULL);
}

START_TEST(a_merge_takes_turns_and_closes_last)
{
	struct running running;

	put_numbers("in", 1, 4);
	put_numbers("other", 11, 12);
	IS(MR_OK, mr_close(eye, "other"));
	running_start(&running, run_merge, NULL);
	await_stat("in", "parked_takes", 1);
	ck_assert(!is_closed("out"));
	expect_values("out", "[1,11,2,12,3,4]");
	put_numbers("in", 5, 5);
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_OK, running_join(&running));
	expect_values("out", "[5]");
	ck_assert(is_closed("out"));
}
END_TEST

START_TEST(a_merge_may_leave_it_open)
{
	put("in", "{\"a\": 1.0}");
	put("other", "1e999"); /* a value's bytes are kept, whatever they are */
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_OK, mr_close(eye, "other"));
	IS(MR_OK, mr_merge(m, in_and_other, 2, "out", &patterns_keeping));
	ck_assert(!is_closed("out"));
	expect_values("out", "[{\"a\": 1.0},1e999]");
}
END_TEST

START_TEST(a_merge_into_a_closed_channel)
{
	expect_end_when_all_are_closed(run_merge, out, 1, "1 closed\n", "[2]");
}
END_TEST

START_TEST(a_merge_by_taps_into_a_closed_channel_takes_nothing)
{
	expect_end_when_all_are_closed(run_merge, out, 1, "", "[1,2]");
}
END_TEST

START_TEST(a_merge_whose_put_is_parked_when_its_channel_closes_ends)
{
	static const char *const in[] = {"in"};
	struct running running;

	channel("slow", "unbuffered", 0);
	put_numbers("in", 1, 2);
	running_start(&running, run_merge_slowly, (void *)in);
	await_stat("slow", "parked_puts", 1);
	IS(MR_OK, mr_close(eye, "slow"));
	IS(MR_CLOSED, running_join(&running));
	expect_values("in", "[2]");
}
END_TEST

START_TEST(a_merge_goes_on_without_a_source_that_is_deleted)
{
	struct running running;

	running_start(&running, run_merge, NULL);
	await_stat("other", "parked_takes", 1);
	IS(MR_OK, mr_delete(eye, "other", false, NULL));
	put_numbers("in", 1, 2);
	await_stat("out", "accepted", 2);
	ck_assert(!is_closed("out"));
	IS(MR_OK, mr_delete(eye, "in", false, NULL));
	IS(MR_OK, running_join(&running));
	expect_values("out", "[1,2]");
	ck_assert(is_closed("out"));
}
END_TEST

START_TEST(a_merge_is_stopped)
{
	struct running running;

	running_start(&running, run_merge, (void *)&patterns_stoppable);
	await_stat("in", "parked_takes", 1);
	put("stop", "1");
	IS(MR_CANCELLED, running_join(&running));
	put("in", "1");
	IS(MR_CANCELLED, run_merge((void *)&patterns_stoppable)); /* a promise stops all that begin later, too */
	expect_values("in", "[1]");
	ck_assert(!is_closed("out"));
}
END_TEST

START_TEST(impossible_merges)
{
	const char *names[MR_MAX_SOURCES + 1] = {"in"};

	FAILS(MR_EARGUMENT, "62", mr_merge(m, names, 0, "out", NULL));
	FAILS(MR_EARGUMENT, "62", mr_merge(m, names, MR_MAX_SOURCES + 1, "out", NULL));
	FAILS(MR_EARGUMENT, "NULL", mr_merge(m, names, 2, "out", NULL));
	FAILS(MR_EARGUMENT, "NULL", mr_merge(m, names, 1, NULL, NULL));
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", mr_merge(m, names, 1, "nowhere", NULL));
	for (size_t i = 0; i < MR_MAX_SOURCES; i++)
		names[i] = "in";
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_OK, mr_merge(m, names, MR_MAX_SOURCES, "out", &(struct mr_flow){.stop = "stop"}));
	names[0] = "nowhere";
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", mr_merge(m, names, 1, "other", NULL));
}
END_TEST

/* The daemon lets nobody wait for long. */
START_TEST(parking_that_is_cut_short_is_asked_again)
{
	static const char *const other[] = {"other"};
	struct running running;

	channel("slow", "unbuffered", 0);
	put_numbers("other", 1, 2);
	IS(MR_OK, mr_close(eye, "other"));
	running_start(&running, run_merge_slowly, (void *)other);
	await_waiters(4);
	take_at_last("slow", "1");
	take_at_last("slow", "2");
	IS(MR_OK, running_join(&running));
}
END_TEST

/* -- take_first -- */

static void expect_first(const char **names, size_t n, size_t arm, const char *json)
{
	struct mr_choice choice;

	IS(MR_OK, mr_take_first(m, names, n, 1000, &choice));
	ck_assert_uint_eq(choice.arm, arm);
	ck_assert_str_eq(choice.raw, json);
	mr_choice_finish(&choice);
}

START_TEST(takes_from_the_first_that_has_something)
{
	const char *names[] = {"in", "out", "other"}, *many[65] = {"in"};
	struct mr_choice choice;

	put_numbers("other", 1, 3);
	put("out", "2");
	expect_first(names, 3, 1, "2");
	expect_first(names, 3, 2, "1");
	IS(MR_OK, mr_close(eye, "out"));
	expect_first(names, 3, 2, "2");
	ck_assert_ptr_null(names[1]);
	ck_assert_str_eq(names[0], "in");
	IS(MR_TIMEOUT, mr_take_first(m, names, 1, 0, &choice));
	IS(MR_TIMEOUT, mr_take_first(m, names, 1, 5, &choice));
	IS(MR_OK, mr_close(eye, "other"));
	expect_first(names, 3, 2, "3");
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_CLOSED, mr_take_first(m, names, 3, MR_FOREVER, &choice));
	IS(MR_CLOSED, mr_take_first(m, names, 3, MR_FOREVER, &choice));
	FAILS(MR_EARGUMENT, "64", mr_take_first(m, many, 0, 0, &choice));
	FAILS(MR_EARGUMENT, "64", mr_take_first(m, many, 65, 0, &choice));
	many[0] = "meet";
	FAILS(MR_EARGUMENT, "time-out", mr_take_first(m, many, 1, -2, &choice));
	many[0] = "nowhere";
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", mr_take_first(m, many, 1, 0, &choice));
}
END_TEST

int main(void)
{
	const TTest *const fan[] = {
		a_merge_takes_turns_and_closes_last,
		a_merge_may_leave_it_open,
		a_merge_is_stopped,
		a_merge_goes_on_without_a_source_that_is_deleted,
		impossible_merges,
		takes_from_the_first_that_has_something,
		NULL,
	};
	const TTest *const by_taps[] = {
		a_merge_by_taps_into_a_closed_channel_takes_nothing,
		NULL,
	};
	const TTest *const by_hand[] = {
		a_merge_into_a_closed_channel,
		a_merge_whose_put_is_parked_when_its_channel_closes_ends,
		NULL,
	};
	const TTest *const impatient[] = {parking_that_is_cut_short_is_asked_again, NULL};
	Suite *suite = suite_create("fan in");

	suite_case(suite, "fan", patterns_setup, patterns_teardown, fan);
	suite_case(suite, "fan by hand", patterns_setup_without_taps, patterns_teardown, fan);
	suite_case(suite, "taps", patterns_setup, patterns_teardown, by_taps);
	suite_case(suite, "hand", patterns_setup_without_taps, patterns_teardown, by_hand);
	suite_case(suite, "impatient", patterns_setup_impatient, patterns_teardown, impatient);
	return suite_run(suite);
}
