/* The keys of a cluster in its engine, and what their values say. All of it is text, for people who look there.
 *
 *   m/<daemon>                    that it is up (leased): struct cluster_member
 *   g/<group>/owner               who owns the group (leased): struct cluster_owner
 *   g/<group>/epoch               how often it was taken
 *   g/<group>/floor               the last batch that is not needed any more
 *   g/<group>/home                where people have moved it
 *   j/<group>/<epoch>/<seq>       a batch: numbers in hexadecimal, of a fixed width, so that they are in order
 *   format                        of all of this */
#ifndef MILLRACE_CLUSTER_CLUSTER_KEYS_H
#define MILLRACE_CLUSTER_CLUSTER_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/name.h"
#include "proto/slice.h"

enum {
	POSITION_BYTES = 33,                                     /* of a batch, as text */
	KEY_BYTES = 2 + NAME_MAX_BYTES + 1 + POSITION_BYTES + 1, /* at most, and the NUL */
	CLUSTER_ADDRESS_BYTES = 300,
	MEMBER_BYTES = 100 + 2 * CLUSTER_ADDRESS_BYTES,
	OWNER_BYTES = 16 + 1 + 32 + 1 + NAME_MAX_BYTES + 1,
};

struct cluster_key {
	size_t len;
	char bytes[KEY_BYTES];
};

static inline struct slice key_slice(const struct cluster_key *key)
{
	return (struct slice){key->bytes, key->len};
}

/* Which of its group's batches: they rise by one within an epoch, from 1 on. */
struct batch_position {
	uint64_t epoch, seq;
};

static inline bool position_is_before(struct batch_position a, struct batch_position b)
{
	return a.epoch < b.epoch || (a.epoch == b.epoch && a.seq < b.seq);
}

/* A group's name is a part of a channel's, a daemon's is as cluster_name_is_valid() says: there is no '/' in them. */
struct cluster_key key_of_member(struct slice daemon);
struct cluster_key key_of_group(struct slice group, const char *what);
struct cluster_key key_of_batch(struct slice group, struct batch_position position);
/* All batches of the group are from the first of these keys up to, not including, the second. */
struct cluster_key key_of_batches(struct slice group);
struct cluster_key key_after_batches(struct slice group);

/* The part of "g/<group>/<what>" or "m/<daemon>" that follows the letter, up to the next '/' or the end; *what: the
 * rest. */
struct slice key_read_name(struct slice key, struct slice *what);
/* False: that is no key of a batch. */
bool key_read_position(struct slice key, struct batch_position *position);

/* A position as the text that the floor's value is. */
void position_write(struct batch_position position, char text[POSITION_BYTES + 1]);
bool position_read(struct slice text, struct batch_position *position);

/* A random number that no other run of a daemon has. */
struct cluster_mark {
	uint64_t words[2];
};

static inline bool mark_equal(struct cluster_mark a, struct cluster_mark b)
{
	return a.words[0] == b.words[0] && a.words[1] == b.words[1];
}

struct cluster_owner {
	uint64_t epoch;
	struct cluster_mark mark; /* of the daemon's run */
	struct slice daemon;
};

/* Returns the length. */
size_t owner_write(const struct cluster_owner *owner, char text[OWNER_BYTES]);
bool owner_read(struct slice text, struct cluster_owner *owner); /* slices point into the text */

struct cluster_member {
	struct cluster_mark mark;
	bool is_draining;
	uint64_t joined_ms;         /* by its wall clock */
	uint64_t places;            /* a sum of which groups its configuration gives to whom: the same on all daemons */
	struct slice address, http; /* where clients find it; http may be empty */
};

/* Returns the length; 0: the addresses are too long, or have spaces. */
size_t member_write(const struct cluster_member *member, char text[MEMBER_BYTES]);
bool member_read(struct slice text, struct cluster_member *member); /* slices point into the text */

/* Of daemons: as names of channels are, but without braces. */
bool cluster_name_is_valid(struct slice name);

#endif
