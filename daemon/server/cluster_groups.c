/* Groups of this daemon: read back from the engine, adopted by the core, served; and released when they go by plan. */
#include "daemon/server/cluster_groups.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/cluster/sooner.h"
#include "daemon/log.h"
#include "daemon/server/configured_channels.h"
#include "daemon/server/configured_taps.h"
#include "daemon/session/tap_match.h"

struct server_group *cluster_find_group(const struct server_cluster *cluster, struct slice name)
{
	struct server_group *group = cluster->groups;
	while (group && !slice_equal(server_group_name(group), name))
		group = group->next;
	return group;
}

/* The daemon cannot go on like this. */
static void lose(struct server_cluster *cluster, const char *why)
{
	cluster->loss = why;
	loop_timer_set(cluster->timer, 0);
}

static void forget_group(struct server_cluster *cluster, struct server_group *group)
{
	for (struct server_group **at = &cluster->groups; *at; at = &(*at)->next)
		if (*at == group) {
			*at = group->next;
			break;
		}
	group_recovery_destroy(group->recovery);
	core_restore_destroy(group->restore);
	free(group);
}

void cluster_forget_groups(struct server_cluster *cluster)
{
	while (cluster->groups)
		forget_group(cluster, cluster->groups);
}

/* -- Coming -- */

static int on_record(void *arg, const struct record *record)
{
	return core_restore_record(((struct server_group *)arg)->restore, record);
}

static void adopt(struct server_group *group, const struct group_position *position)
{
	struct server_cluster *cluster = group->server->cluster;
	struct slice owner = {group->owner, group->owner_len}, name = server_group_name(group);
	struct core_restore *restore = group->restore;
	if (group_log_add(cluster->log, name, owner, position, journal_batch(&group->server->journal.journal)) < 0) {
		lose(cluster, "no memory for a group");
		return;
	}
	group->restore = NULL;
	group->stage = SERVER_GROUP_COMES;
	broker_adopt(&group->server->broker, name, restore);
}

static void on_recovered(void *arg, enum group_recovery_end end, const struct group_position *position,
			 const char *error)
{
	struct server_group *group = arg;
	struct server_cluster *cluster = group->server->cluster;
	struct group_position found = *position;
	if (end == GROUP_FAILED) {
		log_error("group %.*s cannot be served: %s", (int)group->name_len, group->name, error);
		lose(cluster, "a group cannot be read back");
	}
	group_recovery_destroy(group->recovery);
	group->recovery = NULL;
	if (end == GROUP_RECOVERED)
		adopt(group, &found);
}

void cluster_take_group(struct server_cluster *cluster, struct slice name, struct slice owner)
{
	struct server_group *group = calloc(1, sizeof(*group));
	const struct group_recovery_handlers handlers = {on_record, on_recovered, group};
	if (group) {
		group->server = cluster->server;
		memcpy(group->name, name.bytes, group->name_len = name.len);
		memcpy(group->owner, owner.bytes, group->owner_len = owner.len);
		group->taken_us = loop_now_us(cluster->server->loop);
		group->restore = core_restore_create(tap_match_again);
		group->recovery = group_recovery_start(cluster->engine, name, owner, &handlers);
		group->next = cluster->groups;
		cluster->groups = group;
	}
	if (!group || !group->restore || !group->recovery)
		lose(cluster, "no memory for a group");
}

static void serve(struct server_cluster *cluster, struct server_group *group, const struct core_restored *restored)
{
	struct server *server = cluster->server;
	uint64_t us = loop_now_us(server->loop) - group->taken_us;
	group->stage = SERVER_GROUP_IS_SERVED;
	cluster->takeovers++;
	server_create_channels(server, &server->config, server_group_name(group));
	server_create_taps(server, &server->config, server_group_name(group));
	broker_serve(&server->broker, server_group_name(group));
	log_info("group %.*s is here: %llu channels, %llu values, read back in %llu ms", (int)group->name_len,
		 group->name, (unsigned long long)restored->channels, (unsigned long long)restored->values,
		 (unsigned long long)us / 1000);
}

static void look_at_core(struct server_cluster *cluster, struct server_group *group)
{
	struct core_restored restored = {0};
	switch (core_group_state(cluster->server->core, server_group_name(group), &restored)) {
	case CORE_GROUP_RESTORED:
		serve(cluster, group, &restored);
		break;
	case CORE_GROUP_NONE:
	case CORE_GROUP_FAILED:
		lose(cluster, "no memory for a group");
		break;
	case CORE_GROUP_COMING:
	case CORE_GROUP_SERVED:
	case CORE_GROUP_LEAVING:
		break;
	}
}

/* -- Going -- */

void cluster_tell_unkept(const struct server_cluster *cluster, const struct server_group *group)
{
	uint64_t n = core_group_unkept(cluster->server->core, server_group_name(group));
	if (n > 0)
		log_warning("group %.*s: %llu values are lost with it, of channels that are not durable",
			    (int)group->name_len, group->name, (unsigned long long)n);
}

void cluster_give_group(struct server_cluster *cluster, struct slice name)
{
	struct server_group *group = cluster_find_group(cluster, name);
	if (!group)
		return;
	if (group->stage == SERVER_GROUP_COMES || group->stage == SERVER_GROUP_IS_SERVED) {
		cluster_tell_unkept(cluster, group);
		broker_release(&cluster->server->broker, server_group_name(group));
		group_log_release(cluster->log, server_group_name(group));
		group->released_after = journal_last_batch(&cluster->server->journal.journal);
	}
	group_recovery_destroy(group->recovery);
	group->recovery = NULL;
	group->stage = SERVER_GROUP_LEAVES;
	log_info("group %.*s goes to another daemon", (int)group->name_len, group->name);
}

static void let_go(struct server_cluster *cluster, struct server_group *group)
{
	struct slice name = server_group_name(group);
	if (journal_committed(&cluster->server->journal.journal) < group->released_after)
		return;
	group_log_remove(cluster->log, name);
	membership_released(cluster->membership, name);
	forget_group(cluster, group);
}

uint64_t cluster_tick_groups(struct server_cluster *cluster, uint64_t now_us)
{
	uint64_t due_us = UINT64_MAX;
	for (struct server_group *group = cluster->groups, *next; group && !cluster->has_ended; group = next) {
		next = group->next;
		if (group->recovery) {
			due_us = sooner_us(due_us, group_recovery_tick(group->recovery, now_us));
		} else if (group->stage == SERVER_GROUP_COMES) {
			look_at_core(cluster, group);
		} else if (group->stage == SERVER_GROUP_LEAVES) {
			let_go(cluster, group);
		}
	}
	return due_us;
}
