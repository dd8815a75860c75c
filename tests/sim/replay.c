#include "tests/sim/replay.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>

#include "daemon/core/rows.h"
#include "tests/sim/replay_core.h"
#include "tests/sim/replay_replies.h"
#include "tests/sim/replay_seen.h"
#include "tests/sim/replay_states.h"

enum { SEEDS_A_PLAYING = 4 };

static void begin_step(struct replay_world *world)
{
	world->actual.n = world->predicted.n = 0;
	world->was_sliced = false;
	world->actual.undeliverable = world->predicted.undeliverable = 0;
}

static void number_copies(struct outcomes *predicted)
{
	for (uint32_t i = 0; i < predicted->n; i++)
		for (uint32_t k = 0; k < predicted->at[i].n_values; k++)
			predicted->at[i].values[k] = model_number(predicted->at[i].values[k]);
}

/* Where what is due may take several turns, it is over before the operation: the model knows no turns. */
static bool let_time_pass(struct replay_world *world, const struct script *script, uint64_t us,
			  struct replay_seen *seen)
{
	const struct operation tick = {.op = CORE_TICK, .connection = -1};
	uint64_t now_us = world->model.now_us + us;
	uint32_t was_parked = world->model.n_parked;
	begin_step(world);
	bool good = replay_tick(world, now_us) && replay_finish_backlog(world, now_us);
	model_pass(&world->model, us, &world->predicted);
	number_copies(&world->predicted);
	replay_see(world, &tick, was_parked, seen);
	return good && replay_compare_replies(world) && replay_compare_states(world, script);
}

static bool step(struct replay_world *world, const struct script *script, const struct operation *made,
		 struct replay_seen *seen)
{
	struct operation at_once = *made;
	if (script->limits.turn_work && made->later_us > 0) {
		if (!let_time_pass(world, script, made->later_us, seen))
			return false;
		at_once.later_us = 0;
	}
	const struct operation fitted = replay_fit(world, &at_once), *o = &fitted;
	begin_step(world);
	bool good = replay_connect(world, o->connection) && replay_act(world, o) &&
		    replay_finish_backlog(world, world->model.now_us + o->later_us);
	uint32_t was_parked = world->model.n_parked;
	model_step(&world->model, o, replay_chosen_arm(world, o), &world->predicted);
	if (world->was_sliced)
		model_tick(&world->model, &world->predicted);
	number_copies(&world->predicted);
	replay_see(world, o, was_parked, seen);
	return good && replay_compare_replies(world) && replay_compare_states(world, script);
}

/* Books that can be read only at the end. */

/* The same events once more: nothing else may have led to what was seen. */
static bool play_again(struct replay_world *world)
{
	size_t at;
	return recording_play(world->recording, world->core, &at) ||
	       replay_differ(world, "played again, the run differs from event %zu on", at);
}

/* -- Slices -- */

/* Whether those without an outcome are just those that are parked. */
static bool compare_asked(struct replay_world *world)
{
	uint32_t n_parked = 0;
	for (int i = 0; i < SIM_CONNECTIONS; i++)
		n_parked += world->connections[i] ? core_parked(world->connections[i]) : 0;
	for (uint32_t i = 0; i < world->n_asked; i++) {
		const struct replay_asked *asked = &world->asked[i];
		if (!core_id_in_use(world->core, world->connections[asked->connection], asked->id))
			return replay_differ(world, "%c%" PRIu64 " has no outcome, and is not parked",
					     'a' + asked->connection, asked->id);
	}
	return world->n_asked <= n_parked || replay_differ(world, "requests without an outcome are not parked");
}

static bool step_alone(struct replay_world *world, const struct operation *made)
{
	const struct operation fitted = replay_fit(world, made), *o = &fitted;
	bool is_request = o->op >= CORE_CREATE && o->op <= CORE_MOVE && o->id != CORE_NO_ID;
	if (!replay_connect(world, o->connection))
		return false;
	if (is_request)
		replay_ask(world, o->connection, o->id, o->op);
	bool good = replay_act(world, o);
	if (o->op == CORE_DISCONNECT || o->op == CORE_HANG_UP)
		replay_unask(world, o->connection, NULL);
	world->model.now_us += o->later_us;
	const char *wrong = good ? core_check(world->core) : NULL;
	return wrong ? replay_differ(world, "core_check: %s", wrong) : good && compare_asked(world);
}

/* What still goes on comes to its end. */
static bool finish_alone(struct replay_world *world)
{
	bool good = true;
	while (good && core_has_backlog(world->core))
		good = replay_tick(world, ++world->model.now_us);
	return good && compare_asked(world);
}

/* -- The run -- */

static sigjmp_buf aborted;

static void on_abort(int signal)
{
	siglongjmp(aborted, signal);
}

/* seen NULL: as replay_slices() says. */
static bool run(const struct script *script, struct replay_seen *seen, size_t *at, char why[REPLAY_WHY])
{
	static struct replay_world world;
	static volatile size_t i; /* both survive the jump */
	struct sigaction action = {.sa_handler = on_abort}, before;
	memset(&world, 0, sizeof(world));
	world.why = why;
	struct core_seed seed = {script->seed, {script->seed, 1}, {script->seed, 2}};
	struct core_limits limits = script->limits;
	world.is_alone = !seen;
	if (world.is_alone)
		limits.turn_work = 1 + script->seed % 12;
	world.core = core_create(&limits, &seed);
	world.recording = recording_create(&limits, &seed);
	if (!world.core)
		abort();
	model_init(&world.model, &script->limits);
	sigaction(SIGABRT, &action, &before);
	volatile bool agree = true;
	if (sigsetjmp(aborted, 1) == 0) {
		for (i = 0; agree && i < script->n; i++)
			agree = world.is_alone ? step_alone(&world, &script->operations[i])
					       : step(&world, script, &script->operations[i], seen);
		agree = agree && (!world.is_alone || finish_alone(&world));
		if (script->seed % SEEDS_A_PLAYING == 0)
			agree = agree && play_again(&world);
		if (agree) { /* what a broken core still holds is of no use, and not safe to free */
			if (seen)
				replay_see_end(&world, seen);
			for (int c = 0; c < SIM_CONNECTIONS; c++)
				replay_send_kept(&world, c);
			core_destroy(world.core);
		}
	} else {
		agree = false;
		i++;
		snprintf(why, REPLAY_WHY, "an assertion failed");
	}
	sigaction(SIGABRT, &before, NULL);
	recording_destroy(world.recording);
	*at = i - 1;
	return agree;
}

bool replay(const struct script *script, struct replay_seen *seen, size_t *at, char why[REPLAY_WHY])
{
	return run(script, seen, at, why);
}

bool replay_slices(const struct script *script, size_t *at, char why[REPLAY_WHY])
{
	return run(script, NULL, at, why);
}
