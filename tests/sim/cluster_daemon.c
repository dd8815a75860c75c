#include "tests/sim/cluster_daemon.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/cluster/sooner.h"
#include "daemon/core/hash.h"

enum {
	TTL_MS = 1000,
	DAMPING_MS = 500,
	BATCH_BYTES = 120,
	PIECE_BYTES = 100,
	CHECKPOINT_BYTES = 6000,
	VALUE_BYTES = 400
};

const char *const cluster_group_names[CLUSTER_GROUPS] = {"default", "orders", "bills"};
const char *const cluster_daemon_names[CLUSTER_DAEMONS] = {"a", "b", "c"};
static const struct placement_rule rules[] = {{{"orders", 6}, {"a", 1}}};

uint64_t queue_sum(const struct queue *queue)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < queue->n; i++)
		sum += hash_mix(queue->places[i] << 32 ^ queue->ids[i]);
	return sum;
}

static uint64_t clock_of(const struct cluster_daemon *daemon, uint64_t true_us)
{
	uint64_t us = true_us - daemon->started_us;
	return daemon->offset_us + us + (uint64_t)((int64_t)us * daemon->drift_ppm / 1000000);
}

/* -- Records -- */

static void write_record(struct cluster_group *group, const struct record *record)
{
	struct cluster_daemon *daemon = group->daemon;
	struct journal *journal = &daemon->journal;
	if (daemon->last.batch != journal_batch(journal) || daemon->last.group != group->index) {
		struct slice name = slice_from(cluster_group_names[group->index]);
		record_write(journal_records(journal), &(struct record){.kind = RECORD_GROUP, .name = name});
		daemon->last = (struct group_count){group->index, journal_batch(journal)};
	}
	record_write(journal_records(journal), record);
}

static void write_value(struct cluster_group *group, uint64_t place, uint64_t id)
{
	char bytes[96] = {0};
	memcpy(bytes, &id, sizeof(id));
	write_record(group, &(struct record){.kind = RECORD_PUT,
					     .channel = 1,
					     .place = place,
					     .value = {bytes, sizeof(id) + (size_t)(id % 80)}});
}

/* A step of the core has ended that has changed the group. */
static void end_step(struct cluster_group *group)
{
	struct cluster_daemon *daemon = group->daemon;
	group->changed_in = journal_batch(&daemon->journal);
	daemon->observer->on_state(daemon->observer->arg, group->index, group->epoch, group->changed_in,
				   queue_sum(&group->queue));
	journal_end_step(&daemon->journal);
}

static void add_value(struct queue *queue, uint64_t place, uint64_t id)
{
	for (size_t i = 0; i < queue->n; i++)
		if (queue->places[i] == place) {
			queue->ids[i] = id;
			return;
		}
	assert(queue->n < QUEUE_VALUES);
	size_t i = queue->n++;
	for (; i > 0 && queue->places[i - 1] > place; i--) {
		queue->places[i] = queue->places[i - 1];
		queue->ids[i] = queue->ids[i - 1];
	}
	queue->places[i] = place;
	queue->ids[i] = id;
	if (place > queue->last_place)
		queue->last_place = place;
}

static void remove_value(struct queue *queue, size_t i)
{
	queue->n--;
	memmove(&queue->places[i], &queue->places[i + 1], (queue->n - i) * sizeof(queue->places[0]));
	memmove(&queue->ids[i], &queue->ids[i + 1], (queue->n - i) * sizeof(queue->ids[0]));
}

/* -- Taking a group -- */

static struct cluster_group *group_named(struct cluster_daemon *daemon, struct slice name)
{
	for (unsigned i = 0; i < CLUSTER_GROUPS; i++)
		if (slice_equal(name, slice_from(cluster_group_names[i])))
			return &daemon->groups[i];
	abort(); /* nobody has asked for another */
}

static int on_record(void *arg, const struct record *record)
{
	struct queue *queue = &((struct cluster_group *)arg)->queue;
	uint64_t id;
	if (record->kind == RECORD_PUT) {
		memcpy(&id, record->value.bytes, sizeof(id));
		add_value(queue, record->place, id);
		return 0;
	}
	for (size_t i = 0; i < queue->n; i++)
		if (queue->places[i] == record->place) {
			remove_value(queue, i);
			break;
		}
	if (record->place > queue->last_place)
		queue->last_place = record->place;
	return 0;
}

static void on_recovered(void *arg, enum group_recovery_end end, const struct group_position *position,
			 const char *error)
{
	struct cluster_group *group = arg;
	struct cluster_daemon *daemon = group->daemon;
	struct group_position found = *position;
	if (end == GROUP_FAILED)
		daemon->observer->on_failure(daemon->observer->arg, error);
	group_recovery_destroy(group->recovery);
	group->recovery = NULL;
	if (end != GROUP_RECOVERED)
		return;
	struct slice owner = {group->owner, group->owner_len};
	int result = group_log_add(daemon->log, slice_from(cluster_group_names[group->index]), owner, &found,
				   journal_batch(&daemon->journal));
	assert(result == 0);
	(void)result;
	group->service = GROUP_SERVES;
	daemon->observer->on_recovered(daemon->observer->arg, group->index, group->epoch, &group->queue);
}

static void on_take(void *arg, struct slice name, struct slice owner)
{
	struct cluster_daemon *daemon = arg;
	struct cluster_group *group = group_named(daemon, name);
	const struct group_recovery_handlers handlers = {on_record, on_recovered, group};
	struct cluster_owner as_owner;
	assert((group->service) == (GROUP_ELSEWHERE));
	assert(owner_read(owner, &as_owner));
	memcpy(group->owner, owner.bytes, group->owner_len = owner.len);
	group->epoch = as_owner.epoch;
	group->queue = (struct queue){.n = 0};
	group->service = GROUP_RECOVERS;
	group->recovery = group_recovery_start(engine_of(daemon->client), name, owner, &handlers);
	assert(group->recovery);
}

static void on_give(void *arg, struct slice name)
{
	struct cluster_daemon *daemon = arg;
	struct cluster_group *group = group_named(daemon, name);
	group_recovery_destroy(group->recovery); /* it may not have come to serve it */
	group->recovery = NULL;
	group->released_after = journal_last_batch(&daemon->journal);
	group->service = GROUP_LEAVES;
	group_log_release(daemon->log, name);
	daemon->given++;
}

static void release_groups(struct cluster_daemon *daemon)
{
	for (unsigned i = 0; i < CLUSTER_GROUPS; i++) {
		struct cluster_group *group = &daemon->groups[i];
		if (group->service != GROUP_LEAVES || journal_committed(&daemon->journal) < group->released_after)
			continue;
		group->service = GROUP_ELSEWHERE;
		group_log_remove(daemon->log, slice_from(cluster_group_names[i]));
		membership_released(daemon->membership, slice_from(cluster_group_names[i]));
	}
}

/* -- Clients -- */

static struct cluster_reply *add_reply(struct cluster_group *group, uint64_t batch, uint64_t asked_us)
{
	struct cluster_daemon *daemon = group->daemon;
	struct cluster_reply *reply = &daemon->replies[daemon->n_replies++];
	reply->group = group->index;
	reply->batch = daemon->mutation == WITHOUT_GATE ? 0 : batch;
	reply->asked_us = asked_us;
	reply->n_shown = 0;
	return reply;
}

static struct cluster_group *serving(struct cluster_daemon *daemon, unsigned index)
{
	struct cluster_group *group = &daemon->groups[index];
	bool is_served = daemon->is_up && group->service == GROUP_SERVES && daemon->n_replies < REPLIES;
	return is_served ? group : NULL;
}

bool cluster_daemon_put(struct cluster_daemon *daemon, unsigned index, uint64_t id, uint64_t asked_us)
{
	struct cluster_group *group = serving(daemon, index);
	if (!group || group->queue.n == QUEUE_VALUES)
		return false;
	uint64_t place = ++group->queue.last_place;
	add_value(&group->queue, place, id);
	write_value(group, place, id);
	struct cluster_reply *reply = add_reply(group, journal_batch(&daemon->journal), asked_us);
	reply->kind = REPLY_PUT;
	reply->id = id;
	end_step(group);
	return true;
}

uint64_t cluster_daemon_take(struct cluster_daemon *daemon, unsigned index, uint64_t asked_us)
{
	struct cluster_group *group = serving(daemon, index);
	if (!group || group->queue.n == 0)
		return 0;
	uint64_t id = group->queue.ids[0];
	write_record(group, &(struct record){.kind = RECORD_GONE, .channel = 1, .place = group->queue.places[0]});
	remove_value(&group->queue, 0);
	struct cluster_reply *reply = add_reply(group, journal_batch(&daemon->journal), asked_us);
	reply->kind = REPLY_TAKE;
	reply->id = id;
	end_step(group);
	return id;
}

bool cluster_daemon_look(struct cluster_daemon *daemon, unsigned index, uint64_t asked_us)
{
	struct cluster_group *group = serving(daemon, index);
	if (!group)
		return false;
	struct cluster_reply *reply = add_reply(group, group->changed_in, asked_us);
	reply->kind = REPLY_LOOK;
	reply->n_shown = group->queue.n;
	memcpy(reply->shown, group->queue.ids, group->queue.n * sizeof(reply->shown[0]));
	return true;
}

static void tell(struct cluster_daemon *daemon, uint64_t now_us)
{
	bool is_sure = now_us < membership_sure_until_us(daemon->membership) || daemon->mutation == WITHOUT_DOUBT;
	size_t n = 0;
	if (!is_sure || daemon->has_ended)
		return;
	for (size_t i = 0; i < daemon->n_replies; i++)
		if (daemon->replies[i].batch <= journal_committed(&daemon->journal))
			daemon->observer->on_reply(daemon->observer->arg, &daemon->replies[i]);
		else if (n++ != i)
			daemon->replies[n - 1] = daemon->replies[i];
	daemon->n_replies = n;
}

/* -- A turn -- */

static void go_on_with_checkpoint(struct cluster_daemon *daemon)
{
	struct journal *journal = &daemon->journal;
	uint64_t live_bytes = 0;
	for (unsigned i = 0; i < CLUSTER_GROUPS; i++)
		live_bytes += daemon->groups[i].queue.n * VALUE_BYTES;
	if (journal_wants_checkpoint(journal, live_bytes)) {
		journal_begin_checkpoint(journal);
		daemon->checkpoint_group = 0;
	}
	if (!journal->checkpoint_begin || journal->checkpoint_end)
		return;
	/* A group a turn, all of it in one step. */
	struct cluster_group *group = &daemon->groups[daemon->checkpoint_group];
	for (size_t i = 0; group->service == GROUP_SERVES && i < group->queue.n; i++)
		write_value(group, group->queue.places[i], group->queue.ids[i]);
	if (group->service == GROUP_SERVES && group->queue.n)
		end_step(group);
	if (++daemon->checkpoint_group < CLUSTER_GROUPS)
		return;
	journal_end_checkpoint(journal);
	daemon->checkpoints++;
}

static void notice(struct cluster_daemon *daemon)
{
	uint64_t before = journal_committed(&daemon->journal);
	journal_notice(&daemon->journal);
	if (journal_failure(&daemon->journal))
		daemon->has_ended = true;
	if (journal_committed(&daemon->journal) > before)
		for (unsigned i = 0; i < CLUSTER_GROUPS; i++)
			if (daemon->groups[i].service >= GROUP_SERVES)
				daemon->observer->on_committed(daemon->observer->arg, i, daemon->groups[i].epoch,
							       journal_committed(&daemon->journal));
}

void cluster_daemon_turn(struct cluster_daemon *daemon, uint64_t true_us, uint64_t random)
{
	uint64_t now_us = clock_of(daemon, true_us);
	daemon->due_us = membership_tick(daemon->membership, now_us);
	for (unsigned i = 0; i < CLUSTER_GROUPS; i++)
		if (daemon->groups[i].recovery)
			daemon->due_us =
				sooner_us(daemon->due_us, group_recovery_tick(daemon->groups[i].recovery, now_us));
	notice(daemon);
	release_groups(daemon);
	if (random % 4 == 0)
		go_on_with_checkpoint(daemon);
	daemon->due_us = sooner_us(daemon->due_us, group_log_tick(daemon->log, now_us));
	daemon->due_us = sooner_us(daemon->due_us, journal_end_turn(&daemon->journal, now_us));
	notice(daemon);
	tell(daemon, now_us);
	if (daemon->n_replies && membership_sure_until_us(daemon->membership) > now_us)
		daemon->due_us = sooner_us(daemon->due_us, now_us + 20000);
	if (daemon->journal.checkpoint_begin && !daemon->journal.checkpoint_end)
		daemon->due_us = sooner_us(daemon->due_us, now_us + 1000);
}

uint64_t cluster_daemon_due_us(const struct cluster_daemon *daemon)
{
	if (!daemon->is_up || daemon->is_paused || daemon->has_ended || daemon->due_us == UINT64_MAX)
		return UINT64_MAX;
	uint64_t us = daemon->due_us > daemon->offset_us ? daemon->due_us - daemon->offset_us : 0;
	return daemon->started_us + us * 1000000 / (uint64_t)(1000000 + daemon->drift_ppm) + 2;
}

/* -- Life -- */

static void on_joined(void *arg)
{
	(void)arg;
}

static void on_end(void *arg, bool is_lost, const char *why)
{
	struct cluster_daemon *daemon = arg;
	daemon->has_ended = true;
	daemon->lost++;
	if (!is_lost)
		daemon->observer->on_failure(daemon->observer->arg, why);
}

static void on_change(void *arg)
{
	(void)arg; /* every turn looks */
}

void cluster_daemon_start(struct cluster_daemon *daemon, struct engine_model *model, uint64_t random)
{
	const struct membership_handlers handlers = {on_joined, on_take, on_give, on_end, daemon};
	static const char *const addresses[CLUSTER_DAEMONS] = {"tcp://a:1", "tcp://b:1", "tcp://c:1"};
	daemon->client = engine_client_create(model);
	daemon->is_up = true;
	daemon->is_paused = daemon->has_ended = daemon->is_draining = false;
	daemon->n_replies = 0;
	daemon->due_us = 0;
	daemon->started_us = engine_model_now_us(model);
	daemon->offset_us = 1000000 + random_next(&random) % 1000000000;
	daemon->drift_ppm = (int64_t)(random_next(&random) % 40000) - 20000;
	daemon->last = (struct group_count){0, 0};
	for (unsigned i = 0; i < CLUSTER_GROUPS; i++)
		daemon->groups[i] = (struct cluster_group){.daemon = daemon, .index = i};
	const struct group_log_settings settings = {
		.engine = engine_of(daemon->client), .first = 1, .piece_bytes = PIECE_BYTES, .on_change = on_change};
	daemon->log = group_log_create(&settings);
	assert(daemon->log);
	const struct journal_settings journal = {.max_batch = BATCH_BYTES, .least_checkpoint_bytes = CHECKPOINT_BYTES};
	int result = journal_init(&daemon->journal, &journal, group_log_carrier(daemon->log), 1);
	assert(result == 0);
	(void)result;
	const struct membership_settings membership = {
		.name = slice_from(cluster_daemon_names[daemon->index]),
		.address = slice_from(addresses[daemon->index]),
		.ttl_ms = TTL_MS,
		.damping_ms = DAMPING_MS,
		.placement = {rules, 1},
		.old_lease = daemon->old_lease,
		.mark = {{random_next(&random), random_next(&random)}},
	};
	daemon->membership = membership_create(engine_of(daemon->client), &membership, &handlers);
	assert(daemon->membership);
}

void cluster_daemon_stop(struct cluster_daemon *daemon)
{
	if (!daemon->is_up)
		return;
	daemon->is_up = false;
	for (unsigned i = 0; i < CLUSTER_GROUPS; i++)
		group_recovery_destroy(daemon->groups[i].recovery);
	membership_destroy(daemon->membership);
	journal_finish(&daemon->journal);
	group_log_destroy(daemon->log);
	engine_client_destroy(daemon->client);
}
