/* Groups of a cluster: a daemon has the channels of those that it owns, and of no others.
 *
 * A group comes by CORE_ADOPT, with what records say was in it, which is put in place in slices; then the daemon makes
 * what its configuration says; and from CORE_SERVE on it is served. CORE_RELEASE ends that: in that step all who are
 * parked on its channels are told that it has moved, and from then on nothing of it is recorded, so that nothing more
 * may be shown of it either; its channels go in slices.
 *
 * Without a cluster there are no groups: no channel has one, and nobody looks. Each group has numbers for its channels
 * of its own. */
#ifndef MILLRACE_CORE_GROUPS_H
#define MILLRACE_CORE_GROUPS_H

#include "daemon/core/state.h"

struct group {
	struct group *hash_next;
	uint64_t hash;
	struct link in_changing; /* the core's, while it comes or goes */
	struct link channels;    /* of struct channel */
	enum core_group_state state;
	uint64_t last_number;         /* of a channel */
	struct core_restore *restore; /* while it comes: what is not in place yet */
	struct core_restored restored;
	uint8_t name_len;
	char name[];
};

static inline struct slice group_name(const struct group *group)
{
	return (struct slice){group->name, group->name_len};
}

/* Whether nothing of the group may be shown or recorded any more. NULL is fine. */
static inline bool group_is_leaving(const struct group *group)
{
	return group && group->state == CORE_GROUP_LEAVING;
}

/* NULL: there is none of this name. */
struct group *group_find(const struct core *core, struct slice name);
/* Makes a group of a name that is free. NULL: no memory. */
struct group *group_create(struct core *core, struct slice name);
void group_destroy(struct core *core, struct group *group); /* no channel is left in it */

int groups_init(struct groups *groups, struct hash_key key); /* -1: no memory */
void groups_finish(struct core *core);                       /* no channel is left */

/* The group to which a channel of this name belongs; NULL: it is not here. */
struct group *group_of(const struct core *core, struct slice channel);

/* Channel number `i` of those that a request names; empty: it names no more. */
struct slice groups_named_channel(const struct core_event *event, uint32_t i);

/* In a cluster: why a request may not be carried out, and because of which of those channels; ERROR_NONE: it may. */
enum error groups_refusal(const struct core *core, const struct core_event *event, uint32_t *which);

/* Goes on with groups that come, and with those that go, as far as this turn's work goes. */
void groups_go_on(struct core *core, struct core_effects *effects);

/* Whether all that records say of the groups is in place. */
bool groups_are_restored(const struct core *core);

#endif
