/* The loop's timers: each fires once, not before its time, whatever the others do meanwhile. */
#include "daemon/net/loop.h"

#include <stdlib.h>

#include "tests/lib/suite.h"

static struct loop *loop;
static struct loop_timer *timers[3];
static unsigned n_fired[3];
static uint64_t fired_us[3];

static void nothing(void *arg)
{
	(void)arg;
}

static void setup(void)
{
	loop = loop_create();
	ck_assert_ptr_nonnull(loop);
}

static void teardown(void)
{
	for (int i = 0; i < 3; i++)
		loop_timer_destroy(timers[i]);
	loop_destroy(loop);
}

static void note(int i)
{
	n_fired[i]++;
	fired_us[i] = loop_clock_us();
}

static void on_first(void *arg)
{
	(void)arg;
	note(0);
}

static void on_second(void *arg)
{
	(void)arg;
	note(1);
}

static void on_last(void *arg)
{
	(void)arg;
	note(2);
	loop_stop(loop);
}

static void create(loop_cb *first, loop_cb *second)
{
	ck_assert((timers[0] = loop_timer_create(loop, first, NULL)) != NULL);
	ck_assert((timers[1] = loop_timer_create(loop, second, NULL)) != NULL);
	ck_assert((timers[2] = loop_timer_create(loop, on_last, NULL)) != NULL);
}

START_TEST(each_fires_once_and_not_before_its_time)
{
	uint64_t now_us = loop_clock_us(), at_us[3] = {now_us + 2000, now_us + 1000, now_us + 4000};
	create(on_first, on_second);
	loop_timer_set(timers[2], now_us + 500);
	for (int i = 2; i >= 0; i--)
		loop_timer_set(timers[i], at_us[i]);
	ck_assert_int_eq(loop_run(loop, nothing, NULL), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(n_fired[i], 1);
		ck_assert_uint_ge(fired_us[i], at_us[i]);
	}
	ck_assert_uint_ge(fired_us[0], fired_us[1]);
}
END_TEST

START_TEST(what_is_set_to_never_does_not_fire)
{
	uint64_t now_us = loop_clock_us();
	create(on_first, on_second);
	loop_timer_set(timers[0], now_us + 500);
	loop_timer_set(timers[0], UINT64_MAX);
	loop_timer_set(timers[2], now_us + 1000);
	ck_assert_int_eq(loop_run(loop, nothing, NULL), 0);
	ck_assert_uint_eq(n_fired[0] + n_fired[1], 0);
	ck_assert_uint_eq(n_fired[2], 1);
}
END_TEST

static void destroy_the_second(void *arg)
{
	(void)arg;
	note(0);
	loop_timer_destroy(timers[1]);
	timers[1] = NULL;
}

static void destroy_the_first(void *arg)
{
	(void)arg;
	note(1);
	loop_timer_destroy(timers[0]);
	timers[0] = NULL;
}

/* Both are due at once: whichever comes first destroys the other, which then never fires. */
START_TEST(one_may_destroy_another_that_is_due)
{
	create(destroy_the_second, destroy_the_first);
	loop_timer_set(timers[0], 0);
	loop_timer_set(timers[1], 0);
	loop_timer_set(timers[2], loop_clock_us() + 2000);
	ck_assert_int_eq(loop_run(loop, nothing, NULL), 0);
	ck_assert_uint_eq(n_fired[0] + n_fired[1], 1);
}
END_TEST

static void again(void *arg)
{
	(void)arg;
	note(0);
	loop_timer_set(timers[0], 0);
}

/* It is due at once each time, and others have their turn all the same. */
START_TEST(one_that_sets_itself_does_so_turn_by_turn)
{
	create(again, on_second);
	loop_timer_set(timers[0], 0);
	ck_assert_int_eq(loop_poll(loop, nothing, NULL), 0);
	ck_assert_uint_eq(n_fired[0], 1);
	loop_timer_set(timers[1], 0);
	loop_timer_set(timers[2], loop_clock_us() + 1000);
	ck_assert_int_eq(loop_run(loop, nothing, NULL), 0);
	ck_assert_uint_gt(n_fired[0], 1);
	ck_assert_uint_eq(n_fired[1], 1);
}
END_TEST

int main(void)
{
	const TTest *const all[] = {
		each_fires_once_and_not_before_its_time,
		what_is_set_to_never_does_not_fire,
		one_may_destroy_another_that_is_due,
		one_that_sets_itself_does_so_turn_by_turn,
		NULL,
	};
	Suite *suite = suite_create("net: the loop");
	suite_case(suite, "timers", setup, teardown, all);
	return suite_run(suite);
}
