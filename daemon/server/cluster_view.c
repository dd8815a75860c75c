/* What sessions, HTTP and people are told of the cluster. */
#include "daemon/server/cluster_view.h"

#include <stdio.h>
#include <string.h>

#include "daemon/server/cluster_groups.h"

static struct cluster_daemon_row row_of(const struct membership_daemon *daemon)
{
	return (struct cluster_daemon_row){daemon->name, daemon->address, daemon->http, daemon->is_self};
}

static enum cluster_place route(const struct cluster_view *view, struct slice group, bool creates,
				struct cluster_daemon_row *row)
{
	const struct server_cluster *cluster = (const struct server_cluster *)view;
	struct membership_daemon daemon;
	struct slice address, http;
	loop_timer_set(cluster->timer, 0); /* it may be taken now: the end of the turn looks */
	switch (membership_find(cluster->membership, group, creates, &address, &http)) {
	case MEMBERSHIP_HERE:
	case MEMBERSHIP_NOWHERE:
		return CLUSTER_NOWHERE;
	case MEMBERSHIP_UNKNOWN:
		return CLUSTER_UNKNOWN;
	case MEMBERSHIP_FULL:
		return CLUSTER_FULL;
	case MEMBERSHIP_THERE:
		break;
	}
	for (size_t i = 0; membership_daemon(cluster->membership, i, &daemon); i++) {
		*row = row_of(&daemon);
		if (slice_equal(daemon.address, address))
			return daemon.is_self ? CLUSTER_NOWHERE : CLUSTER_THERE;
	}
	return CLUSTER_NOWHERE;
}

static bool daemon_row(const struct cluster_view *view, size_t i, struct cluster_daemon_row *row)
{
	struct membership_daemon daemon;
	if (!membership_daemon(((const struct server_cluster *)view)->membership, i, &daemon))
		return false;
	*row = row_of(&daemon);
	return true;
}

static bool group_row(const struct cluster_view *view, size_t i, struct cluster_group_row *row)
{
	const struct server_cluster *cluster = (const struct server_cluster *)view;
	struct membership_group group;
	uint64_t batches, bytes, since_us;
	if (!membership_group(cluster->membership, i, &group))
		return false;
	struct server_group *ours = cluster_find_group(cluster, group.name);
	*row = (struct cluster_group_row){
		.name = group.name,
		.owner = group.owner,
		.epoch = group.epoch,
		.target = slice_equal(group.home, group.owner) ? (struct slice){0} : group.home,
		.is_served = ours && ours->stage == SERVER_GROUP_IS_SERVED,
	};
	if (row->is_served && group_log_lag(cluster->log, group.name, &batches, &bytes, &since_us) && batches > 0)
		row->lag_us = loop_now_us(cluster->server->loop) - since_us;
	return true;
}

static const char *message_of(struct server_cluster *cluster)
{
	const char *trouble = membership_trouble(cluster->membership);
	if (trouble[0]) {
		snprintf(cluster->why, sizeof(cluster->why), "%s: %s",
			 cluster->is_ready ? "no answer of etcd for too long, answers are held"
					   : "the cluster is not joined yet",
			 trouble);
		return cluster->why;
	}
	if (!membership_is_joined(cluster->membership))
		return "it has not joined the cluster yet: it waits for etcd, or for its name";
	return "it has not heard of etcd for too long, and holds its answers";
}

static void status(const struct cluster_view *view, struct cluster_status *out)
{
	struct server_cluster *cluster = (struct server_cluster *)view;
	bool is_joined = cluster->is_ready && loop_clock_us() < membership_sure_until_us(cluster->membership);
	*out = (struct cluster_status){
		.is_joined = is_joined,
		.message = is_joined ? NULL : message_of(cluster),
		.takeovers = cluster->takeovers,
		.lost = cluster->server->service.cluster_losses,
	};
	group_log_room(cluster->log, &out->used_bytes, &out->quota_bytes);
}

static bool move(struct cluster_view *view, struct slice group, struct slice to, const char **why)
{
	struct server_cluster *cluster = (struct server_cluster *)view;
	loop_timer_set(cluster->timer, 0);
	if (membership_move(cluster->membership, group, to) == 0)
		return true;
	snprintf(cluster->why, sizeof(cluster->why), "there is no daemon %.*s in the cluster", (int)to.len, to.bytes);
	*why = cluster->why;
	return false;
}

const struct cluster_calls server_cluster_calls = {route, daemon_row, group_row, status, move};
