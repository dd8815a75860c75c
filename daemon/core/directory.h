/* All channels by name: a hash table that grows by itself, for look-ups, and a treap (a search tree kept in balance by
 * the hashes), for listing in order of name. Both are threaded through the channels. */
#ifndef MILLRACE_CORE_DIRECTORY_H
#define MILLRACE_CORE_DIRECTORY_H

#include "daemon/core/buckets.h"
#include "daemon/core/channel.h"
#include "daemon/core/hash.h"

struct directory {
	struct hash_key key;
	struct buckets buckets;
	struct channel *root;
};

int directory_init(struct directory *directory, struct hash_key key); /* -1: no memory */
void directory_finish(struct directory *directory);                   /* must be empty */

struct channel *directory_find(const struct directory *directory, struct slice name);
/* directory_find() in its steps, each of which asks for the memory that the next one needs. */
uint64_t directory_hash(const struct directory *directory, struct slice name);
void directory_expect_bucket(const struct directory *directory, uint64_t hash);
struct channel *directory_expect_channel(const struct directory *directory, uint64_t hash);
struct channel *directory_find_hashed(const struct directory *directory, struct slice name, uint64_t hash);
void directory_insert(struct directory *directory, struct channel *channel); /* its name must be new */
void directory_remove(struct directory *directory, struct channel *channel);

/* The first channel whose name is greater than `after`, in order of bytes; NULL at the end. */
struct channel *directory_after(const struct directory *directory, struct slice after);

#endif
