#include "daemon/http/metrics_cluster.h"

#include "daemon/http/metrics_format.h"

static void write_epoch(struct buffer *out, const struct cluster_group_row *row)
{
	buffer_append_uint(out, row->epoch);
}

static void write_lag(struct buffer *out, const struct cluster_group_row *row)
{
	metrics_seconds(out, row->lag_us);
}

/* A gauge of each group that is served here. What a group's name may have needs no escapes. */
static void write_groups(struct buffer *out, const struct cluster_view *cluster, const char *name, const char *help,
			 void (*write)(struct buffer *out, const struct cluster_group_row *row))
{
	struct cluster_group_row row;
	metrics_heading(out, name, "gauge", help);
	for (size_t i = 0; cluster->calls->group(cluster, i, &row); i++) {
		if (!row.is_served)
			continue;
		metrics_append(out, name);
		metrics_append(out, "{group=\"");
		buffer_append(out, row.name.bytes, row.name.len);
		metrics_append(out, "\"} ");
		write(out, &row);
		metrics_append(out, "\n");
	}
}

void metrics_cluster(struct buffer *out, const struct cluster_view *cluster)
{
	struct cluster_status status;
	struct cluster_daemon_row row;
	size_t n = 0;
	cluster->calls->status(cluster, &status);
	while (cluster->calls->daemon(cluster, n, &row))
		n++;
	metrics_value(out, "millrace_cluster_joined", "gauge",
		      "1 if the daemon reaches etcd, and may answer as one of the cluster.", status.is_joined);
	metrics_value(out, "millrace_cluster_daemons", "gauge", "Daemons that are up, as far as this one knows.", n);
	metrics_value(out, "millrace_cluster_takeovers_total", "counter", "Groups that this daemon has taken over.",
		      status.takeovers);
	metrics_value(out, "millrace_cluster_lost_total", "counter", "Groups that it has lost to others, not by plan.",
		      status.lost);
	metrics_value(out, "millrace_cluster_store_bytes", "gauge", "Bytes of etcd's store.", status.used_bytes);
	if (status.quota_bytes)
		metrics_value(out, "millrace_cluster_store_quota_bytes", "gauge", "How many it may have.",
			      status.quota_bytes);
	write_groups(out, cluster, "millrace_cluster_group_epoch",
		     "How often a group of this daemon's has changed its owner.", write_epoch);
	write_groups(out, cluster, "millrace_cluster_group_lag_seconds",
		     "How long the oldest change of the group has waited for etcd to keep it.", write_lag);
}
