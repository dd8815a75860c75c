/* What the daemon has of its cluster, while it is in one. */
#ifndef MILLRACE_SERVER_CLUSTER_STATE_H
#define MILLRACE_SERVER_CLUSTER_STATE_H

#include "daemon/cluster/group_log.h"
#include "daemon/cluster/membership.h"
#include "daemon/cluster/view.h"
#include "daemon/server/cluster_peers.h"
#include "daemon/server/server_state.h"

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

#endif
