/* A channel: its definition, its buffer, who is parked on it, and its books. It knows nothing of the others. */
#ifndef MILLRACE_CORE_CHANNEL_H
#define MILLRACE_CORE_CHANNEL_H

#include "daemon/core/core.h"
#include "daemon/core/list.h"

struct channel {
	struct channel *hash_next; /* directory.c's, with the next three; after deletion: the core's graveyard */
	struct channel *left, *right;
	uint64_t hash;

	struct core_connection *owner; /* of an ephemeral channel; else NULL */
	struct link in_owner;

	struct core_definition definition;
	bool closed;
	struct value_list buffer;
	struct link puts, takes; /* of struct arm, oldest first */
	struct link resting;	 /* of struct arm: takes with a count that have left the queue for a while */
	uint32_t n_puts, n_takes;
	uint64_t bytes; /* of the values in the buffer and in parked put arms */

	/* The books. Counters never fall. */
	uint64_t accepted, taken, dropped, evicted, discarded;

	uint8_t name_len;
	char name[];
};

static inline struct slice channel_name(const struct channel *channel)
{
	return (struct slice){channel->name, channel->name_len};
}

/* Whether a take would find something. */
static inline bool channel_can_take(const struct channel *channel)
{
	return channel->buffer.n > 0 || channel->n_puts > 0;
}

/* Whether a value can be buffered without shedding another. */
bool channel_has_room(const struct channel *channel);

/* Whether a put would have an outcome at once. */
bool channel_can_put(const struct channel *channel);

/* NULL without memory. */
struct channel *channel_create(struct slice name, const struct core_definition *definition);
void channel_destroy(struct channel *channel);

#endif
