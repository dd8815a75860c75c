/* The beginning of a put that is put once: what is answered from what is remembered, and who takes whose place. */
#include "daemon/core/once.h"

#include <assert.h>

#include "daemon/core/state.h"

bool core_knows_put(const struct core *core, struct slice channel_name, struct slice name, uint64_t seq)
{
	struct channel *channel = directory_find(&core->directory, channel_name);
	struct producer *producer = channel ? producer_find(core, channel, name) : NULL;
	const struct once_outcome *outcome = producer ? producer_outcome(producer, seq) : NULL;
	return (outcome && !outcome->is_part) || (producer && producer_parked_put(core, producer, seq));
}

/* -- A put -- */

static void answer_again(struct core *core, const struct core_event *event, const struct once_outcome *outcome,
			 struct core_effects *effects)
{
	/* Of a batch in part: the values that are sent again are all among those that entered. */
	enum status status = outcome->is_part ? STATUS_OK : (enum status)outcome->status;
	struct core_reply *reply = reply_now(core, event, status, effects);
	reply->duplicate = true;
	reply->accepted = outcome->accepted;
	reply->evicted = outcome->evicted;
}

/* The twin will not count any more; or it does again. */
static void count_twin(struct core_connection *connection, const struct core_connection *twins, bool counts)
{
	uint32_t n = counts ? 1 : UINT32_MAX; /* one less */
	if (connection == twins)
		connection->n_parked += n;
	if (connection->quota && connection->quota == twins->quota)
		connection->quota->n_parked += n;
}

/* The newcomer stands where its twin stood, with the values that the twin still had; the twin ends. */
static enum error take_place(struct core *core, const struct core_event *event, struct request *twin,
			     struct core_effects *effects)
{
	enum error error;
	uint64_t parked_bytes = core->parked_bytes;
	core->parked_bytes =
		0; /* it gets the twin's, even where what may not be refused has taken more than there is */
	count_twin(event->connection, twin->parked.connection, false);
	struct request *request = park_begin(core, event, 1, &error);
	count_twin(event->connection, twin->parked.connection, true);
	core->parked_bytes = parked_bytes;
	if (!request)
		return error;
	struct put_terms *terms = request_terms(request), *old = request_terms(twin);
	struct arm *arm = &request->arms[0], *twin_arm = &twin->arms[0];
	buckets_remove(&core->producers.parked, &core->producers, old);
	*terms = (struct put_terms){.delay_ms = old->delay_ms, .producer = old->producer, .seq = old->seq};
	old->producer = NULL;
	buckets_insert(&core->producers.parked, &core->producers, terms);
	park_before(core, request, twin);
	assert(arm->channel == twin_arm->channel);
	(void)arm, (void)twin_arm;
	request->parked.accepted = twin->parked.accepted;
	request->parked.values = twin->parked.values;
	request->parked.values_bytes = twin->parked.values_bytes;
	twin->parked.values = (struct value_list){0};
	park_commit(core, request, event);
	order_swap(&core->order, request, twin);
	park_complete(core, twin, NULL, STATUS_CANCELLED, effects);
	return ERROR_NONE;
}

static void meet_twin(struct core *core, const struct core_event *event, struct request *twin,
		      struct core_effects *effects)
{
	uint32_t accepted = twin->parked.accepted;
	/* Numbers wrap: of two connections that are there, the older one is behind by less than half of the range. */
	if ((int32_t)(event->connection->number - twin->parked.connection->number) < 0) {
		reply_now(core, event, STATUS_CANCELLED, effects)->accepted = accepted;
		return;
	}
	if (event->has_timeout && event->timeout_ms == 0) { /* it does not wait: what has not entered is withdrawn */
		park_complete(core, twin, NULL, STATUS_CANCELLED, effects);
		reply_now(core, event, STATUS_TIMEOUT, effects)->accepted = accepted;
		return;
	}
	enum error error = take_place(core, event, twin, effects);
	if (error != ERROR_NONE) {
		reply_error(core, event, error, effects);
		core->immediate.accepted = accepted;
	}
}

bool once_begin(struct core *core, const struct core_event *event, struct channel *channel, struct value_list *values,
		struct once *once, struct core_effects *effects)
{
	*once = (struct once){.producer = event->producer.len ? producer_find(core, channel, event->producer) : NULL};
	struct producer *producer = once->producer;
	if (!producer)
		return true;
	producer_hear(core, producer);
	struct request *twin = producer_parked_put(core, producer, event->seq);
	if (twin) {
		meet_twin(core, event, twin, effects);
		return false;
	}
	const struct once_outcome *outcome = producer_outcome(producer, event->seq);
	if (!outcome) {
		if (producer_has_forgotten(producer, event->seq))
			reply_error(core, event, ERROR_STALE_PRODUCER, effects);
		return !producer_has_forgotten(producer, event->seq);
	}
	if (!outcome->is_part || outcome->accepted >= values->n) {
		answer_again(core, event, outcome, effects);
		return false;
	}
	once->accepted = outcome->accepted;
	for (uint32_t i = 0; i < outcome->accepted; i++)
		value_destroy(value_list_pop(values));
	return true;
}
