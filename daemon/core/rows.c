#include "daemon/core/rows.h"

#include "daemon/core/state.h"

static uint64_t oldest_us(struct link *queue)
{
	return list_is_empty(queue) ? CORE_NEVER
				    : arm_request(LIST_ITEM(queue->next, struct arm, link))->parked.parked_us;
}

static uint64_t oldest_put_us(struct channel *channel)
{
	uint64_t plain_us = oldest_us(&channel->puts), delayed_us = oldest_us(&channel->delayed_puts);
	return plain_us < delayed_us ? plain_us : delayed_us;
}

static void row_of(const struct core *core, struct channel *channel, struct core_channel_row *row)
{
	*row = (struct core_channel_row){
		.name = channel_name(channel),
		.definition = channel->definition,
		.closed = channel->closed,
		.buffered = channel->buffer.n,
		.leased = channel->n_leased,
		.delayed = channel->n_delayed,
		.parked_puts = channel_parked_puts(channel),
		.parked_takes = channel->n_takes,
		.bytes = channel->bytes,
		.recovered = channel->recovered,
		.accepted = channel->accepted,
		.taken = channel->taken,
		.returned = channel->returned,
		.dropped = channel->dropped,
		.evicted = channel->evicted,
		.dead_lettered = channel->dead_lettered,
		.discarded = channel->discarded,
		.oldest_put_us = oldest_put_us(channel),
		.oldest_take_us = oldest_us(&channel->takes),
		.put_waits = channel->waits ? &channel->waits->puts : NULL,
		.take_waits = channel->waits ? &channel->waits->takes : NULL,
	};
	if (row->definition.max_waiters == 0)
		row->definition.max_waiters = core->limits.max_waiters;
}

bool core_stat(const struct core *core, struct slice name, struct core_channel_row *row)
{
	struct channel *channel = directory_find(&core->directory, name);
	if (channel)
		row_of(core, channel, row);
	return channel != NULL;
}

bool core_definition_of(const struct core *core, struct slice name, struct core_definition *definition)
{
	const struct channel *channel = directory_find(&core->directory, name);
	if (channel)
		*definition = channel->definition;
	return channel != NULL;
}

const struct core_quota *core_owner_quota(const struct core *core, struct slice name)
{
	const struct channel *channel = directory_find(&core->directory, name);
	return channel && channel->owner ? channel->owner->quota : NULL;
}

bool core_next_channel(const struct core *core, struct slice after, struct core_channel_row *row)
{
	struct channel *channel = directory_after(&core->directory, after);
	if (channel)
		row_of(core, channel, row);
	return channel != NULL;
}

bool core_peek_begin(const struct core *core, struct slice name, struct core_peek *peek)
{
	const struct channel *channel = directory_find(&core->directory, name);
	if (channel)
		*peek = (struct core_peek){&channel->buffer, {channel->buffer.entered.head, 0}};
	return channel != NULL;
}

const struct value *core_peek_next(struct core_peek *peek)
{
	return store_next(peek->store, &peek->cursor);
}

static struct request *link_request(const struct link *at, const struct link *queue)
{
	return at == queue ? NULL : arm_request(LIST_ITEM(at, struct arm, link));
}

/* The first request after `after` in one queue of a channel: from the queue's both ends, for it is in the order of
 * parking. *n_passed counts those that were passed over. */
static struct request *queue_after(const struct link *queue, uint64_t after, uint64_t *n_passed)
{
	const struct link *first = queue->next, *last = queue->prev;
	for (; first != queue; first = first->next, last = last->prev, ++*n_passed) {
		struct request *request = link_request(first, queue);
		if (request->parked.seq > after)
			return request;
		if (link_request(last, queue)->parked.seq <= after)
			return link_request(last->next, queue);
	}
	return NULL;
}

/* The arm of a request in that queue of the channel that stands last in it, or NULL. */
static const struct arm *last_arm_in(const struct link *queue, struct request *request, const struct channel *channel)
{
	for (uint32_t i = request->parked.n_arms; i-- > 0;) {
		struct arm *arm = &request->arms[i];
		if (arm->channel == channel && queue == arm_queue(arm))
			return arm;
	}
	return NULL;
}

/* The same as queue_after(); O(arms) where the request with the seq `after` is still there. */
static struct request *queue_next(const struct core *core, const struct link *queue, const struct channel *channel,
				  uint64_t after, uint64_t *n_passed)
{
	struct request *last = order_find(&core->order, after);
	const struct arm *arm = last ? last_arm_in(queue, last, channel) : NULL;
	return arm ? link_request(arm->link.next, queue) : queue_after(queue, after, n_passed);
}

static struct request *channel_waiter_after(const struct core *core, const struct channel *channel, uint64_t after,
					    uint64_t *n_passed)
{
	const struct link *const queues[] = {&channel->puts, &channel->delayed_puts, &channel->takes};
	struct request *first = NULL;
	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		struct request *request = queue_next(core, queues[i], channel, after, n_passed);
		if (request && (!first || request->parked.seq < first->parked.seq))
			first = request;
	}
	return first;
}

bool core_next_waiter(const struct core *core, struct slice name, uint64_t after, struct core_waiter_row *row)
{
	struct request *request = NULL;
	uint64_t n_passed = 0;
	if (name.len == 0) {
		request = order_after(&core->order, after);
	} else {
		const struct channel *channel = directory_find(&core->directory, name);
		if (channel)
			request = channel_waiter_after(core, channel, after, &n_passed);
	}
	if (!request)
		return false;
	const struct parked *parked = &request->parked;
	*row = (struct core_waiter_row){
		.seq = parked->seq,
		.cookie = parked->connection ? parked->connection->cookie : NULL,
		.id = parked->id,
		.op = parked->op,
		.n_arms = request->parked.n_arms,
		.parked_us = parked->parked_us,
		.deadline_us = parked->timer.deadline_us,
		.request = request,
		.n_passed = n_passed,
	};
	return true;
}

struct slice core_waiter_arm(const struct core_waiter_row *row, uint32_t i, bool *is_put)
{
	const struct request *request = row->request;
	*is_put = request->arms[i].is_put;
	return channel_name(request->arms[i].channel);
}

/* The lists that hold a connection's parked requests; NULL: no such list. */
static const struct link *list_of_parked(const struct core_connection *connection, unsigned list)
{
	if (list == 0)
		return &connection->parked;
	if (!connection->consumer || list > 2)
		return NULL;
	return list == 1 ? &connection->consumer->counting : &connection->consumer->resting;
}

/* The first of them that was parked behind the row's. */
static const struct link *first_parked(const struct core_connection *connection, const struct core_parked_arm *row)
{
	const struct link *at = connection->parked.next;
	while (at != &connection->parked &&
	       LIST_ITEM(at, const struct request, parked.in_connection)->parked.seq <= row->seq)
		at = at->next;
	return at;
}

bool core_next_parked_arm(const struct core_connection *connection, struct core_parked_arm *row)
{
	const struct request *request = row->request;
	if (request && ++row->index < request->parked.n_arms)
		goto found;
	const struct link *list, *next = request ? request->parked.in_connection.next : first_parked(connection, row);
	while ((list = list_of_parked(connection, row->list)) && (next ? next : list->next) == list) {
		row->list++;
		next = NULL;
	}
	if (!list)
		return false;
	request = LIST_ITEM(next ? next : list->next, struct request, parked.in_connection);
	row->request = request;
	row->seq = request->parked.seq;
	row->index = 0;
found:
	row->access =
		(struct core_access){channel_name(request->arms[row->index].channel), request->arms[row->index].is_put};
	return true;
}

bool core_id_in_use(const struct core *core, const struct core_connection *connection, uint64_t id)
{
	return connection->n_parked > 0 && id != CORE_NO_ID && ids_find(&core->ids, connection, id);
}

static const struct lease *held_after(const struct core *core, const struct lease *lease)
{
	const struct link *next = lease->in_core.next;
	return next == &core->held_leases ? NULL : LIST_ITEM(next, struct lease, in_core);
}

/* The oldest held lease behind `after`; NULL with *go_on != 0: not found yet. */
static struct lease *lease_after(const struct core *core, uint64_t after, uint64_t *go_on)
{
	const struct link *held = &core->held_leases;
	*go_on = 0;
	if (list_is_empty(held) || LIST_ITEM(held->prev, struct lease, in_core)->seq <= after)
		return NULL;
	struct lease *oldest = LIST_ITEM(held->next, struct lease, in_core);
	if (oldest->seq > after)
		return oldest;
	for (uint64_t seq = after + 1; seq <= after + CORE_LEASE_LOOKS; seq++) {
		struct lease *lease = lease_table_find_seq(&core->lease_table, seq);
		if (lease)
			return lease;
	}
	*go_on = after + CORE_LEASE_LOOKS;
	return NULL;
}

bool core_next_lease(const struct core *core, uint64_t after, struct core_lease_row *row, uint64_t *go_on)
{
	const struct lease *last = row->seq && row->seq == after ? row->lease : NULL, *lease;
	*go_on = 0;
	if (!last)
		lease = lease_after(core, after, go_on);
	else
		lease = held_after(core, last);
	uint32_t n_passed = 0;
	for (; lease && lease->channel->is_removed; lease = held_after(core, lease))
		if (++n_passed > CORE_LEASE_LOOKS) { /* they are about to be freed */
			*go_on = lease->seq;
			return false;
		}
	if (!lease)
		return false;
	*row = (struct core_lease_row){
		.seq = lease->seq,
		.channel = channel_name(lease->channel),
		.n_values = (uint32_t)lease->values.n,
		.deliveries = lease->deliveries,
		.cookie = lease->connection ? lease->connection->cookie : NULL,
		.is_sticky = lease->is_sticky,
		.begun_us = lease->begun_us,
		.deadline_us = lease->timer.deadline_us,
		.lease = lease,
	};
	return true;
}

uint32_t core_parked(const struct core_connection *connection)
{
	return connection->n_parked;
}

void core_totals(const struct core *core, struct core_totals *totals)
{
	*totals = (struct core_totals){
		.taps = core->n_taps,
		.tapped = core->tapped,
		.channels = core->directory.buckets.n,
		.connections = core->n_connections,
		.parked = core->n_parked,
		.parked_puts = core->n_puts,
		.buffered = core->n_buffered,
		.promised = core->n_promised,
		.leased = core->n_leased,
		.delayed = core->n_delayed,
		.bytes = core->bytes,
		.unsent_bytes = core->unsent_bytes,
		.max_memory = core->limits.max_memory,
		.parked_bytes = core->parked_bytes,
		.max_parked = core->limits.max_parked,
		.producers = core->producers.by_name.n,
		.producer_bytes = core->producers.bytes,
		.durable_bytes = core->recorded_bytes,
		.is_draining = core->is_draining,
	};
}
