/* Every invariant of the core, looked at from all sides. For tests: it costs as much as there is. */
#include "daemon/core/check_private.h"

static const char *check_request(const struct core *core, struct request *request, struct sums *sums)
{
	const struct parked *parked = &request->parked;
	bool has_id = parked->id != CORE_NO_ID;
	sums->parked_bytes += request_is_tap(request) ? 0 : request_bytes(request);
	if (request_is_nobodys(request)) {
		CHECK((request_is_tap(request) || parked->op == CORE_PUT) && !has_id,
		      "a dead letter or a tap is something else");
		*(request->arms[0].is_put ? &sums->puts : &sums->takes) += 1;
		return NULL;
	}
	CHECK(ids_find(&core->ids, parked->connection, parked->id) == (has_id ? request : NULL),
	      "a parked request is not found by its id");
	CHECK(has_id || parked->op == CORE_PUT, "a request without an id is no put");
	sums->with_id += has_id;
	CHECK(!parked->is_resting, "a request rests, and stands in the order of parking");
	CHECK(request->parked.n_arms >= 1 && request->parked.n_arms <= CORE_MAX_ARMS,
	      "a parked request has an impossible number of arms");
	const struct timer *timer = &parked->timer;
	CHECK((timer->deadline_us == CORE_NEVER) == (timer->index == TIMER_NONE),
	      "a deadline has no timer, or the reverse");
	if (timer->index != TIMER_NONE)
		CHECK(timer->index < core->timers.n && core->timers.heap[timer->index] == timer,
		      "a timer is another's");
	for (uint32_t i = 0; i < request->parked.n_arms; i++) {
		if (request->arms[i].is_put)
			sums->puts++;
		else
			sums->takes++;
	}
	return NULL;
}

/* One of a connection's lists; *n is added to. */
static const char *check_list(const struct core_connection *connection, const struct link *list, bool is_counted,
			      bool is_resting, uint64_t *n)
{
	for (const struct link *at = list->next; at != list; at = at->next, ++*n) {
		const struct parked *parked = &LIST_ITEM(at, struct request, parked.in_connection)->parked;
		CHECK(parked->connection == connection, "a request is parked with another connection");
		CHECK(parked->is_counted == is_counted && parked->is_resting == is_resting,
		      "a request is in the wrong list of its connection");
		CHECK(!is_counted || parked->left > 0, "a take with a count has nothing to come");
	}
	return NULL;
}

static const char *check_consumer(const struct core_connection *connection, uint64_t *parked, uint64_t *resting)
{
	const struct consumer *consumer = connection->consumer;
	const char *wrong;
	if ((wrong = check_list(connection, &consumer->counting, true, false, parked)) ||
	    (wrong = check_list(connection, &consumer->resting, true, true, resting)))
		return wrong;
	CHECK(consumer->connection == connection, "a consumer is another connection's");
	CHECK(!connection->is_paused || list_is_empty(&consumer->counting),
	      "a take with a count is in a queue, and its connection is paused");
	CHECK(*resting == 0 || connection->is_paused || !list_is_empty(&consumer->in_rested),
	      "a take with a count rests for ever");
	return NULL;
}

static const char *check_connections(const struct core *core, uint64_t *n_parked, uint64_t *n_resting)
{
	uint64_t n = 0;
	*n_parked = *n_resting = 0;
	for (const struct link *at = core->connections.next; at != &core->connections; at = at->next, n++) {
		const struct core_connection *connection = LIST_ITEM(at, struct core_connection, in_core);
		uint64_t parked = 0, resting = 0;
		const char *wrong;
		if ((wrong = check_list(connection, &connection->parked, false, false, &parked)) ||
		    (wrong = connection->consumer ? check_consumer(connection, &parked, &resting) : NULL))
			return wrong;
		for (const struct link *lease = connection->leases.next; lease != &connection->leases;
		     lease = lease->next)
			CHECK(LIST_ITEM(lease, struct lease, in_connection)->connection == connection,
			      "a lease is another connection's");
		CHECK(parked + resting == connection->n_parked, "a connection miscounts its parked requests");
		*n_parked += parked;
		*n_resting += resting;
	}
	CHECK(n == core->n_connections, "the connections are miscounted");
	return NULL;
}

/* What has ended, and is still there. */
static const char *check_ended(const struct core *core, struct sums *sums)
{
	const char *wrong;
	for (const struct link *at = core->ending.next; at != &core->ending; at = at->next) {
		const struct channel *channel = LIST_ITEM(at, struct channel, in_ending);
		CHECK(channel->is_removed || channel->closed, "a channel ends, and is neither closed nor removed");
		if (channel->is_removed && (wrong = check_removed(channel, sums)))
			return wrong;
	}
	for (const struct channel *channel = core->graveyard; channel; channel = channel->hash_next) {
		CHECK(channel_parked_puts(channel) + channel->n_takes == 0 && list_is_empty(&channel->resting) &&
			      list_is_empty(&channel->in_ending),
		      "somebody is parked in the graveyard");
		if ((wrong = check_removed(channel, sums)))
			return wrong;
	}
	for (const struct value *value = core->dead_values.head; value; value = value->next)
		sums->bytes += check_value(value, sums);
	for (const struct link *at = core->departing.next; at != &core->departing; at = at->next) {
		const struct core_connection *connection = LIST_ITEM(at, struct core_connection, in_core);
		CHECK(connection->is_departing && !connection->cookie && connection->n_parked == 0 &&
			      list_is_empty(&connection->parked) && !connection->consumer,
		      "a connection has ended, and something of it is parked");
	}
	return NULL;
}

static bool is_among(const struct link *node, const struct link *list)
{
	const struct link *at = list->next;
	while (at != list && at != node)
		at = at->next;
	return !node || at == node;
}

static bool has_entered(const struct value *value, const struct store *store)
{
	const struct value *at = store->entered.head;
	while (at && at != value)
		at = at->next;
	return !value || at;
}

/* Where a checkpoint goes on is still there. */
static const char *check_checkpoint(const struct checkpoint *checkpoint)
{
	const struct channel *channel = checkpoint->channel;
	if (!channel)
		return NULL;
	CHECK(has_entered(checkpoint->value, &channel->buffer) && is_among(checkpoint->lease, &channel->leases) &&
		      is_among(checkpoint->delayed, &channel->delayed) &&
		      is_among(checkpoint->producer, &channel->producers) &&
		      is_among(checkpoint->dead_letter, &channel->dead_letters),
	      "a checkpoint would go on with what is gone");
	return NULL;
}

const char *core_check(const struct core *core)
{
	struct sums channels = {0}, requests = {0};
	const char *wrong;
	struct channel *channel = NULL;
	for (struct slice after = SLICE(""); (channel = directory_after(&core->directory, after));
	     after = channel_name(channel))
		if ((wrong = check_channel(core, channel, &channels)))
			return wrong;
	CHECK(channels.taps == core->n_taps && channels.taps_held == core->tapped.held, "the taps are miscounted");
	CHECK(channels.channels == core->directory.buckets.n, "the channels are miscounted");
	if ((wrong = check_ended(core, &channels)))
		return wrong;
	CHECK(channels.held == core->lease_table.buckets.n, "the leases are miscounted");
	uint64_t charged = channels.bytes + channels.values * VALUE_OVERHEAD;
	CHECK(channels.is_shared ? core->bytes <= charged : core->bytes == charged,
	      "what counts towards max_memory is miscounted");
	CHECK(channels.buffered == core->n_buffered && channels.promised == core->n_promised &&
		      channels.leased == core->n_leased && channels.delayed == core->n_delayed &&
		      channels.puts == core->n_puts,
	      "the totals are not the sums of the channels'");

	uint64_t n_parked, n_resting, n = 0, after = 0;
	if ((wrong = check_connections(core, &n_parked, &n_resting)))
		return wrong;
	for (struct request *request; (request = order_after(&core->order, after)); after = request->parked.seq, n++)
		if ((wrong = check_request(core, request, &requests)))
			return wrong;
	CHECK(n == n_parked + channels.dead_letters + channels.tap_requests && n + n_resting == core->n_parked &&
		      requests.with_id + n_resting == core->ids.buckets.n,
	      "the parked requests are miscounted");
	CHECK(channels.parked_bytes + requests.parked_bytes == core->parked_bytes,
	      "what counts towards max_parked is miscounted");
	CHECK(n_resting == channels.resting, "a take with a count rests on no channel, or on two");
	CHECK(requests.puts == channels.puts && requests.takes == channels.takes,
	      "an arm stands in no queue, or in two");
	if ((wrong = producers_check(core)) || (wrong = check_checkpoint(&core->checkpoint)))
		return wrong;
	CHECK(timers_check(&core->timers), "the timers are out of order");
	CHECK(n + core->order.n_left + core->order.read - core->order.written == core->order.n,
	      "the order of parking miscounts those who left");
	return NULL;
}
