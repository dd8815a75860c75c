/* Joining the cluster, being sure of the place in it, and losing it. While this daemon is not sure that it still owns
 * what it owned, nothing is sent to anybody (stream_group_send_until()); when the place is lost, everything of this run
 * is dropped unsent, and server_main() begins anew. */
#include "daemon/server/clustering.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "config/cluster_config.h"
#include "daemon/cluster/sooner.h"
#include "daemon/cluster/etcd.h"
#include "daemon/log.h"
#include "daemon/server/announce.h"
#include "daemon/server/configured_channels.h"
#include "daemon/server/cluster_groups.h"
#include "daemon/server/cluster_view.h"
#include "daemon/server/journaling.h"
#include "proto/name.h"

enum {
	LEAST_CHECKPOINT_BYTES = 1024 * 1024, /* some thousand keys, which a take-over reads in a fifth of a second */
	LAST_CALLS_US = 1000 * 1000,          /* what the end waits for the engine, at most */
	CLOCKS_APART_MS = 5000,
};

static uint64_t wall_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* -- The end of the place -- */

static void end(struct server_cluster *cluster, bool is_lost, const char *why)
{
	struct server *server = cluster->server;
	if (cluster->has_ended)
		return;
	cluster->has_ended = true;
	stream_group_send_until(server->streams, 0);
	if (is_lost) {
		server->service.cluster_losses++;
		log_warning("the place in the cluster is lost: %s. What was not answered is dropped; joining anew",
			    why);
		for (const struct server_group *group = cluster->groups; group; group = group->next)
			cluster_tell_unkept(cluster, group);
	} else {
		log_error("the cluster cannot be joined: %s", why);
	}
	server->begins_anew = is_lost;
	server->cannot_join = !is_lost;
	loop_stop(server->loop);
}

/* -- What membership says -- */

static void on_joined(void *arg)
{
	struct server_cluster *cluster = arg;
	cluster->joined_us = loop_now_us(cluster->server->loop);
	cluster->is_ready = true;
	cluster->server->sessions.serves_nobody = NULL;
	log_info("cluster: joined as %s", cluster->config.name);
	server_tell_ready(cluster->server);
}

static void on_take(void *arg, struct slice group, struct slice owner)
{
	cluster_take_group(arg, group, owner);
}

static void on_give(void *arg, struct slice group)
{
	cluster_give_group(arg, group);
}

static void on_end(void *arg, bool is_lost, const char *why)
{
	end(arg, is_lost, why);
}

static void on_peer_gone(void *arg, struct slice daemon)
{
	struct server_cluster *cluster = arg;
	log_info("cluster: daemon %.*s is gone: its connection broke, and it refuses another", (int)daemon.len,
		 daemon.bytes);
	membership_peer_is_gone(cluster->membership, daemon);
}

/* The carrier's: replies that waited may go. */
static void on_change(void *arg)
{
	struct server_cluster *cluster = arg;
	struct journal *journal = &cluster->server->journal.journal;
	uint64_t checkpoints = journal->checkpoints;
	journal_notice(journal);
	stream_group_release(cluster->server->streams, journal_committed(journal));
	if (journal->checkpoints > checkpoints)
		cluster->server->journal.checkpoint_us = loop_now_us(cluster->server->loop);
	if (journal_failure(journal))
		end(cluster, true, journal_failure(journal));
}

/* -- What people are told -- */

static void warn(struct server_cluster *cluster, const struct membership_daemon *daemon, uint64_t now_us)
{
	int64_t apart_ms = (int64_t)(wall_ms() - (now_us - daemon->seen_us) / 1000 - daemon->joined_ms);
	bool came_later = daemon->seen_us > cluster->joined_us + 1000000;
	if (daemon->has_other_places && !cluster->has_warned_places) {
		cluster->has_warned_places = true;
		log_warning("cluster: daemon %.*s has other cluster.groups in its configuration than this one: groups "
			    "may go back and forth",
			    (int)daemon->name.len, daemon->name.bytes);
	}
	if (came_later && llabs(apart_ms) > CLOCKS_APART_MS && !cluster->has_warned_clock) {
		cluster->has_warned_clock = true;
		log_warning("cluster: the clock of daemon %.*s is %lld ms apart from this one's: delays and sticky "
			    "leases are off by that after a take-over",
			    (int)daemon->name.len, daemon->name.bytes, (long long)apart_ms);
	}
}

static void look_at_daemons(struct server_cluster *cluster, uint64_t now_us)
{
	struct membership_daemon daemon;
	if (!membership_take_change(cluster->membership))
		return;
	cluster_peers_begin(cluster->peers);
	for (size_t i = 0; membership_daemon(cluster->membership, i, &daemon); i++) {
		if (daemon.is_self)
			continue;
		warn(cluster, &daemon, now_us);
		cluster_peers_add(cluster->peers, daemon.name, daemon.address);
	}
	cluster_peers_end(cluster->peers);
}

/* What keeps it from going on, whenever that is something else. */
static void tell_trouble(struct server_cluster *cluster)
{
	char text[GROUP_LOG_TROUBLE_BYTES];
	const char *trouble = membership_trouble(cluster->membership);
	group_log_take_trouble(cluster->log, text);
	if (trouble[0])
		snprintf(text, sizeof(text), "%s", trouble);
	if (!text[0] || strcmp(text, cluster->trouble) == 0)
		return;
	memcpy(cluster->trouble, text, sizeof(text));
	if (cluster->is_ready)
		log_warning("cluster: etcd: %s", text);
	else
		log_warning("cluster: not joined yet, waiting: %s", text);
}

static void tell_room(struct server_cluster *cluster)
{
	bool is_full = cluster->server->journal.journal.status.is_full;
	if (is_full == cluster->is_full)
		return;
	cluster->is_full = is_full;
	if (is_full)
		log_warning("cluster: a third of etcd's quota is used: puts on durable channels are refused until "
			    "there is room; takes go on");
	else
		log_info("cluster: etcd has room again");
}

/* Whether it may answer, from now until then. */
static void tell_sure(struct server_cluster *cluster, uint64_t now_us)
{
	uint64_t until_us = membership_sure_until_us(cluster->membership);
	bool is_sure = now_us < until_us;
	stream_group_send_until(cluster->server->streams, cluster->is_ready ? until_us : UINT64_MAX);
	if (is_sure == cluster->was_sure)
		return;
	cluster->was_sure = is_sure;
	if (!is_sure)
		log_warning("cluster: etcd has not answered for so long that the place may be lost: answers are held");
	else if (cluster->has_doubted)
		log_info("cluster: etcd answers again, and the place is kept");
	cluster->has_doubted = !is_sure;
	if (is_sure)
		loop_timer_set(cluster->timer, now_us); /* what was held goes at the end of the next turn */
}

/* -- A turn -- */

void server_end_cluster_turn(struct server *server)
{
	struct server_cluster *cluster = server->cluster;
	if (!cluster || cluster->has_ended)
		return;
	uint64_t now_us = loop_now_us(server->loop);
	uint64_t due_us = membership_tick(cluster->membership, now_us);
	due_us = sooner_us(due_us, cluster_tick_groups(cluster, now_us));
	due_us = sooner_us(due_us, group_log_tick(cluster->log, now_us));
	server_go_on_with_checkpoint(server);
	due_us = sooner_us(due_us, journal_end_turn(&server->journal.journal, now_us));
	if (cluster->loss)
		end(cluster, true, cluster->loss);
	if (cluster->has_ended)
		return;
	on_change(cluster);
	look_at_daemons(cluster, now_us);
	due_us = sooner_us(due_us, cluster_peers_tick(cluster->peers, now_us));
	tell_trouble(cluster);
	tell_room(cluster);
	if (cluster->was_sure)
		due_us = sooner_us(due_us, membership_sure_until_us(cluster->membership));
	loop_timer_set(cluster->timer, due_us);
	tell_sure(cluster, now_us);
}

static void on_timer(void *arg)
{
	(void)arg; /* the end of the turn looks at everything */
}

/* -- Starting -- */

/* The first line of the file. NULL: after a line in the log. */
static char *read_password(const char *path)
{
	char line[300] = "";
	FILE *file = fopen(path, "r");
	if (!file || !fgets(line, sizeof(line), file)) {
		log_error("cluster.password_file: %s cannot be read", path);
		if (file)
			fclose(file);
		return NULL;
	}
	fclose(file);
	line[strcspn(line, "\r\n")] = '\0';
	char *password = strdup(line);
	explicit_bzero(line, sizeof(line));
	return password;
}

static int start_engine(struct server_cluster *cluster)
{
	const struct cluster_config *config = &cluster->config;
	char error[ETCD_ERROR_BYTES];
	char *password = config->password_file ? read_password(config->password_file) : NULL;
	if (config->password_file && !password)
		return -1;
	const struct etcd_settings settings = {
		.endpoints = (const char *const *)config->endpoints,
		.n_endpoints = config->n_endpoints,
		.prefix = config->prefix,
		.ca = config->tls.ca,
		.cert = config->tls.cert,
		.key = config->tls.key,
		.user = config->user,
		.password = password,
	};
	cluster->engine = etcd_create(cluster->server->loop, &settings, error);
	if (password)
		explicit_bzero(password, strlen(password));
	free(password);
	if (!cluster->engine)
		log_error("cluster: %s", error);
	return cluster->engine ? 0 : -1;
}

static int start_journal(struct server_cluster *cluster)
{
	struct server *server = cluster->server;
	const struct group_log_settings log = {
		.engine = cluster->engine, .first = 1, .on_change = on_change, .arg = cluster};
	const struct journal_settings journal = {.max_batch = GROUP_LOG_BATCH_BYTES,
						 .least_checkpoint_bytes = LEAST_CHECKPOINT_BYTES};
	if (!(cluster->log = group_log_create(&log)) ||
	    journal_init(&server->journal.journal, &journal, group_log_carrier(cluster->log), 1) < 0)
		return -1;
	server->broker.journal = &server->journal.journal;
	return 0;
}

static int start_membership(struct server_cluster *cluster)
{
	const struct cluster_config *config = &cluster->config;
	const struct membership_handlers handlers = {on_joined, on_take, on_give, on_end, cluster};
	struct membership_settings settings = {
		.name = slice_from(config->name),
		.address = slice_from(config->advertise),
		.ttl_ms = config->ttl_ms,
		.wall_ms = wall_ms(),
		.old_lease = cluster->server->service.cluster_lease,
	};
	cluster->rules = calloc(config->n_groups + 1, sizeof(*cluster->rules));
	if (!cluster->rules || getrandom(&settings.mark, sizeof(settings.mark), 0) != sizeof(settings.mark))
		return -1;
	for (size_t i = 0; i < config->n_groups; i++)
		cluster->rules[i] = (struct placement_rule){slice_from(config->groups[i].name),
							    slice_from(config->groups[i].daemon)};
	settings.placement = (struct placement){cluster->rules, config->n_groups};
	if (config->advertise_http)
		settings.http = slice_from(config->advertise_http);
	cluster->membership = membership_create(cluster->engine, &settings, &handlers);
	return cluster->membership ? 0 : -1;
}

int server_start_cluster(struct server *server)
{
	if (!server->config.cluster.is_there)
		return 0;
	struct server_cluster *cluster = server->cluster = calloc(1, sizeof(*cluster));
	if (!cluster || cluster_config_copy(&cluster->config, &server->config.cluster) < 0) {
		log_error("cannot start: no memory");
		return -1;
	}
	cluster->view.calls = &server_cluster_calls;
	cluster->server = server;
	if (start_engine(cluster) < 0)
		return -1;
	if (start_journal(cluster) < 0 || start_membership(cluster) < 0 ||
	    !(cluster->timer = loop_timer_create(server->loop, on_timer, server)) ||
	    !(cluster->peers = cluster_peers_create(server->loop, on_peer_gone, cluster))) {
		log_error("cannot start: no memory");
		return -1;
	}
	server_want_groups(server);
	server->sessions.cluster = &cluster->view;
	server->sessions.serves_nobody =
		"this daemon has not joined its cluster yet: it waits for etcd, or for its name";
	broker_join_cluster(&server->broker);
	loop_timer_set(cluster->timer, 0);
	log_info("cluster: joining as %s, over etcd at %s", cluster->config.name, cluster->config.endpoints[0]);
	return 0;
}

void server_want_groups(struct server *server)
{
	struct server_cluster *cluster = server->cluster;
	size_t n_lacking = 0;
	for (size_t i = 0; cluster && i < server->config.n_channels; i++) {
		struct slice group = channel_group(slice_from(server->config.channels[i].name));
		n_lacking += membership_want(cluster->membership, group) < 0;
	}
	if (n_lacking)
		log_warning("cluster: %zu channels of the configuration are in groups that there is no room for: a "
			    "cluster has at most %d",
			    n_lacking, TABLE_MAX_GROUPS);
}

/* -- Ending -- */

void server_drain_cluster(struct server *server)
{
	membership_drain(server->cluster->membership);
	loop_timer_set(server->cluster->timer, 0);
}

bool server_is_cluster_drained(const struct server *server)
{
	return membership_is_drained(server->cluster->membership);
}

static void on_last_turn(void *arg)
{
	struct server *server = arg;
	server_end_cluster_turn(server);
}

static bool is_kept(const struct journal *journal)
{
	return journal_failure(journal) || journal_committed(journal) >= journal_last_batch(journal);
}

/* Without the loop's other turns: until it is so, or for so long as the engine may take. */
static void wait_until(struct server_cluster *cluster, bool (*is_so)(const struct server_cluster *cluster))
{
	const struct timespec moment = {.tv_nsec = 1000000};
	uint64_t end_us = loop_clock_us() + LAST_CALLS_US;
	while (!is_so(cluster) && loop_clock_us() < end_us) {
		nanosleep(&moment, NULL);
		if (loop_poll(cluster->server->loop, on_last_turn, cluster->server) < 0)
			return;
	}
}

static bool all_is_kept(const struct server_cluster *cluster)
{
	return cluster->has_ended || is_kept(&cluster->server->journal.journal);
}

static bool has_left(const struct server_cluster *cluster)
{
	return membership_has_left(cluster->membership);
}

void server_stop_cluster(struct server *server)
{
	struct server_cluster *cluster = server->cluster;
	if (!cluster)
		return;
	if (cluster->membership && cluster->timer && cluster->peers) {
		wait_until(cluster, all_is_kept);
		cluster->has_ended = true;
		stream_group_send_until(server->streams, 0);
		server->service.cluster_lease = membership_lease(cluster->membership);
		membership_leave(cluster->membership);
		if (!server->begins_anew) /* else the next run ends the lease */
			wait_until(cluster, has_left);
	}
	stream_group_forget_unsent(server->streams);
	server->sessions.cluster = NULL;
	server->broker.journal = NULL;
	cluster_forget_groups(cluster);
	cluster_peers_destroy(cluster->peers);
	membership_destroy(cluster->membership);
	group_log_destroy(cluster->log);
	etcd_destroy(cluster->engine);
	loop_timer_destroy(cluster->timer);
	cluster_config_finish(&cluster->config);
	free(cluster->rules);
	free(cluster);
	server->cluster = NULL;
}
