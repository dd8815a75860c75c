#include "daemon/core/channel.h"

#include <assert.h>
#include <stdlib.h>

static const char *const kind_names[KIND_COUNT] = {
	[KIND_UNBUFFERED] = "unbuffered", [KIND_BOUNDED] = "bounded", [KIND_DROPPING] = "dropping",
	[KIND_SLIDING] = "sliding",       [KIND_PROMISE] = "promise",
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

/* What counts towards the capacity. */
static size_t occupied(const struct channel *channel)
{
	size_t n = channel->buffer.n;
	if (channel->definition.kind == KIND_BOUNDED || channel->definition.kind == KIND_DROPPING)
		n += channel->n_leased; /* unfinished work */
	return n;
}

bool channel_has_room(const struct channel *channel)
{
	return occupied(channel) < channel->definition.capacity;
}

uint64_t channel_room(const struct channel *channel)
{
	size_t n = occupied(channel);
	return n < channel->definition.capacity ? channel->definition.capacity - n : 0;
}

bool channel_takes_more(const struct channel *channel)
{
	/* Takes that wait for a promise, which has its value already, have nothing to get from another. */
	return (channel->n_takes > 0 && channel->definition.kind != KIND_PROMISE) || channel_admits(channel);
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
	return channel->closed || channel_takes_more(channel);
}

const uint64_t core_wait_bounds_us[CORE_WAIT_BOUNDS] = {1000, 5000, 25000, 100000, 500000, 2500000, 10000000, 60000000};

bool channel_expect_waits(struct channel *channel)
{
	if (!channel->waits)
		channel->waits = calloc(1, sizeof(*channel->waits));
	return channel->waits;
}

void channel_count_wait(struct channel *channel, bool is_put, uint64_t us)
{
	assert(channel->waits);
	struct core_waits *waits = is_put ? &channel->waits->puts : &channel->waits->takes;
	size_t i = 0;
	while (i < CORE_WAIT_BOUNDS && us > core_wait_bounds_us[i])
		i++;
	waits->n[i]++;
	waits->sum_us += us;
}

int channel_redefine(struct channel *channel, const struct core_definition *definition)
{
	struct slice dead_letter = definition->dead_letter;
	char *copy = NULL;
	if (dead_letter.len && !(copy = malloc(dead_letter.len)))
		return -1;
	if (copy)
		memcpy(copy, dead_letter.bytes, dead_letter.len);
	free((char *)channel->definition.dead_letter.bytes);
	channel->definition = *definition;
	channel->definition.dead_letter.bytes = copy;
	return 0;
}

struct channel *channel_create(struct slice name, const struct core_definition *definition)
{
	assert(name.len >= 1 && name.len <= UINT8_MAX);
	struct channel *channel = calloc(1, offsetof(struct channel, name) + name.len);
	if (!channel || channel_redefine(channel, definition) < 0) {
		free(channel);
		return NULL;
	}
	list_init(&channel->in_owner);
	list_init(&channel->puts);
	list_init(&channel->takes);
	list_init(&channel->resting);
	list_init(&channel->leases);
	list_init(&channel->producers);
	list_init(&channel->dead_letters);
	list_init(&channel->delayed);
	list_init(&channel->delayed_puts);
	list_init(&channel->in_unsettled);
	list_init(&channel->in_refilling);
	list_init(&channel->in_lending);
	list_init(&channel->in_ending);
	list_init(&channel->in_group);
	channel->name_len = (uint8_t)name.len;
	memcpy(channel->name, name.bytes, name.len);
	return channel;
}

void channel_destroy(struct channel *channel)
{
	if (!channel)
		return;
	assert(channel->n_puts == 0 && channel->n_takes == 0 && channel->n_delayed_puts == 0 &&
	       list_is_empty(&channel->resting) && channel->n_leased == 0);
	store_clear(&channel->buffer);
	free(channel->waits);
	free((char *)channel->definition.dead_letter.bytes);
	free(channel);
}
