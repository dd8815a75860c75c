/* What the parts of the server share: server.c (starting, serving, reloading) and server_end.c (draining and ending). */
#ifndef MILLRACE_SERVER_PARTS_H
#define MILLRACE_SERVER_PARTS_H

#include "daemon/http/http.h"
#include "daemon/net/listener.h"
#include "daemon/server.h"
#include "daemon/session.h"

enum server_stage {
	SERVER_SERVING,
	SERVER_DRAINING, /* nothing new is taken; what is there may be taken still */
	SERVER_ENDING,   /* nothing is parked any more; the last replies are sent */
};

struct server {
	server_load_config *load_config;
	void *load_arg;
	struct config config;
	struct loop *loop;
	struct loop_timer *timer; /* for the core's next deadline */
	struct loop_timer *idle_timer;
	struct core *core;
	struct sessions sessions;
	struct listener *listeners;
	struct http *http;
	enum server_stage stage;
	struct loop_timer *end_timer; /* the end of the stage, at the latest */
	bool has_left;                /* values that nobody took */
};

/* SIGTERM, SIGINT. */
void server_on_end_signal(void *arg, int signal_number);
void server_on_end_timer(void *arg);

/* At the end of each turn: whether the stage has reached its end. */
void server_look_for_end(struct server *server);

#endif
