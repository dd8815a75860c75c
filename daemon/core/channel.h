/* A channel: its definition, its buffer, who is parked on it, and its books. It knows nothing of the others. */
#ifndef MILLRACE_CORE_CHANNEL_H
#define MILLRACE_CORE_CHANNEL_H

#include "daemon/core/rows.h"
#include "daemon/core/list.h"

struct waits {
	struct core_waits puts, takes;
};

/* What each put and take needs stands together at the end, before the name: with many channels every line of memory is
 * one that has to be fetched. */
struct channel {
	struct channel *left, *right;  /* directory.c's */
	struct core_connection *owner; /* of an ephemeral channel; else NULL */
	struct link in_owner;
	struct core_quota *quota; /* on which it counts; NULL: none */
	struct group *group;      /* of a cluster; NULL: there is none, or the channel is removed */
	struct link in_group;
	struct link resting;      /* of struct arm: takes with a count that have left the queue for a while */
	struct link leases;       /* of struct lease, held or delayed */
	struct link delayed;      /* of struct delayed_put: accepted, and yet to enter */
	struct link delayed_puts; /* of struct arm, oldest first: puts with a delay that are parked */
	struct link producers;    /* of struct producer: who puts here once */
	struct link dead_letters; /* of struct request: values of this channel that are parked as puts on another */
	struct link in_lending;   /* the core's: a promise that is still being lent */
	struct link in_unsettled; /* the core's: those that have yet to look whether something can go on */
	struct link in_refilling; /* the core's: parked puts have room, and are still entering, see parked_puts.c */
	struct link in_ending;    /* the core's: it has ended, and not all who are parked on it have been told */
	struct mix *mix;          /* the taps into it; NULL: there are none */
	struct waits *waits;      /* of those who waited here and were served; NULL: nobody has waited yet */
	uint8_t revoked; /* during one CORE_REVOKE: what the connection may not do here any more, see op_revoke() */
	bool is_removed;
	bool is_ghost; /* removed, and there only for values that are kept */

	/* The books. Counters never fall. */
	uint64_t recovered; /* from a journal, at the start */
	uint64_t returned, dropped, evicted, dead_lettered, discarded, accepted, taken;

	uint64_t n_kept; /* values that were taken from it, and whose memory still says so; it stays in memory for them
			  */
	uint64_t bytes;  /* of the values in the buffer, in leases and in parked put arms */
	struct core_definition definition; /* its dead_letter is the channel's own */
	uint64_t last_place;               /* of a value that has entered: no other has had it before */
	uint64_t recorded_bytes;           /* of its values: about as many as a checkpoint of them takes */
	uint64_t number; /* in the journal, among those of its group; 0: that knows nothing of it. In a cluster it knows
			    channels that are not durable, but nothing that is in them */
	uint64_t changed_in; /* the last batch of the journal that tells of a change */
	bool closed;
	uint32_t n_leased; /* values in leases, dead letters and delayed puts */
	struct store buffer;
	struct mult *mult;       /* its taps; NULL: it has none */
	struct link puts, takes; /* of struct arm, oldest first */
	uint32_t n_puts, n_takes;
	uint32_t n_delayed_puts; /* arms in delayed_puts, which are not among n_puts: no take takes from them */
	uint32_t n_delayed;      /* values in `delayed`, which are among those accepted and leased */

	struct channel *hash_next; /* directory.c's; after deletion: the core's graveyard */
	uint64_t hash;             /* directory.c's */
	uint8_t name_len;
	char name[];
};

static inline struct slice channel_name(const struct channel *channel)
{
	return (struct slice){channel->name, channel->name_len};
}

/* Whether what is buffered there need not be taken before the daemon ends: the journal has it. Promises never need. */
static inline bool channel_counts_as_kept(const struct channel *channel)
{
	return channel->definition.durable && channel->definition.kind != KIND_PROMISE;
}

/* Whether a take would find something. */
static inline bool channel_can_take(const struct channel *channel)
{
	return channel->buffer.n > 0 || channel->n_puts > 0;
}

/* Whether a take gets `closed`: nothing is left, and nothing can come back. */
static inline bool channel_is_exhausted(const struct channel *channel)
{
	return channel->closed && channel->n_leased == 0 && !channel_can_take(channel);
}

/* Whether a put or a take here is nobody's business but the one's who asks, and of takes that wait: no put waits here,
 * and nothing has to be written down. Whoever gives channels something that a put or a take brings about says so here.
 */
static inline bool channel_is_quiet(const struct channel *channel)
{
	return list_is_empty(&channel->puts) && !channel->mult && channel->n_delayed_puts == 0 &&
	       !channel->definition.durable && !channel->changed_in && channel->definition.kind != KIND_PROMISE;
}

/* How many values can be buffered without shedding another; and whether one can. */
uint64_t channel_room(const struct channel *channel);
bool channel_has_room(const struct channel *channel);

static inline uint32_t channel_parked_puts(const struct channel *channel)
{
	return channel->n_puts + channel->n_delayed_puts;
}

static inline bool channel_is_refilling(const struct channel *channel)
{
	return !list_is_empty(&channel->in_refilling);
}

/* Whether a value that comes now can be buffered: there is room, and nobody who parked before it has yet to enter. */
static inline bool channel_admits(const struct channel *channel)
{
	bool is_behind_others = channel_is_refilling(channel) && channel_parked_puts(channel) > 0;
	return channel_has_room(channel) && !is_behind_others;
}

/* Whether a value can enter now without shedding any: into the buffer, or to a parked take. */
bool channel_takes_more(const struct channel *channel);

/* Whether a put would have an outcome at once. */
bool channel_can_put(const struct channel *channel);

/* Makes room for counting how long those wait who are about to. False: no memory. */
bool channel_expect_waits(struct channel *channel);
/* Counts one who has waited so long, and was served. */
void channel_count_wait(struct channel *channel, bool is_put, uint64_t us);

/* Gives the channel another definition of the same kind, whose dead_letter is copied. -1, and nothing done: no memory.
 */
int channel_redefine(struct channel *channel, const struct core_definition *definition);

/* NULL without memory. */
struct channel *channel_create(struct slice name, const struct core_definition *definition);
void channel_destroy(struct channel *channel);

#endif
