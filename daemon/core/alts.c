/* alts: a choice over takes and puts. Every arm is checked before any is tried; the first that can proceed does; else
 * all park together, and the first to be matched withdraws the others. Arms of one alts never match each other: none is
 * parked while the others are tried. */
#include <assert.h>

#include "daemon/core/charge.h"
#include "daemon/core/hash.h"
#include "daemon/core/recorder.h"

static void refuse_arm(struct core *core, const struct core_event *event, uint32_t arm, enum error error,
		       struct core_effects *effects)
{
	struct core_reply *reply = reply_now(core, event, STATUS_ERROR, effects);
	reply_set_error(core, reply, error);
	reply->arm = arm;
	reply->channel = event->arms[arm].channel;
}

/* Looks up every arm's channel. The first bad arm refuses the whole: its error is replied, and false returned. */
static bool check_arms(struct core *core, const struct core_event *event, struct channel *channels[],
		       struct core_effects *effects)
{
	uint64_t bytes = core->bytes + core->unsent_bytes + core->producers.bytes;
	bool is_put = false;
	size_t reserved = 0;
	for (uint32_t i = 0; i < event->n_arms; i++) {
		const struct core_arm *arm = &event->arms[i];
		channels[i] = channel_find(core, arm->channel);
		if (!channels[i]) {
			refuse_arm(core, event, i, ERROR_NO_SUCH_CHANNEL, effects);
			return false;
		}
		if (event->lease_ms > 0 && !arm->value && channels[i]->definition.kind == KIND_PROMISE) {
			refuse_arm(core, event, i, ERROR_BAD_REQUEST, effects);
			return false;
		}
		enum error refusal =
			arm->value ? recorder_admits(core, channels[i], arm->value, &reserved) : ERROR_NONE;
		if (refusal != ERROR_NONE) {
			refuse_arm(core, event, i, refusal, effects);
			return false;
		}
		is_put = is_put || arm->value;
		bytes += arm->value ? charge_of(arm->value) : 0;
	}
	if (is_put && (core->is_draining || bytes > core->limits.max_memory)) {
		reply_error(core, event, core->is_draining ? ERROR_DRAINING : ERROR_OVERLOADED, effects);
		return false;
	}
	return true;
}

static bool can_proceed(const struct core_arm *arm, const struct channel *channel)
{
	return arm->value ? channel_can_put(channel) : channel_can_take(channel) || channel_is_exhausted(channel);
}

/* The first arm that can proceed, in the order given or in any; n_arms if none can. */
static uint32_t choose(struct core *core, const struct core_event *event, struct channel *const channels[])
{
	uint8_t order[CORE_MAX_ARMS];
	for (uint32_t i = 0; i < event->n_arms; i++)
		order[i] = (uint8_t)i;
	for (uint32_t i = 0; i < event->n_arms; i++) {
		if (!event->priority) {
			uint32_t other = i + random_below(&core->random, event->n_arms - i);
			uint8_t arm = order[other];
			order[other] = order[i];
			order[i] = arm;
		}
		if (can_proceed(&event->arms[order[i]], channels[order[i]]))
			return order[i];
	}
	return event->n_arms;
}

static struct core_reply *reply_arm(struct core *core, const struct core_event *event, uint32_t arm,
				    struct core_effects *effects)
{
	struct core_reply *reply = reply_now(core, event, STATUS_OK, effects);
	reply->arm = arm;
	reply->channel = event->arms[arm].channel;
	reply->is_take = !event->arms[arm].value;
	return reply;
}

/* Carries out an arm that can proceed. A put arm's value is moved out of `values`. False: nothing has happened to the
 * arm, since the `count` take that was to be its room has ended for want of memory; another arm may proceed yet. */
static bool proceed(struct core *core, const struct core_event *event, uint32_t arm, struct channel *channel,
		    struct value **values, struct core_effects *effects)
{
	if (!values[arm]) {
		bool is_leased = event->lease_ms > 0 && channel_can_take(channel);
		struct lease *lease = is_leased ? lease_prepare(core, event) : NULL;
		if (is_leased && !lease) {
			reply_error(core, event, ERROR_OVERLOADED, effects);
			return true;
		}
		struct core_reply *reply = reply_arm(core, event, arm, effects);
		if (channel_can_take(channel))
			transfer_take(core, channel, 1, lease, reply, effects);
		else
			reply->status = STATUS_CLOSED;
		return true;
	}
	if (channel->closed) {
		reply_arm(core, event, arm, effects)->status = STATUS_CLOSED;
		return true;
	}
	struct value_list one = {0};
	value_list_push(&one, values[arm]);
	struct put_outcome outcome = transfer_put(core, channel, &one, effects);
	if (one.n > 0)
		return false;
	values[arm] = NULL;
	struct core_reply *reply = reply_arm(core, event, arm, effects);
	reply->status = outcome.dropped ? STATUS_DROPPED : STATUS_OK;
	reply->evicted = outcome.evicted;
	return true;
}

/* Parks all arms, or none. The values of put arms are moved out of `values`. */
static void park(struct core *core, const struct core_event *event, struct channel *const channels[],
		 struct value **values, struct core_effects *effects)
{
	enum error error;
	struct request *request = park_begin(core, event, event->n_arms, &error);
	if (!request) {
		reply_error(core, event, error, effects);
		return;
	}
	for (uint32_t i = 0; i < event->n_arms; i++) {
		if ((error = park_arm(core, request, i, channels[i], event->arms[i].value != NULL, values[i])) !=
		    ERROR_NONE) {
			park_abandon(core, request);
			refuse_arm(core, event, i, error, effects);
			return;
		}
		values[i] = NULL;
	}
	park_commit(core, request, event);
}

void op_alts(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	assert(event->n_arms >= 1 && event->n_arms <= CORE_MAX_ARMS);
	struct channel *channels[CORE_MAX_ARMS];
	struct value *values[CORE_MAX_ARMS]; /* those still ours: destroyed at the end */
	for (uint32_t i = 0; i < event->n_arms; i++)
		values[i] = event->arms[i].value;

	if (check_arms(core, event, channels, effects)) {
		uint32_t arm;
		do /* each round that fails has ended a take */
			arm = choose(core, event, channels);
		while (arm < event->n_arms && !proceed(core, event, arm, channels[arm], values, effects));
		if (arm < event->n_arms)
			; /* it has been answered */
		else if (event->has_timeout && event->timeout_ms == 0)
			reply_now(core, event, STATUS_TIMEOUT, effects)->arm = event->n_arms;
		else
			park(core, event, channels, values, effects);
	}
	for (uint32_t i = 0; i < event->n_arms; i++)
		value_destroy(values[i]);
}
