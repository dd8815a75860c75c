/* Takes with a count, as far as they take by themselves: when they begin, when a new turn gives them another share, and
 * when their connection resumes. See credit.c for what they are. */
#include <assert.h>

#include "daemon/core/state.h"

/* One that rests takes what there is, as far as its share goes, and queues up for more; or rests on, or ends. */
static void go_on(struct core *core, struct request *request, struct core_effects *effects)
{
	struct channel *channel = credit_arm(request)->channel;
	if (request->parked.connection->is_paused)
		return;
	while (!channel->is_removed && channel_can_take(channel) && credit_has_share_left(core, &request->parked)) {
		struct lease *lease;
		struct core_reply *reply = credit_reply(core, request, &lease, effects);
		if (!reply)
			return;
		transfer_take(core, channel, 1, lease, reply, effects);
		if (reply->left == 0)
			return;
		credit_value(core, &request->parked, reply);
	}
	enum error error = ERROR_NONE;
	if (channel->is_removed || channel_is_exhausted(channel))
		credit_end(core, request, STATUS_CLOSED, ERROR_NONE, effects);
	else if (request->parked.timer.deadline_us <= core->now_us)
		credit_end(core, request, STATUS_TIMEOUT, ERROR_NONE, effects);
	else if (channel_can_take(channel))
		credit_go_on_next_turn(core, credit_consumer(request));
	else if ((error = credit_queue_up(core, request)) != ERROR_NONE)
		credit_end(core, request, STATUS_ERROR, error, effects);
}

void credit_begin(struct core *core, const struct core_event *event, struct channel *channel,
		  struct core_effects *effects)
{
	enum error error = ERROR_BAD_REQUEST; /* a promise has one value, for ever */
	struct request *request = NULL;
	if (channel->definition.kind != KIND_PROMISE && !consumer_create(event->connection))
		error = ERROR_OVERLOADED;
	else if (channel->definition.kind != KIND_PROMISE)
		request = park_begin(core, event, 1, &error);
	if (!request) {
		reply_error(core, event, error, effects);
		return;
	}
	park_resting(request, channel);
	request->parked.max = 1;
	request->parked.left = event->count;
	request->parked.turn = core->turn - 1;
	park_commit(core, request, event);
	go_on(core, request, effects);
}

/* -- Turns and pauses -- */

static void go_on_all(struct core *core, struct consumer *consumer, struct core_effects *effects)
{
	struct link now;
	list_take(&now, &consumer->resting);
	while (!list_is_empty(&now)) {
		struct request *request = LIST_ITEM(now.next, struct request, parked.in_connection);
		credit_move(&consumer->resting, request);
		go_on(core, request, effects);
	}
}

void credit_new_turn(struct core *core, struct core_effects *effects)
{
	struct link now;
	list_take(&now, &core->rested);
	while (!list_is_empty(&now)) {
		struct consumer *consumer = LIST_ITEM(now.next, struct consumer, in_rested);
		list_remove(&consumer->in_rested);
		go_on_all(core, consumer, effects);
	}
}

void op_resume(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	event->connection->is_paused = false;
	promise_resume(core, event->connection, effects);
	if (event->connection->consumer)
		go_on_all(core, event->connection->consumer, effects);
}
