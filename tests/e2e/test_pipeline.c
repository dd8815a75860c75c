/* The worker pipeline against the real daemon: order, parallelism, every way in which a value fails, and every way in
 * which a pipeline ends. */
#define _GNU_SOURCE /* pthread_setattr_default_np() */
#include <string.h>

#include "tests/lib/patterns_fixture.h"

enum { WORKERS = 4 };

static struct mr_pipeline_counts counts;

static void expect_counts(uint64_t taken, uint64_t has_put, uint64_t failed)
{
	ck_assert_uint_eq(counts.taken, taken);
	ck_assert_uint_eq(counts.put, has_put);
	ck_assert_uint_eq(counts.failed, failed);
}

static int run(void *pipeline)
{
	return mr_pipeline(m, pipeline, &counts);
}

/* -- work for the workers -- */

static int same(void *context, json_t *value, json_t **result)
{
	(void)context;
	*result = json_incref(value);
	return MR_OK;
}

static int fail_odd(void *context, json_t *value, json_t **result)
{
	*result = json_string("what a failure leaves here is freed");
	if (json_integer_value(value) % 2)
		return MR_EFAILED;
	json_decref(*result);
	return same(context, value, result);
}

/* So many values have to be in work at the same time before any is done; then those that were taken later are done
 * earlier. */
static struct gate {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	int needed, in_work, next_done; /* next_done: -1, or which value may be done */
	bool is_open;
} gate;

static void gate_init(int needed, int next_done)
{
	gate = (struct gate){.needed = needed, .next_done = next_done};
	pthread_mutex_init(&gate.lock, NULL);
	pthread_cond_init(&gate.moved, NULL);
}

static void gate_open(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.is_open = true;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
}

static void gate_await(int in_work)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.in_work < in_work)
		pthread_cond_wait(&gate.moved, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static int backwards(void *context, json_t *value, json_t **result)
{
	int number = (int)json_integer_value(value);

	pthread_mutex_lock(&gate.lock);
	gate.in_work++;
	pthread_cond_broadcast(&gate.moved);
	while (gate.in_work < gate.needed || gate.next_done != number)
		pthread_cond_wait(&gate.moved, &gate.lock);
	gate.next_done--;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
	return same(context, value, result);
}

static int gated(void *context, json_t *value, json_t **result)
{
	pthread_mutex_lock(&gate.lock);
	gate.in_work++;
	pthread_cond_broadcast(&gate.moved);
	while (!gate.is_open)
		pthread_cond_wait(&gate.moved, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
	return same(context, value, result);
}

static json_t *note(void *context, const char *json, size_t len, int status)
{
	patterns_tell(json, len, status);
	return context ? json_string(context) : NULL;
}

/* -- the work is done -- */

START_TEST(results_keep_the_order_of_the_values)
{
	gate_init(WORKERS, WORKERS);
	put_numbers("in", 1, WORKERS);
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_OK, run(&(struct mr_pipeline){.from = "in", .to = "out", .n = WORKERS, .work = backwards}));
	expect_counts(WORKERS, WORKERS, 0);
	ck_assert(is_closed("out"));
	expect_values("out", "[1,2,3,4]");
}
END_TEST

START_TEST(without_order_nobody_waits_for_anybody)
{
	struct mr_pipeline pipeline = {.from = "in", .to = "meet", .n = WORKERS, .work = backwards, .unordered = true};
	struct running running;

	gate_init(WORKERS, WORKERS);
	put_numbers("in", 1, WORKERS);
	IS(MR_OK, mr_close(eye, "in"));
	running_start(&running, run, &pipeline);
	await_stat("meet", "parked_puts", WORKERS);
	for (int left = WORKERS - 1; left >= 0; left--)
		IS(MR_OK, mr_take(eye, "meet", NULL, MR_FOREVER));
	IS(MR_OK, running_join(&running));
	expect_counts(WORKERS, WORKERS, 0);
}
END_TEST

START_TEST(many_values_through_few_workers)
{
	enum { N = 1000 };
	struct mr_pipeline pipeline = {.from = "in", .to = "out", .n = WORKERS, .work = same};
	struct running running;

	running_start(&running, run, &pipeline);
	for (int put_first = 0; put_first < N; put_first += 50) {
		put_numbers("in", put_first, put_first + 49);
		for (int i = put_first; i < put_first + 50; i++) {
			json_t *value;

			IS(MR_OK, mr_take(eye, "out", &value, MR_FOREVER));
			ck_assert_int_eq(json_integer_value(value), i);
			json_decref(value);
		}
	}
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_OK, running_join(&running));
	expect_counts(N, N, 0);
}
END_TEST

static int nothing(void *context, json_t *value, json_t **result)
{
	(void)context, (void)value, (void)result;
	return MR_OK;
}

START_TEST(work_without_results)
{
	put_numbers("in", 1, 6);
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_OK, run(&(struct mr_pipeline){.from = "in", .to = "out", .n = 2, .work = nothing, .keep_open = true}));
	expect_counts(6, 0, 0);
	ck_assert(!is_closed("out"));
	channel("more", "bounded", 9);
	put_numbers("more", 1, 6);
	IS(MR_OK, mr_close(eye, "more"));
	IS(MR_OK, mr_pipeline(m, &(struct mr_pipeline){.from = "more", .n = 2, .work = same},
			      NULL)); /* results, but nowhere to put them */
}
END_TEST

START_TEST(what_a_channel_sheds_is_counted)
{
	channel("drop", "dropping", 1);
	put_numbers("in", 1, 5);
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_OK, run(&(struct mr_pipeline){.from = "in", .to = "drop", .n = 1, .work = same}));
	expect_counts(5, 1, 0);
	ck_assert_uint_eq(counts.dropped, 4);
}
END_TEST

/* -- values that fail -- */

START_TEST(failures_are_told_and_replaced_in_their_place)
{
	put_numbers("in", 1, 4);
	put("in", "[1e999]"); /* which jansson cannot hold */
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_OK,
	   run(&(struct mr_pipeline){
		   .from = "in", .to = "out", .n = 1, .work = fail_odd, .failed = note, .context = (char[]){"sorry"}}));
	expect_values("out", "[\"sorry\",2,\"sorry\",4,\"sorry\"]");
	expect_counts(5, 5, 3);
	ck_assert_str_eq(patterns_told, "1 failed\n3 failed\n[1e999] json\n");
}
END_TEST

START_TEST(a_failure_that_nobody_handles_ends_it)
{
	put_numbers("in", 2, 9);
	FAILS(MR_EFAILED, "failed", run(&(struct mr_pipeline){.from = "in", .to = "out", .n = 1, .work = fail_odd}));
	expect_counts(2, 1, 1);
	expect_values("out", "[2]");
	expect_values("in", "[4,5,6,7,8,9]");
	ck_assert(!is_closed("out"));
}
END_TEST

static int null_for_two(void *context, json_t *value, json_t **result)
{
	if (json_integer_value(value) != 2)
		return same(context, value, result);
	*result = json_null();
	return MR_OK;
}

START_TEST(a_result_that_is_no_value_is_a_failure)
{
	put_numbers("in", 1, 3);
	FAILS(MR_EBAD_VALUE, "null",
	      run(&(struct mr_pipeline){.from = "in", .to = "out", .n = 1, .work = null_for_two}));
	expect_values("out", "[1]");
	put_numbers("in", 2, 3);
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_OK, run(&(struct mr_pipeline){.from = "in",
					    .to = "out",
					    .n = 1,
					    .work = null_for_two,
					    .failed = note,
					    .context = (char[]){"none"}}));
	expect_values("out", "[3,\"none\",3]");
	ck_assert_str_eq(patterns_told, "2 bad_value\n");
}
END_TEST

/* -- it ends before its time -- */

START_TEST(a_closed_target_ends_it_and_wakes_those_who_wait)
{
	struct mr_pipeline pipeline = {.from = "meet", .n = WORKERS, .work = same, .failed = note};
	struct running running;

	for (int unordered = 0; unordered < 2; unordered++) {
		pipeline.unordered = unordered;
		pipeline.to = unordered ? "other" : "out";
		running_start(&running, run, &pipeline);
		await_stat("meet", "parked_takes", unordered ? WORKERS : 1);
		IS(MR_OK, mr_close(eye, pipeline.to));
		put("meet", "1");
		IS(MR_CLOSED, running_join(&running));
		expect_counts(1, 0, 1);
		ck_assert_int_eq(stat_of("meet", "parked_takes"), 0);
		IS(MR_CLOSED, run(&pipeline));
		expect_counts(0, 0, 0);
	}
	ck_assert_str_eq(patterns_told, "1 closed\n1 closed\n");
}
END_TEST

START_TEST(stopped_it_finishes_what_is_in_hand)
{
	struct mr_pipeline pipeline = {.from = "in", .to = "out", .n = 2, .work = gated, .stop = "stop"};
	struct running running;

	gate_init(2, -1);
	put_numbers("in", 1, 9);
	running_start(&running, run, &pipeline);
	gate_await(2);
	put("stop", "true");
	gate_open();
	IS(MR_CANCELLED, running_join(&running));
	expect_counts(2, 2, 0);
	expect_values("out", "[1,2]");
	expect_values("in", "[3,4,5,6,7,8,9]");
	ck_assert(!is_closed("out"));
}
END_TEST

START_TEST(an_error_goes_before_a_stop)
{
	struct mr_pipeline pipeline = {
		.from = "in", .to = "out", .n = 2, .work = gated, .unordered = true, .stop = "stop"};
	struct running running;

	gate_init(1, -1);
	put_numbers("in", 1, 1);
	running_start(&running, run, &pipeline);
	gate_await(1);
	await_stat("in", "parked_takes", 1);
	put("stop", "true");
	await_stat("in", "parked_takes", 0);
	IS(MR_OK, mr_delete(eye, "out", false, NULL));
	gate_open();
	IS(MR_ENO_SUCH_CHANNEL, running_join(&running));
	expect_counts(1, 0, 1);
}
END_TEST

START_TEST(stopped_while_all_wait)
{
	struct mr_pipeline pipeline = {
		.from = "in", .to = "out", .n = WORKERS, .work = same, .unordered = true, .stop = "other"};
	struct running running;

	running_start(&running, run, &pipeline);
	await_stat("in", "parked_takes", WORKERS);
	put("other", "\"one value, which one worker takes, ends all\"");
	IS(MR_CANCELLED, running_join(&running));
	running_start(&running, run, &pipeline);
	await_stat("in", "parked_takes", WORKERS);
	IS(MR_OK, mr_close(eye, "other"));
	IS(MR_CANCELLED, running_join(&running));
	IS(MR_CANCELLED, run(&pipeline));
	expect_counts(0, 0, 0);
}
END_TEST

START_TEST(what_stands_in_for_a_failure_may_come_too_late)
{
	struct mr_pipeline pipeline = {
		.from = "meet", .to = "out", .n = 1, .work = fail_odd, .failed = note, .context = (char[]){"sorry"}};
	struct running running;

	running_start(&running, run, &pipeline);
	await_stat("meet", "parked_takes", 1);
	IS(MR_OK, mr_close(eye, "out"));
	put("meet", "1");
	IS(MR_CLOSED, running_join(&running));
	expect_counts(1, 0, 1);
	ck_assert_str_eq(patterns_told, "1 failed\n"); /* once for a value */
}
END_TEST

START_TEST(a_source_that_is_deleted_is_closed)
{
	struct mr_pipeline pipeline = {.from = "in", .to = "out", .n = WORKERS, .work = same, .unordered = true};
	struct running running;

	running_start(&running, run, &pipeline);
	await_stat("in", "parked_takes", WORKERS);
	IS(MR_OK, mr_delete(eye, "in", false, NULL));
	IS(MR_OK, running_join(&running));
	ck_assert(is_closed("out"));
}
END_TEST

START_TEST(a_target_that_is_deleted_is_an_error)
{
	struct mr_pipeline pipeline = {.from = "meet", .to = "out", .n = WORKERS, .work = same, .failed = note};
	struct running running;

	running_start(&running, run, &pipeline);
	await_stat("meet", "parked_takes", 1);
	IS(MR_OK, mr_delete(eye, "out", false, NULL));
	put("meet", "7");
	IS(MR_ENO_SUCH_CHANNEL, running_join(&running));
	ck_assert_msg(strstr(patterns_message, "\"out\""), "%s", patterns_message);
	ck_assert_str_eq(patterns_told, "7 no_such_channel\n");
}
END_TEST

START_TEST(threads_that_cannot_be_had)
{
	pthread_attr_t huge;

	pthread_attr_init(&huge);
	pthread_attr_setstacksize(&huge, (size_t)1 << 46);
	ck_assert_int_eq(pthread_setattr_default_np(&huge), 0);
	put("in", "1");
	FAILS(MR_EMEMORY, "threads of 2 workers",
	      run(&(struct mr_pipeline){.from = "in", .to = "out", .n = 2, .work = same}));
	IS(MR_OK, mr_close(eye, "in"));
	IS(MR_OK, run(&(struct mr_pipeline){
			  .from = "in", .to = "out", .n = 1, .work = same})); /* which is the caller's thread */
	expect_values("out", "[1]");
}
END_TEST

START_TEST(impossible_ones_take_nothing)
{
	struct mr_pipeline pipeline = {.from = "in", .to = "out", .n = 1, .work = same};

	put("in", "1");
	FAILS(MR_EARGUMENT, "from", mr_pipeline(m, NULL, &counts));
	pipeline.n = 0;
	FAILS(MR_EARGUMENT, "workers", run(&pipeline));
	pipeline.n = MR_MAX_WORKERS + 1;
	FAILS(MR_EARGUMENT, "workers", run(&pipeline));
	pipeline.n = 1;
	pipeline.work = NULL;
	FAILS(MR_EARGUMENT, "work", run(&pipeline));
	pipeline.work = same;
	pipeline.to = "nowhere";
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", run(&pipeline));
	pipeline.to = "out";
	pipeline.from = "nowhere";
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", run(&pipeline));
	pipeline.from = "in";
	pipeline.stop = "nowhere";
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", run(&pipeline));
	expect_counts(0, 0, 0);
	expect_values("in", "[1]");
}
END_TEST

START_TEST(the_daemon_dies)
{
	struct mr_pipeline pipeline = {
		.from = "in", .to = "out", .n = WORKERS, .work = gated, .failed = note, .unordered = true};
	struct running running;

	gate_init(1, -1);
	running_start(&running, run, &pipeline);
	put("in", "5");
	gate_await(1);
	await_stat("in", "parked_takes", WORKERS - 1);
	daemon_kill(d);
	while (mr_ping(m, MR_FOREVER) == MR_OK)
		;
	gate_open();
	IS(MR_ECONNECTION, running_join(&running));
	ck_assert_msg(strstr(patterns_message, "ended"), "%s", patterns_message);
	ck_assert_str_eq(patterns_told, "5 connection\n");
}
END_TEST

/* -- a daemon that lets nobody park for long -- */

START_TEST(parking_that_is_cut_short_is_asked_again)
{
	struct mr_pipeline pipeline = {.from = "in", .to = "meet", .n = 2, .work = same};
	struct running running;
	int n = 0;

	running_start(&running, run, &pipeline);
	await_waiters(6); /* takes */
	put_numbers("in", 1, 4);
	IS(MR_OK, mr_close(eye, "in"));
	await_waiters(6); /* puts */
	while (n < 4) {
		json_t *value;
		int status = mr_take(eye, "meet", &value, MR_FOREVER);

		if (status == MR_TIMEOUT)
			continue;
		IS(MR_OK, status);
		ck_assert_int_eq(json_integer_value(value), ++n);
		json_decref(value);
	}
	IS(MR_OK, running_join(&running));
	expect_counts(4, 4, 0);
}
END_TEST

int main(void)
{
	const TTest *const ordinary[] = {
		results_keep_the_order_of_the_values,
		without_order_nobody_waits_for_anybody,
		many_values_through_few_workers,
		work_without_results,
		what_a_channel_sheds_is_counted,
		failures_are_told_and_replaced_in_their_place,
		a_failure_that_nobody_handles_ends_it,
		a_result_that_is_no_value_is_a_failure,
		a_closed_target_ends_it_and_wakes_those_who_wait,
		stopped_it_finishes_what_is_in_hand,
		an_error_goes_before_a_stop,
		stopped_while_all_wait,
		what_stands_in_for_a_failure_may_come_too_late,
		a_source_that_is_deleted_is_closed,
		a_target_that_is_deleted_is_an_error,
		threads_that_cannot_be_had,
		impossible_ones_take_nothing,
		NULL,
	};
	const TTest *const killed[] = {the_daemon_dies, NULL};
	const TTest *const impatient[] = {parking_that_is_cut_short_is_asked_again, NULL};
	Suite *suite = suite_create("pipeline");

	suite_case(suite, "pipeline", patterns_setup, patterns_teardown, ordinary);
	suite_case(suite, "killed", patterns_setup, patterns_teardown_killed, killed);
	suite_case(suite, "impatient", patterns_setup_impatient, patterns_teardown, impatient);
	return suite_run(suite);
}
