/* The invariants of a channel: what is in it, who is parked there, and its books. */
#include "daemon/core/check_private.h"
#include "daemon/core/groups.h"
#include "daemon/core/tap.h"

uint64_t check_value(const struct value *value, struct sums *sums)
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
		bytes += check_value(value, sums);
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
		*bytes += check_value(value, sums);
	}
	CHECK(n == store->n, "a buffer miscounts its values");
	return NULL;
}

/* What is delayed there. */
static const char *check_delayed(const struct core *core, const struct channel *channel, uint64_t *bytes,
				 struct sums *sums)
{
	size_t n;
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
	return NULL;
}

/* What is leased of a channel. */
static const char *check_leases(const struct core *core, const struct channel *channel, uint64_t *bytes,
				struct sums *sums)
{
	uint64_t leased = 0;
	size_t n;
	const char *wrong;
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
	if ((wrong = check_delayed(core, channel, bytes, sums)))
		return wrong;
	leased += channel->n_delayed;
	for (const struct link *at = channel->dead_letters.next; at != &channel->dead_letters; at = at->next) {
		const struct request *request = LIST_ITEM(at, struct request, parked.in_connection);
		CHECK(request->parked.source == channel && request_is_dead_letter(request),
		      "a dead letter is another channel's");
		leased += request->parked.values.n;
		sums->dead_letters++;
	}
	if (channel->mult && channel->mult->held) {
		*bytes += check_value(channel->mult->held, sums);
		leased++;
	}
	CHECK(leased == channel->n_leased, "a channel miscounts what is leased");
	sums->leased += leased;
	return NULL;
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
		uint64_t bytes_before = *bytes;
		if (arm->value)
			*bytes += check_value(arm->value, sums);
		else if (is_put)
			*bytes += list_bytes(&request->parked.values, &n_values, sums);
		uint64_t n_bytes = *bytes - bytes_before;
		CHECK(!is_put || arm->value ||
			      (n_values == request->parked.values.n && n_bytes == request->parked.values_bytes),
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
		CHECK(channel_parked_puts(channel) == 0 || !channel_admits(channel),
		      "a put is parked and there is room for it");
		break;
	case KIND_DROPPING:
	case KIND_SLIDING:
		CHECK(channel_parked_puts(channel) == 0, "a put is parked on a channel that never parks any");
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

const char *check_channel(const struct core *core, const struct channel *channel, struct sums *sums)
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
	if ((wrong = check_taps(core, channel, sums)))
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

const char *check_removed(const struct channel *channel, struct sums *sums)
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
