#include "daemon/core/channel.h"

#include <assert.h>
#include <stdlib.h>

static const char *const kind_names[KIND_COUNT] = {
	[KIND_UNBUFFERED] = "unbuffered", [KIND_BOUNDED] = "bounded", [KIND_DROPPING] = "dropping",
	[KIND_SLIDING] = "sliding",	  [KIND_PROMISE] = "promise",
};

const char *channel_kind_name(enum channel_kind kind)
{
	assert(kind < KIND_COUNT);
	return kind_names[kind];
}

enum channel_kind channel_kind_from_name(struct slice word)
{
	enum channel_kind kind = 0;
	while (kind < KIND_COUNT && !slice_equal(word, slice_from(kind_names[kind])))
		kind++;
	return kind;
}

bool channel_has_room(const struct channel *channel)
{
	return channel->buffer.n < channel->definition.capacity;
}

bool channel_can_put(const struct channel *channel)
{
	switch (channel->definition.kind) {
	case KIND_DROPPING:
	case KIND_SLIDING:
	case KIND_PROMISE:
		return true;
	case KIND_UNBUFFERED:
	case KIND_BOUNDED:
	case KIND_COUNT:
		break;
	}
	return channel->closed || channel->n_takes > 0 || channel_has_room(channel);
}

struct channel *channel_create(struct slice name, const struct core_definition *definition)
{
	assert(name.len >= 1 && name.len <= UINT8_MAX);
	struct channel *channel = calloc(1, offsetof(struct channel, name) + name.len);
	if (!channel)
		return NULL;
	channel->definition = *definition;
	list_init(&channel->in_owner);
	list_init(&channel->puts);
	list_init(&channel->takes);
	list_init(&channel->resting);
	channel->name_len = (uint8_t)name.len;
	memcpy(channel->name, name.bytes, name.len);
	return channel;
}

void channel_destroy(struct channel *channel)
{
	if (!channel)
		return;
	assert(channel->n_puts == 0 && channel->n_takes == 0 && list_is_empty(&channel->resting));
	value_list_clear(&channel->buffer);
	free(channel);
}
