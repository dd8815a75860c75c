/* Promises: the one value of a fulfilled promise is lent to every take. Where many takes were parked for it, their
 * replies may be far more than the value: so they are served in slices, in the order of parking, max_take_bytes of
 * replies in a turn; and those of a connection that is paused stay parked until it resumes. While a take is parked on a
 * promise that is fulfilled, everything else may happen to it as before: it can be cancelled, time out, and an alts can
 * be matched by another arm. */
#include "daemon/core/charge.h"
#include "daemon/core/state.h"

void promise_lend(struct core *core, struct channel *channel, struct core_reply *reply)
{
	uint64_t cost = charge_of(store_first(&channel->buffer));
	reply->value = store_first(&channel->buffer);
	reply->n_values = 1;
	channel->taken++;
	core->lend_left -= cost < core->lend_left ? cost : core->lend_left;
}

static void serve(struct core *core, struct arm *arm, struct core_effects *effects)
{
	struct channel *channel = arm->channel;
	promise_lend(core, channel, park_complete(core, arm_request(arm), arm, STATUS_OK, effects));
}

/* The first arm behind `at` in the queue of takes whose connection is not paused; NULL: none. */
static struct arm *next_arm(struct channel *channel, struct link *at)
{
	for (at = at->next; at != &channel->takes; at = at->next) {
		struct arm *arm = LIST_ITEM(at, struct arm, link);
		if (!arm_request(arm)->parked.connection->is_paused)
			return arm;
	}
	return NULL;
}

void promise_serve(struct core *core, struct channel *channel, struct core_effects *effects)
{
	struct arm *arm = next_arm(channel, &channel->takes);
	list_remove(&channel->in_lending);
	while (arm && core->lend_left > 0) {
		struct link *before = arm->link.prev; /* of a connection that is paused: it stays */
		serve(core, arm, effects);
		arm = next_arm(channel, before);
	}
	if (arm)
		list_append(&core->lending, &channel->in_lending);
}

/* The request's first arm that takes from a promise that is fulfilled; NULL: none. */
static struct arm *fulfilled_arm(struct request *request)
{
	for (uint32_t i = 0; i < request->parked.n_arms; i++) {
		struct arm *arm = &request->arms[i];
		if (!arm->is_put && arm->channel->definition.kind == KIND_PROMISE && arm->channel->buffer.n > 0 &&
		    !arm->channel->is_removed)
			return arm;
	}
	return NULL;
}

void promise_resume(struct core *core, struct core_connection *connection, struct core_effects *effects)
{
	struct link *at = connection->parked.next, *next;
	list_remove(&connection->in_lending);
	for (; at != &connection->parked; at = next) {
		struct arm *arm = fulfilled_arm(LIST_ITEM(at, struct request, parked.in_connection));
		next = at->next;
		if (arm && core->lend_left == 0) {
			list_append(&core->lending_to, &connection->in_lending);
			return;
		}
		if (arm)
			serve(core, arm, effects);
	}
}

void promises_go_on(struct core *core, struct core_effects *effects)
{
	struct link now;
	list_take(&now, &core->lending);
	while (!list_is_empty(&now))
		promise_serve(core, LIST_ITEM(now.next, struct channel, in_lending), effects);
	list_take(&now, &core->lending_to);
	while (!list_is_empty(&now))
		promise_resume(core, LIST_ITEM(now.next, struct core_connection, in_lending), effects);
}
