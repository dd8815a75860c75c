#include "daemon/core/core.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/groups.h"
#include "daemon/core/hash.h"
#include "daemon/core/kept.h"
#include "daemon/core/recorder.h"
#include "daemon/core/tap.h"

struct core *core_create(const struct core_limits *limits, const struct core_seed *seed)
{
	struct core *core = calloc(1, sizeof(*core));
	if (!core)
		return NULL;
	core->limits = *limits;
	core->random = seed->choices;
	list_init(&core->connections);
	list_init(&core->departing);
	list_init(&core->lending);
	list_init(&core->lending_to);
	work_begin(core);
	core->abandoned = CORE_NEVER;
	list_init(&core->rested);
	list_init(&core->unsettled);
	list_init(&core->refilling);
	list_init(&core->ending);
	list_init(&core->held_leases);
	list_init(&core->taps);
	list_init(&core->due_mults);
	list_init(&core->stalled_mults);
	if (directory_init(&core->directory, (struct hash_key){seed->tables[0], seed->tables[1]}) < 0)
		goto err_core;
	if (producers_init(&core->producers, (struct hash_key){hash_mix(seed->tables[0]), hash_mix(seed->tables[1])}) <
	    0)
		goto err_directory;
	if (ids_init(&core->ids, hash_mix(seed->tables[0] ^ seed->tables[1])) < 0)
		goto err_producers;
	if (lease_table_init(&core->lease_table, (struct hash_key){seed->tokens[0], seed->tokens[1]}) < 0)
		goto err_ids;
	if (groups_init(&core->groups,
			(struct hash_key){hash_mix(seed->tables[0] + 1), hash_mix(seed->tables[1] + 1)}) < 0)
		goto err_leases;
	return core;

err_leases:
	lease_table_finish(&core->lease_table);
err_ids:
	ids_finish(&core->ids);
err_producers:
	producers_finish(&core->producers);
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
	core->abandoned = CORE_NEVER;
	core->do_taps_rest = false;
	while (!list_is_empty(&core->connections)) {
		struct core_event event = {.connection =
						   LIST_ITEM(core->connections.next, struct core_connection, in_core)};
		op_disconnect(core, &event, &effects);
	}
	struct channel *channel;
	while ((channel = directory_after(&core->directory, SLICE(""))))
		channel_remove(core, channel, &effects);
	groups_finish(core); /* those that come or go, too */
	core->outstanding = &effects;
	do {
		core->work_left = core->dig_left = UINT32_MAX;
		endings_go_on(core, &effects);
		connections_depart(core, &effects);
		core_effects_release(core, &effects);
		core->outstanding = &effects;
	} while (core_has_backlog(core));
	assert(core->recorded_bytes == 0 && core->bytes == 0 && core->parked_bytes == 0 && core->n_parked == 0 &&
	       core->n_buffered == 0 && core->n_leased == 0 && core->timers.reserved == 0);
	reply_blocks_release(core, 0);
	request_pool_finish(&core->requests);
	order_finish(&core->order);
	timers_finish(&core->timers);
	lease_table_finish(&core->lease_table);
	ids_finish(&core->ids);
	producers_finish(&core->producers);
	directory_finish(&core->directory);
	free(core);
}

bool core_is_drained(const struct core *core)
{
	return core->n_buffered == core->n_promised + core->n_durable_buffered &&
	       core->n_leased == core->n_durable_leased && core->n_puts == core->n_kept_puts;
}

static void op_tick(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	(void)event;
	if (core->do_taps_rest) {
		core->do_taps_rest = false;
		taps_wake(core, NULL);
	}
	if (!due_lets_others_go_on(core))
		return;
	work_take_turns(core, &core->slices_left);
	if (!work_waits_for_endings(core)) {
		abandon_goes_on(core, effects);
		connections_depart(core, effects);
	}
	if (!work_waits_for_departing(core))
		refills_go_on(core, effects);
	promises_go_on(core, effects);
	groups_go_on(core, effects);
	work_take_turns(core, &core->slices_left);
}

static void op_set_limits(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	(void)effects;
	core->limits = *event->limits;
}

static void op_drain(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	(void)event, (void)effects;
	core->is_draining = true;
	taps_wake(core, NULL);
}

/* -- Connections -- */

static void op_connect(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct core_connection *connection = calloc(1, sizeof(*connection));
	if (!connection)
		return;
	connection->number = ++core->last_connection;
	connection->cookie = event->cookie;
	list_init(&connection->parked);
	list_init(&connection->ephemeral);
	list_init(&connection->leases);
	list_init(&connection->in_lending);
	list_append(&core->connections, &connection->in_core);
	core->n_connections++;
	effects->connection = connection;
}

static void op_set_quota(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	(void)core, (void)effects;
	event->quota->limits = event->quota_limits;
}

static op_fn *const ops[CORE_OP_COUNT] = {
	[CORE_TICK] = op_tick,
	[CORE_HANG_UP] = op_hang_up,
	[CORE_DISCONNECT] = op_disconnect,
	[CORE_ABANDON] = op_abandon,
	[CORE_CREATE] = op_create,
	[CORE_CLOSE] = op_close,
	[CORE_DELETE] = op_delete,
	[CORE_ALTER] = op_alter,
	[CORE_TAP] = op_tap,
	[CORE_UNTAP] = op_untap,
	[CORE_PUT] = op_put,
	[CORE_TAKE] = op_take,
	[CORE_ALTS] = op_alts,
	[CORE_CANCEL] = op_cancel,
	[CORE_ACK] = op_ack,
	[CORE_NACK] = op_nack,
	[CORE_EXTEND] = op_extend,
	[CORE_MOVE] = op_move,
	[CORE_PAUSE] = op_pause,
	[CORE_RESUME] = op_resume,
	[CORE_CONNECT] = op_connect,
	[CORE_SET_LIMITS] = op_set_limits,
	[CORE_SET_QUOTA] = op_set_quota,
	[CORE_JOIN_QUOTA] = op_join_quota,
	[CORE_RESTORE] = op_restore,
	[CORE_CHECKPOINT] = op_checkpoint,
	[CORE_REVOKE] = op_revoke,
	[CORE_JOIN_CLUSTER] = op_join_cluster,
	[CORE_ADOPT] = op_adopt,
	[CORE_SERVE] = op_serve,
	[CORE_RELEASE] = op_release,
	[CORE_DRAIN] = op_drain,
};

/* The values that an event brought, when it is refused before its op sees them. */
static void event_discard(const struct core_event *event)
{
	struct value_list values = event->values;
	if (event->op == CORE_PUT)
		value_list_clear(&values);
	if (event->op == CORE_TAP)
		core_match_destroy(event->tap.match);
	for (uint32_t i = 0; event->op == CORE_ALTS && i < event->n_arms; i++)
		value_destroy(event->arms[i].value);
}

static bool needs_connection(enum core_op op)
{
	switch (op) {
	case CORE_TICK:
	case CORE_ABANDON:
	case CORE_CREATE: /* without one these six are the daemon's own */
	case CORE_CLOSE:
	case CORE_DELETE:
	case CORE_ALTER:
	case CORE_TAP:
	case CORE_UNTAP:
	case CORE_CONNECT:
	case CORE_SET_LIMITS:
	case CORE_SET_QUOTA:
	case CORE_RESTORE:
	case CORE_CHECKPOINT:
	case CORE_JOIN_CLUSTER:
	case CORE_ADOPT:
	case CORE_SERVE:
	case CORE_RELEASE:
	case CORE_DRAIN:
		return false;
	case CORE_HANG_UP:
	case CORE_DISCONNECT:
	case CORE_PUT:
	case CORE_TAKE:
	case CORE_ALTS:
	case CORE_CANCEL:
	case CORE_ACK:
	case CORE_NACK:
	case CORE_EXTEND:
	case CORE_MOVE:
	case CORE_PAUSE:
	case CORE_RESUME:
	case CORE_JOIN_QUOTA:
	case CORE_REVOKE:
	case CORE_OP_COUNT:
		break;
	}
	return true;
}

/* What comes before an event: time moves on, what is under way goes on, and what is due happens. */
static void go_on(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	bool is_new_turn = event->now_us > core->now_us;
	if (is_new_turn) {
		core->now_us = event->now_us;
		core->alone_us = list_is_empty(&core->groups.changing) ? core->now_us : CORE_NEVER;
		core->turn++;
		core->is_turn_new = true;
	}
	if (is_new_turn || event->op == CORE_TICK) {
		work_begin(core);
		endings_go_on(core, effects);
	}
	due_expire(core, effects);
	if (core->is_turn_new && due_lets_others_go_on(core)) {
		core->is_turn_new = false;
		producers_expire(core);
		credit_new_turn(core, effects);
	}
}

/* In a cluster: whether the event may be carried out here. */
static bool admit(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	uint32_t which;
	enum error refusal = groups_refusal(core, event, &which);
	if (refusal == ERROR_NONE) {
		if (event->op == CORE_PUT || event->op == CORE_TAKE)
			channel_forget_kept(core, event->channel);
		return true;
	}
	event_discard(event);
	reply_error(core, event, refusal, effects);
	core->immediate.channel = groups_named_channel(event, which);
	core->immediate.arm = which;
	return false;
}

void core_step(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	assert(event->connection || !needs_connection(event->op));
	assert(!core->outstanding && !effects->head);
	core->outstanding = effects;
	core->unsent_bytes = event->unsent_bytes;
	core->was_parked_full = false;
	recorder_begin(core, event->recorder);
	if (event->now_us > core->now_us || event->op == CORE_TICK || core->is_turn_new || due_is_late(core))
		go_on(core, event, effects);
	bool is_request = event->op >= CORE_CREATE && event->op <= CORE_MOVE && event->connection;
	if (is_request && core_id_in_use(core, event->connection, event->id)) {
		event_discard(event);
		reply_error(core, event, ERROR_DUPLICATE_ID, effects);
	} else if (!core->groups.are_there || admit(core, event, effects)) {
		ops[event->op](core, event, effects);
	}
	if (!list_is_empty(&core->unsettled))
		channel_settle_all(core, effects);
	if (mults_have_more(core) && due_lets_others_go_on(core))
		mults_carry_on(core, effects);
	recorder_mark_replies(core, effects);
	core->recorder = NULL; /* the shell's, for the length of a step */
}

void core_effects_release(struct core *core, struct core_effects *effects)
{
	struct core_reply *reply = effects->head, *next;
	assert(core->outstanding == effects);
	core->outstanding = NULL;
	for (; reply; reply = next) {
		next = reply->next;
		struct value *value = reply->value, *following;
		for (uint32_t i = 0; reply->owns_values && i < reply->n_values; i++, value = following) {
			following = value->next;
			value_unkeep(value);
		}
		if (reply != &core->immediate && !reply->in_block)
			request_pool_put(&core->requests, reply, reply->is_small);
	}
	reply_blocks_release(core, KEEPS_MEMORY);
	*effects = (struct core_effects){0};
	graveyard_dig(core);
}

uint64_t core_deadline(const struct core *core)
{
	const struct timer *first = timers_first(&core->timers);
	uint64_t deadline_us = first ? first->deadline_us : CORE_NEVER, turn_us = core->now_us + 1;
	uint64_t forget_us = producers_deadline(core);
	if (forget_us < deadline_us)
		deadline_us = forget_us;
	bool is_due = !list_is_empty(&core->rested) || core_has_backlog(core);
	return is_due ? turn_us : deadline_us;
}

bool core_has_backlog(const struct core *core)
{
	return due_is_late(core) || core->abandoned != CORE_NEVER || !list_is_empty(&core->ending) ||
	       graveyard_is_needed(core) || !list_is_empty(&core->due_mults) || !list_is_empty(&core->departing) ||
	       !list_is_empty(&core->lending) || !list_is_empty(&core->lending_to) ||
	       !list_is_empty(&core->groups.changing) || core->do_taps_rest || !list_is_empty(&core->refilling);
}

bool core_is_engaged(const struct core_connection *connection)
{
	const struct link *last = connection->leases.prev;
	return connection->n_parked > 0 ||
	       (last != &connection->leases && !LIST_ITEM(last, const struct lease, in_connection)->is_sticky);
}
