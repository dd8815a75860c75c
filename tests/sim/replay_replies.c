#include "tests/sim/replay_replies.h"

#include <inttypes.h>
#include <stdlib.h>

#include "proto/status.h"

void replay_ask(struct replay_world *world, int connection, uint64_t id, enum core_op op)
{
	if (world->n_asked == MAX_ASKED)
		abort();
	world->asked[world->n_asked++] = (struct replay_asked){connection, id, op};
}

bool replay_unask(struct replay_world *world, int connection, const struct core_reply *reply)
{
	uint32_t n = 0;
	bool found = false;
	for (uint32_t i = 0; i < world->n_asked; i++) {
		const struct replay_asked *asked = &world->asked[i];
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
static bool has_asked(struct replay_world *world, int connection, const struct core_reply *reply)
{
	bool goes_on = reply->has_left && reply->status == STATUS_OK && reply->left > 0;
	return reply->id == CORE_NO_ID || goes_on || replay_unask(world, connection, reply);
}

bool replay_read_reply(struct replay_world *world, const struct core_reply *reply)
{
	if (world->is_alone && !has_asked(world, reply->cookie ? *(const int *)reply->cookie : -1, reply))
		return replay_differ(world, "%c%" PRIu64 " is told an outcome that it has had, or never asked for",
				     reply->cookie ? 'a' + *(const int *)reply->cookie : '-', reply->id);
	if (world->is_alone)
		world->actual.n = 0;
	if (world->actual.n == MODEL_OUTCOMES || reply->n_values > SIM_VALUES || reply->channel.len > 1)
		return replay_differ(world, "a reply, or their number, is impossible");
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
		return replay_differ(world, "too many leases");
	world->tokens[world->n_tokens++] = reply->lease;
	outcome->lease = world->n_tokens;
	return true;
}

uint32_t replay_chosen_arm(const struct replay_world *world, const struct operation *o)
{
	for (uint32_t i = 0; i < world->actual.n; i++) {
		const struct outcome *a = &world->actual.at[i];
		bool is_own = a->op == CORE_ALTS && a->connection == o->connection && a->id == o->id;
		if (is_own && (a->status == STATUS_OK || a->status == STATUS_CLOSED || a->status == STATUS_DROPPED))
			return a->arm;
	}
	return o->n_arms;
}

/* -- Against the model's -- */

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

bool replay_compare_replies(struct replay_world *world)
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
		return replay_differ(world, "reply %" PRIu32 ": the model says  %s\n         but the core says  %s", i,
				     want, got);
	}
	if (predicted->undeliverable != actual->undeliverable)
		return replay_differ(world, "%" PRIu64 " dead letters went back, not %" PRIu64, actual->undeliverable,
				     predicted->undeliverable);
	return true;
}
