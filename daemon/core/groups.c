#include "daemon/core/groups.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/hash.h"
#include "proto/name.h"

/* -- The table -- */

static uint64_t hash_of(const void *owner, const void *item)
{
	(void)owner;
	return ((const struct group *)item)->hash;
}

static const struct buckets_kind kind = {offsetof(struct group, hash_next), 1, hash_of};

int groups_init(struct groups *groups, struct hash_key key)
{
	groups->key = key;
	list_init(&groups->changing);
	return buckets_init(&groups->by_name, &kind);
}

struct group *group_find(const struct core *core, struct slice name)
{
	const struct groups *groups = &core->groups;
	uint64_t hash = hash_bytes(&groups->key, name);
	struct group *group = *buckets_at(&groups->by_name, hash);
	while (group && !(group->hash == hash && slice_equal(group_name(group), name)))
		group = group->hash_next;
	return group;
}

struct group *group_of(const struct core *core, struct slice channel)
{
	return core->groups.are_there ? group_find(core, channel_group(channel)) : NULL;
}

struct group *group_create(struct core *core, struct slice name)
{
	struct group *group = calloc(1, sizeof(*group) + name.len);
	if (!group)
		return NULL;
	group->hash = hash_bytes(&core->groups.key, name);
	group->name_len = (uint8_t)name.len;
	memcpy(group->name, name.bytes, name.len);
	list_init(&group->channels);
	list_init(&group->in_changing);
	buckets_insert(&core->groups.by_name, &core->groups, group);
	return group;
}

void group_destroy(struct core *core, struct group *group)
{
	assert(list_is_empty(&group->channels));
	core_restore_destroy(group->restore);
	list_remove(&group->in_changing);
	buckets_remove(&core->groups.by_name, &core->groups, group);
	if (core->groups.recorded == group)
		core->groups.recorded = NULL;
	free(group);
}

void groups_finish(struct core *core)
{
	struct groups *groups = &core->groups;
	while (groups->by_name.n > 0) /* each that goes may move others to another bucket */
		for (size_t i = 0; i < groups->by_name.n_buckets; i++)
			for (struct group *group; (group = *buckets_place(&groups->by_name, i));)
				group_destroy(core, group);
	buckets_finish(&groups->by_name);
}

/* -- Who may -- */

struct slice groups_named_channel(const struct core_event *event, uint32_t i)
{
	const struct slice none = {NULL, 0};
	if (event->op == CORE_ALTS)
		return i < event->n_arms ? event->arms[i].channel : none;
	if (i == 0)
		return event->channel;
	if (i > 1)
		return none;
	if (event->op == CORE_CREATE || event->op == CORE_ALTER)
		return event->definition.dead_letter;
	if (event->op == CORE_TAP || event->op == CORE_UNTAP)
		return event->tap.to;
	return event->op == CORE_MOVE ? event->to : none;
}

static bool names_channels(enum core_op op)
{
	switch (op) {
	case CORE_CREATE:
	case CORE_CLOSE:
	case CORE_DELETE:
	case CORE_ALTER:
	case CORE_TAP:
	case CORE_UNTAP:
	case CORE_PUT:
	case CORE_TAKE:
	case CORE_ALTS:
	case CORE_MOVE:
		return true;
	case CORE_TICK:
	case CORE_HANG_UP:
	case CORE_DISCONNECT:
	case CORE_ABANDON:
	case CORE_CANCEL:
	case CORE_ACK:
	case CORE_NACK:
	case CORE_EXTEND:
	case CORE_PAUSE:
	case CORE_RESUME:
	case CORE_CONNECT:
	case CORE_SET_LIMITS:
	case CORE_SET_QUOTA:
	case CORE_JOIN_QUOTA:
	case CORE_RESTORE:
	case CORE_CHECKPOINT:
	case CORE_REVOKE:
	case CORE_DRAIN:
	case CORE_JOIN_CLUSTER:
	case CORE_ADOPT:
	case CORE_SERVE:
	case CORE_RELEASE:
	case CORE_OP_COUNT:
		break;
	}
	return false;
}

enum error groups_refusal(const struct core *core, const struct core_event *event, uint32_t *which)
{
	if (!names_channels(event->op))
		return ERROR_NONE;
	struct slice first = groups_named_channel(event, 0), other;
	for (uint32_t i = 1; (other = groups_named_channel(event, i)).len > 0; i++) {
		*which = i;
		if (!slice_equal(channel_group(first), channel_group(other)))
			return ERROR_CROSS_GROUP;
	}
	*which = 0;
	const struct group *group = group_of(core, first);
	bool is_here = group && (group->state == CORE_GROUP_SERVED ||
				 (group->state == CORE_GROUP_RESTORED && !event->connection));
	return is_here ? ERROR_NONE : ERROR_MOVED;
}

bool core_serves(const struct core *core, struct slice channel)
{
	const struct group *group = group_of(core, channel);
	return !core->groups.are_there || (group && group->state == CORE_GROUP_SERVED);
}

enum core_group_state core_group_state(const struct core *core, struct slice name, struct core_restored *restored)
{
	const struct group *group = group_find(core, name);
	if (group && restored)
		*restored = group->restored;
	return group ? group->state : CORE_GROUP_NONE;
}

uint64_t core_group_unkept(const struct core *core, struct slice name)
{
	struct group *group = group_find(core, name);
	uint64_t n = 0;
	if (!group || group_is_leaving(group))
		return 0;
	for (struct link *at = group->channels.next; at != &group->channels; at = at->next) {
		const struct channel *channel = LIST_ITEM(at, struct channel, in_group);
		n += channel->definition.durable ? 0 : channel->buffer.n + channel->n_leased;
	}
	return n;
}

bool groups_are_restored(const struct core *core)
{
	for (const struct link *at = core->groups.changing.next; at != &core->groups.changing; at = at->next)
		if (LIST_ITEM(at, struct group, in_changing)->state == CORE_GROUP_COMING)
			return false;
	return true;
}
