/* Every invariant of the core, looked at from all sides. For tests: it costs as much as there is. */
#include <stdlib.h>

#include "daemon/core/groups.h"
#include "daemon/core/parked_bytes.h"
#include "daemon/core/tap.h"

#define CHECK(holds, what)                                                                                             \
	do {                                                                                                           \
		if (!(holds))                                                                                          \
			return what;                                                                                   \
	} while (0)

struct sums {
	uint64_t values; /* that are charged */
	uint64_t parked_bytes;
	bool is_shared; /* some of them have the same bytes */
	uint64_t taps, tap_requests, taps_held;
	uint64_t channels, buffered, promised, leased, delayed, held, bytes, puts, takes, resting, with_id,
		dead_letters;
};

static uint64_t value_bytes(const struct value *value, struct sums *sums)
{
	sums->values++;
	sums->is_shared = sums->is_shared || value_holder(value)->n_charged != 1;
	return value->len;
}

static uint64_t list_bytes(const struct value_list *list, size_t *n, struct sums *sums)
{
	uint64_t bytes = 0;
	*n = 0;
	for (const struct value *value = list->head; value; value = value->next) {
		bytes += value_bytes(value, sums);
		++*n;
	}
	return bytes;
}

/* In order, and each once. */
static const char *check_store(const struct store *store, uint64_t *bytes, struct sums *sums)
{
	struct store_cursor cursor = {store->entered.head, 0};
	uint64_t last_seq = 0;
	size_t n = 0;
	for (const struct value *value; (value = store_next(store, &cursor)); n++) {
		CHECK(value->seq > last_seq, "a buffer is not in the order of entering");
		last_seq = value->seq;
		*bytes += value_bytes(value, sums);
	}
	CHECK(n == store->n, "a buffer miscounts its values");
	return NULL;
}

/* What is leased of a channel. */
static const char *check_leases(const struct core *core, const struct channel *channel, uint64_t *bytes,
				struct sums *sums)
{
	uint64_t leased = 0;
	size_t n;
	for (const struct link *at = channel->leases.next; at != &channel->leases; at = at->next) {
		struct lease *lease = LIST_ITEM(at, struct lease, in_channel);
		CHECK(lease->channel == channel && lease->state != LEASE_PREPARED, "a lease is another channel's");
		bool is_held = lease->state == LEASE_HELD;
		bool is_returned = !is_held && channel->group && channel->group->state != CORE_GROUP_SERVED;
		CHECK((lease->timer.index < core->timers.n && core->timers.heap[lease->timer.index] == &lease->timer) ||
			      (is_returned && lease->timer.index == TIMER_NONE),
		      "a lease has no timer");
		CHECK((lease_table_find(&core->lease_table, lease->token) == lease) == is_held,
		      "a lease is not found by its token, or is, and nobody holds it");
		CHECK(is_held || list_is_empty(&lease->in_connection), "a connection has a lease that it let go");
		sums->held += is_held;
		sums->parked_bytes += parked_bytes_of_lease();
		*bytes += list_bytes(&lease->values, &n, sums);
		CHECK(n == lease->values.n && n > 0, "a lease miscounts its values");
		leased += n;
	}
	uint64_t delayed = 0;
	for (const struct link *at = channel->delayed.next; at != &channel->delayed; at = at->next) {
		struct delayed_put *put = LIST_ITEM(at, struct delayed_put, in_channel);
		CHECK(put->channel == channel && put->timer.index < core->timers.n &&
			      core->timers.heap[put->timer.index] == &put->timer,
		      "a delayed put is another channel's, or has no timer");
		*bytes += list_bytes(&put->values, &n, sums);
		sums->parked_bytes += parked_bytes_of_delayed();
		CHECK(n == put->values.n && n > 0, "a delayed put miscounts its values");
		delayed += n;
	}
	CHECK(delayed == channel->n_delayed, "a channel miscounts what is delayed");
	sums->delayed += delayed;
	leased += delayed;
	for (const struct link *at = channel->dead_letters.next; at != &channel->dead_letters; at = at->next) {
		const struct request *request = LIST_ITEM(at, struct request, parked.in_connection);
		CHECK(request->parked.source == channel && request_is_dead_letter(request),
		      "a dead letter is another channel's");
		leased += request->parked.values.n;
		sums->dead_letters++;
	}
	if (channel->mult && channel->mult->held) {
		*bytes += value_bytes(channel->mult->held, sums);
		leased++;
	}
	CHECK(leased == channel->n_leased, "a channel miscounts what is leased");
	sums->leased += leased;
	return NULL;
}

/* With the lease that is prepared for it. */
static uint64_t request_bytes(const struct request *request)
{
	const struct parked *parked = &request->parked;
	bool is_leased = (parked->op == CORE_TAKE || parked->op == CORE_ALTS) && parked->lease;
	return parked_bytes_of_request(parked->n_arms, parked->has_terms) + (is_leased ? parked_bytes_of_lease() : 0);
}

static const char *check_arm(const struct arm *arm, const struct link *queue, const struct channel *channel,
			     bool is_put)
{
	const struct request *request = arm_request((struct arm *)arm);
	CHECK(arm->link.next->prev == &arm->link && arm->link.prev->next == &arm->link, "a queue's links do not match");
	CHECK(arm_queue(arm) == queue, "an arm stands in the wrong queue");
	CHECK(arm->channel == channel, "an arm stands in another channel's queue");
	CHECK(arm->is_delayed == (request->parked.has_terms && request_terms((struct request *)request)->delay_ms > 0),
	      "an arm has a delay, and does not know");
	CHECK(arm->is_put == is_put, "an arm stands in the wrong queue");
	CHECK(arm->index < request->parked.n_arms && &request->arms[arm->index] == arm, "an arm has the wrong index");
	CHECK(request->parked.op != CORE_ALTS || (arm->value != NULL) == is_put,
	      "an alts' arm has a value and should not, or has none");
	CHECK(request->parked.op == CORE_ALTS || arm->value == NULL, "a plain put or take has an arm's value");
	CHECK(request->parked.op != CORE_PUT || request->parked.values.n > 0, "a put is parked with nothing to put");
	return NULL;
}

/* One queue: its arms, their number and the bytes they hold. */
static const char *check_queue(const struct link *queue, const struct channel *channel, bool is_put, uint32_t *n,
			       uint64_t *bytes, struct sums *sums)
{
	uint64_t last_seq = 0;
	*n = 0;
	for (const struct link *at = queue->next; at != queue; at = at->next, ++*n) {
		struct arm *arm = LIST_ITEM(at, struct arm, link);
		const char *wrong = check_arm(arm, queue, channel, is_put);
		if (wrong)
			return wrong;
		const struct request *request = arm_request(arm);
		CHECK(request->parked.seq >= last_seq, "a queue is not in the order of parking");
		last_seq = request->parked.seq;
		size_t n_values = 0;
		if (arm->value)
			*bytes += value_bytes(arm->value, sums);
		else if (is_put)
			*bytes += list_bytes(&request->parked.values, &n_values, sums);
		CHECK(!is_put || arm->value || n_values == request->parked.values.n,
		      "a parked batch miscounts its values");
	}
	return NULL;
}

/* The queues of a channel, and what rests there. */
static const char *check_queues(const struct channel *channel, uint64_t *bytes, struct sums *sums)
{
	uint32_t n_puts, n_delayed_puts, n_takes;
	const char *wrong;
	if ((wrong = check_queue(&channel->puts, channel, true, &n_puts, bytes, sums)) ||
	    (wrong = check_queue(&channel->delayed_puts, channel, true, &n_delayed_puts, bytes, sums)) ||
	    (wrong = check_queue(&channel->takes, channel, false, &n_takes, bytes, sums)))
		return wrong;
	CHECK(n_puts == channel->n_puts && n_delayed_puts == channel->n_delayed_puts && n_takes == channel->n_takes,
	      "a channel miscounts who is parked");
	for (const struct link *at = channel->resting.next; at != &channel->resting; at = at->next, sums->resting++) {
		const struct request *request = arm_request(LIST_ITEM(at, struct arm, link));
		CHECK(request->parked.is_resting, "a request rests, and does not know");
		sums->parked_bytes += request_bytes(request);
	}
	sums->puts += n_puts + n_delayed_puts;
	sums->takes += n_takes;
	return NULL;
}

static const char *check_sides(const struct channel *channel)
{
	if (channel->n_puts == 0 || channel->n_takes == 0)
		return NULL;
	const struct request *only = arm_request(LIST_ITEM(channel->puts.next, struct arm, link));
	for (const struct link *at = channel->puts.next; at != &channel->puts; at = at->next)
		CHECK(arm_request(LIST_ITEM(at, struct arm, link)) == only,
		      "a parked put stands beside another's parked take");
	for (const struct link *at = channel->takes.next; at != &channel->takes; at = at->next)
		CHECK(arm_request(LIST_ITEM(at, struct arm, link)) == only,
		      "a parked take stands beside another's parked put");
	return NULL;
}

static const char *check_kind(const struct channel *channel)
{
	size_t n = channel->buffer.n;
	CHECK(channel->definition.kind != KIND_SLIDING || n <= channel->definition.capacity,
	      "a buffer is over its capacity");
	CHECK(channel->n_takes == 0 || n == 0 || channel->definition.kind == KIND_PROMISE,
	      "a take is parked and there is a value for it");
	CHECK(channel->n_takes == 0 || !channel_is_exhausted(channel) || !list_is_empty(&channel->in_ending),
	      "a take is parked on a closed channel, and nothing can come");
	switch (channel->definition.kind) {
	case KIND_UNBUFFERED:
		CHECK(channel->n_delayed_puts == 0, "a put with a delay is parked on an unbuffered channel");
		break;
	case KIND_BOUNDED:
		CHECK(channel->n_puts + channel->n_delayed_puts == 0 || !channel_has_room(channel),
		      "a put is parked and there is room for it");
		break;
	case KIND_DROPPING:
	case KIND_SLIDING:
		CHECK(channel->n_puts + channel->n_delayed_puts == 0,
		      "a put is parked on a channel that never parks any");
		break;
	case KIND_PROMISE:
		CHECK(channel->n_puts == 0, "a put is parked on a promise");
		CHECK(channel->accepted + channel->recovered == n + channel->discarded,
		      "a promise was made more than once");
		return NULL;
	case KIND_COUNT:
		return "a channel is of no kind";
	}
	CHECK(channel->accepted + channel->returned + channel->recovered ==
		      channel->taken + n + channel->n_leased + channel->evicted + channel->dead_lettered +
			      channel->discarded,
	      "the books do not balance");
	return NULL;
}

/* A tap, from its source's side. */
static const char *check_tap(const struct tap *tap, const struct mult *mult)
{
	const struct mix *mix = tap->target->mix;
	const struct request *put = tap->put;
	CHECK(tap->mult == mult && mix, "a tap is another's, or has no target");
	CHECK(!tap->target->closed, "a tap has a target that is closed");
	CHECK(put->parked.op == CORE_TAP && put->parked.tap == tap && !put->parked.connection,
	      "a tap's put is something else");
	CHECK(!tap->is_held_up || (put->parked.values.n == 1 && put->arms[0].channel == tap->target),
	      "a tap is held up elsewhere, or with nothing to put");
	return NULL;
}

static bool is_due(const struct mult *mult)
{
	return !list_is_empty(&mult->in_due);
}

static const char *check_mult(const struct core *core, const struct channel *channel, struct sums *sums)
{
	const struct mult *mult = channel->mult;
	bool is_promise = channel->definition.kind == KIND_PROMISE, is_next = mult->next == NULL;
	uint32_t n = 0, n_held_up = 0;
	for (const struct link *at = mult->taps.next; at != &mult->taps; at = at->next, n++) {
		const struct tap *tap = LIST_ITEM(at, struct tap, in_mult);
		const char *wrong = check_tap(tap, mult);
		if (wrong)
			return wrong;
		n_held_up += tap->is_held_up;
		is_next = is_next || mult->next == tap;
	}
	CHECK(mult->source == channel && n > 0 && n == mult->n_taps && n <= CORE_MAX_TAPS,
	      "a channel miscounts its taps");
	CHECK(n_held_up == mult->n_held_up && is_next, "a mult miscounts the taps that are held up");
	CHECK(is_promise || mult->held || (n_held_up == 0 && !mult->next), "a tap is held up with no value");
	CHECK(!mult->held || mult->next || n_held_up > 0, "a mult holds a value that it is done with");
	CHECK(!mult->held || !mult->next || is_due(mult) || mult_rests(core, mult),
	      "a mult has stopped in the midst of a value");
	CHECK(!mult->is_waiting || (!mult->held && mult->take->arms[0].channel == channel &&
				    (mult_is_active(core, mult) || is_due(mult))),
	      "a mult waits for a value that it would not take");
	CHECK(mult->is_waiting || mult->held || is_promise || is_due(mult) || mult_rests(core, mult) ||
		      !mult_is_active(core, mult),
	      "a mult does not wait, and has nothing to do");
	CHECK(!channel_is_exhausted(channel) || is_due(mult) || mult_rests(core, mult), "a tap's source is exhausted");
	sums->taps += n;
	sums->taps_held += n_held_up;
	sums->tap_requests += n_held_up + mult->is_waiting;
	return NULL;
}

static const char *check_mix(const struct channel *channel)
{
	const struct mix *mix = channel->mix;
	uint32_t n = 0, n_solo = 0, n_closing = 0;
	for (const struct link *at = mix->taps.next; at != &mix->taps; at = at->next, n++) {
		const struct tap *tap = LIST_ITEM(at, struct tap, in_mix);
		CHECK(tap->target == channel, "a tap is in another channel's mix");
		n_solo += tap->state == CORE_TAP_SOLO;
		n_closing += tap->closes;
	}
	CHECK(n > 0 && n == mix->n_taps && n_solo == mix->n_solo && n_closing == mix->n_closing,
	      "a channel miscounts the taps into it");
	return NULL;
}

static const char *check_channel(const struct core *core, const struct channel *channel, struct sums *sums)
{
	size_t n = channel->buffer.n;
	uint64_t bytes = 0;
	const char *wrong;
	CHECK(directory_find(&core->directory, channel_name(channel)) == channel, "a channel is not found by its name");
	CHECK((channel->owner != NULL) == channel->definition.ephemeral,
	      "an ephemeral channel has no owner, or another has one");
	CHECK(list_is_empty(&channel->in_unsettled), "a channel is left unsettled");
	CHECK(channel->group == group_of(core, channel_name(channel)) &&
		      (core->groups.are_there ? !list_is_empty(&channel->in_group) : !channel->group),
	      "a channel is in another group than its name says");
	if ((wrong = check_store(&channel->buffer, &bytes, sums)) ||
	    (wrong = check_leases(core, channel, &bytes, sums)) || (wrong = check_queues(channel, &bytes, sums)))
		return wrong;
	if ((wrong = channel->mult ? check_mult(core, channel, sums) : NULL) ||
	    (wrong = channel->mix ? check_mix(channel) : NULL))
		return wrong;
	CHECK(bytes == channel->bytes, "a channel miscounts its bytes");
	sums->channels++;
	sums->buffered += n;
	if (channel->definition.kind == KIND_PROMISE)
		sums->promised += n;
	sums->bytes += bytes;
	wrong = check_sides(channel);
	return wrong ? wrong : check_kind(channel);
}

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

/* A deleted channel, of which only the memory is left, and who has yet to be told. */
static const char *check_removed(const struct channel *channel, struct sums *sums)
{
	uint64_t bytes = 0;
	const char *wrong;
	if ((wrong = check_store(&channel->buffer, &bytes, sums)) || (wrong = check_queues(channel, &bytes, sums)))
		return wrong;
	CHECK(channel->is_removed && channel->n_leased + channel->n_delayed == 0 && !channel->owner && !channel->quota,
	      "a deleted channel is still alive");
	for (const struct link *at = channel->leases.next; at != &channel->leases; at = at->next) {
		const struct lease *lease = LIST_ITEM(at, struct lease, in_channel);
		size_t n;
		bytes += list_bytes(&lease->values, &n, sums);
		sums->held += lease->state == LEASE_HELD;
		sums->parked_bytes += parked_bytes_of_lease();
	}
	for (const struct link *at = channel->delayed.next; at != &channel->delayed; at = at->next) {
		size_t n;
		bytes += list_bytes(&LIST_ITEM(at, struct delayed_put, in_channel)->values, &n, sums);
		sums->parked_bytes += parked_bytes_of_delayed();
	}
	CHECK(bytes == channel->bytes, "a deleted channel miscounts its bytes");
	sums->bytes += bytes;
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
		CHECK(channel->n_puts + channel->n_delayed_puts + channel->n_takes == 0 &&
			      list_is_empty(&channel->resting) && list_is_empty(&channel->in_ending),
		      "somebody is parked in the graveyard");
		if ((wrong = check_removed(channel, sums)))
			return wrong;
	}
	for (const struct link *at = core->departing.next; at != &core->departing; at = at->next) {
		const struct core_connection *connection = LIST_ITEM(at, struct core_connection, in_core);
		CHECK(connection->is_departing && !connection->cookie && connection->n_parked == 0 &&
			      list_is_empty(&connection->parked) && !connection->consumer,
		      "a connection has ended, and something of it is parked");
	}
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
	if ((wrong = producers_check(core)))
		return wrong;
	CHECK(timers_check(&core->timers), "the timers are out of order");
	CHECK(n + core->order.n_left + core->order.read - core->order.written == core->order.n,
	      "the order of parking miscounts those who left");
	return NULL;
}
