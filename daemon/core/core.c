#include "daemon/core/core.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/hash.h"
#include "daemon/core/state.h"

struct core *core_create(const struct core_limits *limits, uint64_t seed)
{
	struct core *core = calloc(1, sizeof(*core));
	if (!core)
		return NULL;
	core->limits = *limits;
	core->random = seed;
	list_init(&core->connections);
	list_init(&core->rested);
	struct hash_key key = {random_next(&core->random), random_next(&core->random)};
	if (directory_init(&core->directory, key) < 0)
		goto err_core;
	if (ids_init(&core->ids, random_next(&core->random)) < 0)
		goto err_directory;
	return core;

err_directory:
	directory_finish(&core->directory);
err_core:
	free(core);
	return NULL;
}

void core_destroy(struct core *core)
{
	if (!core)
		return;
	struct core_effects effects = {0};
	while (!list_is_empty(&core->connections)) {
		struct core_event event = {.connection = LIST_ITEM(core->connections.next, struct core_connection, in_core)};
		op_disconnect(core, &event, &effects);
	}
	struct channel *channel;
	while ((channel = directory_after(&core->directory, SLICE(""))))
		channel_remove(core, channel, &effects);
	core_effects_release(core, &effects);
	assert(core->bytes == 0 && core->n_parked == 0 && core->n_buffered == 0);
	order_finish(&core->order);
	timers_finish(&core->timers);
	ids_finish(&core->ids);
	directory_finish(&core->directory);
	free(core);
}

void core_set_limits(struct core *core, const struct core_limits *limits)
{
	core->limits = *limits;
}

void core_set_unsent(struct core *core, uint64_t bytes)
{
	core->unsent_bytes = bytes;
}

struct core_connection *core_connect(struct core *core, void *cookie)
{
	struct core_connection *connection = calloc(1, sizeof(*connection));
	if (!connection)
		return NULL;
	connection->cookie = cookie;
	list_init(&connection->parked);
	list_init(&connection->counting);
	list_init(&connection->resting);
	list_init(&connection->in_rested);
	list_init(&connection->ephemeral);
	list_append(&core->connections, &connection->in_core);
	core->n_connections++;
	return connection;
}

/* Whatever is due happens first, the earliest first. */
static void expire(struct core *core, uint64_t now_us, struct core_effects *effects)
{
	struct timer *timer;
	while ((timer = timers_first(&core->timers)) && timer->deadline_us <= now_us)
		park_complete(core, timer_request(timer), NULL, STATUS_TIMEOUT, effects);
}

static void op_tick(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	(void)core, (void)event, (void)effects;
}

static op_fn *const ops[] = {
	[CORE_TICK] = op_tick,	 [CORE_DISCONNECT] = op_disconnect, [CORE_CREATE] = op_create,
	[CORE_CLOSE] = op_close, [CORE_DELETE] = op_delete,	    [CORE_PUT] = op_put,
	[CORE_TAKE] = op_take,	 [CORE_ALTS] = op_alts,		    [CORE_CANCEL] = op_cancel,
	[CORE_RESUME] = op_resume,
};

/* The values that an event brought, when it is refused before its op sees them. */
static void event_discard(const struct core_event *event)
{
	struct value_list values = event->values;
	if (event->op == CORE_PUT)
		value_list_clear(&values);
	for (uint32_t i = 0; event->op == CORE_ALTS && i < event->n_arms; i++)
		value_destroy(event->arms[i].value);
}

void core_step(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	assert(event->connection || event->op == CORE_TICK || event->op == CORE_CREATE || event->op == CORE_CLOSE || event->op == CORE_DELETE);
	expire(core, event->now_us, effects);
	if (event->now_us > core->now_us) {
		core->now_us = event->now_us;
		core->turn++;
		count_new_turn(core, effects);
	}
	bool is_request = event->op >= CORE_CREATE && event->op <= CORE_CANCEL && event->connection;
	if (is_request && core_id_in_use(core, event->connection, event->id)) {
		event_discard(event);
		reply_error(core, event, ERROR_DUPLICATE_ID, effects);
		return;
	}
	ops[event->op](core, event, effects);
}

uint64_t core_deadline(const struct core *core)
{
	const struct timer *first = timers_first(&core->timers);
	uint64_t deadline_us = first ? first->deadline_us : CORE_NEVER, turn_us = core->now_us + 1;
	return !list_is_empty(&core->rested) && turn_us < deadline_us ? turn_us : deadline_us;
}

bool core_id_in_use(const struct core *core, const struct core_connection *connection, uint64_t id)
{
	return connection->n_parked > 0 && ids_find(&core->ids, connection, id);
}
