/* Starting, serving and reloading. What a reload cannot change is said in the log, and stays as it was. */
#include "daemon/server/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "daemon/core/rows.h"
#include "daemon/log.h"
#include "daemon/net/inherited.h"
#include "daemon/server/access.h"
#include "daemon/server/announce.h"
#include "daemon/server/configured_channels.h"
#include "daemon/server/clustering.h"
#include "daemon/server/drain.h"
#include "daemon/server/journaling.h"
#include "daemon/server/listening.h"
#include "daemon/server/replaying.h"
#include "daemon/server/server_state.h"
#include "daemon/server/configured_taps.h"
#include "daemon/session/sweeps.h"

enum { SPARE_DESCRIPTORS = 64 }; /* beside the connections': listeners, the loop's own */

static struct core_limits core_limits_of(const struct limits *limits)
{
	return (struct core_limits){
		.max_memory = limits->max_memory,
		.max_parked = limits->max_parked,
		.max_channels = (uint32_t)limits->max_channels,
		.max_taps = (uint32_t)limits->max_taps,
		.max_inflight = (uint32_t)limits->max_inflight,
		.max_waiters = (uint32_t)limits->max_waiters,
		.max_take_bytes = (uint32_t)limits->max_frame,
		.max_park_ms = limits->max_park_ms,
		.producer_ttl_ms = limits->producer_ttl,
		.max_producers = (uint32_t)limits->max_producers,
	};
}

/* -- Reloading -- */

static bool same_address(const struct address *a, const struct address *b)
{
	return a->scheme == b->scheme && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static bool same_listeners(const struct config *a, const struct config *b)
{
	if (a->n_listen != b->n_listen || a->has_http != b->has_http ||
	    (a->has_http && !same_address(&a->http, &b->http)))
		return false;
	for (size_t i = 0; i < a->n_listen; i++) {
		if (!same_address(&a->listen[i], &b->listen[i]))
			return false;
	}
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of all channels, sorted: there may be many. To be freed; NULL without memory. */
static const char **sorted_names(const struct config *config)
{
	const char **names = calloc(config->n_channels + 1, sizeof(*names));
	if (!names)
		return NULL;
	for (size_t i = 0; i < config->n_channels; i++)
		names[i] = config->channels[i].name;
	qsort(names, config->n_channels, sizeof(*names), compare_names);
	return names;
}

/* A channel that the file does not name any more may hold values, and be in use: it is left. */
static void log_removed_channels(const struct config *old, const struct config *fresh)
{
	const char **names = sorted_names(fresh);
	if (!names)
		return;
	for (size_t i = 0; i < old->n_channels; i++) {
		const char *name = old->channels[i].name;
		if (!bsearch(&name, names, fresh->n_channels, sizeof(*names), compare_names))
			log_warning("channel %s is gone from the configuration, and stays: delete it if that is meant",
				    name);
	}
	free(names);
}

enum { NAMED_CHANNELS = 10 };

/* What the journal had, and the configuration has not: it stays, for it may hold values. After the configuration's
 * channels were created, before clients create any. */
static void log_restored_channels(const struct server *server)
{
	const char **names = sorted_names(&server->config);
	struct core_channel_row row;
	size_t n = 0;
	if (!names)
		return;
	for (struct slice after = SLICE(""); core_next_channel(server->core, after, &row); after = row.name) {
		char text[NAME_MAX_BYTES + 1];
		const char *name = text;
		snprintf(text, sizeof(text), "%.*s", (int)row.name.len, row.name.bytes);
		if (bsearch(&name, names, server->config.n_channels, sizeof(*names), compare_names))
			continue;
		if (++n <= NAMED_CHANNELS)
			log_warning("channel %s is in the journal and not in the configuration, and stays: a client "
				    "has created it, or else delete it if that is meant",
				    name);
	}
	if (n > NAMED_CHANNELS)
		log_warning("%zu more channels are in the journal and not in the configuration, and stay",
			    n - NAMED_CHANNELS);
	free(names);
}

static void on_idle_timer(void *arg)
{
	struct server *server = arg;
	loop_timer_set(server->idle_timer, session_close_idle(&server->sessions));
}

/* Every connection is a descriptor, and some are kept back. Returns how many connections there may be, at most as many
 * as are wanted. */
static uint64_t raise_descriptor_limit(const struct limits *limits)
{
	struct rlimit limit;
	uint64_t max_connections = limits->max_connections;
	rlim_t enough = max_connections + SPARE_DESCRIPTORS, wanted = enough + limits->max_http_connections;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return max_connections;
	struct rlimit raised = {.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max,
				.rlim_max = limit.rlim_max};
	if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
		limit = raised;
	if (limit.rlim_cur >= enough)
		return max_connections;
	uint64_t possible =
		limit.rlim_cur > 2 * SPARE_DESCRIPTORS ? limit.rlim_cur - SPARE_DESCRIPTORS : (limit.rlim_cur + 1) / 2;
	log_warning("max_connections is %llu, but the system allows this process %llu open files: there can be %llu "
		    "connections",
		    (unsigned long long)max_connections, (unsigned long long)limit.rlim_cur,
		    (unsigned long long)possible);
	return possible;
}

/* The limits that are not the core's alone. */
static void set_limits(struct server *server, const struct limits *limits)
{
	server->sessions.limits = *limits;
	server->sessions.limits.max_connections = raise_descriptor_limit(limits);
	stream_group_set_max_buffers(server->streams, limits->max_buffers);
	on_idle_timer(server);
}

static void apply_limits(struct server *server, const struct limits *limits)
{
	if (limits->max_frame != server->sessions.limits.max_frame)
		log_warning("max_frame takes effect at the next start: connections were told the present one");
	uint64_t max_frame = server->sessions.limits.max_frame;
	set_limits(server, limits);
	server->sessions.limits.max_frame = max_frame;
	struct core_limits core_limits = core_limits_of(&server->sessions.limits);
	struct core_event event = {.op = CORE_SET_LIMITS, .limits = &core_limits};
	broker_step(&server->broker, &event);
}

static void set_log(const struct config *config)
{
	log_setup(config->log_json, config->log_level == CONFIG_LOG_ERROR     ? LOG_LEVEL_ERROR
				    : config->log_level == CONFIG_LOG_WARNING ? LOG_LEVEL_WARNING
									      : LOG_LEVEL_INFO);
}

/* 0, or -1 with `error`; then everything stays as it was. */
static int reload(struct server *server, char error[CONFIG_ERROR_BYTES])
{
	struct config fresh;
	if (server->load_config(server->load_arg, &fresh, error) < 0) {
		log_error("not reloaded, and everything stays as it was: %s", error);
		return -1;
	}
	if (server_reload_access(server, &fresh) < 0) {
		snprintf(error, CONFIG_ERROR_BYTES, "no memory for users");
		config_finish(&fresh);
		return -1;
	}
	if (!same_listeners(&server->config, &fresh))
		log_warning("changed addresses take effect at the next start");
	if (!cluster_config_equal(&server->config.cluster, &fresh.cluster))
		log_warning("a changed cluster takes effect at the next start");
	set_log(&fresh);
	apply_limits(server, &fresh.limits);
	loop_set_spin(server->loop, fresh.spin_us);
	log_removed_channels(&server->config, &fresh);
	size_t failed = server_create_channels(server, &fresh, SLICE(""));
	server_create_taps(server, &fresh, SLICE(""));
	log_info("reloaded: %zu channels in the configuration, %zu could not be created", fresh.n_channels, failed);
	/* The addresses stay those that are listened on, and so do the contexts at their places. */
	struct address *listen = server->config.listen;
	size_t n_listen = server->config.n_listen;
	server->config.listen = fresh.listen;
	server->config.n_listen = fresh.n_listen;
	fresh.listen = listen;
	fresh.n_listen = n_listen;
	config_finish(&server->config);
	server->config = fresh;
	server_want_groups(server);
	if (server->http)
		http_set_hosts(server->http, server->config.http_hosts, server->config.n_http_hosts);
	return 0;
}

static void on_reload_signal(void *arg, int signal_number)
{
	(void)signal_number;
	struct server *server = arg;
	char error[CONFIG_ERROR_BYTES];
	server_tell_reloading(server);
	int result = reload(server, error);
	server_tell_reloaded(server, result < 0 ? error : NULL);
}

/* -- Starting -- */

static void on_timer(void *arg)
{
	struct server *server = arg;
	struct core_event event = {.op = CORE_TICK};
	broker_step(&server->broker, &event);
}

static void on_login_timer(void *arg)
{
	struct server *server = arg;
	session_end_strangers(&server->sessions);
	if (session_is_revoking(&server->sessions))
		session_revoke_more(&server->sessions);
}

static void on_turn_end(void *arg)
{
	struct server *server = arg;
	server_look_for_end(server);
	server_end_journal_turn(server);
	server_end_cluster_turn(server);
	loop_timer_set(server->core_timer, core_deadline(server->core));
	loop_timer_set(server->login_timer, session_is_revoking(&server->sessions)
						    ? loop_now_us(server->loop) + 1
						    : session_strangers_deadline(&server->sessions));
	struct core_totals totals;
	core_totals(server->core, &totals);
	memory_trim_turn(&server->memory_trim, totals.bytes + stream_group_buffer_bytes(server->streams));
}

/* Signals wait while nobody is there to hear them: to end, from the end of one run on, until the next one's begin if
 * there is one; and to reload, until the start is over. */
static void hold(int how, int signal_number)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, signal_number);
	pthread_sigmask(how, &signals, NULL);
}

static void hold_signals(int how)
{
	hold(how, SIGTERM);
	hold(how, SIGINT);
}

static int start(struct server *server)
{
	struct core_seed seed;
	char error[CONFIG_ERROR_BYTES];
	if (server->load_config(server->load_arg, &server->config, error) < 0) {
		log_error("%s", error);
		return -1;
	}
	set_log(&server->config);
	struct core_limits limits = core_limits_of(&server->config.limits);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) || !(server->loop = loop_create()) ||
	    !(server->streams = stream_group_create(server->loop)) || !(server->core = core_create(&limits, &seed)) ||
	    !(server->core_timer = loop_timer_create(server->loop, on_timer, server)) ||
	    !(server->idle_timer = loop_timer_create(server->loop, on_idle_timer, server)) ||
	    !(server->login_timer = loop_timer_create(server->loop, on_login_timer, server)) ||
	    !(server->end_timer = loop_timer_create(server->loop, server_on_end_timer, server)) ||
	    memory_trim_init(&server->memory_trim, server->loop, &server->sessions.values) < 0) {
		log_error("cannot start: no memory, or no descriptors");
		return -1;
	}
	server->broker = (struct broker){.core = server->core,
					 .loop = server->loop,
					 .streams = server->streams,
					 .deliver = session_deliver,
					 .run_action = session_run_deferred};
	server->sessions = (struct sessions){
		.loop = server->loop, .streams = server->streams, .broker = &server->broker, .core = server->core};
	set_limits(server, &server->config.limits);
	if (loop_on_signal(server->loop, SIGTERM, server_on_end_signal, server) < 0 ||
	    loop_on_signal(server->loop, SIGINT, server_on_end_signal, server) < 0 ||
	    loop_on_signal(server->loop, SIGHUP, on_reload_signal, server) < 0) {
		log_error("cannot start: no memory");
		return -1;
	}
	hold_signals(SIG_UNBLOCK);
	if (server_start_cluster(server) < 0 || server_start_access(server) < 0 || server_listen(server) < 0 ||
	    server_start_service(server) < 0)
		return -1;
	return server_drop_privileges(server);
}

/* What was there is there again. */
static int begin_serving(struct server *server)
{
	if (server_create_channels(server, &server->config, SLICE("")) > 0 ||
	    server_create_taps(server, &server->config, SLICE("")) > 0 || server_accept(server) < 0)
		return -1;
	if (!server->cluster)
		log_restored_channels(server);
	server->stage = SERVER_SERVING;
	loop_set_spin(server->loop, server->config.spin_us);
	hold(SIG_UNBLOCK, SIGHUP);
	server_log_access(server);
	if (!server->cluster)
		server_tell_ready(server);
	return 0;
}

enum { BEGINS_ANEW = -1 };

/* The status with which the loop has ended. Sockets that were handed over, and addresses that only root may have,
 * cannot be had again by the same process: another begins anew. */
static int status_of(const struct server *server)
{
	if (server->cannot_join)
		return 1;
	if (server->begins_anew && !server->has_inherited && !server->config.user)
		return BEGINS_ANEW;
	if (server->begins_anew || server->has_failed)
		return SERVER_JOURNAL_FAILED;
	return server->has_left ? SERVER_LEFT_VALUES : 0;
}

/* From the start to the end. */
static int serve(server_load_config *load_config, void *arg, struct service *service)
{
	struct server server = {.load_config = load_config, .load_arg = arg, .service = *service};
	int status = 1;
	hold(SIG_BLOCK, SIGHUP);
	if (start(&server) == 0 && server_restore_journal(&server) == 0 && begin_serving(&server) == 0)
		status = loop_run(server.loop, on_turn_end, &server) < 0 ? 1 : status_of(&server);
	else if (server.stage == SERVER_ENDING)
		status = 0;
	if (server.stage != SERVER_STARTING && status != BEGINS_ANEW)
		log_info("ended");
	listener_close(server.listeners);
	inherited_finish();
	server_stop_cluster(&server);
	if (status == BEGINS_ANEW && server.stage != SERVER_SERVING)
		status = 0; /* it was told to end meanwhile */
	hold(SIG_BLOCK, SIGHUP);
	hold_signals(SIG_BLOCK);
	server_stop_journal(&server);
	session_drop_all(&server.sessions);
	http_stop(server.http);
	message_decoder_finish(&server.sessions.decoder);
	core_destroy(server.core);
	value_pool_clear(&server.sessions.values);
	server_finish_access(&server);
	memory_trim_finish(&server.memory_trim);
	loop_timer_destroy(server.core_timer);
	loop_timer_destroy(server.end_timer);
	loop_timer_destroy(server.alive_timer);
	loop_timer_destroy(server.idle_timer);
	loop_timer_destroy(server.login_timer);
	stream_group_destroy(server.streams);
	loop_destroy(server.loop);
	config_finish(&server.config);
	*service = server.service;
	return status;
}

int server_main(server_load_config *load_config, void *arg)
{
	struct service service;
	int status;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a disk that is full: the write says so */
	service_init(&service);
	do
		status = serve(load_config, arg, &service);
	while (status == BEGINS_ANEW);
	service_finish(&service);
	return status;
}
