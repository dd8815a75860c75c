/* Connections to the other daemons of the cluster, over which nothing is said: when one breaks, and the address then
 * refuses another, its process is gone, which is known much sooner than its lease ends. A daemon that stands still, or
 * whose host is gone, is not noticed: for those there is the lease. */
#ifndef MILLRACE_SERVER_CLUSTER_PEERS_H
#define MILLRACE_SERVER_CLUSTER_PEERS_H

#include "daemon/net/loop.h"
#include "proto/slice.h"

struct cluster_peers;

typedef void cluster_peer_gone_cb(void *arg, struct slice daemon);

struct cluster_peers *cluster_peers_create(struct loop *loop, cluster_peer_gone_cb *on_gone, void *arg); /* NULL: no
													    memory */
void cluster_peers_destroy(struct cluster_peers *peers); /* NULL is fine */

/* Those that are up: begin, one after the other with its address (a URL), end. */
void cluster_peers_begin(struct cluster_peers *peers);
void cluster_peers_add(struct cluster_peers *peers, struct slice daemon, struct slice address);
void cluster_peers_end(struct cluster_peers *peers);

/* Connects where it has to. Returns when it has to be called again at the latest. */
uint64_t cluster_peers_tick(struct cluster_peers *peers, uint64_t now_us);

#endif
