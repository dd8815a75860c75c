/* How groups come and go: the ops join, adopt, serve and release. */
#include <assert.h>

#include "daemon/core/groups.h"
#include "daemon/core/recorder.h"
#include "daemon/core/restored.h"
#include "daemon/core/tap.h"

/* It comes or goes: while any group does, every request goes through a step, where it is looked at. */
static void begin_change(struct core *core, struct group *group, enum core_group_state state)
{
	group->state = state;
	if (list_is_empty(&group->in_changing))
		list_append(&core->groups.changing, &group->in_changing);
	core->alone_us = CORE_NEVER;
}

/* -- Coming -- */

static void restore_more(struct core *core, struct group *group, struct core_effects *effects)
{
	int result = restore_slice(core, group->restore, group, &group->restored, effects);
	if (result == 0)
		return;
	core_restore_destroy(group->restore);
	group->restore = NULL;
	group->restored.has_failed = result < 0;
	group->state = result < 0 ? CORE_GROUP_FAILED : CORE_GROUP_RESTORED;
	list_remove(&group->in_changing);
	checkpoint_begin_again(core);
}

void op_join_cluster(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	(void)event, (void)effects;
	assert(core->directory.buckets.n == 0);
	core->groups.are_there = true;
}

static void remove_channels(struct core *core, struct group *group, struct core_effects *effects)
{
	while (!list_is_empty(&group->channels) && work_is_left(core)) {
		channel_remove(core, LIST_ITEM(group->channels.next, struct channel, in_group), effects);
		work_spend(core, CHANNEL_WORK);
	}
	if (list_is_empty(&group->channels))
		group_destroy(core, group);
}

/* A group that has yet to go from the last time, and comes again, goes first. */
static struct group *make_group(struct core *core, struct slice name, struct core_effects *effects)
{
	struct group *old = group_find(core, name);
	assert(!old || old->state == CORE_GROUP_LEAVING);
	if (old) {
		uint32_t work_left = core->work_left;
		core->work_left = UINT32_MAX;
		remove_channels(core, old, effects);
		core->work_left = work_left;
	}
	return group_create(core, name);
}

void op_adopt(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	assert(core->groups.are_there && core->recorder);
	struct group *group = make_group(core, event->channel, effects);
	if (!group) {
		core_restore_destroy(event->restore);
		return;
	}
	group->restore = event->restore;
	group->last_number = event->restore->last_number;
	begin_change(core, group, CORE_GROUP_COMING);
	restore_more(core, group, effects);
}

void op_serve(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct group *group = group_find(core, event->channel);
	(void)effects;
	assert(group && group->state == CORE_GROUP_RESTORED);
	group->state = CORE_GROUP_SERVED;
	taps_wake(core, group);
}

/* -- Going -- */

static void tell(struct core *core, struct request *request, const struct group *group, struct core_effects *effects)
{
	struct arm *arm = &request->arms[0]; /* the others' channels are of the same group */
	if (!request_is_nobodys(request) && arm->channel->group == group)
		park_complete(core, request, arm, STATUS_ERROR, effects)->error = ERROR_MOVED;
}

/* All who are parked there. It cannot wait for another turn: what comes back to a channel that goes may go to nobody.
 */
static void tell_all(struct core *core, const struct group *group, struct core_effects *effects)
{
	uint64_t after = 0;
	for (struct request *request; (request = order_after(&core->order, after));) {
		after = request->parked.seq;
		tell(core, request, group, effects);
	}
	for (struct link *at = core->connections.next; at != &core->connections; at = at->next) {
		struct consumer *consumer = LIST_ITEM(at, struct core_connection, in_core)->consumer;
		for (struct link *resting = consumer ? consumer->resting.next : NULL, *next;
		     consumer && resting != &consumer->resting; resting = next) {
			next = resting->next;
			tell(core, LIST_ITEM(resting, struct request, parked.in_connection), group, effects);
		}
	}
}

void op_release(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct group *group = group_find(core, event->channel);
	assert(group && group->state != CORE_GROUP_LEAVING);
	core_restore_destroy(group->restore);
	group->restore = NULL;
	begin_change(core, group, CORE_GROUP_LEAVING);
	tell_all(core, group, effects);
	remove_channels(core, group, effects);
}

void groups_go_on(struct core *core, struct core_effects *effects)
{
	struct link now;
	list_take(&now, &core->groups.changing);
	while (!list_is_empty(&now)) {
		struct group *group = LIST_ITEM(now.next, struct group, in_changing);
		list_remove(&group->in_changing);
		list_append(&core->groups.changing, &group->in_changing);
		if (group->state == CORE_GROUP_COMING)
			restore_more(core, group, effects);
		else
			remove_channels(core, group, effects);
	}
}
