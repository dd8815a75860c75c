#include "daemon/http/metrics_cluster.h"

#include "daemon/http/metrics_format.h"

/* Of each group that is served here. What a name may have needs no escapes. */
static void write_groups(struct buffer *out, const struct cluster_view *cluster)
{
	static const char epoch[] = "millrace_cluster_group_epoch", lag[] = "millrace_cluster_group_lag_seconds";
	struct cluster_group_row row;
	metrics_heading(out, epoch, "gauge", "How often a group of this daemon's has changed its owner.");
	for (size_t i = 0; cluster->calls->group(cluster, i, &row); i++) {
		if (!row.is_served)
			continue;
		metrics_append(out, epoch);
		metrics_append(out, "{group=\"");
		buffer_append(out, row.name.bytes, row.name.len);
		metrics_append(out, "\"} ");
		buffer_append_uint(out, row.epoch);
		metrics_append(out, "\n");
	}
	metrics_heading(out, lag, "gauge", "How long the oldest change of the group has waited for etcd to keep it.");
	for (size_t i = 0; cluster->calls->group(cluster, i, &row); i++) {
		if (!row.is_served)
			continue;
		metrics_append(out, lag);
		metrics_append(out, "{group=\"");
		buffer_append(out, row.name.bytes, row.name.len);
		metrics_append(out, "\"} ");
		metrics_seconds(out, row.lag_us);
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
	write_groups(out, cluster);
}
