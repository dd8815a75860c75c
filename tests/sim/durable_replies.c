#include "tests/sim/durable_replies.h"

#include <check.h>

#include "tests/sim/durable_check.h"
#include "tests/sim/durable_snapshot.h"

static void note_token(struct durable_world *world, const struct held_reply *reply)
{
	struct token_facts *token =
		&world->tokens[world->n_tokens < TOKENS ? world->n_tokens++ : durable_pick(world, TOKENS)];
	token->token = reply->lease;
	token->n_ids = reply->n_shown;
	token->channel = reply->shown_of;
	memcpy(token->ids, reply->shown, sizeof(token->ids));
}

void durable_tell(struct durable_world *world, struct held_reply *reply)
{
	for (uint32_t i = 0; i < reply->n_put; i++)
		world->ids[reply->put_first + i].told_put = true;
	for (uint32_t i = 0; i < reply->n_gone; i++) {
		struct value_facts *facts = &world->ids[reply->gone[i]];
		if (world->kind == WITH_FIXED_TAPS && (facts->told_gone & reply->gone_of))
			durable_fail(world, "a value was given twice", reply->gone[i], 0);
		facts->told_gone |= reply->gone_of;
		if (reply->gone_in > facts->gone_in)
			facts->gone_in = reply->gone_in;
	}
	for (uint32_t i = 0; i < reply->n_shown; i++)
		if (reply->shown_born[i] > world->ids[reply->shown[i]].shown_born)
			world->ids[reply->shown[i]].shown_born = reply->shown_born[i];
	world->seen->told_puts += reply->n_put;
	world->seen->told_gone += reply->n_gone;
	world->seen->told_shown += reply->n_shown;
	if (reply->has_lease)
		note_token(world, reply);
	if (reply->has_unsent)
		core_sent(&reply->unsent);
}

void durable_release(struct durable_world *world)
{
	for (int c = 0; c < CONNECTIONS; c++) {
		struct client *client = &world->clients[c];
		size_t n = 0;
		while (n < client->n_held && client->held[n].after_batch <= journal_committed(&world->journal))
			durable_tell(world, &client->held[n++]);
		client->n_held -= n;
		memmove(client->held, client->held + n, client->n_held * sizeof(client->held[0]));
	}
}

/* What the channel that is not durable has shown came by taps or moves, or was put there: then it has no birth, or one
 * that comes later, elsewhere. So it is looked at once. */
static void note_shown(const struct durable_world *world, struct held_reply *reply)
{
	bool is_of_m = reply->shown_of == durable_bit_of(SLICE("m"));
	for (uint32_t v = 0; v < reply->n_shown; v++) {
		const struct value_facts *facts = &world->ids[reply->shown[v]];
		if (is_of_m && !reply->is_noted)
			reply->shown_born[v] = facts->first_born;
		else if (!is_of_m && !reply->shown_born[v])
			reply->shown_born[v] = facts->born;
	}
	reply->is_noted = true;
}

void durable_note_births(struct durable_world *world)
{
	for (int c = 0; c < CONNECTIONS; c++) {
		struct client *client = &world->clients[c];
		for (size_t i = 0; i < client->n_held; i++) {
			for (uint32_t p = 0; p < client->held[i].n_put; p++) {
				struct value_facts *facts = &world->ids[client->held[i].put_first + p];
				facts->was_handed_on = facts->was_handed_on || facts->first_born == 0;
			}
			note_shown(world, &client->held[i]);
		}
	}
}

void durable_hold(struct durable_world *world, struct client *client, struct held_reply *reply)
{
	ck_assert_uint_lt(client->n_held, QUEUED);
	if (world->mutation == WITHOUT_GATE)
		reply->after_batch = 0;
	client->held[client->n_held++] = *reply;
}

void durable_hold_reply(struct durable_world *world, struct client *client, struct core_reply *reply)
{
	struct held_reply held = {.after_batch = reply->after_batch};
	const struct request_facts *request = &world->requests[reply->id];
	bool is_put = reply->op == CORE_PUT || (reply->op == CORE_ALTS && !reply->is_take);
	bool is_durable = reply->channel.len == 0 || reply->channel.bytes[0] != 'm';
	if (is_put && is_durable && reply->status != STATUS_CLOSED && reply->status != STATUS_ERROR) {
		held.put_first = request->first_id;
		held.n_put = (uint32_t)(reply->op == CORE_PUT ? reply->accepted : reply->status == STATUS_OK);
		if (reply->op == CORE_PUT && held.n_put > request->n_ids)
			held.n_put = request->n_ids; /* of one that was sent again more had entered */
		if (reply->duplicate) {
			world->seen->duplicates++;
			held.n_put = 0;
		}
	}
	bool is_promise = reply->channel.len && reply->channel.bytes[0] == 'p';
	const struct value *value = reply->value;
	held.gone_of = held.shown_of = durable_bit_of(reply->channel);
	held.gone_in = world->recorder.batch;
	for (uint32_t i = 0; i < reply->n_values; i++, value = value->next) {
		if (reply->channel.bytes[0] == 'd')
			durable_note_birth(&world->ids[snapshot_id_of(value)].born_in_d, world->recorder.batch);
		if (reply->has_lease || is_promise || reply->channel.bytes[0] == 'm')
			held.shown[held.n_shown++] = snapshot_id_of(value);
		else
			held.gone[held.n_gone++] = snapshot_id_of(value);
	}
	if (reply->op == CORE_ACK && reply->status == STATUS_OK) {
		held.n_gone = world->tokens[request->token].n_ids;
		held.gone_of = world->tokens[request->token].channel;
		if (held.gone_of == durable_bit_of(SLICE("m")))
			held.gone_in = 0; /* that waits for nothing */
		memcpy(held.gone, world->tokens[request->token].ids, sizeof(held.gone));
	}
	if (reply->op == CORE_MOVE && reply->status == STATUS_OK)
		world->seen->moved += reply->accepted;
	held.has_lease = reply->has_lease;
	if (reply->has_lease)
		held.lease = reply->lease;
	held.has_unsent = core_keep(reply, &held.unsent);
	durable_hold(world, client, &held);
}
