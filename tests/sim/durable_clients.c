#include "tests/sim/durable_clients.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/state.h"
#include "tests/sim/durable_check.h"
#include "tests/sim/durable_replies.h"
#include "tests/sim/durable_snapshot.h"

/* What *effects says of its replies is gone when it returns. */
static void step(struct durable_world *world, struct core_event *event, struct core_effects *effects)
{
	world->recorder = (struct core_recorder){
		.buffer = journal_records(&world->journal),
		.batch = journal_batch(&world->journal),
		.committed = journal_committed(&world->journal),
		.wall_ms = world->now_us / 1000,
		.is_full = world->journal.status.is_full,
	};
	event->now_us = world->now_us;
	event->recorder = &world->recorder;
	*effects = (struct core_effects){0};
	core_step(world->core, event, effects);
	for (struct core_reply *reply = effects->head; reply; reply = reply->next)
		if (reply->cookie)
			durable_hold_reply(world, reply->cookie, reply);
	struct core_effects kept = *effects;
	core_effects_release(world->core, effects);
	*effects = kept;
	durable_note_state(world, journal_batch(&world->journal));
	durable_note_births(world);
	journal_end_step(&world->journal);
	world->history[journal_batch(&world->journal)] = world->history[world->recorder.batch];
	durable_release(world);
}

void durable_connect(struct durable_world *world, struct client *client)
{
	struct core_event event = {.op = CORE_CONNECT, .cookie = client};
	struct core_effects effects;
	client->n_held = 0;
	step(world, &event, &effects);
	client->connection = effects.connection;
}

void durable_disconnect(struct durable_world *world, struct client *client)
{
	struct core_unsent unsent[QUEUED];
	size_t n = 0;
	struct core_effects effects;
	for (size_t i = 0; i < client->n_held; i++)
		if (client->held[i].has_unsent)
			unsent[n++] = client->held[i].unsent;
	world->seen->returned += n;
	client->n_held = 0;
	struct core_event event = {
		.op = CORE_DISCONNECT, .connection = client->connection, .unsent = unsent, .n_unsent = n};
	step(world, &event, &effects);
	client->n_held = 0;
	client->connection = NULL;
}

/* A client that is not served any more, for it has too much unread. */
static bool is_full(const struct client *client)
{
	return client->n_held > QUEUED - 80;
}

static struct value *make_value(struct durable_world *world)
{
	char text[60];
	size_t len = (size_t)snprintf(text, sizeof(text), "%" PRIu64, world->n_ids++);
	size_t pad = durable_pick(world, 40);
	memset(text + len, ' ', sizeof(text) - len);
	return value_create(text, len + pad < sizeof(text) ? len + pad : len, NULL);
}

static struct core_event request(struct durable_world *world, struct client *client, enum core_op op, const char *name)
{
	struct core_event event = {
		.op = op, .connection = client->connection, .channel = slice_from(name), .id = world->n_requests++};
	event.has_timeout = true;
	event.timeout_ms = durable_pick(world, 3) * 20;
	world->requests[event.id] = (struct request_facts){.token = -1};
	return event;
}

static void create(struct durable_world *world, struct client *client, const char *name)
{
	static const enum channel_kind kinds[CHANNELS] = {KIND_BOUNDED, KIND_BOUNDED, KIND_DROPPING,
							  KIND_SLIDING, KIND_PROMISE, KIND_BOUNDED};
	struct core_event event = request(world, client, CORE_CREATE, name);
	struct core_effects effects;
	size_t i = 0;
	while (durable_names[i][0] != name[0])
		i++;
	event.definition =
		(struct core_definition){.kind = kinds[i], .capacity = i == 4 ? 1 : 3 + i, .durable = i < CHANNELS - 1};
	if (name[0] == 'b' && world->kind != WITH_FIXED_TAPS && durable_pick(world, 2)) {
		event.definition.max_deliveries = 2;
		event.definition.dead_letter = SLICE("d");
	}
	step(world, &event, &effects);
}

static void alter(struct durable_world *world, struct client *client, const char *name)
{
	struct core_event event = request(world, client, CORE_ALTER, name);
	struct core_effects effects;
	if (!core_definition_of(world->core, event.channel, &event.definition) || name[0] == 'p')
		return;
	event.definition.capacity = 2 + durable_pick(world, 6);
	step(world, &event, &effects);
}

static void put(struct durable_world *world, struct client *client, const char *name)
{
	struct core_event event = request(world, client, CORE_PUT, name);
	struct core_effects effects;
	struct request_facts *facts = &world->requests[event.id];
	facts->first_id = (uint32_t)world->n_ids;
	facts->n_ids = 1 + (uint32_t)durable_pick(world, 3);
	for (uint32_t i = 0; i < facts->n_ids; i++)
		value_list_push(&event.values, make_value(world));
	event.batch = true;
	if (durable_pick(world, 2)) {
		event.producer = durable_pick(world, 2) ? SLICE("one") : SLICE("two");
		event.seq = event.id / 32; /* many are sent again */
	}
	if (name[0] != 'p' && durable_pick(world, 4) == 0)
		event.delay_ms = 1 + durable_pick(world, 60);
	step(world, &event, &effects);
}

/* Where values come to a channel by one way alone. The first two are made at once; the first stays as it is. */
static const char *const fixed_taps[][2] = {{"b", "d"}, {"b", "n"}, {"n", "s"}, {"s", "m"}, {"p", "m"}};

static void make_tap(struct durable_world *world, struct client *client, const char *from, const char *to)
{
	struct core_event event = request(world, client, CORE_TAP, from);
	struct core_effects effects;
	bool is_plain = world->kind == WITH_FIXED_TAPS && to[0] == 'd';
	event.tap.to = slice_from(to);
	event.tap.closes = !is_plain && durable_pick(world, 2);
	event.tap.state =
		is_plain || durable_pick(world, 2) ? CORE_TAP_RUN : (enum core_tap_state)durable_pick(world, 4);
	if (!is_plain && durable_pick(world, 3) == 0)
		event.tap.match = durable_make_match(SLICE("odd"));
	step(world, &event, &effects);
}

static void untap(struct durable_world *world, struct client *client, const char *from, struct slice to)
{
	struct core_event event = request(world, client, CORE_UNTAP, from);
	struct core_effects effects;
	event.tap.to = to;
	step(world, &event, &effects);
}

static void move(struct durable_world *world, struct client *client, const char *name)
{
	if (world->kind == WITH_FIXED_TAPS)
		return;
	struct core_event event = request(world, client, CORE_MOVE, name);
	struct core_effects effects;
	event.to = slice_from(durable_pick(world, 2) ? durable_names[durable_pick(world, CHANNELS)] : "");
	event.max = 1 + (uint32_t)durable_pick(world, 4);
	step(world, &event, &effects);
}

static void take(struct durable_world *world, struct client *client, const char *name)
{
	struct core_event event = request(world, client, CORE_TAKE, name);
	struct core_effects effects;
	if (world->kind == WITH_FIXED_TAPS && name[0] == 'b')
		return;
	event.max = 1 + (uint32_t)durable_pick(world, 3);
	event.batch = true;
	if (durable_pick(world, 2) && name[0] != 'p')
		event.lease_ms = 1 + durable_pick(world, 100);
	event.sticky = event.lease_ms && durable_pick(world, 3) == 0;
	step(world, &event, &effects);
}

/* A tap's target has no room, so its source's taps hold a value. Another tap is made, which has no need of it; or the
 * channel that is not durable shows it meanwhile. Or the tap ends, and the value, which nobody got, is given back. */
static void hold_up(struct durable_world *world, struct client *client)
{
	const char *from = durable_names[1 + durable_pick(world, 3)],
		   *other = durable_names[durable_pick(world, CHANNELS)];
	struct client *taker = &world->clients[durable_pick(world, CONNECTIONS)]; /* whose replies wait for less */
	bool is_shown = !is_full(taker) && durable_pick(world, 2);
	create(world, client, "b");
	create(world, client, from);
	for (int i = 0; i < 4; i++)
		put(world, client, "b");
	if (is_shown) {
		create(world, client, "m");
		make_tap(world, client, from, "m");
	}
	make_tap(world, client, from, "b");
	put(world, client, from);
	if (is_shown) {
		take(world, taker, "m");
	} else {
		make_tap(world, client, from, other);
		for (int i = 0; i < 3; i++)
			put(world, client, "d");
		make_tap(world, client, from, "d");
	}
	if (durable_pick(world, 2))
		untap(world, client, from, SLICE("b"));
}

static void plumb(struct durable_world *world, struct client *client)
{
	if (world->kind == WITHOUT_TAPS)
		return;
	if (world->kind == WITH_FIXED_TAPS) {
		const char *const *ends = fixed_taps[durable_pick(world, 5)];
		make_tap(world, client, ends[0], ends[1]);
		return;
	}
	const char *from = durable_names[durable_pick(world, CHANNELS)],
		   *to = durable_names[durable_pick(world, CHANNELS)];
	if (durable_pick(world, 4) == 0)
		hold_up(world, client);
	else if (durable_pick(world, 2))
		make_tap(world, client, from, to);
	else
		untap(world, client, from, slice_from(to));
}

static void choose(struct durable_world *world, struct client *client)
{
	struct core_event event = request(world, client, CORE_ALTS, "");
	struct core_effects effects;
	struct core_arm arms[2] = {{.channel = slice_from(durable_names[durable_pick(world, CHANNELS)])},
				   {.channel = slice_from(durable_names[durable_pick(world, CHANNELS)])}};
	if (world->kind == WITH_FIXED_TAPS && arms[1].channel.bytes[0] == 'b')
		return;
	world->requests[event.id].first_id = (uint32_t)world->n_ids;
	arms[0].value = make_value(world);
	event.arms = arms;
	event.n_arms = 2;
	step(world, &event, &effects);
}

static void settle_lease(struct durable_world *world, struct client *client)
{
	static const enum core_op ops[] = {CORE_ACK, CORE_ACK, CORE_NACK, CORE_EXTEND};
	struct core_effects effects;
	if (world->n_tokens == 0)
		return;
	struct core_event event = request(world, client, ops[durable_pick(world, 4)], "");
	size_t token = durable_pick(world, world->n_tokens);
	world->requests[event.id].token = (int)token;
	event.token = world->tokens[token].token;
	event.lease_ms = 50;
	event.delay_ms = event.op == CORE_NACK ? durable_pick(world, 2) * 30 : 0;
	event.is_uncounted = durable_pick(world, 4) == 0;
	step(world, &event, &effects);
}

static void peek(struct durable_world *world, struct client *client, const char *name)
{
	struct core_peek peeked;
	struct held_reply reply = {.after_batch = world->core->changed_in};
	const struct value *value;
	if (name[0] == 'm' || !core_peek_begin(world->core, slice_from(name), &peeked))
		return;
	while (reply.n_shown < TOLD_VALUES && (value = core_peek_next(&peeked)))
		reply.shown[reply.n_shown++] = snapshot_id_of(value);
	if (world->mutation == WITHOUT_ORDER)
		reply.after_batch = 0;
	durable_hold(world, client, &reply);
	durable_note_births(world);
	if (world->mutation == WITHOUT_ORDER) { /* past those that wait */
		durable_tell(world, &client->held[--client->n_held]);
	}
	durable_release(world);
}

static void end_channel(struct durable_world *world, struct client *client, const char *name)
{
	struct core_event event = request(world, client, durable_pick(world, 3) ? CORE_DELETE : CORE_CLOSE, name);
	struct core_effects effects;
	if (world->kind == WITH_FIXED_TAPS)
		return;
	event.force = durable_pick(world, 2);
	step(world, &event, &effects);
}

static void checkpoint(struct durable_world *world)
{
	struct journal *journal = &world->journal;
	struct core_event event = {.op = CORE_CHECKPOINT};
	struct core_effects effects;
	if (!journal->checkpoint_begin && world->log.n_segments < 3)
		return;
	if (journal->checkpoint_end)
		return;
	if (!journal->checkpoint_begin)
		journal_begin_checkpoint(journal);
	step(world, &event, &effects);
	if (!effects.checkpoint_is_done)
		return;
	world->seen->checkpoints++;
	journal_end_checkpoint(journal);
	world->history[journal_batch(journal)] = world->history[world->recorder.batch];
}

static void carry(struct durable_world *world)
{
	carrier_model_work(&world->carrier);
	world->seen->full += world->carrier.status.is_full;
	if (world->carrier.status.committed > world->low)
		world->low = world->carrier.status.committed;
	journal_notice(&world->journal);
	durable_release(world);
}

static void tick(struct durable_world *world)
{
	struct core_event event = {.op = CORE_TICK};
	struct core_effects effects;
	world->now_us += durable_pick(world, 30) * 1000; /* whole milliseconds, as records have them */
	step(world, &event, &effects);
}

void durable_act(struct durable_world *world)
{
	struct client *client = &world->clients[durable_pick(world, CONNECTIONS)];
	const char *name = durable_names[durable_pick(world, CHANNELS)];
	uint64_t kind = durable_pick(world, 100);
	if (kind < 14) {
		carry(world);
	} else if (kind < 24) {
		journal_end_turn(&world->journal, 0);
		world->high = world->carrier.run_last;
	} else if (kind < 28) {
		tick(world);
	} else if (kind < 31) {
		checkpoint(world);
	} else if (kind < 33 || is_full(client)) {
		durable_disconnect(world, client);
		durable_connect(world, client);
	} else if (kind < 38) {
		create(world, client, name);
	} else if (kind < 42) {
		plumb(world, client);
	} else if (kind < 44) {
		alter(world, client, name);
	} else if (kind < 64) {
		put(world, client, name);
	} else if (kind < 80) {
		take(world, client, name);
	} else if (kind < 86) {
		choose(world, client);
	} else if (kind < 92) {
		settle_lease(world, client);
	} else if (kind < 95) {
		peek(world, client, name);
	} else if (kind < 98) {
		move(world, client, name);
	} else {
		end_channel(world, client, name);
	}
}

void durable_make_fixed_taps(struct durable_world *world)
{
	for (int i = 0; i < 2; i++) {
		create(world, &world->clients[0], fixed_taps[i][0]);
		create(world, &world->clients[0], fixed_taps[i][1]);
		make_tap(world, &world->clients[0], fixed_taps[i][0], fixed_taps[i][1]);
	}
}
