#include "tests/sim/recording.h"
#include "daemon/core/rows.h"

#include <stdlib.h>

enum { NO_CONNECTION = -1 };

struct entry {
	struct core_event event; /* its slices and values are the entry's; its connection is: */
	int connection;          /* a number, in the order of CORE_CONNECT; NO_CONNECTION */
	bool is_sent;            /* no event: what the connection had unsent is sent */
	bool *keeps;             /* for each reply whether its values are kept */
	size_t n_replies;
	uint64_t digest; /* of the effects */
};

struct known_connection {
	struct core_connection *connection; /* NULL: it is gone */
	const void *cookie;
};

struct recording {
	struct core_limits limits;
	struct core_seed seed;
	struct entry *entries;
	size_t n, room;
	struct known_connection *connections;
	int n_connections;
};

static void *need(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static struct slice copy_slice(struct slice from)
{
	char *bytes = need(malloc(from.len + 1));
	if (from.len)
		memcpy(bytes, from.bytes, from.len);
	return (struct slice){bytes, from.len};
}

static struct value *copy_value(const struct value *value)
{
	return value ? need(value_create(value->bytes, value->len, NULL)) : NULL;
}

static struct value_list copy_values(const struct value_list *from)
{
	struct value_list copy = {0};
	for (const struct value *value = from->head; value; value = value->next)
		value_list_push(&copy, copy_value(value));
	return copy;
}

static const struct core_arm *copy_arms(const struct core_arm *arms, uint32_t n)
{
	struct core_arm *copy = need(calloc(n + 1, sizeof(*copy)));
	for (uint32_t i = 0; i < n; i++)
		copy[i] = (struct core_arm){copy_slice(arms[i].channel), copy_value(arms[i].value)};
	return copy;
}

/* -- Digests: equal for equal replies and states -- */

static uint64_t mix(uint64_t digest, uint64_t number)
{
	return (digest ^ number) * UINT64_C(0x100000001b3) + (digest >> 29);
}

static uint64_t mix_slice(uint64_t digest, struct slice slice)
{
	digest = mix(digest, slice.len);
	for (size_t i = 0; i < slice.len; i++)
		digest = mix(digest, (unsigned char)slice.bytes[i]);
	return digest;
}

static uint64_t mix_value(uint64_t digest, const struct value *value)
{
	return mix_slice(mix(digest, value->deliveries), (struct slice){value->bytes, value->len});
}

/* Cookies are the connections' numbers. */
static uint64_t mix_reply(uint64_t digest, const struct core_reply *reply, int connection)
{
	const uint64_t numbers[] = {
		(uint64_t)connection,
		reply->id,
		reply->op,
		reply->status,
		reply->error,
		reply->batch,
		reply->is_take,
		reply->created,
		reply->has_left,
		reply->has_lease,
		reply->n_values,
		reply->left,
		reply->op == CORE_ALTS ? reply->arm : 0,
		reply->has_lease ? reply->lease.words[0] : reply->accepted,
		reply->has_lease ? reply->lease.words[1] : reply->evicted,
		reply->discarded,
	};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		digest = mix(digest, numbers[i]);
	digest = mix_slice(digest, reply->channel);
	const struct value *value = reply->value;
	for (uint32_t i = 0; i < reply->n_values; i++, value = value->next)
		digest = mix_value(digest, value);
	return digest;
}

static uint64_t mix_waits(uint64_t digest, const struct core_waits *waits)
{
	for (size_t i = 0; waits && i <= CORE_WAIT_BOUNDS; i++)
		digest = mix(digest, waits->n[i]);
	return mix(digest, waits ? waits->sum_us : 0);
}

static uint64_t mix_channel(uint64_t digest, const struct core *core, const struct core_channel_row *row)
{
	struct core_peek peek;
	const uint64_t numbers[] = {row->definition.kind, row->definition.capacity,
				    row->closed,          row->buffered,
				    row->leased,          row->parked_puts,
				    row->parked_takes,    row->bytes,
				    row->accepted,        row->taken,
				    row->returned,        row->dropped,
				    row->evicted,         row->dead_lettered,
				    row->discarded,       row->oldest_put_us,
				    row->oldest_take_us};
	digest = mix_slice(digest, row->name);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		digest = mix(digest, numbers[i]);
	digest = mix_waits(mix_waits(digest, row->put_waits), row->take_waits);
	if (core_peek_begin(core, row->name, &peek))
		for (const struct value *value; (value = core_peek_next(&peek));)
			digest = mix_value(digest, value);
	return digest;
}

/* All that there is to see. */
static uint64_t digest_of_state(const struct core *core)
{
	struct core_channel_row channel;
	struct core_waiter_row waiter = {0};
	struct core_totals totals;
	uint64_t digest = mix(0, core_deadline(core));
	for (struct slice after = SLICE(""); core_next_channel(core, after, &channel); after = channel.name)
		digest = mix_channel(digest, core, &channel);
	while (core_next_waiter(core, SLICE(""), waiter.seq, &waiter)) {
		const uint64_t numbers[] = {waiter.seq, waiter.id, waiter.op, waiter.n_arms, waiter.deadline_us};
		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
			digest = mix(digest, numbers[i]);
	}
	core_totals(core, &totals);
	const uint64_t sums[] = {totals.channels,    totals.connections, totals.parked,
				 totals.parked_puts, totals.buffered,    totals.promised,
				 totals.leased,      totals.bytes,       totals.is_draining};
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		digest = mix(digest, sums[i]);
	return digest;
}

/* -- Recording -- */

struct recording *recording_create(const struct core_limits *limits, const struct core_seed *seed)
{
	struct recording *recording = need(calloc(1, sizeof(*recording)));
	recording->limits = *limits;
	recording->seed = *seed;
	return recording;
}

void recording_destroy(struct recording *recording)
{
	for (size_t i = 0; i < recording->n; i++) {
		struct entry *entry = &recording->entries[i];
		struct core_event *event = &entry->event;
		value_list_clear(&event->values);
		for (uint32_t k = 0; k < event->n_arms; k++) {
			value_destroy(event->arms[k].value);
			free((char *)event->arms[k].channel.bytes);
		}
		free((struct core_arm *)event->arms);
		free((char *)event->channel.bytes);
		free((char *)event->producer.bytes);
		free((char *)event->definition.dead_letter.bytes);
		if (event->op == CORE_SET_LIMITS)
			free((struct core_limits *)event->limits);
		free(entry->keeps);
	}
	free(recording->entries);
	free(recording->connections);
	free(recording);
}

static struct entry *add_entry(struct recording *recording)
{
	if (recording->n == recording->room) {
		recording->room = recording->room ? 2 * recording->room : 64;
		recording->entries = need(realloc(recording->entries, recording->room * sizeof(struct entry)));
	}
	struct entry *entry = &recording->entries[recording->n++];
	*entry = (struct entry){.connection = NO_CONNECTION};
	return entry;
}

static int number_of_cookie(const struct recording *recording, const void *cookie)
{
	int i = recording->n_connections - 1;
	while (i >= 0 && recording->connections[i].cookie != cookie)
		i--;
	return cookie ? i : NO_CONNECTION;
}

void recording_add_event(struct recording *recording, const struct core_event *event)
{
	struct entry *entry = add_entry(recording);
	entry->event = *event;
	entry->event.channel = copy_slice(event->channel);
	entry->event.producer = copy_slice(event->producer);
	entry->event.definition.dead_letter = copy_slice(event->definition.dead_letter);
	entry->event.values = event->op == CORE_PUT ? copy_values(&event->values) : (struct value_list){0};
	entry->event.n_arms = event->op == CORE_ALTS ? event->n_arms : 0;
	entry->event.arms = copy_arms(event->arms, entry->event.n_arms);
	if (event->op == CORE_SET_LIMITS) {
		struct core_limits *limits = need(malloc(sizeof(*limits)));
		*limits = *event->limits;
		entry->event.limits = limits;
	}
	for (int i = 0; i < recording->n_connections && event->connection; i++)
		if (recording->connections[i].connection == event->connection)
			entry->connection = i;
}

void recording_add_effects(struct recording *recording, const struct core_effects *effects,
			   bool (*keeps)(void *arg, const void *cookie), void *arg)
{
	struct entry *entry = &recording->entries[recording->n - 1];
	size_t n = 0;
	if (entry->event.op == CORE_CONNECT) {
		recording->connections = need(realloc(recording->connections, (size_t)(recording->n_connections + 1) *
										      sizeof(struct known_connection)));
		recording->connections[recording->n_connections++] =
			(struct known_connection){effects->connection, entry->event.cookie};
	}
	for (const struct core_reply *reply = effects->head; reply; reply = reply->next)
		n++;
	entry->keeps = need(calloc(n + 1, sizeof(bool)));
	entry->n_replies = n;
	entry->digest = effects->n_undeliverable;
	n = 0;
	for (const struct core_reply *reply = effects->head; reply; reply = reply->next) {
		entry->keeps[n++] = reply->cookie && keeps(arg, reply->cookie);
		entry->digest = mix_reply(entry->digest, reply, number_of_cookie(recording, reply->cookie));
	}
	if (entry->event.op == CORE_DISCONNECT)
		recording->connections[entry->connection].connection = NULL;
}

void recording_add_sent(struct recording *recording, const void *cookie)
{
	struct entry *entry = add_entry(recording);
	entry->is_sent = true;
	entry->connection = number_of_cookie(recording, cookie);
}

/* -- Playing -- */

struct player {
	const struct recording *recording;
	struct core *core;
	struct played_connection {
		struct core_connection *connection;
		int number;
		struct core_unsent unsent[RECORDING_MAX_KEPT];
		size_t n_unsent;
	} * *connections;
	int n_connections;
};

static void send_unsent(struct played_connection *connection)
{
	for (size_t i = 0; i < connection->n_unsent; i++)
		core_sent(&connection->unsent[i]);
	connection->n_unsent = 0;
}

/* The event that it was, about what is there now. */
static struct core_event event_of(struct player *player, const struct entry *entry)
{
	struct core_event event = entry->event;
	event.values = copy_values(&entry->event.values);
	event.arms = copy_arms(entry->event.arms, entry->event.n_arms);
	if (event.op == CORE_CONNECT) {
		struct played_connection *fresh = need(calloc(1, sizeof(*fresh)));
		fresh->number = player->n_connections;
		player->connections[player->n_connections++] = fresh;
		event.cookie = fresh;
	}
	if (entry->connection != NO_CONNECTION) {
		struct played_connection *connection = player->connections[entry->connection];
		event.connection = connection->connection;
		event.unsent = event.op == CORE_DISCONNECT ? connection->unsent : NULL;
		event.n_unsent = event.op == CORE_DISCONNECT ? connection->n_unsent : 0;
	}
	return event;
}

static void play_keep(const struct entry *entry, size_t i, struct core_reply *reply)
{
	struct played_connection *connection = reply->cookie;
	if (i < entry->n_replies && entry->keeps[i] && connection && connection->n_unsent < RECORDING_MAX_KEPT &&
	    core_keep(reply, &connection->unsent[connection->n_unsent]))
		connection->n_unsent++;
}

static bool play_event(struct player *player, const struct entry *entry)
{
	struct core_event event = event_of(player, entry);
	struct core_effects effects = {0};
	core_step(player->core, &event, &effects);
	uint64_t digest = effects.n_undeliverable;
	size_t i = 0;
	for (struct core_reply *reply = effects.head; reply; reply = reply->next) {
		const struct played_connection *connection = reply->cookie;
		digest = mix_reply(digest, reply, connection ? connection->number : NO_CONNECTION);
		play_keep(entry, i++, reply);
	}
	if (event.op == CORE_CONNECT)
		player->connections[player->n_connections - 1]->connection = effects.connection;
	if (event.op == CORE_DISCONNECT)
		player->connections[entry->connection]->n_unsent = 0;
	core_effects_release(player->core, &effects);
	for (uint32_t k = 0; k < event.n_arms; k++)
		free((char *)event.arms[k].channel.bytes);
	free((struct core_arm *)event.arms);
	return digest == entry->digest;
}

bool recording_play(const struct recording *recording, const struct core *core, size_t *at)
{
	struct player player = {.recording = recording, .core = core_create(&recording->limits, &recording->seed)};
	bool is_same = need(player.core);
	player.connections = need(calloc((size_t)recording->n_connections + 1, sizeof(*player.connections)));
	for (*at = 0; is_same && *at < recording->n; ++*at) {
		const struct entry *entry = &recording->entries[*at];
		if (entry->is_sent)
			send_unsent(player.connections[entry->connection]);
		else
			is_same = play_event(&player, entry);
	}
	is_same = is_same && digest_of_state(player.core) == digest_of_state(core);
	for (int i = 0; i < player.n_connections; i++)
		send_unsent(player.connections[i]);
	core_destroy(player.core);
	for (int i = 0; i < player.n_connections; i++)
		free(player.connections[i]);
	free(player.connections);
	return is_same;
}
