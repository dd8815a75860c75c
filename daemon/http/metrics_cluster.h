/* Numbers of the cluster that the daemon is in. */
#ifndef MILLRACE_HTTP_METRICS_CLUSTER_H
#define MILLRACE_HTTP_METRICS_CLUSTER_H

#include "daemon/cluster/view.h"
#include "proto/buffer.h"

void metrics_cluster(struct buffer *out, const struct cluster_view *cluster);

#endif
