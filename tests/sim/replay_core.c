#include "tests/sim/replay_core.h"

#include <stdlib.h>

#include "daemon/core/rows.h"
#include "tests/sim/replay_replies.h"

static struct value *make_value(uint32_t number)
{
	char text[SIM_VALUE_TEXT];
	struct value *value = value_create(text, value_text(number, text), NULL);
	if (!value)
		abort();
	return value;
}

static void make_event(struct replay_world *world, const struct operation *o, struct core_event *event,
		       struct core_arm arms[SIM_ARMS])
{
	*event = (struct core_event){
		.op = o->op,
		.now_us = world->model.now_us + o->later_us,
		.unsent_bytes = world->unsent_bytes,
		.connection = o->connection < 0 || o->op == CORE_TICK ? NULL : world->connections[o->connection],
		.id = o->id,
		.channel = replay_name_of(o->channel),
		.has_timeout = o->has_timeout,
		.timeout_ms = o->timeout_ms,
		.definition = o->definition,
		.force = o->force,
		.batch = o->batch,
		.max = o->max,
		.count = o->count,
		.arms = arms,
		.n_arms = o->n_arms,
		.priority = o->priority,
		.cancel_id = o->cancel_id,
		.lease_ms = o->lease_ms,
		.to = o->op == CORE_MOVE ? replay_name_of(o->to) : (struct slice){NULL, 0},
		.delay_ms = o->delay_ms,
		.sticky = o->sticky,
		.is_uncounted = o->op == CORE_NACK && o->is_uncounted,
		.producer = o->producer ? (struct slice){&"pq"[o->producer - 1], 1} : (struct slice){NULL, 0},
		.seq = o->seq,
	};
	if (o->lease_back && o->lease_back <= world->n_tokens)
		event->token = world->tokens[world->n_tokens - o->lease_back];
	if (o->op == CORE_TAP || o->op == CORE_UNTAP)
		event->tap = (struct core_tap_terms){.to = replay_name_of(o->to),
						     .closes = o->closes,
						     .state = o->state,
						     .match = sim_match(o->match)};
	for (uint32_t i = 0; i < o->n_values; i++)
		value_list_push(&event->values, make_value(o->values[i]));
	for (uint32_t i = 0; i < o->n_arms; i++)
		arms[i] = (struct core_arm){replay_name_of(o->arms[i].channel),
					    o->arms[i].value ? make_value(o->arms[i].value) : NULL};
}

/* An event, written down as well. */
static void step_core(struct replay_world *world, const struct core_event *event, struct core_effects *effects)
{
	recording_add_event(world->recording, event);
	core_step(world->core, event, effects);
}

static bool keeps(void *arg, const void *cookie)
{
	const struct replay_world *world = arg;
	return world->keeps[*(const int *)cookie];
}

/* Reads what the core replied, and keeps what is not sent yet. */
static bool read_effects(struct replay_world *world, struct core_effects *effects)
{
	bool good = true;
	recording_add_effects(world->recording, effects, keeps, world);
	for (struct core_reply *reply = effects->head; good && reply; reply = reply->next) {
		good = replay_read_reply(world, reply);
		int connection = reply->cookie ? *(const int *)reply->cookie : -1;
		size_t *n = connection < 0 ? NULL : &world->n_unsent[connection];
		if (n && world->keeps[connection] && *n < MAX_KEPT && core_keep(reply, &world->unsent[connection][*n]))
			++*n;
	}
	world->actual.undeliverable += effects->n_undeliverable;
	return good;
}

/* And lets go of the rest. */
static bool take_effects(struct replay_world *world, struct core_effects *effects)
{
	bool good = read_effects(world, effects);
	core_effects_release(world->core, effects);
	return good;
}

bool replay_tick(struct replay_world *world, uint64_t now_us)
{
	struct core_event event = {.op = CORE_TICK, .now_us = now_us, .unsent_bytes = world->unsent_bytes};
	struct core_effects effects = {0};
	step_core(world, &event, &effects);
	return take_effects(world, &effects);
}

bool replay_finish_backlog(struct replay_world *world, uint64_t now_us)
{
	bool good = true;
	if (world->is_alone)
		return true;
	world->was_sliced = world->was_sliced || core_has_backlog(world->core);
	while (good && core_has_backlog(world->core)) {
		good = replay_tick(world, now_us);
		const char *wrong = good ? core_check(world->core) : NULL;
		if (wrong)
			return replay_differ(world, "core_check amid a backlog: %s", wrong);
	}
	return good;
}

bool replay_connect(struct replay_world *world, int connection)
{
	if (connection < 0 || world->connections[connection])
		return true;
	world->cookies[connection] = connection;
	struct core_event event = {.op = CORE_CONNECT,
				   .now_us = world->model.now_us,
				   .unsent_bytes = world->unsent_bytes,
				   .cookie = &world->cookies[connection]};
	struct core_effects effects = {0};
	step_core(world, &event, &effects);
	world->connections[connection] = effects.connection;
	world->keeps[connection] = false;
	return take_effects(world, &effects);
}

void replay_send_kept(struct replay_world *world, int connection)
{
	for (size_t i = 0; i < world->n_unsent[connection]; i++)
		core_sent(&world->unsent[connection][i]);
	world->n_unsent[connection] = 0;
}

/* What a tick also says of its connection. */
static void change_connection(struct replay_world *world, const struct operation *o, uint64_t now_us)
{
	world->unsent_bytes = o->unsent;
	if (o->pauses) {
		struct core_event event = {.op = CORE_PAUSE,
					   .now_us = now_us,
					   .unsent_bytes = world->unsent_bytes,
					   .connection = world->connections[o->connection]};
		struct core_effects effects = {0};
		step_core(world, &event, &effects);
		take_effects(world, &effects);
	}
	if (o->sends) {
		recording_add_sent(world->recording, &world->cookies[o->connection]);
		replay_send_kept(world, o->connection);
	}
	world->keeps[o->connection] = o->keeps;
}

/* As a shell does it: a connection hangs up before it goes. */
static bool disconnect(struct replay_world *world, struct core_event *event)
{
	struct core_effects effects = {0};
	int connection = 0;
	while (world->connections[connection] != event->connection)
		connection++;
	event->op = CORE_HANG_UP;
	step_core(world, event, &effects);
	if (!take_effects(world, &effects))
		return false;
	if (!replay_finish_backlog(world, event->now_us))
		return false;
	event->op = CORE_DISCONNECT;
	event->unsent = world->unsent[connection];
	event->n_unsent = world->n_unsent[connection];
	step_core(world, event, &effects);
	world->n_unsent[connection] = 0;
	world->connections[connection] = NULL;
	world->keeps[connection] = false;
	return take_effects(world, &effects);
}

struct operation replay_fit(const struct replay_world *world, const struct operation *o)
{
	struct operation fitted = *o;
	struct core_definition *definition = &fitted.definition, was;
	if (o->op != CORE_ALTER || !o->keeps_kind || !core_definition_of(world->core, replay_name_of(o->channel), &was))
		return fitted;
	definition->kind = was.kind;
	definition->ephemeral = was.ephemeral;
	if (was.kind == KIND_PROMISE)
		definition->max_deliveries = 0;
	if (was.kind == KIND_PROMISE || was.kind == KIND_UNBUFFERED)
		definition->capacity = was.kind == KIND_PROMISE;
	else if (definition->capacity == 0)
		definition->capacity = 1;
	if (!definition->max_deliveries)
		definition->dead_letter = (struct slice){NULL, 0};
	return fitted;
}

/* Reads what came of an event that went the short way, as if it were of a step, and lets go of it. */
static bool take_alone_effects(struct replay_world *world, struct core_reply *handed, struct core_reply *own)
{
	struct core_effects effects = {0};
	struct core_unsent let_go;
	if (handed->cookie) {
		effects.head = effects.tail = handed;
		handed->next = own;
	}
	if (own) {
		own->next = NULL;
		effects.head = effects.head ? effects.head : own;
		effects.tail = own;
	}
	bool good = read_effects(world, &effects);
	for (struct core_reply *reply = effects.head; reply; reply = reply->next)
		if (core_keep(reply, &let_go))
			core_sent(&let_go);
	return good;
}

/* Carries the event out by the short way, if it can go there; the recording has it as any other, and plays it by the
 * general way: so both are held against each other. */
static bool goes_alone(struct replay_world *world, const struct operation *o, const struct core_event *event,
		       bool *good)
{
	bool is_put = event->op == CORE_PUT && event->delay_ms == 0 && event->values.n == 1 && !event->batch &&
		      !event->producer.len,
	     is_take = event->op == CORE_TAKE && !event->batch && !event->count && !event->lease_ms;
	struct core_alone alone = {event->now_us,  event->unsent_bytes, event->connection, event->id,
				   event->channel, event->has_timeout,  event->timeout_ms};
	struct core_reply handed = {0}, reply = {.cookie = event->connection ? &world->cookies[o->connection] : NULL,
						 .id = event->id,
						 .op = event->op,
						 .status = STATUS_OK,
						 .channel = event->channel,
						 .accepted = is_put,
						 .is_take = is_take};
	struct core_event recorded = *event;
	if (!event->connection || !(is_put || is_take) || core_id_in_use(world->core, event->connection, event->id))
		return false;
	struct value *copied = NULL;
	if (is_put) {
		copied = value_create(event->values.head->bytes, event->values.head->len, NULL);
		recorded.values = (struct value_list){copied, copied, 1};
	}
	bool goes = is_put ? core_put_alone(world->core, &alone, event->values.head, &handed)
			   : core_take_alone(world->core, &alone, &reply.value);
	if (goes) {
		bool is_parked = is_take && !reply.value;
		reply.n_values = reply.owns_values = is_take;
		recording_add_event(world->recording, &recorded);
		*good = take_alone_effects(world, &handed, is_parked ? NULL : &reply);
		world->n_alone++;
		world->n_parked_alone += is_parked;
		world->n_handed_alone += handed.cookie != NULL;
	}
	value_destroy(copied);
	return goes;
}

bool replay_act(struct replay_world *world, const struct operation *o)
{
	struct core_event event;
	struct core_arm arms[SIM_ARMS];
	struct core_effects effects = {0};
	make_event(world, o, &event, arms);
	if (o->op == CORE_DISCONNECT)
		return disconnect(world, &event);
	bool good = true;
	if (!goes_alone(world, o, &event, &good)) {
		step_core(world, &event, &effects);
		good = take_effects(world, &effects);
	}
	if (o->op == CORE_TICK)
		change_connection(world, o, event.now_us);
	return good;
}
