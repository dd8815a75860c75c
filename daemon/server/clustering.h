/* The daemon's part in a cluster: what joins it, takes groups over and gives them away, between the core and
 * daemon/cluster. */
#ifndef MILLRACE_SERVER_CLUSTERING_H
#define MILLRACE_SERVER_CLUSTERING_H

#include <stdbool.h>

struct server;

/* Begins to join, if the configuration has a cluster. -1: after a line in the log. */
int server_start_cluster(struct server *server);

/* The groups of the configuration's channels shall be there. */
void server_want_groups(struct server *server);

/* At the end of each turn: goes on with all of it, and hands over what was recorded. */
void server_end_cluster_turn(struct server *server);

/* SIGTERM: the groups go to other daemons. */
void server_drain_cluster(struct server *server);
bool server_is_cluster_drained(const struct server *server);

/* After the loop: what was recorded is kept, if the engine answers, and the others hear that this daemon is gone. */
void server_stop_cluster(struct server *server);

#endif
