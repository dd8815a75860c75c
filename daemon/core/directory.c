#include "daemon/core/directory.h"

#include <assert.h>
#include <stdlib.h>

static uint64_t hash_of(const void *owner, const void *item)
{
	(void)owner;
	return ((const struct channel *)item)->hash;
}

/* Whoever stands before a channel in its bucket would be one more line of memory to fetch: so there are few. */
static const struct buckets_kind kind = {offsetof(struct channel, hash_next), 2, hash_of};

int directory_init(struct directory *directory, struct hash_key key)
{
	*directory = (struct directory){.key = key};
	return buckets_init(&directory->buckets, &kind);
}

void directory_finish(struct directory *directory)
{
	assert(directory->buckets.n == 0);
	buckets_finish(&directory->buckets);
}

uint64_t directory_hash(const struct directory *directory, struct slice name)
{
	return hash_bytes(&directory->key, name);
}

void directory_expect_bucket(const struct directory *directory, uint64_t hash)
{
	__builtin_prefetch(buckets_at(&directory->buckets, hash));
}

/* Most likely it is the bucket's first: the lines of memory that its ops need come together, not one after the other.
 */
struct channel *directory_expect_channel(const struct directory *directory, uint64_t hash)
{
	struct channel *channel = *buckets_at(&directory->buckets, hash);
	if (channel)
		for (const char *at = (const char *)&channel->taken; at < channel->name; at += 64)
			__builtin_prefetch(at);
	return channel;
}

struct channel *directory_find(const struct directory *directory, struct slice name)
{
	return directory_find_hashed(directory, name, hash_bytes(&directory->key, name));
}

struct channel *directory_find_hashed(const struct directory *directory, struct slice name, uint64_t hash)
{
	struct channel *channel = directory_expect_channel(directory, hash);
	while (channel && !(channel->hash == hash && slice_equal(channel_name(channel), name)))
		channel = channel->hash_next;
	return channel;
}

/* Splits a treap into the names before `name`, and those after it. */
static void split(struct channel *root, struct slice name, struct channel **before, struct channel **after)
{
	while (root) {
		if (slice_compare(channel_name(root), name) < 0) {
			*before = root;
			before = &root->right;
			root = root->right;
		} else {
			*after = root;
			after = &root->left;
			root = root->left;
		}
	}
	*before = *after = NULL;
}

/* Joins two treaps of which all of the first comes before all of the second. */
static struct channel *join(struct channel *before, struct channel *after)
{
	struct channel *root, **at = &root;
	while (before && after) {
		if (before->hash >= after->hash) {
			*at = before;
			at = &before->right;
			before = before->right;
		} else {
			*at = after;
			at = &after->left;
			after = after->left;
		}
	}
	*at = before ? before : after;
	return root;
}

void directory_insert(struct directory *directory, struct channel *channel)
{
	struct slice name = channel_name(channel);
	channel->hash = hash_bytes(&directory->key, name);
	buckets_insert(&directory->buckets, directory, channel);

	struct channel **at = &directory->root;
	while (*at && (*at)->hash >= channel->hash)
		at = slice_compare(name, channel_name(*at)) < 0 ? &(*at)->left : &(*at)->right;
	split(*at, name, &channel->left, &channel->right);
	*at = channel;
}

void directory_remove(struct directory *directory, struct channel *channel)
{
	buckets_remove(&directory->buckets, directory, channel);

	struct slice name = channel_name(channel);
	struct channel **at = &directory->root;
	while (*at != channel)
		at = slice_compare(name, channel_name(*at)) < 0 ? &(*at)->left : &(*at)->right;
	*at = join(channel->left, channel->right);
}

struct channel *directory_after(const struct directory *directory, struct slice after)
{
	struct channel *found = NULL, *at = directory->root;
	while (at) {
		if (slice_compare(channel_name(at), after) > 0) {
			found = at;
			at = at->left;
		} else {
			at = at->right;
		}
	}
	return found;
}
