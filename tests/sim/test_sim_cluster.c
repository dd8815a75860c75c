/* A cluster of daemons over a model of the engine: calls are late, doubled and lost, daemons are killed, stopped and go
 * on, are cut off, drain and hand their groups over, their clocks differ, the engine is down for a while. What must
 * hold, whatever happens:
 *
 * - whoever takes a group over finds a state that the owner before it went through, and no older one than that owner
 *   knew to be committed;
 * - a put that was answered is there until somebody takes the value; a value that was given is not there again, and
 *   never given twice;
 * - who looks sees every value that was put, answered and not taken before he asked, and none that was given before:
 *   so a stale owner says nothing wrong;
 * - in the end, when all is well again, each group is served, by one daemon.
 *
 * The mutations show that the check can fail. MILLRACE_CUTS says how many schedules (100,000 if nothing does);
 * MILLRACE_SEED=n begins with that seed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/cluster/sooner.h"
#include "daemon/core/hash.h"
#include "tests/lib/suite.h"
#include "tests/sim/cluster_witness.h"

enum {
	SCHEDULES_A_WORLD = 20,
	OPS_A_SCHEDULE = 50,
	SCHEDULE_US = 1600 * 1000,
	CALM_US = 500 * 1000,
	CALM_TURNS = 40,
	PARTS = 4,
	WORLDS_TO_FIND = 200,
	OP_TAKES = 4, /* kinds of ops up to here are puts */
	OP_LOOKS = 7,
	OPS = 9,
};

enum fault { FAULT_KILL, FAULT_PAUSE, FAULT_CUT, FAULT_DOWN, FAULT_DRAIN, FAULT_MOVE, FAULT_NONE, FAULTS };

struct plan { /* a fault, from one time to another */
	enum fault fault;
	unsigned daemon;
	uint64_t from_us, to_us;
	bool has_begun, has_ended;
};

enum { PLANS = 3, INBOX = 64 };

struct seen {
	uint64_t schedules, checkpoints, given, lost, late, expired, compactions, not_so, doubled;
	struct cluster_witnessed witnessed;
};

struct op {
	unsigned kind, group;
	uint64_t asked_us;
};

struct world {
	struct engine_model *model;
	struct cluster_daemon daemons[CLUSTER_DAEMONS];
	struct cluster_witness witness;
	struct op inbox[CLUSTER_DAEMONS][INBOX]; /* of one that is stopped */
	size_t n_inbox[CLUSTER_DAEMONS];
	uint64_t restart_us[CLUSTER_DAEMONS]; /* of one that is not up */
	struct plan plans[PLANS];
	uint64_t random, next_op_us, ops_left;
	enum cluster_mutation mutation;
	struct seen *seen;
};

static uint64_t pick(struct world *world, uint64_t n)
{
	return random_below(&world->random, (uint32_t)n);
}

/* -- Clients -- */

static void carry_out(struct world *world, struct cluster_daemon *daemon, const struct op *op)
{
	uint64_t id = cluster_witness_next_id(&world->witness);
	if (op->kind < OP_TAKES && id) {
		if (cluster_daemon_put(daemon, op->group, id, op->asked_us))
			cluster_witness_put(&world->witness, op->group);
	} else if (op->kind < OP_LOOKS) {
		if ((id = cluster_daemon_take(daemon, op->group, op->asked_us)))
			cluster_witness_taken(&world->witness, id);
	} else {
		cluster_daemon_look(daemon, op->group, op->asked_us);
	}
}

/* Asks any daemon where the group is, and the one that it names, too. */
static void find(struct world *world, unsigned i, unsigned group)
{
	struct slice name = slice_from(cluster_group_names[group]), address, http;
	for (unsigned hops = 0; hops < 2; hops++) {
		struct cluster_daemon *daemon = &world->daemons[i];
		if (!daemon->is_up || daemon->is_paused || daemon->has_ended ||
		    membership_find(daemon->membership, name, true, &address, &http) != MEMBERSHIP_THERE)
			return;
		daemon->due_us = 0;
		i = (unsigned)(address.bytes[6] - 'a'); /* tcp://a:1 */
	}
}

/* Whoever asks a daemon that is stopped gets his answer when it goes on. */
static void ask(struct world *world)
{
	struct op op = {(unsigned)pick(world, OPS), (unsigned)pick(world, CLUSTER_GROUPS), world->witness.now_us};
	find(world, (unsigned)pick(world, CLUSTER_DAEMONS), op.group);
	for (unsigned i = 0; i < CLUSTER_DAEMONS; i++) {
		struct cluster_daemon *daemon = &world->daemons[i];
		if (!daemon->is_up || daemon->groups[op.group].service != GROUP_SERVES)
			continue;
		if (!daemon->is_paused)
			carry_out(world, daemon, &op);
		else if (world->n_inbox[i] < INBOX && (op.kind >= OP_LOOKS || pick(world, 16) == 0))
			world->inbox[i][world->n_inbox[i]++] = op; /* mostly looks: they need nothing to be committed */
		daemon->due_us = 0;
	}
}

/* -- Faults -- */

static void stop(struct world *world, unsigned i, uint64_t after_us)
{
	struct cluster_daemon *daemon = &world->daemons[i];
	world->seen->lost += daemon->lost;
	world->seen->given += daemon->given;
	world->seen->checkpoints += daemon->checkpoints;
	cluster_daemon_stop(daemon);
	*daemon =
		(struct cluster_daemon){.index = i, .observer = &world->witness.observer, .mutation = world->mutation};
	world->n_inbox[i] = 0;
	world->restart_us[i] = world->witness.now_us + after_us;
}

/* Its peers see that the connection breaks, and another is refused. */
static void tell_peers(struct world *world, unsigned gone)
{
	for (unsigned i = 0; i < CLUSTER_DAEMONS; i++)
		if (i != gone && world->daemons[i].is_up && !world->daemons[i].is_paused) {
			membership_peer_is_gone(world->daemons[i].membership, slice_from(cluster_daemon_names[gone]));
			world->daemons[i].due_us = 0;
		}
}

static void go_on(struct world *world, unsigned i)
{
	struct cluster_daemon *daemon = &world->daemons[i];
	if (!daemon->is_up || !daemon->is_paused)
		return;
	daemon->is_paused = false;
	for (size_t n = 0; n < world->n_inbox[i]; n++)
		carry_out(world, daemon, &world->inbox[i][n]);
	world->n_inbox[i] = 0;
	daemon->due_us = 0;
	/* What has come meanwhile is read before or after its clients' requests. */
	if (pick(world, 2))
		cluster_daemon_turn(daemon, world->witness.now_us, world->random);
	engine_client_pause(daemon->client, false);
}

static void begin_fault(struct world *world, struct plan *plan)
{
	struct cluster_daemon *daemon = &world->daemons[plan->daemon];
	plan->has_begun = true;
	if (plan->fault == FAULT_DOWN)
		engine_model_set_down(world->model, true);
	if (!daemon->is_up || daemon->is_paused)
		return;
	switch (plan->fault) {
	case FAULT_KILL:
		stop(world, plan->daemon, plan->to_us - plan->from_us);
		if (pick(world, 2))
			tell_peers(world, plan->daemon);
		break;
	case FAULT_PAUSE:
		daemon->is_paused = true;
		engine_client_pause(daemon->client, true);
		break;
	case FAULT_CUT:
		engine_client_cut(daemon->client, pick(world, 3) > 0, pick(world, 3) > 0);
		break;
	case FAULT_DRAIN:
		membership_drain(daemon->membership);
		daemon->is_draining = true;
		daemon->due_us = 0;
		break;
	case FAULT_MOVE:
		membership_move(daemon->membership, slice_from(cluster_group_names[pick(world, CLUSTER_GROUPS)]),
				slice_from(cluster_daemon_names[pick(world, CLUSTER_DAEMONS)]));
		break;
	case FAULT_DOWN:
	case FAULT_NONE:
	case FAULTS:
		break;
	}
}

static void end_fault(struct world *world, struct plan *plan)
{
	struct cluster_daemon *daemon = &world->daemons[plan->daemon];
	plan->has_ended = true;
	if (plan->fault == FAULT_PAUSE)
		go_on(world, plan->daemon);
	else if (plan->fault == FAULT_CUT && daemon->is_up)
		engine_client_cut(daemon->client, false, false);
	else if (plan->fault == FAULT_DOWN)
		engine_model_set_down(world->model, false);
}

static uint64_t fault_due_us(const struct plan *plan)
{
	return plan->has_ended ? UINT64_MAX : plan->has_begun ? plan->to_us : plan->from_us;
}

static void make_plans(struct world *world)
{
	size_t n = 1 + pick(world, PLANS);
	for (size_t i = 0; i < PLANS; i++) {
		if (!world->plans[i].has_ended)
			continue; /* it goes on from the schedule before */
		uint64_t from_us = world->witness.now_us + pick(world, SCHEDULE_US);
		world->plans[i] = (struct plan){.fault = (enum fault)pick(world, FAULTS),
						.daemon = (unsigned)pick(world, CLUSTER_DAEMONS),
						.from_us = from_us,
						.to_us = from_us + 1 + pick(world, 1 + pick(world, 2500000)),
						.has_begun = i >= n,
						.has_ended = i >= n};
	}
}

/* -- Time -- */

/* A daemon that has ended goes: after the loss of its place it begins anew in the same process, or it has drained. */
static void look_at_daemon(struct world *world, unsigned i)
{
	struct cluster_daemon *daemon = &world->daemons[i];
	if (!daemon->is_up) {
		if (world->restart_us[i] <= world->witness.now_us)
			cluster_daemon_start(daemon, world->model, random_next(&world->random));
		return;
	}
	if (daemon->is_paused)
		return;
	if (engine_client_take_called(daemon->client) || cluster_daemon_due_us(daemon) <= world->witness.now_us)
		cluster_daemon_turn(daemon, world->witness.now_us, random_next(&world->random));
	bool has_drained = daemon->is_draining && membership_is_drained(daemon->membership);
	if (!daemon->has_ended && !has_drained)
		return;
	uint64_t lease = membership_lease(daemon->membership);
	membership_leave(daemon->membership);
	stop(world, i, 1 + pick(world, 100000));
	daemon->old_lease = lease;
}

static void run_until(struct world *world, uint64_t end_us)
{
	while (world->witness.now_us < end_us && !world->witness.why[0]) {
		uint64_t at_us = sooner_us(end_us, engine_model_next_us(world->model));
		for (unsigned i = 0; i < CLUSTER_DAEMONS; i++)
			at_us = sooner_us(at_us, world->daemons[i].is_up ? cluster_daemon_due_us(&world->daemons[i])
									 : world->restart_us[i]);
		for (size_t i = 0; i < PLANS; i++)
			at_us = sooner_us(at_us, fault_due_us(&world->plans[i]));
		at_us = world->ops_left ? sooner_us(at_us, world->next_op_us) : at_us;
		world->witness.now_us = at_us > world->witness.now_us ? at_us : world->witness.now_us + 1;
		engine_model_run_until(world->model, world->witness.now_us);
		for (size_t i = 0; i < PLANS; i++)
			if (fault_due_us(&world->plans[i]) <= world->witness.now_us)
				(world->plans[i].has_begun ? end_fault : begin_fault)(world, &world->plans[i]);
		if (world->ops_left && world->next_op_us <= world->witness.now_us) {
			world->ops_left--;
			world->next_op_us = world->witness.now_us + 1 + pick(world, pick(world, 8) ? 3000 : 400000);
			ask(world);
		}
		for (unsigned i = 0; i < CLUSTER_DAEMONS; i++)
			look_at_daemon(world, i);
	}
}

static void run_schedule(struct world *world)
{
	world->seen->schedules++;
	world->ops_left = OPS_A_SCHEDULE;
	world->next_op_us = world->witness.now_us;
	make_plans(world);
	run_until(world, world->witness.now_us + SCHEDULE_US);
}

/* Which daemons serve the group: how many, and one of them. */
static unsigned served_by(const struct world *world, unsigned group, const struct cluster_group **served)
{
	unsigned n = 0;
	for (unsigned i = 0; i < CLUSTER_DAEMONS; i++)
		if (world->daemons[i].is_up && world->daemons[i].groups[group].service == GROUP_SERVES) {
			*served = &world->daemons[i].groups[group];
			n++;
		}
	return n;
}

/* All is well again: each group is served, once all that was under way has come to an end, and what is there is what
 * must be. */
static void check_end(struct world *world)
{
	const struct cluster_group *served;
	world->ops_left = 0;
	for (size_t i = 0; i < PLANS; i++) {
		if (world->plans[i].has_begun && !world->plans[i].has_ended)
			end_fault(world, &world->plans[i]);
		world->plans[i].has_ended = true;
	}
	for (unsigned group = 0; group < CLUSTER_GROUPS && !world->witness.why[0]; group++) {
		for (int i = 0; i < CALM_TURNS && served_by(world, group, &served) != 1 && !world->witness.why[0]; i++)
			run_until(world, world->witness.now_us + CALM_US);
		if (world->witness.why[0])
			return;
		if (served_by(world, group, &served) != 1)
			cluster_witness_fail(&world->witness, "%s is served by none, or by several, in the end",
					     cluster_group_names[group]);
		else
			cluster_witness_check(&world->witness, group, served->queue.ids, served->queue.n, UINT64_MAX,
					      "in the end");
	}
}

static struct engine_model_settings settings_of(enum cluster_mutation mutation)
{
	return (struct engine_model_settings){
		.lost = 10,
		.answers_lost = 10,
		.doubled = 20,
		.slow = 15,
		.ignores_compares = mutation == WITHOUT_FENCE,
		.hides_gaps = mutation == WITHOUT_PREFIX,
	};
}

/* True: all went well; else `why` says what did not. */
static bool run_world(uint64_t seed, int which, void *arg, char why[WORLDS_WHY_BYTES])
{
	enum cluster_mutation mutation = (enum cluster_mutation)which;
	struct seen *seen = arg;
	struct world *world = calloc(1, sizeof(*world));
	ck_assert_ptr_nonnull(world);
	const struct engine_model_settings settings = settings_of(mutation);
	world->random = seed;
	world->mutation = mutation;
	world->seen = seen;
	cluster_witness_init(&world->witness, &seen->witnessed);
	world->witness.now_us = 1;
	world->model = engine_model_create(random_next(&world->random), &settings);
	for (unsigned i = 0; i < CLUSTER_DAEMONS; i++) {
		world->daemons[i] =
			(struct cluster_daemon){.index = i, .observer = &world->witness.observer, .mutation = mutation};
		world->restart_us[i] = pick(world, 500000);
	}
	for (size_t i = 0; i < PLANS; i++)
		world->plans[i].has_ended = true;
	for (int i = 0; i < SCHEDULES_A_WORLD && !world->witness.why[0]; i++)
		run_schedule(world);
	if (!world->witness.why[0])
		check_end(world);
	memcpy(why, world->witness.why, sizeof(world->witness.why));
	for (unsigned i = 0; i < CLUSTER_DAEMONS; i++)
		stop(world, i, 0);
	const struct engine_model_counts *counts = engine_model_counts(world->model);
	seen->late += counts->late;
	seen->expired += counts->expired;
	seen->compactions += counts->compactions;
	seen->not_so += counts->not_so;
	seen->doubled += counts->doubled;
	engine_model_destroy(world->model);
	free(world);
	return !why[0];
}

/* A part of the schedules, in a process of its own. */
static void run_part(unsigned part)
{
	struct seen seen = {0};
	uint64_t schedules = worlds_run_part(run_world, &seen, part, PARTS);
	printf("part %u: %" PRIu64 " schedules, %" PRIu64 " recoveries, %" PRIu64 " between; told: %" PRIu64
	       " puts, %" PRIu64 " takes, %" PRIu64 " looks; %" PRIu64 " handed over, %" PRIu64 " places lost, %" PRIu64
	       " leases ended, %" PRIu64 " checkpoints, %" PRIu64 " compactions; %" PRIu64 " calls late, %" PRIu64
	       " doubled, %" PRIu64 " not so\n",
	       part, seen.schedules, seen.witnessed.recoveries, seen.witnessed.between, seen.witnessed.told_puts,
	       seen.witnessed.told_takes, seen.witnessed.told_looks, seen.given, seen.lost, seen.expired,
	       seen.checkpoints, seen.compactions, seen.late, seen.doubled, seen.not_so);
	/* A simulation that never gets to a place proves nothing about it. */
	ck_assert_uint_gt(seen.witnessed.recoveries, schedules / 2);
	ck_assert_uint_gt(seen.witnessed.between, schedules / 1000);
	ck_assert_uint_gt(seen.witnessed.told_looks, schedules);
	ck_assert_uint_gt(seen.given, schedules / 20);
	ck_assert_uint_gt(seen.lost, schedules / 50);
	ck_assert_uint_gt(seen.expired, schedules / 20);
	ck_assert_uint_gt(seen.checkpoints, schedules / 100);
	ck_assert_uint_gt(seen.compactions, schedules / 1000);
	ck_assert_uint_gt(seen.late, schedules / 100);
}

START_TEST(test_nothing_is_lost_nor_given_twice_whatever_happens)
{
	run_part(0);
}
END_TEST

START_TEST(test_nor_in_the_second_quarter_of_the_schedules)
{
	run_part(1);
}
END_TEST

START_TEST(test_nor_in_the_third)
{
	run_part(2);
}
END_TEST

START_TEST(test_nor_in_the_last)
{
	run_part(3);
}
END_TEST

static void expect_failure(enum cluster_mutation mutation, const char *name)
{
	worlds_find(run_world, &(struct seen){0}, mutation, name, WORLDS_TO_FIND * SCHEDULES_A_WORLD);
}

START_TEST(test_an_engine_that_writes_for_whoever_asks_is_noticed)
{
	expect_failure(WITHOUT_FENCE, "the fence");
}
END_TEST

START_TEST(test_what_follows_a_gap_and_is_recovered_is_noticed)
{
	expect_failure(WITHOUT_PREFIX, "the prefix");
}
END_TEST

START_TEST(test_replies_that_do_not_wait_are_noticed)
{
	expect_failure(WITHOUT_GATE, "the gate");
}
END_TEST

START_TEST(test_a_daemon_that_trusts_in_its_place_is_noticed)
{
	expect_failure(WITHOUT_DOUBT, "the doubt");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_nothing_is_lost_nor_given_twice_whatever_happens,
		test_nor_in_the_second_quarter_of_the_schedules,
		test_nor_in_the_third,
		test_nor_in_the_last,
		test_an_engine_that_writes_for_whoever_asks_is_noticed,
		test_what_follows_a_gap_and_is_recovered_is_noticed,
		test_replies_that_do_not_wait_are_noticed,
		test_a_daemon_that_trusts_in_its_place_is_noticed,
		NULL,
	};
	Suite *suite = suite_create("sim cluster");
	suite_case(suite, "cluster", NULL, NULL, tests);
	return suite_run(suite);
}
