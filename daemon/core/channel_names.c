/* Channels by name: how one is found, made, counted and forgotten. */
#include <assert.h>
#include <string.h>

#include "daemon/core/groups.h"
#include "daemon/core/hash.h"
#include "daemon/core/recorder.h"

/* The beginning, the end and the length of a name, mixed. Moves of fixed lengths, which may overlap, take less than
 * those of any length. */
static uint64_t name_tag(struct slice name)
{
	uint64_t head = 0, tail = 0;
	if (name.len >= 8) {
		memcpy(&head, name.bytes, 8);
		memcpy(&tail, name.bytes + name.len - 8, 8);
	} else if (name.len >= 4) {
		memcpy(&head, name.bytes, 4);
		memcpy(&tail, name.bytes + name.len - 4, 4);
	} else {
		memcpy(&head, name.bytes, 1);
		memcpy(&tail, name.bytes + name.len / 2, 1);
		tail = tail << 8 | (unsigned char)name.bytes[name.len - 1];
	}
	return hash_mix(head ^ (tail << 32 | tail >> 32) ^ name.len);
}

static struct recent *recent_place(struct core *core, uint64_t tag)
{
	return &core->recent[tag % RECENT_CHANNELS];
}

void channel_forget_name(struct core *core, struct channel *channel)
{
	struct recent *recent = recent_place(core, name_tag(channel_name(channel)));
	if (recent->channel == channel)
		*recent = (struct recent){0, NULL};
	directory_remove(&core->directory, channel);
}

struct channel *channel_find(struct core *core, struct slice name)
{
	uint64_t tag = name_tag(name);
	struct recent *recent = recent_place(core, tag);
	if (recent->tag == tag && recent->channel && slice_equal(channel_name(recent->channel), name))
		return recent->channel;
	struct channel *channel = directory_find(&core->directory, name);
	if (channel)
		*recent = (struct recent){tag, channel};
	return channel;
}

bool core_is_vast(const struct core *core)
{
	return core->directory.buckets.n > RECENT_CHANNELS;
}

/* Step by step for all of them, so that they wait together for each line of memory. */
void core_expect(struct core *core, const struct slice *channels, size_t n)
{
	uint64_t hashes[CORE_EXPECTED];
	assert(n <= CORE_EXPECTED);
	for (size_t i = 0; i < n; i++) {
		hashes[i] = directory_hash(&core->directory, channels[i]);
		directory_expect_bucket(&core->directory, hashes[i]);
	}
	for (size_t i = 0; i < n; i++)
		directory_expect_channel(&core->directory, hashes[i]);
	for (size_t i = 0; i < n; i++) {
		struct channel *channel = directory_find_hashed(&core->directory, channels[i], hashes[i]);
		uint64_t tag = name_tag(channels[i]);
		if (!channel)
			continue;
		*recent_place(core, tag) = (struct recent){tag, channel};
		__builtin_prefetch(channel->buffer.entered.head);
		__builtin_prefetch(channel->takes.next);
	}
}

void channel_forget_kept(struct core *core, struct slice name)
{
	struct channel *channel = channel_find(core, name);
	if (channel && !channel->definition.durable && core->recorder &&
	    channel->changed_in <= core->recorder->committed)
		channel->changed_in = 0;
}

void channel_join_quota(struct channel *channel, struct core_quota *quota)
{
	if (channel->quota)
		channel->quota->n_channels--;
	channel->quota = quota;
	if (quota)
		quota->n_channels++;
}

bool channel_is_over_quota(const struct core_connection *connection)
{
	const struct core_quota *quota = connection ? connection->quota : NULL;
	return quota && quota->n_channels >= quota->limits.max_channels;
}

struct channel *channel_make(struct core *core, struct slice name, const struct core_definition *definition,
			     struct core_connection *owner, enum error *error)
{
	bool has_room = core->directory.buckets.n < core->limits.max_channels && !channel_is_over_quota(owner);
	struct channel *channel = has_room ? channel_create(name, definition) : NULL;
	*error = channel ? ERROR_NONE : ERROR_OVERLOADED;
	if (!channel)
		return NULL;
	directory_insert(&core->directory, channel);
	if (!list_is_empty(&core->ending)) /* one of this name may still be ending, which must not be undone */
		channel->changed_in = core->changed_in;
	if ((channel->group = group_of(core, name)))
		list_append(&channel->group->channels, &channel->in_group);
	recorder_create(core, channel, owner != NULL);
	channel_join_quota(channel, owner ? owner->quota : NULL);
	if (definition->ephemeral) {
		channel->owner = owner;
		list_append(&owner->ephemeral, &channel->in_owner);
	}
	return channel;
}
