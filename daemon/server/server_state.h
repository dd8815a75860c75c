/* What a running daemon consists of. server.c makes its parts and destroys them, but for those that another file of
 * this folder opens and closes. */
#ifndef MILLRACE_SERVER_SERVER_STATE_H
#define MILLRACE_SERVER_SERVER_STATE_H

#include "daemon/broker/broker.h"
#include "daemon/http/http.h"
#include "daemon/net/listener.h"
#include "daemon/net/stream_group.h"
#include "daemon/net/tls_context.h"
#include "daemon/server/journaling.h"
#include "daemon/server/memory_trim.h"
#include "daemon/server/server.h"
#include "daemon/server/supervisor.h"
#include "daemon/session/session.h"

enum server_stage {
	SERVER_STARTING, /* the journal is read; HTTP alone answers */
	SERVER_SERVING,
	SERVER_DRAINING, /* nothing new is taken; what is there may be taken still */
	SERVER_ENDING,   /* nothing is parked any more; the last replies are sent */
};

struct server {
	server_load_config *load_config;
	void *load_arg;
	struct config config;
	enum server_stage stage;

	struct loop *loop;
	struct stream_group *streams;
	struct core *core;
	struct broker broker;
	struct server_journal journal;
	struct server_cluster *cluster; /* NULL: the daemon is alone */
	struct sessions sessions;
	struct http *http;
	struct memory_trim memory_trim;
	struct service service;

	struct listener *listeners;
	bool listen_gave_way;                   /* the default address, to sockets that were handed over */
	struct tls_context *tls[MAX_LISTENERS]; /* of config.listen; NULL: it has none */
	struct tls_context *http_tls;           /* of config.http; NULL: it has none */

	struct loop_timer *core_timer;  /* for the core's next deadline */
	struct loop_timer *idle_timer;  /* for connections that say nothing for too long */
	struct loop_timer *login_timer; /* for connections that do not say who they are */
	struct loop_timer *end_timer;   /* for the end of the stage, at the latest */
	struct loop_timer *alive_timer; /* for telling the supervisor */

	/* What the exit status depends on: */
	bool has_failed;    /* the journal has: SERVER_JOURNAL_FAILED */
	bool begins_anew;   /* its place in the cluster is lost */
	bool cannot_join;   /* the cluster */
	bool has_inherited; /* sockets, which it cannot have again */
	bool has_left;      /* values that nobody took */
};

#endif
