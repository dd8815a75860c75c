/* merge, mult, split and take_first against the real daemon: where values go, and every way in which it ends. */
#include <string.h>

#include "tests/lib/patterns_fixture.h"

static void lost(void *context, const char *name, const char *json, size_t len, int status)
{
	(void)context;
	ck_assert_ptr_nonnull(name);
	patterns_tell(json, len, status);
	/* A callback may use the handle; if that fails, the words of the first error must stay. */
	(void)mr_ping(m, 1000);
}

static const struct mr_flow telling = {.lost = lost}, stoppable = {.lost = lost, .stop = "stop"},
			    keeping = {.keep_open = true};

/* While it waits for values all that it puts to are closed: it ends by the first value, and another one at once. */
static void ends_when_all_are_closed(int (*run)(void *flow), const char *const *targets, size_t n_targets,
				     const char *told_then, const char *left)
{
	struct running running;

	running_start(&running, run, (void *)&telling);
	await_stat("in", "parked_takes", 1);
	for (size_t i = 0; i < n_targets; i++)
		IS(MR_OK, mr_close(eye, targets[i]));
	put_numbers("in", 1, 2);
	IS(MR_CLOSED, running_join(&running));
	ck_assert_str_eq(patterns_told, told_then);
	IS(MR_CLOSED, run((void *)&telling));
	ck_assert_str_eq(patterns_told, told_then);
	expect_values("in", left);
}

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
	IS(MR_OK, mr_merge(m, in_and_other, 2, "out", &keeping));
	ck_assert(!is_closed("out"));
	expect_values("out", "[{\"a\": 1.0},1e999]");
}
END_TEST

START_TEST(a_merge_into_a_closed_channel)
{
	ends_when_all_are_closed(run_merge, out, 1, "1 closed\n", "[2]");
}
END_TEST

START_TEST(a_merge_by_taps_into_a_closed_channel_takes_nothing)
{
	ends_when_all_are_closed(run_merge, out, 1, "", "[1,2]");
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

	running_start(&running, run_merge, (void *)&stoppable);
	await_stat("in", "parked_takes", 1);
	put("stop", "1");
	IS(MR_CANCELLED, running_join(&running));
	put("in", "1");
	IS(MR_CANCELLED, run_merge((void *)&stoppable)); /* a promise stops all that begin later, too */
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
	IS(MR_OK, mr_mult(m, "in", taps, 3, &telling));
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
	running_start(&running, run_mult, (void *)&keeping);
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
	ends_when_all_are_closed(run_mult, out_and_meet, 2, "1 closed\n", "[2]");
	FAILS(MR_EARGUMENT, "1000", mr_mult(m, "in", out_and_other, 0, NULL));
	FAILS(MR_EARGUMENT, "1000", mr_mult(m, "in", out_and_other, MR_MAX_WORKERS + 1, NULL));
}
END_TEST

START_TEST(a_mult_by_taps_without_targets_takes_nothing)
{
	ends_when_all_are_closed(run_mult, out_and_meet, 2, "", "[1,2]");
}
END_TEST

START_TEST(a_mult_finishes_what_it_has_in_hand_when_it_is_stopped)
{
	struct running running;

	running_start(&running, run_mult, (void *)&stoppable);
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

	running_start(&running, run_mult_to_meet, (void *)&telling);
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
static void the_daemon_is_killed(int status, const char *words, const char *told_then)
{
	struct running running;

	put_numbers("in", 1, 2);
	running_start(&running, run_mult, (void *)&telling);
	await_stat("meet", "parked_puts", 1);
	daemon_kill(d);
	IS(status, running_join(&running));
	ck_assert_str_ne(patterns_words, "");
	ck_assert_msg(strstr(patterns_words, words), "%s", patterns_words);
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

/* Takes from a channel with a daemon that lets nobody wait for long. */
static void take_at_last(const char *name, const char *expected)
{
	char *json;
	int status;

	while ((status = mr_take_raw(eye, name, &json, NULL, MR_FOREVER)) == MR_TIMEOUT)
		;
	IS(MR_OK, status);
	ck_assert_str_eq(json, expected);
	mr_free(json);
}

START_TEST(parking_that_is_cut_short_is_asked_again)
{
	static const char *const other[] = {"other"};
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
	IS(MR_OK, mr_split(m, "in", by_value, out_and_other, 2, &telling));
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
	IS(MR_CLOSED, mr_split(m, "in", by_value, out_and_other, 2, &telling));
	expect_values("out", "[0]");
	ck_assert_str_eq(patterns_told, "1 closed\n");
	FAILS(MR_EARGUMENT, "choose", mr_split(m, "in", NULL, out_and_other, 2, NULL));
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
		a_mult_gives_everybody_everything_in_step,
		a_tap_that_closes_is_left_out,
		a_tap_that_is_deleted_is_left_out,
		a_tap_that_closes_while_a_put_is_parked_there_is_left_out,
		a_tap_is_deleted_while_there_is_nothing_to_put,
		a_target_that_is_named_twice_gets_each_value_twice,
		a_split_puts_each_to_its_own,
		a_split_ends_early,
		takes_from_the_first_that_has_something,
		NULL,
	};
	const TTest *const by_taps[] = {
		a_merge_by_taps_into_a_closed_channel_takes_nothing,
		a_mult_by_taps_without_targets_takes_nothing,
		a_mult_finishes_what_it_has_in_hand_when_it_is_stopped,
		a_value_in_hand_is_lost_when_the_last_target_closes,
		NULL,
	};
	const TTest *const by_hand[] = {
		a_merge_into_a_closed_channel,
		a_merge_whose_put_is_parked_when_its_channel_closes_ends,
		a_mult_without_taps_ends,
		NULL,
	};
	const TTest *const killed[] = {the_daemon_dies_while_it_carries, NULL};
	const TTest *const killed_by_hand[] = {the_daemon_dies, NULL};
	const TTest *const impatient[] = {parking_that_is_cut_short_is_asked_again, NULL};
	Suite *suite = suite_create("fan");

	suite_case(suite, "fan", patterns_setup, patterns_teardown, fan);
	suite_case(suite, "fan by hand", patterns_setup_without_taps, patterns_teardown, fan);
	suite_case(suite, "taps", patterns_setup, patterns_teardown, by_taps);
	suite_case(suite, "hand", patterns_setup_without_taps, patterns_teardown, by_hand);
	suite_case(suite, "killed", patterns_setup, patterns_teardown_killed, killed);
	suite_case(suite, "killed by hand", patterns_setup_without_taps, patterns_teardown_killed, killed_by_hand);
	suite_case(suite, "impatient", patterns_setup_impatient, patterns_teardown, impatient);
	return suite_run(suite);
}
