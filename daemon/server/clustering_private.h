/* What clustering.c, cluster_groups.c and cluster_view.c share. */
#ifndef MILLRACE_SERVER_CLUSTERING_PRIVATE_H
#define MILLRACE_SERVER_CLUSTERING_PRIVATE_H

#include "daemon/cluster/group_log.h"
#include "daemon/cluster/group_recovery.h"
#include "daemon/cluster/membership.h"
#include "daemon/cluster/view.h"
#include "daemon/server/cluster_peers.h"
#include "daemon/server/server_private.h"

enum server_group_stage {
	SERVER_GROUP_RECOVERS, /* what the engine has of it is read */
	SERVER_GROUP_COMES,    /* and becomes the core's */
	SERVER_GROUP_IS_SERVED,
	SERVER_GROUP_LEAVES, /* the core has it no more; what was recorded has yet to be committed */
};

struct server_group { /* one that this daemon owns */
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

struct server_cluster {
	struct cluster_view view; /* must come first */
	struct server *server;
	struct cluster_config config; /* a copy: the server's may be loaded again */
	struct placement_rule *rules;
	struct engine *engine;
	struct group_log *log;
	struct membership *membership;
	struct loop_timer *timer;
	struct server_group *groups;
	struct cluster_peers *peers;
	bool is_ready;    /* it has joined, and said so */
	const char *loss; /* why it cannot go on; NULL: it can. The end of the turn looks at it */
	bool has_ended;   /* its place is lost, or could not be had */
	bool was_sure, has_doubted, is_full, has_warned_places, has_warned_clock;
	uint64_t joined_us, takeovers;
	char trouble[GROUP_LOG_TROUBLE_BYTES]; /* the last that was logged */
	char why[400];                         /* for the view */
};

static inline struct slice server_group_name(const struct server_group *group)
{
	return (struct slice){group->name, group->name_len};
}

/* -- cluster_groups.c: handlers of membership's -- */

void cluster_take_group(struct server_cluster *cluster, struct slice name, struct slice owner);
void cluster_give_group(struct server_cluster *cluster, struct slice name);
/* Goes on with groups that come and go. Returns when it has to be called again at the latest. */
uint64_t cluster_tick_groups(struct server_cluster *cluster, uint64_t now_us);
struct server_group *cluster_find_group(const struct server_cluster *cluster, struct slice name);
/* Says how many values go with the group, if any do. */
void cluster_tell_unkept(const struct server_cluster *cluster, const struct server_group *group);
void cluster_forget_groups(struct server_cluster *cluster);

/* -- cluster_view.c -- */

extern const struct cluster_calls server_cluster_calls;

#endif
