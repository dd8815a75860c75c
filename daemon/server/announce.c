/* What the supervisor is told of the daemon's life, and the line about it that `systemctl status` shows. */
#include "daemon/server/announce.h"

#include <stdio.h>

#include "daemon/core/rows.h"
#include "daemon/log.h"
#include "daemon/server/server_state.h"

enum {
	STATUS_BYTES = 1800,
	ALIVE_US = 15 * 1000 * 1000,
	STARTING_US = 2 * ALIVE_US, /* what the supervisor is asked for while the daemon starts */
};

/* Where it listens: " tcp://127.0.0.1:7223 unix:///run/m.sock". */
static size_t list_addresses(const struct server *server, char *text, size_t size)
{
	char url[LISTENER_URL_BYTES];
	size_t len = 0;
	text[0] = '\0';
	for (struct listener *listener = server->listeners; listener && len < size;
	     listener = listener_next(listener)) {
		listener_url(listener, url);
		len += (size_t)snprintf(text + len, size - len, " %s", url);
	}
	return len < size ? len : size - 1;
}

static void describe(const struct server *server, char status[STATUS_BYTES])
{
	struct core_totals totals;
	size_t len = 0;
	core_totals(server->core, &totals);
	if (server->stage == SERVER_SERVING) {
		len = (size_t)snprintf(status, STATUS_BYTES, "ready:");
		len += list_addresses(server, status + len, STATUS_BYTES - 200 - len);
	} else {
		len = (size_t)snprintf(status, STATUS_BYTES, "%s",
				       server->stage == SERVER_STARTING   ? "starting"
				       : server->stage == SERVER_DRAINING ? "draining"
									  : "ending");
	}
	snprintf(status + len, STATUS_BYTES - len,
		 "; %llu connections, %llu channels, %llu values buffered, %llu leased, %llu parked to be put, %llu "
		 "bytes",
		 (unsigned long long)totals.connections, (unsigned long long)totals.channels,
		 (unsigned long long)totals.buffered, (unsigned long long)totals.leased,
		 (unsigned long long)totals.parked_puts, (unsigned long long)totals.bytes);
}

/* Twice in the time in which the watchdog bites; and without one now and then, for the numbers. */
static void set_alive_timer(struct server *server)
{
	uint64_t watchdog_us = server->service.watchdog_us;
	if (server->service.fd >= 0)
		loop_timer_set(server->alive_timer,
			       loop_now_us(server->loop) + (watchdog_us ? watchdog_us / 2 : ALIVE_US));
}

void server_tell_starting(struct server *server)
{
	const char *starting = server->sessions.starting;
	service_starting(&server->service, STARTING_US, starting ? starting : "starting");
}

static void on_alive_timer(void *arg)
{
	struct server *server = arg;
	char status[STATUS_BYTES];
	describe(server, status);
	service_alive(&server->service, status);
	if (server->stage == SERVER_STARTING)
		server_tell_starting(server);
	set_alive_timer(server);
}

int server_start_service(struct server *server)
{
	server->alive_timer = loop_timer_create(server->loop, on_alive_timer, server);
	if (!server->alive_timer) {
		log_error("cannot start: no memory");
		return -1;
	}
	set_alive_timer(server);
	return 0;
}

void server_tell_ready(struct server *server)
{
	char addresses[STATUS_BYTES];
	list_addresses(server, addresses, sizeof(addresses));
	log_info("ready:%s", addresses);
	server_tell_reloaded(server, NULL);
}

void server_tell_reloading(struct server *server)
{
	if (server->stage == SERVER_SERVING)
		service_reloading(&server->service);
}

void server_tell_reloaded(struct server *server, const char *failure)
{
	char status[STATUS_BYTES];
	if (server->stage != SERVER_SERVING)
		return;
	if (failure)
		snprintf(status, sizeof(status), "not reloaded, and everything stays as it was: %s", failure);
	else
		describe(server, status);
	service_ready(&server->service, status);
}

void server_tell_stopping(struct server *server, uint64_t within_ms)
{
	char status[STATUS_BYTES];
	describe(server, status);
	service_stopping(&server->service, within_ms * 1000, status);
}
