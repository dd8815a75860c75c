/* What the parts of the server share: server.c (starting, serving, reloading), listening.c (sockets), channels.c (those
 * of the configuration), access.c (who gets in) and drain.c (draining and ending). */
#ifndef MILLRACE_SERVER_SERVER_PRIVATE_H
#define MILLRACE_SERVER_SERVER_PRIVATE_H

#include "daemon/broker/broker.h"
#include "daemon/http/http.h"
#include "daemon/net/listener.h"
#include "daemon/net/stream_group.h"
#include "daemon/net/tls_context.h"
#include "daemon/server/clustering.h"
#include "daemon/server/memory_trim.h"
#include "daemon/server/server.h"
#include "daemon/server/supervisor.h"
#include "daemon/journal/writer.h"
#include "daemon/session/session.h"

enum server_stage {
	SERVER_STARTING, /* the journal is read; HTTP alone answers */
	SERVER_SERVING,
	SERVER_DRAINING, /* nothing new is taken; what is there may be taken still */
	SERVER_ENDING,   /* nothing is parked any more; the last replies are sent */
};

/* Where durable channels are kept, while the daemon runs. */
struct server_journal {
	struct disk *disk; /* NULL: there is no journal */
	struct log log;
	struct writer *writer;
	struct journal journal;
	struct loop_watch *watch; /* for what the writer tells */
	struct loop_timer *timer; /* for records that wait for others */
	bool is_full;             /* as the log was told */
	uint64_t checkpoint_us;   /* when the last checkpoint ended; 0: none has */
};

struct server {
	server_load_config *load_config;
	void *load_arg;
	struct config config;
	struct loop *loop;
	struct stream_group *streams;
	struct loop_timer *timer; /* for the core's next deadline */
	struct loop_timer *idle_timer;
	struct core *core;
	struct broker broker;
	struct server_journal journal;
	struct server_cluster *cluster; /* NULL: the daemon is alone */
	bool has_failed;                /* the journal: the daemon ends with SERVER_JOURNAL_FAILED */
	bool begins_anew;               /* its place in the cluster is lost */
	bool cannot_join;               /* the cluster */
	bool has_inherited;             /* sockets, which it cannot have again */
	struct sessions sessions;
	struct listener *listeners;
	bool listen_gave_way;                   /* the default address, to sockets that were handed over */
	struct tls_context *tls[MAX_LISTENERS]; /* of config.listen; NULL: it has none */
	struct tls_context *http_tls;           /* of config.http; NULL: it has none */
	struct loop_timer *login_timer;
	struct memory_trim memory_trim;
	struct http *http;
	enum server_stage stage;
	struct loop_timer *end_timer; /* the end of the stage, at the latest */
	bool has_left;                /* values that nobody took */
	struct service service;
	struct loop_timer *alive_timer; /* to tell the supervisor */
};

/* Creates the channels of the configuration, and alters those that are there with another definition of the same kind,
 * with a log line for each. In a cluster only those of groups that are here; `group`: of this one alone; empty: of all.
 * Returns how many are not as they are configured, each with a log line too. */
size_t server_create_channels(struct server *server, const struct config *config, struct slice group);
/* The same for taps, once the channels are there. */
size_t server_create_taps(struct server *server, const struct config *config, struct slice group);
/* Whether a channel of the configuration can be here, and is to be looked at: see server_create_channels(). */
bool server_has_group_of(const struct server *server, const char *channel, struct slice group);

/* -- listening.c -- */

/* Opens all sockets; those of HTTP alone are answered at once. -1: after a line in the log. */
int server_listen(struct server *server);
/* The others too, from now on. -1: no memory. */
int server_accept(struct server *server);

/* -- replaying.c -- */

/* Reads the journal of the configuration, if there is one, and restores what was there, while the loop turns. -1: after
 * a line in the log; or the stage is SERVER_ENDING, since the daemon was told to end meanwhile. */
int server_restore_journal(struct server *server);

/* -- journaling.c -- */

/* Once the log has begun: from now on it is written. -1: after a line in the log. */
int server_open_journal(struct server *server);
/* At the end of each turn: hands over what was recorded, and goes on with a checkpoint. */
void server_end_journal_turn(struct server *server);
/* A slice of a checkpoint, if it is time for one, or one is under way. */
void server_go_on_with_checkpoint(struct server *server);
/* Waits until all that was recorded is kept, and closes it. */
void server_stop_journal(struct server *server);

/* Users and certificates, before anybody listens. -1: after a line in the log. */
int server_start_access(struct server *server);

/* Once everybody listens that needs to be root for it, and before anything is written: Unix sockets are
 * given to the account, and so is the journal's folder, which is made if there is none. -1: after a line in the log. */
int server_drop_privileges(const struct server *server);

/* Takes over what has changed there; `fresh` is about to become the configuration. -1, after a line in the log: no
 * memory, and nothing has changed. */
int server_reload_access(struct server *server, const struct config *fresh);
void server_log_access(const struct server *server);
void server_finish_access(struct server *server); /* when core and sessions are gone */

/* What the supervisor is told. server_start_service() begins to say that the daemon is alive; -1: no memory. */
int server_start_service(struct server *server);
void server_tell_starting(struct server *server); /* how far it is: see struct sessions */
void server_tell_ready(struct server *server);    /* to the log too */
void server_tell_reloading(struct server *server);
void server_tell_reloaded(struct server *server, const char *failure); /* NULL: it went well */
void server_tell_stopping(struct server *server, uint64_t within_ms);

/* SIGTERM, SIGINT. */
void server_on_end_signal(void *arg, int signal_number);
void server_on_end_timer(void *arg);

/* At the end of each turn: whether the stage has reached its end. */
void server_look_for_end(struct server *server);

#endif
