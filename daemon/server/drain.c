/* The end, in stages. SIGTERM drains: the listeners close, nothing new is taken, and what is there can be taken until
 * nothing is left or the grace period is over. SIGINT, and a second SIGTERM, end that at once. Then whatever is parked
 * is told so, and the daemon goes when all replies are sent, or a second later. */
#include "daemon/server/drain.h"

#include <signal.h>

#include "daemon/core/rows.h"
#include "daemon/log.h"
#include "daemon/server/announce.h"
#include "daemon/server/clustering.h"
#include "daemon/server/server_state.h"

enum { LAST_REPLIES_MS = 1000 };

static void set_end_timer(struct server *server, uint64_t ms)
{
	loop_timer_set(server->end_timer, loop_now_us(server->loop) + ms * 1000);
}

/* Says what was not taken by anybody. */
static void count_left(struct server *server)
{
	struct core_totals totals;
	core_totals(server->core, &totals);
	server->has_left = !core_is_drained(server->core);
	if (server->has_left)
		log_warning("values are lost with this end: %llu buffered, %llu leased, %llu parked to be put",
			    (unsigned long long)(totals.buffered - totals.promised), (unsigned long long)totals.leased,
			    (unsigned long long)totals.parked_puts);
}

/* Nothing new is taken any more. */
static void begin_drain(struct server *server)
{
	struct core_event event = {.op = CORE_DRAIN};
	broker_step(&server->broker, &event);
}

/* Whoever has handed all over tells who asks still where it went, and not that it ends. */
static bool has_handed_over(const struct server *server)
{
	return server->stage == SERVER_DRAINING && server->cluster && server_is_cluster_drained(server);
}

static void end(struct server *server)
{
	struct core_event event = {.op = CORE_ABANDON};
	if (server->stage == SERVER_ENDING)
		return;
	if (!has_handed_over(server)) {
		count_left(server);
		begin_drain(server);
	}
	listener_close(server->listeners);
	server->listeners = NULL;
	server->stage = SERVER_ENDING;
	broker_step(&server->broker, &event);
	set_end_timer(server, LAST_REPLIES_MS);
	server_tell_stopping(server, LAST_REPLIES_MS);
}

/* The groups go to other daemons, which is told to whoever asks here; then this one ends. That takes a moment even
 * where nobody is to be waited for. */
static void hand_over(struct server *server)
{
	uint64_t grace_ms = server->config.limits.grace_ms;
	uint64_t within_ms = grace_ms > LAST_REPLIES_MS ? grace_ms : LAST_REPLIES_MS;
	server->stage = SERVER_DRAINING;
	server_drain_cluster(server);
	set_end_timer(server, within_ms);
	server_tell_stopping(server, within_ms + LAST_REPLIES_MS);
	log_info("handing the groups over to other daemons, for at most %llu ms", (unsigned long long)within_ms);
}

static void drain(struct server *server)
{
	if (server->cluster) {
		hand_over(server);
		return;
	}
	begin_drain(server);
	listener_close(server->listeners);
	server->listeners = NULL;
	server->stage = SERVER_DRAINING;
	set_end_timer(server, server->config.limits.grace_ms);
	server_tell_stopping(server, server->config.limits.grace_ms + LAST_REPLIES_MS);
	log_info("draining for at most %llu ms, with %llu connections",
		 (unsigned long long)server->config.limits.grace_ms, (unsigned long long)server->sessions.n);
}

/* Nobody was served, and the journal has all that there is. */
static void stop_starting(struct server *server)
{
	server->stage = SERVER_ENDING;
	server_tell_stopping(server, LAST_REPLIES_MS);
	loop_stop(server->loop);
}

void server_on_end_signal(void *arg, int signal_number)
{
	struct server *server = arg;
	bool may_drain = signal_number == SIGTERM && server->stage == SERVER_SERVING &&
			 (server->cluster || server->config.limits.grace_ms > 0);
	log_info("ending on %s", signal_number == SIGINT ? "SIGINT" : "SIGTERM");
	if (server->stage == SERVER_STARTING)
		stop_starting(server);
	else if (may_drain)
		drain(server);
	else
		end(server);
}

void server_on_end_timer(void *arg)
{
	struct server *server = arg;
	if (server->stage == SERVER_DRAINING)
		end(server);
	else
		loop_stop(server->loop);
}

void server_look_for_end(struct server *server)
{
	if (server->stage == SERVER_DRAINING &&
	    (server->cluster ? server_is_cluster_drained(server) : core_is_drained(server->core)))
		end(server);
	if (server->stage == SERVER_ENDING && !core_has_backlog(server->core) && session_all_sent(&server->sessions))
		loop_stop(server->loop);
}
