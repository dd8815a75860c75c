#include "daemon/core/directory.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_BUCKETS = 64 };

static int compare(struct slice a, struct slice b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter ? memcmp(a.bytes, b.bytes, shorter) : 0;
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

int directory_init(struct directory *directory, struct hash_key key)
{
	*directory = (struct directory){.key = key, .n_buckets = FIRST_BUCKETS};
	directory->buckets = calloc(FIRST_BUCKETS, sizeof(*directory->buckets));
	return directory->buckets ? 0 : -1;
}

void directory_finish(struct directory *directory)
{
	assert(directory->n == 0);
	free(directory->buckets);
	directory->buckets = NULL;
}

struct channel *directory_find(const struct directory *directory, struct slice name)
{
	uint64_t hash = hash_bytes(&directory->key, name);
	struct channel *channel = directory->buckets[hash & (directory->n_buckets - 1)];
	if (channel) /* most likely it is this one: the lines of memory that its ops need come together, not one after
			the other */
		for (const char *at = (const char *)&channel->taken; at < channel->name; at += 64)
			__builtin_prefetch(at);
	while (channel && !(channel->hash == hash && slice_equal(channel_name(channel), name)))
		channel = channel->hash_next;
	return channel;
}

static void bucket_add(struct channel **buckets, size_t n_buckets, struct channel *channel)
{
	struct channel **bucket = &buckets[channel->hash & (n_buckets - 1)];
	channel->hash_next = *bucket;
	*bucket = channel;
}

/* Doubles the buckets. Without memory the chains just get longer. */
static void grow(struct directory *directory)
{
	size_t n = directory->n_buckets * 2;
	struct channel **buckets = calloc(n, sizeof(*buckets));
	if (!buckets)
		return;
	for (size_t i = 0; i < directory->n_buckets; i++) {
		struct channel *channel = directory->buckets[i], *next;
		for (; channel; channel = next) {
			next = channel->hash_next;
			bucket_add(buckets, n, channel);
		}
	}
	free(directory->buckets);
	directory->buckets = buckets;
	directory->n_buckets = n;
}

/* Splits a treap into the names before `name`, and those after it. */
static void split(struct channel *root, struct slice name, struct channel **before, struct channel **after)
{
	while (root) {
		if (compare(channel_name(root), name) < 0) {
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
	if (directory->n >=
	    directory->n_buckets /
		    2) /* whoever stands before it in its bucket would be one more line of memory to fetch */
		grow(directory);
	bucket_add(directory->buckets, directory->n_buckets, channel);
	directory->n++;

	struct channel **at = &directory->root;
	while (*at && (*at)->hash >= channel->hash)
		at = compare(name, channel_name(*at)) < 0 ? &(*at)->left : &(*at)->right;
	split(*at, name, &channel->left, &channel->right);
	*at = channel;
}

void directory_remove(struct directory *directory, struct channel *channel)
{
	struct channel **bucket = &directory->buckets[channel->hash & (directory->n_buckets - 1)];
	while (*bucket != channel)
		bucket = &(*bucket)->hash_next;
	*bucket = channel->hash_next;
	directory->n--;

	struct slice name = channel_name(channel);
	struct channel **at = &directory->root;
	while (*at != channel)
		at = compare(name, channel_name(*at)) < 0 ? &(*at)->left : &(*at)->right;
	*at = join(channel->left, channel->right);
}

struct channel *directory_after(const struct directory *directory, struct slice after)
{
	struct channel *found = NULL, *at = directory->root;
	while (at) {
		if (compare(channel_name(at), after) > 0) {
			found = at;
			at = at->left;
		} else {
			at = at->right;
		}
	}
	return found;
}
