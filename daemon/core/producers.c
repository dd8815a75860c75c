/* Who has put what on which channel: tables, windows, and what the journal is told of them. */
#include "daemon/core/once.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/checkpoint_place.h"
#include "daemon/core/recorder.h"

/* -- The tables -- */

static uint64_t hash_of_producer(const void *owner, const void *item)
{
	(void)owner;
	return ((const struct producer *)item)->hash;
}

static uint64_t parked_hash(const struct producers *producers, const struct producer *producer, uint64_t seq)
{
	return hash_mix(hash_mix((uint64_t)(uintptr_t)producer ^ producers->key.k0) + seq);
}

static uint64_t hash_of_parked(const void *owner, const void *item)
{
	const struct put_terms *terms = item;
	return parked_hash(owner, terms->producer, terms->seq);
}

static const struct buckets_kind producer_kind = {offsetof(struct producer, bucket_next), 1, hash_of_producer};
static const struct buckets_kind parked_kind = {offsetof(struct put_terms, bucket_next), 1, hash_of_parked};

int producers_init(struct producers *producers, struct hash_key key)
{
	*producers = (struct producers){.key = key};
	list_init(&producers->by_age);
	if (buckets_init(&producers->by_name, &producer_kind) < 0)
		return -1;
	if (buckets_init(&producers->parked, &parked_kind) < 0) {
		buckets_finish(&producers->by_name);
		return -1;
	}
	return 0;
}

void producers_finish(struct producers *producers)
{
	assert(producers->by_name.n == 0 && producers->parked.n == 0 && producers->bytes == 0);
	buckets_finish(&producers->parked);
	buckets_finish(&producers->by_name);
}

static struct slice name_of(const struct producer *producer)
{
	return (struct slice){producer->name, producer->name_len};
}

static uint64_t hash_of_name(const struct producers *producers, const struct channel *channel, struct slice name)
{
	return hash_mix(hash_bytes(&producers->key, name) ^ channel->hash);
}

struct producer *producer_find(const struct core *core, const struct channel *channel, struct slice name)
{
	uint64_t hash = hash_of_name(&core->producers, channel, name);
	struct producer *producer = *buckets_at(&core->producers.by_name, hash);
	while (producer &&
	       !(producer->hash == hash && producer->channel == channel && slice_equal(name_of(producer), name)))
		producer = producer->bucket_next;
	return producer;
}

struct request *producer_parked_put(const struct core *core, const struct producer *producer, uint64_t seq)
{
	struct put_terms *terms = *buckets_at(&core->producers.parked, parked_hash(&core->producers, producer, seq));
	while (terms && !(terms->producer == producer && terms->seq == seq))
		terms = terms->bucket_next;
	return terms ? terms_request(terms) : NULL;
}

/* -- Producers -- */

static void destroy(struct core *core, struct producer *producer)
{
	assert(producer->n_reserved == 0);
	checkpoint_passes_producer(&core->checkpoint, producer);
	buckets_remove(&core->producers.by_name, &core->producers, producer);
	list_remove(&producer->in_channel);
	list_remove(&producer->in_age);
	core->producers.bytes -= sizeof(*producer) + producer->name_len + producer->cap * sizeof(*producer->outcomes);
	free(producer->outcomes);
	free(producer);
}

/* Somebody is heard: among those who have been silent it goes to the end. */
void producer_hear(struct core *core, struct producer *producer)
{
	producer->heard_us = core->now_us;
	list_remove(&producer->in_age);
	list_append(&core->producers.by_age, &producer->in_age);
}

/* Makes room for one more producer, at the cost of the one that has been silent the longest. False: a put of each is
 * under way. */
static bool forget_oldest(struct core *core)
{
	struct link *by_age = &core->producers.by_age;
	for (struct link *at = by_age->next; at != by_age; at = at->next) {
		struct producer *producer = LIST_ITEM(at, struct producer, in_age);
		if (producer->n_reserved > 0)
			continue;
		recorder_forgets_producer(core, producer);
		destroy(core, producer);
		return true;
	}
	return false;
}

/* NULL: no memory, or too many. */
static struct producer *create(struct core *core, struct channel *channel, struct slice name)
{
	assert(name.len > 0 && name.len <= UINT8_MAX);
	if (core->producers.by_name.n >= core->limits.max_producers && !forget_oldest(core))
		return NULL;
	struct producer *producer = malloc(sizeof(*producer) + name.len);
	if (!producer)
		return NULL;
	*producer = (struct producer){.channel = channel,
				      .hash = hash_of_name(&core->producers, channel, name),
				      .name_len = (uint8_t)name.len};
	memcpy(producer->name, name.bytes, name.len);
	buckets_insert(&core->producers.by_name, &core->producers, producer);
	list_append(&channel->producers, &producer->in_channel);
	list_init(&producer->in_age);
	producer_hear(core, producer);
	core->producers.bytes += sizeof(*producer) + name.len;
	return producer;
}

/* Nothing of it is remembered, and nothing under way: then it need not be there. */
static void forget_if_empty(struct core *core, struct producer *producer)
{
	if (producer->n == 0 && producer->n_reserved == 0 && !producer->has_forgotten)
		destroy(core, producer);
}

/* -- The window -- */

/* The place of the first outcome whose number is not lower. */
static uint32_t place_of(const struct producer *producer, uint64_t seq)
{
	uint32_t low = 0, high = producer->n;
	if (high > 0 && producer->outcomes[high - 1].seq < seq) /* numbers rise, mostly */
		return high;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (producer->outcomes[middle].seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct once_outcome *producer_outcome(const struct producer *producer, uint64_t seq)
{
	uint32_t at = place_of(producer, seq);
	return at < producer->n && producer->outcomes[at].seq == seq ? &producer->outcomes[at] : NULL;
}

bool producer_has_forgotten(const struct producer *producer, uint64_t seq)
{
	return (producer->has_forgotten && seq <= producer->forgotten) ||
	       (producer->n == ONCE_WINDOW && seq < producer->outcomes[0].seq);
}

/* Takes a reserved place, with no need for memory. */
static void remember(struct producer *producer, const struct once_outcome *outcome)
{
	uint32_t at = place_of(producer, outcome->seq);
	if (at < producer->n && producer->outcomes[at].seq == outcome->seq) { /* more of a batch has entered */
		producer->outcomes[at] = *outcome;
		return;
	}
	if (producer->n == ONCE_WINDOW) {
		bool is_lowest = at == 0;
		producer->has_forgotten = true;
		producer->forgotten = is_lowest ? outcome->seq : producer->outcomes[0].seq;
		if (is_lowest)
			return;
		memmove(&producer->outcomes[0], &producer->outcomes[1], (--at) * sizeof(*outcome));
	} else {
		assert(producer->n < producer->cap);
		memmove(&producer->outcomes[at + 1], &producer->outcomes[at], (producer->n - at) * sizeof(*outcome));
		producer->n++;
	}
	producer->outcomes[at] = *outcome;
}

static void record_and_remember(struct core *core, struct producer *producer, const struct once_outcome *outcome)
{
	recorder_once(core, producer, outcome);
	remember(producer, outcome);
}

/* Room for one more outcome. -1: no memory. */
static int make_room(struct core *core, struct producer *producer)
{
	uint64_t wanted = (uint64_t)producer->n + producer->n_reserved + 1;
	uint32_t cap = producer->cap;
	while (cap < ONCE_WINDOW && cap < wanted)
		cap = cap ? 2 * cap : 4;
	if (cap == producer->cap)
		return 0;
	struct once_outcome *outcomes = realloc(producer->outcomes, cap * sizeof(*outcomes));
	if (!outcomes)
		return -1;
	core->producers.bytes += (cap - producer->cap) * sizeof(*outcomes);
	producer->outcomes = outcomes;
	producer->cap = cap;
	return 0;
}

int once_reserve(struct core *core, const struct core_event *event, struct channel *channel, struct once *once)
{
	if (!event->producer.len)
		return 0;
	struct producer *producer = once->producer ? once->producer : create(core, channel, event->producer);
	if (!producer)
		return -1;
	once->producer = producer;
	if (make_room(core, producer) < 0) {
		forget_if_empty(core, producer);
		return -1;
	}
	producer->n_reserved++;
	once->is_reserved = true;
	return 0;
}

void once_end(struct core *core, const struct core_event *event, struct once *once, const struct once_outcome *outcome)
{
	if (!once->is_reserved)
		return;
	once->producer->n_reserved--;
	if (outcome->accepted > 0) {
		struct once_outcome numbered = *outcome;
		numbered.seq = event->seq;
		record_and_remember(core, once->producer, &numbered);
	}
	forget_if_empty(core, once->producer);
}

void once_park(struct core *core, const struct core_event *event, struct once *once, struct request *request)
{
	if (!once->is_reserved)
		return;
	struct put_terms *terms = request_terms(request);
	terms->producer = once->producer;
	terms->seq = event->seq;
	buckets_insert(&core->producers.parked, &core->producers, terms);
	once_enters(core, request);
}

void once_enters(struct core *core, struct request *request)
{
	const struct parked *parked = &request->parked;
	const struct put_terms *terms = parked->has_terms ? request_terms(request) : NULL;
	if (!terms || !terms->producer || !terms->producer->channel->definition.durable || parked->accepted == 0 ||
	    parked->values.n == 0)
		return;
	record_and_remember(
		core, terms->producer,
		&(struct once_outcome){
			.seq = terms->seq, .accepted = parked->accepted, .status = STATUS_TIMEOUT, .is_part = true});
}

void once_leave(struct core *core, struct request *request, bool is_whole)
{
	struct put_terms *terms = request_terms(request);
	struct producer *producer = terms->producer;
	if (!producer)
		return;
	buckets_remove(&core->producers.parked, &core->producers, terms);
	terms->producer = NULL;
	producer->n_reserved--;
	if (request->parked.accepted > 0)
		record_and_remember(core, producer,
				    &(struct once_outcome){.seq = terms->seq,
							   .accepted = request->parked.accepted,
							   .status = is_whole ? STATUS_OK : STATUS_TIMEOUT,
							   .is_part = !is_whole});
	forget_if_empty(core, producer);
}

/* -- Restoring -- */

int once_restore(struct core *core, struct channel *channel, struct slice name, uint64_t seq,
		 const struct once_outcome *outcome)
{
	struct producer *producer = producer_find(core, channel, name);
	if (!producer && !(producer = create(core, channel, name)))
		return -1;
	if (!outcome) {
		if (!producer->has_forgotten || producer->forgotten < seq)
			producer->forgotten = seq;
		producer->has_forgotten = true;
		return 0;
	}
	if (make_room(core, producer) < 0)
		return -1;
	remember(producer, outcome);
	return 0;
}

void once_restore_silent(struct core *core, struct channel *channel, struct slice name)
{
	struct producer *producer = producer_find(core, channel, name);
	if (producer)
		destroy(core, producer);
}

/* -- Forgetting -- */

uint64_t producers_deadline(const struct core *core)
{
	const struct link *first = core->producers.by_age.next;
	if (first == &core->producers.by_age || core->limits.producer_ttl_ms == 0)
		return CORE_NEVER;
	return LIST_ITEM(first, struct producer, in_age)->heard_us + core->limits.producer_ttl_ms * 1000;
}

void producers_expire(struct core *core)
{
	while (producers_deadline(core) <= core->now_us && work_is_left(core)) {
		struct producer *producer = LIST_ITEM(core->producers.by_age.next, struct producer, in_age);
		if (producer->n_reserved > 0) {
			producer_hear(core, producer); /* a put of it waits: it is not gone */
		} else {
			recorder_forgets_producer(core, producer);
			destroy(core, producer);
		}
		work_spend(core, 1);
	}
}

void producers_forget(struct core *core, struct channel *channel)
{
	while (!list_is_empty(&channel->producers) && work_is_left(core)) {
		destroy(core, LIST_ITEM(channel->producers.next, struct producer, in_channel));
		work_spend(core, 1);
	}
}

const char *producers_check(const struct core *core)
{
	const struct producers *producers = &core->producers;
	uint64_t n = 0, bytes = 0, reserved = 0;
	for (const struct link *at = producers->by_age.next; at != &producers->by_age; at = at->next, n++) {
		const struct producer *producer = LIST_ITEM(at, struct producer, in_age);
		bytes += sizeof(*producer) + producer->name_len + producer->cap * sizeof(*producer->outcomes);
		reserved += producer->n_reserved;
		if (producer->n > producer->cap || producer->n > ONCE_WINDOW)
			return "a producer's window is too full";
		for (uint32_t i = 1; i < producer->n; i++)
			if (producer->outcomes[i - 1].seq >= producer->outcomes[i].seq)
				return "a producer's window is out of order";
		if (!producer->channel->is_removed &&
		    producer_find(core, producer->channel, name_of(producer)) != producer)
			return "a producer is not found by its name";
	}
	if (n != producers->by_name.n || bytes != producers->bytes)
		return "the producers are miscounted";
	return reserved == producers->parked.n ? NULL : "a producer's parked puts are miscounted";
}
