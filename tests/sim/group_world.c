#include "tests/sim/group_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/core/hash.h"

const char *const group_names[GROUPS] = {"default", "g", "h"};
static const char *const suffixes[CHANNELS] = {"a", "b", "dead", "loose"}; /* the last one is not durable */

uint32_t group_below(struct group_world *world, uint32_t n)
{
	return random_below(&world->random, n);
}

bool group_one_in(struct group_world *world, uint32_t n)
{
	return group_below(world, n) == 0;
}

struct slice group_channel(int group, int channel)
{
	static char names[GROUPS][CHANNELS][32];
	char *name = names[group][channel];
	snprintf(name, 32, group ? "{%s}%s" : "%s%s", group ? group_names[group] : "", suffixes[channel]);
	return slice_from(name);
}

/* -- Records -- */

void group_keep_records(struct group_world *world, int d)
{
	struct group_daemon *daemon = &world->daemons[d];
	struct slice left = {daemon->records.bytes, daemon->records.len};
	struct record record;
	int group = -1;
	for (ptrdiff_t len; left.len > 0; left.bytes += len, left.len -= (size_t)len) {
		len = record_read(left, &record);
		HOLDS(world, len > 0, "a record is none");
		if (record.kind == RECORD_GROUP) {
			for (group = 0; !slice_equal(record.name, slice_from(group_names[group])); group++)
				;
			continue;
		}
		HOLDS(world, group >= 0, "a record is of no group");
		HOLDS(world, world->owner[group] == d, "daemon %d records of group %s, which is not its own", d,
		      group_names[group]);
		struct record_buffer *log = &world->logs[group];
		ck_assert_int_eq(record_reserve(log, (size_t)len), 0);
		memcpy(log->bytes + log->len, left.bytes, (size_t)len);
		log->len += (size_t)len;
	}
	daemon->records.len = 0;
	daemon->batch++;
}

/* -- Replies -- */

static void read_put(struct group_world *world, const struct group_asked *asked, const struct core_reply *reply)
{
	uint32_t in = reply->status == STATUS_OK ? asked->n : reply->op == CORE_ALTS ? 0 : (uint32_t)reply->accepted;
	bool is_kept = asked->channel < CHANNELS - 1;
	for (uint32_t i = 0; i < asked->n; i++) {
		world->ids[asked->first + i].is_in = is_kept && i < in;
		world->ids[asked->first + i].never = i >= in;
	}
}

static void read_take(struct group_world *world, const struct group_asked *asked, const struct core_reply *reply)
{
	const struct value *value = reply->value;
	struct group_token *token = NULL;
	if (reply->has_lease) {
		uint32_t at = world->n_tokens < TOKENS ? world->n_tokens++ : group_below(world, TOKENS);
		token = &world->tokens[at];
		*token = (struct group_token){.token = reply->lease, .group = asked->group};
	}
	for (uint32_t i = 0; i < reply->n_values; i++, value = value->next) {
		uint32_t id = (uint32_t)strtoul(value->bytes, NULL, 10);
		struct group_facts *facts = &world->ids[id];
		HOLDS(world, facts->group == asked->group, "value %u is in another group", id);
		HOLDS(world, !facts->is_gone, "value %u comes again", id);
		HOLDS(world, !facts->never, "value %u had not entered", id);
		if (!token)
			facts->is_gone = true;
		else if (token->n < 8)
			token->ids[token->n++] = id;
	}
	world->seen->given += reply->n_values;
}

static void read_reply(struct group_world *world, int d, const struct core_reply *reply)
{
	int connection = *(const int *)reply->cookie;
	for (uint32_t i = 0; i < world->n_asked; i++) {
		struct group_asked *asked = &world->asked[i];
		if (asked->id != reply->id)
			continue;
		HOLDS(world, asked->daemon == d && asked->connection == connection, "a reply goes elsewhere");
		world->seen->moved += reply->error == ERROR_MOVED;
		world->seen->cross += reply->error == ERROR_CROSS_GROUP;
		HOLDS(world, reply->error != ERROR_NO_SUCH_CHANNEL, "%.*s is not there", (int)reply->channel.len,
		      reply->channel.bytes);
		bool is_put = reply->op == CORE_PUT || (reply->op == CORE_ALTS && asked->n > 0);
		if (is_put && !(reply->op == CORE_ALTS && reply->is_take))
			read_put(world, asked, reply);
		else if (is_put) /* the other arm happened */
			world->ids[asked->first].never = true;
		read_take(world, asked, reply);
		for (uint32_t k = 0; reply->op == CORE_ACK && reply->status == STATUS_OK && k < asked->token->n; k++)
			world->ids[asked->token->ids[k]].is_gone = true;
		world->seen->acked += reply->op == CORE_ACK && reply->status == STATUS_OK;
		if (!(reply->has_left && reply->status == STATUS_OK && reply->left > 0))
			*asked = world->asked[--world->n_asked];
		return;
	}
	HOLDS(world, false, "a reply to nobody");
}

void group_step(struct group_world *world, int d, struct core_event *event)
{
	struct group_daemon *daemon = &world->daemons[d];
	struct core_recorder recorder = {.buffer = &daemon->records,
					 .batch = daemon->batch,
					 .committed = daemon->batch - 1,
					 .wall_ms = world->now_us / 1000};
	struct core_effects effects = {0};
	event->now_us = world->now_us;
	event->recorder = &recorder;
	core_step(daemon->core, event, &effects);
	for (struct core_reply *reply = effects.head; reply; reply = reply->next)
		if (reply->cookie)
			read_reply(world, d, reply);
	if (event->op == CORE_CONNECT)
		daemon->connections[*(int *)event->cookie] = effects.connection;
	if (effects.checkpoint_is_done) {
		/* All that is there was written since then. */
		for (int g = 0; g < GROUPS; g++) {
			struct record_buffer *log = &world->logs[g];
			if (world->owner[g] != d)
				continue;
			group_keep_records(world, d);
			memmove(log->bytes, log->bytes + daemon->floor[g], log->len - daemon->floor[g]);
			log->len -= daemon->floor[g];
		}
		daemon->is_checkpointing = false;
		world->seen->checkpoints++;
	}
	core_effects_release(daemon->core, &effects);
	if (group_one_in(world, 3) || event->op == CORE_RELEASE)
		group_keep_records(world, d);
	const char *wrong = core_check(daemon->core);
	HOLDS(world, !wrong, "after op %d: %s", (int)event->op, wrong);
}

void group_tick(struct group_world *world, int d)
{
	struct core_event event = {.op = CORE_TICK};
	group_step(world, d, &event);
}
