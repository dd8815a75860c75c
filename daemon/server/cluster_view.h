/* The cluster as sessions, HTTP and people see it. */
#ifndef MILLRACE_SERVER_CLUSTER_VIEW_H
#define MILLRACE_SERVER_CLUSTER_VIEW_H

#include "daemon/cluster/view.h"

/* The calls of a struct server_cluster's view. */
extern const struct cluster_calls server_cluster_calls;

#endif
