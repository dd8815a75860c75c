#include "daemon/broker/broker.h"

#include <assert.h>
#include <time.h>

/* Stands behind the last action, so that `next` is NULL only where an action does not wait. */
static struct broker_action end_of_actions;

bool broker_action_waits(const struct broker_action *action)
{
	return action->next != NULL;
}

static void run_actions(struct broker *broker)
{
	if (broker->is_running_actions)
		return;
	broker->is_running_actions = true;
	while (broker->first_action) {
		struct broker_action *action = broker->first_action;
		broker->first_action = action == broker->last_action ? NULL : action->next;
		action->next = NULL;
		broker->run_action(action);
	}
	broker->is_running_actions = false;
}

void broker_defer(struct broker *broker, struct broker_action *action)
{
	if (broker_action_waits(action))
		return;
	action->next = &end_of_actions;
	if (broker->first_action)
		broker->last_action->next = action;
	else
		broker->first_action = action;
	broker->last_action = action;
	if (!broker->is_stepping)
		run_actions(broker);
}

static void log_undeliverable(struct broker *broker, const struct core_effects *effects)
{
	uint64_t n;
	if (log_is_due(&broker->undeliverable_log, loop_now_us(broker->loop), &n))
		log_warning(
			"%llu dead letters went back to channel %.*s: its dead_letter channel is gone or closed; such "
			"steps since the last such line: %llu",
			(unsigned long long)effects->n_undeliverable, (int)effects->undeliverable.len,
			effects->undeliverable.bytes, (unsigned long long)n);
}

/* Returns the error of the daemon's own request, if there is a reply to one. */
static enum error deliver(struct broker *broker, const struct core_effects *effects)
{
	enum error own = ERROR_NONE;
	for (struct core_reply *reply = effects->head, *next; reply; reply = next) {
		next = reply->next;
		if (reply->cookie)
			broker->deliver(reply->cookie, reply);
		else
			own = reply->error;
	}
	return own;
}

/* Where this step records. */
static struct core_recorder recorder_of(struct journal *journal)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (struct core_recorder){
		.buffer = journal_records(journal),
		.batch = journal_batch(journal),
		.committed = journal_committed(journal),
		.wall_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
		.is_full = journal->status.is_full,
	};
}

/* What a step tells beside its replies. */
struct step_outcome {
	struct core_connection *connection;
	struct core_restored restored;
	bool checkpoint_is_done;
};

/* What was written, and is still here: for clients, and for the journal. */
static uint64_t unsent_bytes(const struct broker *broker)
{
	return stream_group_unsent_value_bytes(broker->streams) +
	       (broker->journal ? journal_pending_bytes(broker->journal) : 0);
}

/* One event, without the actions that its replies put off. */
static enum error step(struct broker *broker, struct core_event *event, struct step_outcome *outcome)
{
	struct core_effects effects = {0};
	struct core_recorder recorder;
	assert(!broker->is_stepping);
	broker->is_stepping = true;
	event->now_us = loop_now_us(broker->loop);
	event->unsent_bytes = unsent_bytes(broker);
	if (broker->journal) {
		recorder = recorder_of(broker->journal);
		event->recorder = &recorder;
	}
	core_step(broker->core, event, &effects);
	enum error own = deliver(broker, &effects);
	if (effects.n_undeliverable)
		log_undeliverable(broker, &effects);
	if (broker->journal)
		journal_end_step(broker->journal);
	*outcome = (struct step_outcome){effects.connection, effects.restored, effects.checkpoint_is_done};
	core_effects_release(broker->core, &effects);
	broker->is_stepping = false;
	return own;
}

enum error broker_step(struct broker *broker, struct core_event *event)
{
	struct step_outcome outcome;
	enum error own = step(broker, event, &outcome);
	if (broker->first_action)
		run_actions(broker);
	return own;
}

struct core_connection *broker_connect(struct broker *broker, void *cookie)
{
	struct core_event event = {.op = CORE_CONNECT, .cookie = cookie};
	struct step_outcome outcome;
	step(broker, &event, &outcome);
	run_actions(broker);
	return outcome.connection;
}

void broker_restore(struct broker *broker, struct core_restore *restore, struct core_restored *restored)
{
	struct core_event event = {.op = CORE_RESTORE, .restore = restore};
	struct step_outcome outcome;
	step(broker, &event, &outcome);
	run_actions(broker);
	*restored = outcome.restored;
}

void broker_join_cluster(struct broker *broker)
{
	struct core_event event = {.op = CORE_JOIN_CLUSTER};
	broker_step(broker, &event);
}

void broker_adopt(struct broker *broker, struct slice group, struct core_restore *restore)
{
	struct core_event event = {.op = CORE_ADOPT, .channel = group, .restore = restore};
	broker_step(broker, &event);
}

void broker_serve(struct broker *broker, struct slice group)
{
	struct core_event event = {.op = CORE_SERVE, .channel = group};
	broker_step(broker, &event);
}

void broker_release(struct broker *broker, struct slice group)
{
	struct core_event event = {.op = CORE_RELEASE, .channel = group};
	broker_step(broker, &event);
}

bool broker_checkpoint(struct broker *broker)
{
	struct core_event event = {.op = CORE_CHECKPOINT};
	struct step_outcome outcome;
	step(broker, &event, &outcome);
	run_actions(broker);
	return outcome.checkpoint_is_done;
}

static void fill_in(struct broker *broker, struct core_alone *request)
{
	assert(!broker->is_stepping);
	request->now_us = loop_now_us(broker->loop);
	request->unsent_bytes = unsent_bytes(broker);
}

bool broker_put_alone(struct broker *broker, struct core_alone *put, struct value *value)
{
	struct core_reply handed;
	struct core_unsent unclaimed;
	fill_in(broker, put);
	if (!core_put_alone(broker->core, put, value, &handed))
		return false;
	if (handed.cookie) {
		broker->is_stepping = true;
		broker->deliver(handed.cookie, &handed);
		if (core_keep(&handed, &unclaimed))
			core_sent(&unclaimed);
		broker->is_stepping = false;
	}
	return true;
}

void broker_end_alone(struct broker *broker)
{
	if (broker->first_action)
		run_actions(broker);
}

bool broker_take_alone(struct broker *broker, struct core_alone *take, struct value **value)
{
	fill_in(broker, take);
	return core_take_alone(broker->core, take, value);
}
