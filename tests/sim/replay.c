#include "tests/sim/replay.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>

#include "proto/status.h"
#include "tests/sim/recording.h"

enum { SEEDS_A_PLAYING = 4, MAX_TOKENS = 1 << 15, MAX_KEPT = RECORDING_MAX_KEPT, MAX_ASKED = 4096 };

struct asked { /* a request that has no outcome yet */
	int connection;
	uint64_t id;
	enum core_op op;
};

struct world {
	struct core *core;
	struct recording *recording;
	struct core_connection *connections[SIM_CONNECTIONS];
	int cookies[SIM_CONNECTIONS];         /* the connection's index */
	struct core_token tokens[MAX_TOKENS]; /* in the order in which they were told */
	uint64_t n_tokens;
	struct core_unsent unsent[SIM_CONNECTIONS][MAX_KEPT];
	size_t n_unsent[SIM_CONNECTIONS];
	bool keeps[SIM_CONNECTIONS];
	uint64_t unsent_bytes;
	uint64_t n_alone; /* operations that went the core's short way */
	bool was_sliced;  /* this operation went on in other turns */
	bool is_alone;    /* without the model, and nothing that goes on in other turns is waited for */
	struct asked asked[MAX_ASKED];
	uint32_t n_asked;
	struct model model;
	struct outcomes predicted, actual;
	char *why;
};

static struct slice name_of(int channel)
{
	return (struct slice){channel < 0 ? NULL : &sim_names[channel], channel >= 0};
}

/* Says how the two differ; false, for callers to return. */
__attribute__((format(printf, 2, 3))) static bool differ(struct world *world, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(world->why, REPLAY_WHY, format, args);
	va_end(args);
	return false;
}

/* -- Operations in, replies out -- */

static struct value *make_value(uint32_t number)
{
	char text[SIM_VALUE_TEXT];
	struct value *value = value_create(text, value_text(number, text), NULL);
	if (!value)
		abort();
	return value;
}

static void make_event(struct world *world, const struct operation *o, struct core_event *event,
		       struct core_arm arms[SIM_ARMS])
{
	*event = (struct core_event){
		.op = o->op,
		.now_us = world->model.now_us + o->later_us,
		.unsent_bytes = world->unsent_bytes,
		.connection = o->connection < 0 || o->op == CORE_TICK ? NULL : world->connections[o->connection],
		.id = o->id,
		.channel = name_of(o->channel),
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
		.to = o->op == CORE_MOVE ? name_of(o->to) : (struct slice){NULL, 0},
		.delay_ms = o->delay_ms,
		.sticky = o->sticky,
		.is_uncounted = o->op == CORE_NACK && o->is_uncounted,
		.producer = o->producer ? (struct slice){&"pq"[o->producer - 1], 1} : (struct slice){NULL, 0},
		.seq = o->seq,
	};
	if (o->lease_back && o->lease_back <= world->n_tokens)
		event->token = world->tokens[world->n_tokens - o->lease_back];
	if (o->op == CORE_TAP || o->op == CORE_UNTAP)
		event->tap = (struct core_tap_terms){
			.to = name_of(o->to), .closes = o->closes, .state = o->state, .match = sim_match(o->match)};
	for (uint32_t i = 0; i < o->n_values; i++)
		value_list_push(&event->values, make_value(o->values[i]));
	for (uint32_t i = 0; i < o->n_arms; i++)
		arms[i] = (struct core_arm){name_of(o->arms[i].channel),
					    o->arms[i].value ? make_value(o->arms[i].value) : NULL};
}

static void ask(struct world *world, int connection, uint64_t id, enum core_op op)
{
	if (world->n_asked == MAX_ASKED)
		abort();
	world->asked[world->n_asked++] = (struct asked){connection, id, op};
}

/* All of a connection, or the one that a reply is about. False: nobody has asked. */
static bool unask(struct world *world, int connection, const struct core_reply *reply)
{
	uint32_t n = 0;
	bool found = false;
	for (uint32_t i = 0; i < world->n_asked; i++) {
		const struct asked *asked = &world->asked[i];
		bool is_it = asked->connection == connection &&
			     (!reply || (asked->id == reply->id && asked->op == reply->op));
		if (!is_it || (found && reply))
			world->asked[n++] = *asked;
		found = found || is_it;
	}
	world->n_asked = n;
	return found;
}

/* A request without an id is told nothing but what went wrong. */
static bool has_asked(struct world *world, int connection, const struct core_reply *reply)
{
	bool goes_on = reply->has_left && reply->status == STATUS_OK && reply->left > 0;
	return reply->id == CORE_NO_ID || goes_on || unask(world, connection, reply);
}

static bool read_reply(struct world *world, const struct core_reply *reply)
{
	if (world->is_alone && !has_asked(world, reply->cookie ? *(const int *)reply->cookie : -1, reply))
		return differ(world, "%c%" PRIu64 " is told an outcome that it has had, or never asked for",
			      reply->cookie ? 'a' + *(const int *)reply->cookie : '-', reply->id);
	if (world->is_alone)
		world->actual.n = 0;
	if (world->actual.n == MODEL_OUTCOMES || reply->n_values > SIM_VALUES || reply->channel.len > 1)
		return differ(world, "a reply, or their number, is impossible");
	struct outcome *outcome = &world->actual.at[world->actual.n++];
	memset(outcome, 0, sizeof(*outcome));
	outcome->connection = reply->cookie ? *(const int *)reply->cookie : -1;
	outcome->channel = reply->channel.len ? reply->channel.bytes[0] - 'a' : -1;
	outcome->id = reply->id;
	outcome->op = reply->op;
	outcome->status = reply->status;
	outcome->error = reply->error;
	outcome->batch = reply->batch;
	outcome->is_take = reply->is_take;
	outcome->created = reply->created;
	outcome->altered = reply->altered;
	outcome->duplicate = reply->duplicate;
	outcome->has_left = reply->has_left;
	outcome->left = reply->left;
	outcome->arm = reply->arm;
	outcome->accepted = reply->has_lease ? 0 : reply->accepted;
	outcome->evicted = reply->has_lease ? 0 : reply->evicted;
	outcome->discarded = reply->discarded;
	const struct value *value = reply->value;
	for (; outcome->n_values < reply->n_values; value = value->next) {
		if (reply->has_lease)
			outcome->deliveries[outcome->n_values] = value->deliveries;
		if (value->origin)
			outcome->origins[outcome->n_values] =
				(struct model_origin){value->origin->name[0] - 'a' + 1, value->origin->reason,
						      value->origin->deliveries, value->origin->since_us};
		outcome->values[outcome->n_values++] = value_number(value);
	}
	if (!reply->has_lease)
		return true;
	if (world->n_tokens == MAX_TOKENS)
		return differ(world, "too many leases");
	world->tokens[world->n_tokens++] = reply->lease;
	outcome->lease = world->n_tokens;
	return true;
}

/* The arm that the core picked for this very alts; n_arms if it parked, or was refused. */
static uint32_t chosen_arm(const struct world *world, const struct operation *o)
{
	for (uint32_t i = 0; i < world->actual.n; i++) {
		const struct outcome *a = &world->actual.at[i];
		bool is_own = a->op == CORE_ALTS && a->connection == o->connection && a->id == o->id;
		if (is_own && (a->status == STATUS_OK || a->status == STATUS_CLOSED || a->status == STATUS_DROPPED))
			return a->arm;
	}
	return o->n_arms;
}

static void outcome_text(const struct outcome *a, char *text, size_t size)
{
	int n = snprintf(text, size, "%c%" PRIu64 " %s %s", a->connection < 0 ? '-' : 'a' + a->connection, a->id,
			 status_name(a->status), a->status == STATUS_ERROR ? error_name(a->error) : "");
	for (uint32_t i = 0; i < a->n_values; i++)
		n += snprintf(text + n, size - (size_t)n, " %" PRIu32, a->values[i]);
	snprintf(text + n, size - (size_t)n,
		 " (op %d on %c, arm %" PRIu32 ", left %" PRIu32 "%s%s%s, lease %" PRIu64 ", accepted %" PRIu64
		 " evicted %" PRIu64 " discarded %" PRIu64 ")",
		 (int)a->op, a->channel < 0 ? '-' : 'a' + a->channel, a->arm, a->left, a->is_take ? ", take" : "",
		 a->batch ? ", batch" : "",
		 a->duplicate ? ", duplicate"
		 : a->created ? ", created"
			      : "",
		 a->lease, a->accepted, a->evicted, a->discarded);
}

static bool same_outcome(const struct outcome *a, const struct outcome *b)
{
	return a->connection == b->connection && a->channel == b->channel && a->id == b->id && a->op == b->op &&
	       a->status == b->status && a->error == b->error && a->batch == b->batch && a->is_take == b->is_take &&
	       a->created == b->created && a->altered == b->altered && a->has_left == b->has_left &&
	       a->left == b->left && (a->op != CORE_ALTS || a->arm == b->arm) && a->accepted == b->accepted &&
	       a->duplicate == b->duplicate && a->evicted == b->evicted && a->discarded == b->discarded &&
	       a->lease == b->lease && a->n_values == b->n_values &&
	       memcmp(a->origins, b->origins, a->n_values * sizeof(a->origins[0])) == 0 &&
	       memcmp(a->deliveries, b->deliveries, a->n_values * sizeof(a->deliveries[0])) == 0 &&
	       memcmp(a->values, b->values, a->n_values * sizeof(a->values[0])) == 0;
}

static int compare_requests(const struct outcome *a, const struct outcome *b)
{
	if (a->connection != b->connection)
		return a->connection < b->connection ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

/* By connection and request; the replies to one request stay in their order. */
static void sort_outcomes(struct outcomes *outcomes)
{
	for (uint32_t i = 1; i < outcomes->n; i++) {
		struct outcome moved = outcomes->at[i];
		uint32_t at = i;
		for (; at > 0 && compare_requests(&outcomes->at[at - 1], &moved) > 0; at--)
			outcomes->at[at] = outcomes->at[at - 1];
		outcomes->at[at] = moved;
	}
}

static bool compare_replies(struct world *world)
{
	if (world->was_sliced) { /* what the event itself is answered may then come earlier */
		sort_outcomes(&world->predicted);
		sort_outcomes(&world->actual);
	}
	const struct outcomes *predicted = &world->predicted, *actual = &world->actual;
	char want[REPLAY_WHY / 2 - 40] = "nothing", got[REPLAY_WHY / 2 - 40] = "nothing";
	for (uint32_t i = 0; i < predicted->n || i < actual->n; i++) {
		if (i < predicted->n && i < actual->n && same_outcome(&predicted->at[i], &actual->at[i]))
			continue;
		if (i < predicted->n)
			outcome_text(&predicted->at[i], want, sizeof(want));
		if (i < actual->n)
			outcome_text(&actual->at[i], got, sizeof(got));
		return differ(world, "reply %" PRIu32 ": the model says  %s\n         but the core says  %s", i, want,
			      got);
	}
	if (predicted->undeliverable != actual->undeliverable)
		return differ(world, "%" PRIu64 " dead letters went back, not %" PRIu64, actual->undeliverable,
			      predicted->undeliverable);
	return true;
}

/* -- What has become of both -- */

static bool compare_channel(struct world *world, int channel)
{
	const struct model_channel *c = &world->model.channels[channel];
	struct core_channel_row row;
	struct core_peek peek;
	bool exists = core_peek_begin(world->core, name_of(channel), &peek);
	if (core_stat(world->core, name_of(channel), &row) != c->exists || exists != c->exists)
		return differ(world, "channel %c is there, or not", sim_names[channel]);
	if (!c->exists)
		return true;
	if (row.closed != c->closed || row.buffered != c->n ||
	    row.parked_puts != model_waiters(&world->model, channel, true) ||
	    row.parked_takes != model_waiters(&world->model, channel, false) ||
	    row.bytes != model_bytes(&world->model, channel))
		return differ(world,
			      "channel %c has another state: %s, %" PRIu64 " buffered, %" PRIu64 " and %" PRIu64
			      " parked, %" PRIu64 " bytes in the core",
			      sim_names[channel], row.closed ? "closed" : "open", row.buffered, row.parked_puts,
			      row.parked_takes, row.bytes);
	if (row.accepted != c->accepted || row.taken != c->taken || row.dropped != c->dropped ||
	    row.evicted != c->evicted || row.discarded != c->discarded ||
	    row.leased != model_leased(&world->model, channel) ||
	    row.delayed != model_delayed(&world->model, channel) || row.returned != c->returned ||
	    row.dead_lettered != c->dead_lettered)
		return differ(world, "channel %c has other books", sim_names[channel]);
	for (size_t i = 0; i < c->n; i++) {
		const struct value *value = core_peek_next(&peek);
		if (!value || value_number(value) != model_number(c->buffer[i]))
			return differ(world, "channel %c has another buffer", sim_names[channel]);
	}
	return true;
}

/* Whether the lease of that number, if anybody holds it, is the row. */
static bool is_lease(const struct model *model, const struct core_lease_row *row)
{
	for (uint32_t i = 0; i < model->n_leases; i++) {
		const struct model_lease *lease = &model->leases[i];
		if (lease->number == row->seq)
			return lease->n_values == row->n_values && lease->deadline_us == row->deadline_us &&
			       lease->holder == (row->cookie ? *(const int *)row->cookie : -1) &&
			       (lease->connection < 0) == row->is_sticky &&
			       sim_names[lease->channel] == row->channel.bytes[0];
	}
	return false;
}

static bool compare_leases(struct world *world)
{
	struct core_lease_row row = {0};
	uint64_t go_on, after = 0;
	uint32_t n = 0, n_held = 0;
	for (uint32_t i = 0; i < world->model.n_leases; i++)
		n_held += world->model.leases[i].number > 0;
	for (; core_next_lease(world->core, after, &row, &go_on); after = row.seq, n++)
		if (row.seq <= after || !is_lease(&world->model, &row))
			return differ(world, "lease %" PRIu64 " is another", row.seq);
	return n == n_held || differ(world, "%" PRIu32 " leases are held, not %" PRIu32, n, n_held);
}

static bool compare_waiters(struct world *world)
{
	struct core_waiter_row row = {0};
	uint32_t n = 0;
	for (; core_next_waiter(world->core, SLICE(""), row.seq, &row); n++) {
		const struct model_request *r = &world->model.parked[n];
		if (n == world->model.n_parked || row.id != r->id ||
		    (row.cookie ? *(const int *)row.cookie : -1) != r->connection || row.op != r->op ||
		    row.n_arms != r->n_arms || row.deadline_us != r->deadline_us)
			return differ(world, "parked request %" PRIu32 " is another's", n);
	}
	if (n != world->model.n_parked)
		return differ(world, "%" PRIu32 " requests are parked, not %" PRIu32, n, world->model.n_parked);
	if (core_deadline(world->core) != model_deadline(&world->model))
		return differ(world, "the next deadline is another");
	return true;
}

/* Their terms and their books. */
static bool compare_taps(struct world *world)
{
	struct core_tap_row row = {0};
	uint32_t n = 0;
	for (; core_next_tap(world->core, row.seq, &row); n++) {
		const struct model_tap *tap = &world->model.taps[n];
		if (n == world->model.n_taps || row.from.bytes[0] - 'a' != tap->from ||
		    row.to.bytes[0] - 'a' != tap->to || row.closes != tap->closes || row.state != tap->state)
			return differ(world, "tap %" PRIu32 " is another", n);
		if (row.carried != tap->carried || row.unmatched != tap->unmatched || row.muted != tap->muted)
			return differ(world, "tap %" PRIu32 " has other books: carried %" PRIu64 ", not %" PRIu64, n,
				      row.carried, tap->carried);
	}
	return n == world->model.n_taps || differ(world, "%" PRIu32 " taps, not %" PRIu32, n, world->model.n_taps);
}

static bool compare_states(struct world *world, const struct script *script)
{
	struct core_totals totals;
	uint64_t buffered = 0, bytes = 0, channels = 0;
	for (int i = 0; i < script->n_channels; i++) {
		if (!compare_channel(world, i))
			return false;
		buffered += world->model.channels[i].n;
		channels += world->model.channels[i].exists;
	}
	bytes = model_total_cost(&world->model);
	core_totals(world->core, &totals);
	if (totals.channels != channels || totals.parked != world->model.n_parked + world->model.n_resting ||
	    totals.buffered != buffered || totals.bytes != bytes)
		return differ(world, "the totals are not the sums");
	const char *wrong = core_check(world->core);
	return wrong ? differ(world, "core_check: %s", wrong)
		     : compare_waiters(world) && compare_leases(world) && compare_taps(world);
}

/* -- Books of the simulation itself -- */

static void see(const struct world *world, const struct operation *o, uint32_t was_parked, struct replay_seen *seen)
{
	uint32_t parked_alts = 0, alts_ok = 0;
	bool timed_out_now = false, matched = false;
	seen->operations++;
	for (uint32_t i = 0; i < world->actual.n; i++) {
		const struct outcome *a = &world->actual.at[i];
		bool is_own = a->connection == o->connection && a->id == o->id && a->op == o->op &&
			      a->status != STATUS_TIMEOUT;
		seen->statuses[a->op][a->status]++;
		seen->errors[a->error]++;
		seen->evicted += a->evicted;
		seen->altered += a->altered;
		seen->duplicates += a->duplicate;
		seen->moved += a->op == CORE_MOVE ? a->accepted : 0;
		for (uint32_t v = 0; v < a->n_values; v++)
			seen->with_origin += a->origins[v].channel > 0;
		seen->discarded += a->discarded;
		seen->partly_accepted += a->accepted > 0 && a->status != STATUS_OK;
		timed_out_now = timed_out_now || a->status == STATUS_TIMEOUT;
		matched = matched || a->n_values > 0;
		alts_ok += a->op == CORE_ALTS && a->status == STATUS_OK;
		seen->leased += a->lease > 0;
		seen->acked += a->op == CORE_ACK && a->status == STATUS_OK;
		seen->came_back += a->lease > 0 && a->deliveries[0] > 1;
		seen->counted += a->has_left && a->n_values > 0;
		seen->counted_timeout += a->has_left && a->status == STATUS_TIMEOUT;
		seen->counted_cancelled += a->has_left && a->status == STATUS_CANCELLED;
		parked_alts += a->op == CORE_ALTS && a->status == STATUS_OK && !is_own;
	}
	for (uint32_t i = 0; i < world->model.n_taps; i++) {
		const struct model_tap *tap = &world->model.taps[i];
		seen->tap_steps += tap->carried > 0;
		seen->tap_unmatched += tap->unmatched > 0;
		seen->tap_muted += tap->muted > 0;
	}
	seen->tapped += o->op == CORE_TAP && world->actual.n > 0 && world->actual.at[0].created;
	for (int i = 0; i < SIM_CHANNELS; i++)
		seen->taps_held_up += model_n_held_up(&world->model, i) > 1;
	seen->undeliverable += world->actual.undeliverable;
	seen->delayed += world->model.n_delayed;
	for (uint32_t i = 0; i < world->model.n_parked; i++) {
		seen->delayed_parked += world->model.parked[i].delay_ms > 0;
		seen->once_parked += world->model.parked[i].producer > 0;
	}
	seen->rested += world->model.n_resting > 0;
	seen->parked_alts_ok += parked_alts;
	seen->alts_met_alts += o->op == CORE_ALTS && parked_alts > 0 && alts_ok > parked_alts;
	seen->timeout_beside_match += timed_out_now && matched;
	seen->left_while_parked += o->op == CORE_DISCONNECT && world->model.n_parked < was_parked;
}

/* -- The run -- */

/* An event, written down as well. */
static void step_core(struct world *world, const struct core_event *event, struct core_effects *effects)
{
	recording_add_event(world->recording, event);
	core_step(world->core, event, effects);
}

static bool keeps(void *arg, const void *cookie)
{
	const struct world *world = arg;
	return world->keeps[*(const int *)cookie];
}

/* Reads what the core replied, and keeps what is not sent yet. */
static bool read_effects(struct world *world, struct core_effects *effects)
{
	bool good = true;
	recording_add_effects(world->recording, effects, keeps, world);
	for (struct core_reply *reply = effects->head; good && reply; reply = reply->next) {
		good = read_reply(world, reply);
		int connection = reply->cookie ? *(const int *)reply->cookie : -1;
		size_t *n = connection < 0 ? NULL : &world->n_unsent[connection];
		if (n && world->keeps[connection] && *n < MAX_KEPT && core_keep(reply, &world->unsent[connection][*n]))
			++*n;
	}
	world->actual.undeliverable += effects->n_undeliverable;
	return good;
}

/* And lets go of the rest. */
static bool take_effects(struct world *world, struct core_effects *effects)
{
	bool good = read_effects(world, effects);
	core_effects_release(world->core, effects);
	return good;
}

static bool connect(struct world *world, int connection)
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

static void send_kept(struct world *world, int connection)
{
	for (size_t i = 0; i < world->n_unsent[connection]; i++)
		core_sent(&world->unsent[connection][i]);
	world->n_unsent[connection] = 0;
}

/* What a tick also says of its connection. */
static void change_connection(struct world *world, const struct operation *o, uint64_t now_us)
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
		send_kept(world, o->connection);
	}
	world->keeps[o->connection] = o->keeps;
}

static bool finish_backlog(struct world *world, uint64_t now_us);

/* As a shell does it: a connection hangs up before it goes. */
static bool disconnect(struct world *world, struct core_event *event)
{
	struct core_effects effects = {0};
	int connection = 0;
	while (world->connections[connection] != event->connection)
		connection++;
	event->op = CORE_HANG_UP;
	step_core(world, event, &effects);
	if (!take_effects(world, &effects))
		return false;
	if (!finish_backlog(world, event->now_us))
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

/* An alter as it fits the channel's kind, where it has to. */
static struct operation fit(const struct world *world, const struct operation *o)
{
	struct operation fitted = *o;
	struct core_definition *definition = &fitted.definition, was;
	if (o->op != CORE_ALTER || !o->keeps_kind || !core_definition_of(world->core, name_of(o->channel), &was))
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

/* Carries the event out by the short way, if it can go there; the recording has it as any other, and plays it by the
 * general way: so both are held against each other. */
static bool goes_alone(struct world *world, const struct operation *o, const struct core_event *event, bool *good)
{
	bool is_put = event->op == CORE_PUT && event->delay_ms == 0 && event->values.n == 1 && !event->batch &&
		      !event->producer.len,
	     is_take = event->op == CORE_TAKE && !event->batch && !event->count && !event->lease_ms;
	struct core_reply reply = {.id = event->id, .op = event->op, .status = STATUS_OK, .channel = event->channel};
	if (!event->connection || !(is_put || is_take))
		return false;
	struct value *copied = NULL;
	if (is_put)
		copied = value_create(event->values.head->bytes, event->values.head->len, NULL);
	if (is_put && !core_put_alone(world->core, event->now_us, event->unsent_bytes, event->connection, event->id,
				      event->channel, event->values.head)) {
		value_destroy(copied);
		return false;
	}
	if (is_take && !(reply.value = core_take_alone(world->core, event->now_us, event->unsent_bytes,
						       event->connection, event->id, event->channel)))
		return false;
	struct core_event recorded = *event;
	if (is_put) {
		recorded.values = (struct value_list){copied, copied, 1};
		reply.accepted = 1;
	}
	recording_add_event(world->recording, &recorded);
	value_destroy(copied);
	reply.cookie = &world->cookies[o->connection];
	reply.is_take = is_take;
	reply.n_values = is_take;
	reply.owns_values = is_take;
	struct core_effects effects = {.head = &reply, .tail = &reply};
	*good = read_effects(world, &effects);
	struct core_unsent let_go;
	if (core_keep(&reply, &let_go))
		core_sent(&let_go);
	world->n_alone++;
	return true;
}

/* What goes on in other turns does so now, before anything else: to the model it happened at once. */
static bool finish_backlog(struct world *world, uint64_t now_us)
{
	bool good = true;
	if (world->is_alone)
		return true;
	world->was_sliced = world->was_sliced || core_has_backlog(world->core);
	while (good && core_has_backlog(world->core)) {
		struct core_event event = {.op = CORE_TICK, .now_us = now_us, .unsent_bytes = world->unsent_bytes};
		struct core_effects effects = {0};
		step_core(world, &event, &effects);
		good = take_effects(world, &effects);
		const char *wrong = good ? core_check(world->core) : NULL;
		if (wrong)
			return differ(world, "core_check amid a backlog: %s", wrong);
	}
	return good;
}

static bool act(struct world *world, const struct operation *o)
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

static void begin_step(struct world *world)
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
static bool let_time_pass(struct world *world, const struct script *script, uint64_t us, struct replay_seen *seen)
{
	const struct operation tick = {.op = CORE_TICK, .connection = -1};
	struct core_event event = {
		.op = CORE_TICK, .now_us = world->model.now_us + us, .unsent_bytes = world->unsent_bytes};
	struct core_effects effects = {0};
	uint32_t was_parked = world->model.n_parked;
	begin_step(world);
	step_core(world, &event, &effects);
	bool good = take_effects(world, &effects) && finish_backlog(world, event.now_us);
	model_pass(&world->model, us, &world->predicted);
	number_copies(&world->predicted);
	see(world, &tick, was_parked, seen);
	return good && compare_replies(world) && compare_states(world, script);
}

static bool step(struct world *world, const struct script *script, const struct operation *made,
		 struct replay_seen *seen)
{
	struct operation at_once = *made;
	if (script->limits.turn_work && made->later_us > 0) {
		if (!let_time_pass(world, script, made->later_us, seen))
			return false;
		at_once.later_us = 0;
	}
	const struct operation fitted = fit(world, &at_once), *o = &fitted;
	begin_step(world);
	bool good = connect(world, o->connection) && act(world, o) &&
		    finish_backlog(world, world->model.now_us + o->later_us);
	uint32_t was_parked = world->model.n_parked;
	model_step(&world->model, o, chosen_arm(world, o), &world->predicted);
	if (world->was_sliced)
		model_tick(&world->model, &world->predicted);
	number_copies(&world->predicted);
	see(world, o, was_parked, seen);
	return good && compare_replies(world) && compare_states(world, script);
}

/* Books that can be read only at the end. */
static void see_end(const struct world *world, struct replay_seen *seen)
{
	seen->alone += world->n_alone;
	for (int i = 0; i < SIM_CHANNELS; i++) {
		seen->dead_lettered += world->model.channels[i].dead_lettered;
		seen->returned += world->model.channels[i].returned;
	}
}

/* The same events once more: nothing else may have led to what was seen. */
static bool play_again(struct world *world)
{
	size_t at;
	return recording_play(world->recording, world->core, &at) ||
	       differ(world, "played again, the run differs from event %zu on", at);
}

/* -- Slices -- */

/* Whether those without an outcome are just those that are parked. */
static bool compare_asked(struct world *world)
{
	uint32_t n_parked = 0;
	for (int i = 0; i < SIM_CONNECTIONS; i++)
		n_parked += world->connections[i] ? core_parked(world->connections[i]) : 0;
	for (uint32_t i = 0; i < world->n_asked; i++) {
		const struct asked *asked = &world->asked[i];
		if (!core_id_in_use(world->core, world->connections[asked->connection], asked->id))
			return differ(world, "%c%" PRIu64 " has no outcome, and is not parked", 'a' + asked->connection,
				      asked->id);
	}
	return world->n_asked <= n_parked || differ(world, "requests without an outcome are not parked");
}

static bool step_alone(struct world *world, const struct operation *made)
{
	const struct operation fitted = fit(world, made), *o = &fitted;
	bool is_request = o->op >= CORE_CREATE && o->op <= CORE_MOVE && o->id != CORE_NO_ID;
	if (!connect(world, o->connection))
		return false;
	if (is_request)
		ask(world, o->connection, o->id, o->op);
	bool good = act(world, o);
	if (o->op == CORE_DISCONNECT || o->op == CORE_HANG_UP)
		unask(world, o->connection, NULL);
	world->model.now_us += o->later_us;
	const char *wrong = good ? core_check(world->core) : NULL;
	return wrong ? differ(world, "core_check: %s", wrong) : good && compare_asked(world);
}

/* What still goes on comes to its end. */
static bool finish_alone(struct world *world)
{
	bool good = true;
	while (good && core_has_backlog(world->core)) {
		struct core_event event = {
			.op = CORE_TICK, .now_us = ++world->model.now_us, .unsent_bytes = world->unsent_bytes};
		struct core_effects effects = {0};
		step_core(world, &event, &effects);
		good = take_effects(world, &effects);
	}
	return good && compare_asked(world);
}

static sigjmp_buf aborted;

static void on_abort(int signal)
{
	siglongjmp(aborted, signal);
}

/* seen NULL: as replay_slices() says. */
static bool run(const struct script *script, struct replay_seen *seen, size_t *at, char why[REPLAY_WHY])
{
	static struct world world;
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
				see_end(&world, seen);
			for (int c = 0; c < SIM_CONNECTIONS; c++)
				send_kept(&world, c);
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
