/* Once: puts that name their producer and a number, so that one that is sent again changes nothing.
 *
 * For each producer and channel the core remembers the ONCE_WINDOW highest numbers that changed the channel, with what
 * came of each. Whoever sends one of them again is told that; of a batch that had entered in part, the rest enters. A
 * number that is lower than all of a full window is refused: nobody knows any more. A put that is still parked is found
 * by its number too: the same put again, from a connection that is not older, takes its place in the queue.
 *
 * A producer that has been silent for limits.producer_ttl_ms is forgotten, and the longest silent first when there
 * would be more than limits.max_producers; but none of which a put is parked. */
#ifndef MILLRACE_CORE_ONCE_H
#define MILLRACE_CORE_ONCE_H

#include "daemon/core/buckets.h"
#include "daemon/core/core.h"
#include "daemon/core/hash.h"
#include "daemon/core/list.h"

enum { ONCE_WINDOW = 1024 };

struct channel;
struct request;

struct once_outcome { /* of one number */
	uint64_t seq;
	uint32_t accepted, evicted;
	uint8_t status; /* enum status */
	bool is_part;   /* of a batch only the first `accepted` values have entered */
};

struct producer { /* on one channel */
	struct producer *bucket_next;
	struct channel *channel;
	struct link in_channel;
	struct link in_age;            /* the core's, the longest silent first */
	uint64_t heard_us;             /* when it last put anything */
	struct once_outcome *outcomes; /* in order of their numbers */
	uint32_t n, cap;
	uint32_t n_reserved; /* places for puts that are under way; those of parked ones are among them */
	bool has_forgotten;
	uint64_t forgotten; /* with that: the highest number that has left the window */
	uint64_t hash;
	uint8_t name_len;
	char name[];
};

struct producers { /* the core's */
	struct buckets by_name;
	struct buckets parked; /* struct put_terms of puts that are parked, by producer and number */
	struct hash_key key;
	struct link by_age;
	uint64_t bytes; /* what they take, which counts towards max_memory */
};

int producers_init(struct producers *producers, struct hash_key key); /* -1: no memory */
void producers_finish(struct producers *producers);                   /* there must be none */

/* The producer of that name on the channel; its parked put of that number; and what it remembers of the number. NULL:
 * there is none. */
struct producer *producer_find(const struct core *core, const struct channel *channel, struct slice name);
struct request *producer_parked_put(const struct core *core, const struct producer *producer, uint64_t seq);
struct once_outcome *producer_outcome(const struct producer *producer, uint64_t seq);
/* Whether the number is so low that it may have been forgotten. */
bool producer_has_forgotten(const struct producer *producer, uint64_t seq);
/* The producer has put something: of those who may be forgotten it becomes the last. */
void producer_hear(struct core *core, struct producer *producer);

/* What a put that is being carried out needs to know. */
struct once {
	struct producer *producer; /* NULL: the put names none, or that one is not known yet */
	uint32_t accepted;         /* how many of its values had entered before */
	bool is_reserved;
};

/* Begins a put: looks its number up, and takes the values away that had entered before. False: there is nothing more to
 * do, the put is answered, or has taken its twin's place. */
bool once_begin(struct core *core, const struct core_event *event, struct channel *channel, struct value_list *values,
		struct once *once, struct core_effects *effects);

/* Reserves a place for the outcome, before anything changes; nothing for a put without a producer. -1: no memory. */
int once_reserve(struct core *core, const struct core_event *event, struct channel *channel, struct once *once);

/* The put has its outcome, and has not parked: `accepted` counts all of its values that are in. */
void once_end(struct core *core, const struct core_event *event, struct once *once, const struct once_outcome *outcome);

/* The put has parked: what was reserved is its request's. */
void once_park(struct core *core, const struct core_event *event, struct once *once, struct request *request);

/* A parked put with terms leaves; `is_whole`: all of its values are in. */
void once_leave(struct core *core, struct request *request, bool is_whole);

/* More values of a parked put have entered. The journal has to know how many; what is not durable learns it at the end.
 */
void once_enters(struct core *core, struct request *request);

/* Takes over what the journal tells of a producer: an outcome; or, with NULL, that this number and all lower ones may
 * have been forgotten. -1: no memory. once_restore_silent(): the whole producer was forgotten. */
int once_restore(struct core *core, struct channel *channel, struct slice name, uint64_t seq,
		 const struct once_outcome *outcome);
void once_restore_silent(struct core *core, struct channel *channel, struct slice name);

/* Forgets producers that have been silent for too long, a slice in each turn. producers_deadline(): when there is one
 * to forget. */
void producers_expire(struct core *core);
uint64_t producers_deadline(const struct core *core);

/* Forgets the producers of a channel that is gone; none of their puts is parked any more. */
void producers_forget(struct core *core, struct channel *channel);

/* Checks that producers are where they think they are, and that their sums are right. NULL, or what does not hold. */
const char *producers_check(const struct core *core);

#endif
