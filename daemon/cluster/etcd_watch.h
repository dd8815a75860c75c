/* Watches of the etcd client: a hint soon after a key has changed. A watch is a stream of HTTP, whose content nobody
 * reads: that something comes is the hint. It is started again when it ends, and now and then when nothing comes, each
 * time with a hint, as something may have been missed. */
#ifndef MILLRACE_CLUSTER_ETCD_WATCH_H
#define MILLRACE_CLUSTER_ETCD_WATCH_H

#include "daemon/cluster/etcd_calls.h"

/* Without memory there are no hints: whoever watches has to look by itself now and then anyway. */
void etcd_watch_start(struct etcd *etcd, void *owner, struct slice prefix, engine_hint_cb *hint, void *arg);
void etcd_watches_cancel(struct etcd *etcd, const void *owner); /* NULL: everybody's */

#endif
