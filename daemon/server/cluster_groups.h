/* The groups that this daemon owns: from their take-over to their release. */
#ifndef MILLRACE_SERVER_CLUSTER_GROUPS_H
#define MILLRACE_SERVER_CLUSTER_GROUPS_H

#include "daemon/cluster/group_recovery.h"
#include "daemon/server/cluster_state.h"

enum server_group_stage {
	SERVER_GROUP_RECOVERS, /* what the engine has of it is read */
	SERVER_GROUP_COMES,    /* and becomes the core's */
	SERVER_GROUP_IS_SERVED,
	SERVER_GROUP_LEAVES, /* the core has it no more; what was recorded has yet to be committed */
};

struct server_group {
	struct server_group *next;
	struct server *server;
	enum server_group_stage stage;
	struct group_recovery *recovery;
	struct core_restore *restore;
	uint64_t released_after; /* when it leaves: the last batch that has records of it */
	uint64_t taken_us;
	size_t owner_len, name_len;
	char owner[OWNER_BYTES], name[NAME_MAX_BYTES];
};

static inline struct slice server_group_name(const struct server_group *group)
{
	return (struct slice){group->name, group->name_len};
}

/* What membership says of a group: it is this daemon's from now on; or it has to go to another. */
void cluster_take_group(struct server_cluster *cluster, struct slice name, struct slice owner);
void cluster_give_group(struct server_cluster *cluster, struct slice name);

/* Goes on with groups that come and go. Returns when it has to be called again at the latest. */
uint64_t cluster_tick_groups(struct server_cluster *cluster, uint64_t now_us);

struct server_group *cluster_find_group(const struct server_cluster *cluster, struct slice name);

/* Says how many values go with the group, if any do. */
void cluster_tell_unkept(const struct server_cluster *cluster, const struct server_group *group);

void cluster_forget_groups(struct server_cluster *cluster);

#endif
