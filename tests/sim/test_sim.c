/* The simulation: seeds, each with its own small world, through the core and the naive model. MILLRACE_OPS says how
 * many operations (a million and more if nothing does; fewer under sanitizers), MILLRACE_SEED=n replays the one seed n.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "tests/lib/suite.h"
#include "tests/sim/replay.h"
#include "tests/sim/worlds.h"

enum { OPS_A_SEED = 2000, FIRST_SEED = 1 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const uint64_t default_ops = 300000;
#else
static const uint64_t default_ops = 2000000;
#endif

static void tell_failure(const struct script *script, size_t at, const char *why)
{
	struct script *shrunken = replay_shrink(script);
	printf("seed %" PRIu64 " fails at operation %zu: %s\n", script->seed, at, why);
	struct replay_seen seen = {0};
	char again[REPLAY_WHY] = "";
	size_t last;
	replay(shrunken, &seen, &last, again);
	printf("the shortest part of it that fails:\n");
	script_print(shrunken, stdout);
	printf("  %s\nreplay with MILLRACE_SEED=%" PRIu64 "\n", again, script->seed);
	fflush(stdout);
	script_destroy(shrunken);
}

static void run_seed(uint64_t seed, struct replay_seen *seen)
{
	struct script *script = script_create(seed, OPS_A_SEED);
	char why[REPLAY_WHY] = "";
	size_t at;
	bool agree = replay(script, seen, &at, why);
	if (!agree)
		tell_failure(script, at, why);
	script_destroy(script);
	ck_assert_msg(agree, "core and model disagree: seed %" PRIu64, seed);
}

/* A simulation that never gets to a place proves nothing about it. */
static void check_reached(const struct replay_seen *seen)
{
	uint64_t some = seen->operations / 20000;
	static const enum error errors[] = {ERROR_DUPLICATE_ID,      ERROR_NO_SUCH_CHANNEL, ERROR_CHANNEL_EXISTS,
					    ERROR_NOT_EMPTY,         ERROR_NO_SUCH_REQUEST, ERROR_TOO_MANY_WAITERS,
					    ERROR_TOO_MANY_INFLIGHT, ERROR_OVERLOADED,      ERROR_NO_SUCH_TAP};
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		ck_assert_uint_gt(seen->errors[errors[i]], some);
	for (enum core_op op = CORE_PUT; op <= CORE_ALTS; op++) {
		ck_assert_uint_gt(seen->statuses[op][STATUS_OK], 10 * some);
		ck_assert_uint_gt(seen->statuses[op][STATUS_TIMEOUT], some);
		ck_assert_uint_gt(seen->statuses[op][STATUS_CLOSED], some);
		ck_assert_uint_gt(seen->statuses[op][STATUS_CANCELLED], some);
	}
	ck_assert_uint_gt(seen->statuses[CORE_PUT][STATUS_DROPPED], some);
	ck_assert_uint_gt(seen->statuses[CORE_ALTS][STATUS_DROPPED], some);
	ck_assert_uint_gt(seen->parked_alts_ok, some);
	ck_assert_uint_gt(seen->alts_met_alts, some);
	ck_assert_uint_gt(seen->timeout_beside_match, some);
	ck_assert_uint_gt(seen->left_while_parked, some);
	ck_assert_uint_gt(seen->evicted, some);
	ck_assert_uint_gt(seen->altered, 10 * some);
	ck_assert_uint_gt(seen->refilled, some / 4);
	ck_assert_uint_gt(seen->moved, 4 * some);
	ck_assert_uint_gt(seen->with_origin, some);
	ck_assert_uint_gt(seen->delayed, 100 * some);
	ck_assert_uint_gt(seen->duplicates, 10 * some);
	ck_assert_uint_gt(seen->once_parked, 10 * some);
	ck_assert_uint_gt(seen->delayed_parked, 10 * some);
	ck_assert_uint_gt(seen->discarded, some);
	ck_assert_uint_gt(seen->partly_accepted, some);
	ck_assert_uint_gt(seen->counted, 10 * some);
	ck_assert_uint_gt(seen->counted_timeout, some);
	ck_assert_uint_gt(seen->counted_cancelled, some);
	ck_assert_uint_gt(seen->rested, 10 * some);
	ck_assert_uint_gt(seen->alone, 10 * some);
	ck_assert_uint_gt(seen->parked_alone, some);
	ck_assert_uint_gt(seen->handed_alone, some);
	ck_assert_uint_gt(seen->tapped, 10 * some);
	ck_assert_uint_gt(seen->tap_steps, 10 * some);
	ck_assert_uint_gt(seen->tap_unmatched, some);
	ck_assert_uint_gt(seen->tap_muted, some);
	ck_assert_uint_gt(seen->taps_held_up, some);
	ck_assert_uint_gt(seen->leased, 10 * some);
	ck_assert_uint_gt(seen->acked, some);
	ck_assert_uint_gt(seen->came_back, some);
	ck_assert_uint_gt(seen->dead_lettered, some / 4);
	ck_assert_uint_gt(seen->undeliverable, some);
	ck_assert_uint_gt(seen->returned, some);
}

START_TEST(the_model_predicts_every_reply)
{
	struct replay_seen seen = {0};
	uint64_t only = worlds_setting("MILLRACE_SEED", 0), ops = worlds_setting("MILLRACE_OPS", default_ops);
	if (only) {
		run_seed(only, &seen);
		return;
	}
	uint64_t seed = FIRST_SEED;
	for (; seen.operations < ops; seed++)
		run_seed(seed, &seen);
	printf("%" PRIu64 " operations, seeds %d to %" PRIu64 "; alts met alts %" PRIu64
	       " times, time-outs a match's instant %" PRIu64 "\n",
	       seen.operations, FIRST_SEED, seed - 1, seen.alts_met_alts, seen.timeout_beside_match);
	fflush(stdout);
	if (ops >= 100000)
		check_reached(&seen);
}
END_TEST

START_TEST(each_request_has_one_outcome_whatever_comes_between_slices)
{
	uint64_t only = worlds_setting("MILLRACE_SEED", 0), ops = worlds_setting("MILLRACE_OPS", default_ops) / 2;
	for (uint64_t seed = only ? only : FIRST_SEED, done = 0; done < ops; seed++, done += OPS_A_SEED) {
		struct script *script = script_create(seed, OPS_A_SEED);
		char why[REPLAY_WHY] = "";
		size_t at;
		ck_assert_msg(replay_slices(script, &at, why), "seed %" PRIu64 ", operation %zu: %s", seed, at, why);
		script_destroy(script);
		if (only)
			break;
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {the_model_predicts_every_reply,
				      each_request_has_one_outcome_whatever_comes_between_slices, NULL};
	Suite *suite = suite_create("simulation");
	suite_case_within(suite, "simulation", NULL, NULL, tests, 600);
	return suite_run(suite);
}
