/* The sockets: those for frames, those that were handed over, and HTTP's. */
#include "daemon/server/listening.h"

#include <stdio.h>

#include "daemon/log.h"
#include "daemon/net/inherited.h"
#include "daemon/server/server_state.h"
#include "daemon/session/frame_wire.h"

static void on_accept(void *arg, int fd, struct tls_context *tls)
{
	struct server *server = arg;
	session_accept(&server->sessions, fd, tls);
}

static void on_accept_none(void *arg, int fd)
{
	struct server *server = arg;
	session_accept_none(&server->sessions, fd);
}

static int open_listeners(struct server *server)
{
	const struct listener_handlers handlers = {on_accept, on_accept_none, server};
	char error[LISTENER_ERROR_BYTES];
	int n_inherited = inherited_init(error);
	if (n_inherited < 0) {
		log_error("%s", error);
		return -1;
	}
	server->has_inherited = n_inherited > 0;
	if (n_inherited > 0)
		log_info("%d listening sockets were handed over", n_inherited);
	/* Each goes to the front of the chain: the last one first, and they are told in their order. */
	server->listen_gave_way = n_inherited > 0 && server->config.listen_is_default;
	for (size_t i = server->listen_gave_way ? 0 : server->config.n_listen; i-- > 0;) {
		if (listener_open(&server->listeners, server->loop, &server->config.listen[i], server->tls[i],
				  &handlers, error) < 0) {
			log_error("%s", error);
			return -1;
		}
	}
	if (listener_open_inherited(&server->listeners, server->loop, &handlers, server->config.insecure, error) < 0) {
		log_error("%s", error);
		return -1;
	}
	return 0;
}

static int start_http(struct server *server)
{
	char error[HTTP_ERROR_BYTES];
	if (!server->config.has_http)
		return 0;
	server->http = http_start(&server->sessions, &server->config.http, server->http_tls, server->config.http_hosts,
				  server->config.n_http_hosts, error);
	if (server->http) {
		http_set_listeners(server->http, &server->listeners);
		log_info("http: %s (dashboard, /metrics, /healthz, /api/v1)", http_url(server->http));
		return 0;
	}
	if (server->config.http_is_default) {
		log_warning("%s; going on without HTTP (--http chooses another address)", error);
		return 0;
	}
	log_error("%s", error);
	return -1;
}

int server_listen(struct server *server)
{
	if (open_listeners(server) < 0)
		return -1;
	listener_hold(server->listeners);
	return start_http(server);
}

int server_accept(struct server *server)
{
	if (listener_go_on(server->listeners) == 0)
		return 0;
	log_error("cannot start: no memory");
	return -1;
}
