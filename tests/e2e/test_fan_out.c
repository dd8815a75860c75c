/* mult and split against the real daemon: what goes to several channels, and every way in which it ends. */
#include <string.h>

#include "tests/lib/patterns_fixture.h"

/* -- mult -- */

static const char *const out_and_other[] = {"out", "other"}, *const out_and_meet[] = {"out", "meet"};

static int run_mult(void *flow)
{
	return mr_mult(m, "in", out_and_meet, 2, flow);
}

START_TEST(a_mult_gives_everybody_everything_in_step)
{
	struct running running;

	put_numbers("in", 1, 3);
	IS(MR_OK, mr_close(eye, "in"));
	running_start(&running, run_mult, NULL);
	for (int i = 1; i <= 3; i++) {
		await_stat("meet", "parked_puts", 1);
		await_stat("out", "accepted", i); /* and not one more, before the slow one has its own */
		IS(MR_OK, mr_take(eye, "meet", NULL, MR_FOREVER));
	}
	IS(MR_OK, running_join(&running));
	expect_values("out", "[1,2,3]");
	ck_assert(is_closed("out"));
	ck_assert(is_closed("meet"));
}
END_TEST

START_TEST(a_tap_that_closes_is_left_out)
{
	channel("gone", "unbuffered", 0);
	const char *const taps[] = {"out", "gone", "other"};

	IS(MR_OK, mr_close(eye, "gone"));
	put_numbers("in", 1, 3);
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_OK, mr_mult(m, "in", taps, 3, &patterns_telling));
	expect_values("out", "[1,2,3]");
	expect_values("other", "[1,2,3]");
	ck_assert_str_eq(patterns_told, "");
}
END_TEST

static int delete_meet(void)
{
	return mr_delete(eye, "meet", true, NULL);
}

static int close_meet(void)
{
	return mr_close(eye, "meet");
}

/* One of two taps goes while a put is parked there: the other gets everything. */
static void mult_loses_a_tap(int (*lose_meet)(void))
{
	struct running running;

	put_numbers("in", 1, 2);
	running_start(&running, run_mult, (void *)&patterns_keeping);
	await_stat("meet", "parked_puts", 1);
	IS(MR_OK, lose_meet());
	await_stat("out", "accepted", 2);
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_OK, running_join(&running));
	expect_values("out", "[1,2]");
	ck_assert(!is_closed("out"));
}

START_TEST(a_tap_that_is_deleted_is_left_out)
{
	mult_loses_a_tap(delete_meet);
}
END_TEST

START_TEST(a_tap_that_closes_while_a_put_is_parked_there_is_left_out)
{
	mult_loses_a_tap(close_meet);
	expect_values("meet", "[]");
}
END_TEST

START_TEST(a_tap_is_deleted_while_there_is_nothing_to_put)
{
	struct running running;

	running_start(&running, run_mult, NULL);
	await_stat("in", "parked_takes", 1);
	IS(MR_OK, mr_delete(eye, "meet", false, NULL));
	put_numbers("in", 1, 2);
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_OK, running_join(&running));
	expect_values("out", "[1,2]");
}
END_TEST

START_TEST(a_mult_without_taps_ends)
{
	expect_end_when_all_are_closed(run_mult, out_and_meet, 2, "1 closed\n", "[2]");
	FAILS(MR_EARGUMENT, "1000", mr_mult(m, "in", out_and_other, 0, NULL));
	FAILS(MR_EARGUMENT, "1000", mr_mult(m, "in", out_and_other, MR_MAX_WORKERS + 1, NULL));
}
END_TEST

START_TEST(a_mult_by_taps_without_targets_takes_nothing)
{
	expect_end_when_all_are_closed(run_mult, out_and_meet, 2, "", "[1,2]");
}
END_TEST

START_TEST(a_mult_finishes_what_it_has_in_hand_when_it_is_stopped)
{
	struct running running;

	running_start(&running, run_mult, (void *)&patterns_stoppable);
	await_stat("in", "parked_takes", 1);
	put_numbers("in", 1, 3);
	await_stat("meet", "parked_puts", 1);
	put("stop", "1");
	await_stat("in", "leased", 0);
	IS(MR_OK, mr_take(eye, "meet", NULL, MR_FOREVER));
	IS(MR_CANCELLED, running_join(&running));
	expect_values("out", "[1]");
	expect_values("in", "[2,3]");
	ck_assert_str_eq(patterns_told, "");
	ck_assert(!is_closed("out"));
}
END_TEST

static int run_mult_to_meet(void *flow)
{
	return mr_mult(m, "in", &out_and_meet[1], 1, flow);
}

START_TEST(a_value_in_hand_is_lost_when_the_last_target_closes)
{
	struct running running;

	running_start(&running, run_mult_to_meet, (void *)&patterns_telling);
	await_stat("in", "parked_takes", 1);
	put_numbers("in", 1, 3);
	await_stat("meet", "parked_puts", 1);
	await_stat("in", "buffered", 1); /* the second is on its way, and goes back */
	IS(MR_OK, mr_close(eye, "meet"));
	IS(MR_CLOSED, running_join(&running));
	ck_assert_str_eq(patterns_told, "1 closed\n");
	expect_values("in", "[2,3]");
}
END_TEST

START_TEST(a_target_that_is_named_twice_gets_each_value_twice)
{
	static const char *const twice[] = {"out", "out"};

	put_numbers("in", 1, 2);
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_OK, mr_mult(m, "in", twice, 2, NULL));
	expect_values("out", "[1,1,2,2]");
}
END_TEST

/* While a put is parked. */
static void the_daemon_is_killed(int status, const char *message, const char *told_then)
{
	struct running running;

	put_numbers("in", 1, 2);
	running_start(&running, run_mult, (void *)&patterns_telling);
	await_stat("meet", "parked_puts", 1);
	daemon_kill(d);
	IS(status, running_join(&running));
	ck_assert_str_ne(patterns_message, "");
	ck_assert_msg(strstr(patterns_message, message), "%s", patterns_message);
	ck_assert_str_eq(patterns_told, told_then);
}

START_TEST(the_daemon_dies_while_it_carries)
{
	the_daemon_is_killed(MR_ECONNECTION, "", "");
}
END_TEST

START_TEST(the_daemon_dies)
{
	the_daemon_is_killed(MR_UNKNOWN, "ended", "1 outcome_unknown\n");
}
END_TEST

/* The daemon lets nobody wait for long. */
START_TEST(parking_that_is_cut_short_is_asked_again)
{
	struct running running;

	running_start(&running, run_mult, NULL);
	await_waiters(4); /* takes */
	put_numbers("in", 1, 2);
	IS(MR_OK, mr_close(eye, "in"));
	await_waiters(4); /* puts to one of the taps */
	take_at_last("meet", "1");
	take_at_last("meet", "2");
	IS(MR_OK, running_join(&running));
	expect_values("out", "[1,2]");
}
END_TEST

/* -- split -- */

static size_t by_value(void *context, const json_t *value)
{
	(void)context;
	return (size_t)json_integer_value(value);
}

START_TEST(a_split_puts_each_to_its_own)
{
	put_numbers("in", 0, 2);
	put_numbers("in", 0, 1);
	put("in", "1e999");
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_OK, mr_split(m, "in", by_value, out_and_other, 2, &patterns_telling));
	expect_values("out", "[0,0]");
	expect_values("other", "[1,1]");
	ck_assert_str_eq(patterns_told, "1e999 json\n");
	ck_assert(is_closed("out"));
	ck_assert(is_closed("other"));
}
END_TEST

START_TEST(a_split_ends_early)
{
	put("in", "1e999");
	put_numbers("in", 0, 1);
	FAILS(MR_EJSON, "jansson", mr_split(m, "in", by_value, out_and_other, 2, NULL));
	IS(MR_OK, mr_close(eye, "other"));
	IS(MR_CLOSED, mr_split(m, "in", by_value, out_and_other, 2, &patterns_telling));
	expect_values("out", "[0]");
	ck_assert_str_eq(patterns_told, "1 closed\n");
	FAILS(MR_EARGUMENT, "choose", mr_split(m, "in", NULL, out_and_other, 2, NULL));
}
END_TEST

int main(void)
{
	const TTest *const fan[] = {
		a_mult_gives_everybody_everything_in_step,
		a_tap_that_closes_is_left_out,
		a_tap_that_is_deleted_is_left_out,
		a_tap_that_closes_while_a_put_is_parked_there_is_left_out,
		a_tap_is_deleted_while_there_is_nothing_to_put,
		a_target_that_is_named_twice_gets_each_value_twice,
		a_split_puts_each_to_its_own,
		a_split_ends_early,
		NULL,
	};
	const TTest *const by_taps[] = {
		a_mult_by_taps_without_targets_takes_nothing,
		a_mult_finishes_what_it_has_in_hand_when_it_is_stopped,
		a_value_in_hand_is_lost_when_the_last_target_closes,
		NULL,
	};
	const TTest *const by_hand[] = {
		a_mult_without_taps_ends,
		NULL,
	};
	const TTest *const killed[] = {the_daemon_dies_while_it_carries, NULL};
	const TTest *const killed_by_hand[] = {the_daemon_dies, NULL};
	const TTest *const impatient[] = {parking_that_is_cut_short_is_asked_again, NULL};
	Suite *suite = suite_create("fan out");

	suite_case(suite, "fan", patterns_setup, patterns_teardown, fan);
	suite_case(suite, "fan by hand", patterns_setup_without_taps, patterns_teardown, fan);
	suite_case(suite, "taps", patterns_setup, patterns_teardown, by_taps);
	suite_case(suite, "hand", patterns_setup_without_taps, patterns_teardown, by_hand);
	suite_case(suite, "killed", patterns_setup, patterns_teardown_killed, killed);
	suite_case(suite, "killed by hand", patterns_setup_without_taps, patterns_teardown_killed, killed_by_hand);
	suite_case(suite, "impatient", patterns_setup_impatient, patterns_teardown, impatient);
	return suite_run(suite);
}
