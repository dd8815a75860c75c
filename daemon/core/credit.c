/* Takes with a count: many takes in one request, with a reply for each value. It is in one of two states, until all
 * have come or it ends otherwise:
 *
 * - in its channel's queue, as any parked take. After each value it goes to the queue's end, with a new place in the
 * order of parking.
 * - resting, in no queue, and so in nobody's way: because it had its share of this turn, or because its connection is
 * paused. In the next turn, or when the connection resumes, it takes what there is, and queues up again. It can be
 * cancelled, time out and end with its channel as in a queue.
 *
 * Its share bounds what one turn writes to one connection before the shell can see how much of it was sent. */
#include <assert.h>
#include <stdlib.h>

#include "daemon/core/state.h"

bool credit_has_share_left(const struct core *core, const struct parked *parked)
{
	return parked->turn != core->turn ||
	       (parked->turn_values < CORE_TURN_VALUES && parked->turn_bytes < core->limits.max_take_bytes);
}

void credit_value(const struct core *core, struct parked *parked, const struct core_reply *reply)
{
	if (parked->turn != core->turn)
		parked->turn_values = parked->turn_bytes = 0;
	parked->turn = core->turn;
	parked->turn_values++;
	parked->turn_bytes += reply->value->len + 1;
}

/* -- Between the queue and rest -- */

void credit_go_on_next_turn(struct core *core, struct consumer *consumer)
{
	if (!consumer->connection->is_paused && list_is_empty(&consumer->in_rested))
		list_append(&core->rested, &consumer->in_rested);
}

void credit_move(struct link *list, struct request *request)
{
	list_remove(&request->parked.in_connection);
	list_append(list, &request->parked.in_connection);
}

/* Leaves the queue. */
static void rest(struct core *core, struct request *request)
{
	struct arm *arm = credit_arm(request);
	assert(!request->parked.is_resting);
	list_remove(&arm->link);
	arm->channel->n_takes--;
	order_remove(&core->order, request);
	list_append(&arm->channel->resting, &arm->link);
	request->parked.is_resting = true;
	credit_move(&credit_consumer(request)->resting, request);
	credit_go_on_next_turn(core, credit_consumer(request));
}

enum error credit_queue_up(struct core *core, struct request *request)
{
	struct arm *arm = credit_arm(request);
	assert(request->parked.is_resting);
	if (!park_has_room(core, arm->channel))
		return ERROR_TOO_MANY_WAITERS;
	if (order_reserve(&core->order) < 0)
		return ERROR_OVERLOADED;
	list_remove(&arm->link);
	list_append(&arm->channel->takes, &arm->link);
	arm->channel->n_takes++;
	order_append(&core->order, request);
	request->parked.is_resting = false;
	credit_move(&credit_consumer(request)->counting, request);
	return ERROR_NONE;
}

/* Behind all others that wait there. Who waits alone stays as it is. */
static void requeue(struct core *core, struct request *request)
{
	struct arm *arm = credit_arm(request);
	if (arm->channel->n_takes == 1 ||
	    order_reserve(&core->order) < 0) /* without memory it keeps its place: unfair, and no more */
		return;
	order_remove(&core->order, request);
	order_append(&core->order, request);
	list_remove(&arm->link);
	list_append(&arm->channel->takes, &arm->link);
}

/* -- Values -- */

void credit_end(struct core *core, struct request *request, enum status status, enum error error,
		struct core_effects *effects)
{
	reply_set_error(core, park_complete(core, request, credit_arm(request), status, effects), error);
}

struct core_reply *credit_reply(struct core *core, struct request *request, struct lease **lease,
				struct core_effects *effects)
{
	struct parked *parked = &request->parked;
	*lease = parked->lease;
	if (parked->left == 1) {
		parked->left = 0;
		parked->lease = NULL;
		return park_complete(core, request, credit_arm(request), STATUS_OK, effects);
	}
	struct core_reply *reply = reply_create(core);
	struct lease *next = reply && *lease ? lease_prepare_again(core, *lease) : NULL;
	if (!reply || (*lease && !next)) {
		credit_end(core, request, STATUS_ERROR, ERROR_OVERLOADED, effects);
		return NULL;
	}
	parked->lease = next;
	*reply = (struct core_reply){
		.cookie = parked->connection->cookie,
		.id = parked->id,
		.op = CORE_TAKE,
		.status = STATUS_OK,
		.is_take = true,
		.has_left = true,
		.in_block = true,
		.left = --parked->left,
		.channel = channel_name(credit_arm(request)->channel),
	};
	effects_append(effects, reply);
	return reply;
}

void credit_served(struct core *core, struct request *request, const struct core_reply *reply)
{
	if (reply->left == 0)
		return;
	credit_value(core, &request->parked, reply);
	if (credit_has_share_left(core, &request->parked))
		requeue(core, request);
	else
		rest(core, request);
}

struct consumer *consumer_create(struct core_connection *connection)
{
	if (connection->consumer)
		return connection->consumer;
	struct consumer *consumer = malloc(sizeof(*consumer));
	if (!consumer)
		return NULL;
	consumer->connection = connection;
	list_init(&consumer->counting);
	list_init(&consumer->resting);
	list_init(&consumer->in_rested);
	connection->consumer = consumer;
	return consumer;
}

void consumer_destroy(struct core *core, struct consumer *consumer)
{
	if (!consumer)
		return;
	while (!list_is_empty(&consumer->counting))
		park_forget(core, LIST_ITEM(consumer->counting.next, struct request, parked.in_connection));
	while (!list_is_empty(&consumer->resting))
		park_forget(core, LIST_ITEM(consumer->resting.next, struct request, parked.in_connection));
	list_remove(&consumer->in_rested);
	free(consumer);
}

void op_pause(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct consumer *consumer = event->connection->consumer;
	(void)effects;
	event->connection->is_paused = true;
	if (!consumer)
		return;
	list_remove(&consumer->in_rested);
	while (!list_is_empty(&consumer->counting))
		rest(core, LIST_ITEM(consumer->counting.next, struct request, parked.in_connection));
}

bool core_is_paused(const struct core_connection *connection)
{
	return connection->is_paused;
}
