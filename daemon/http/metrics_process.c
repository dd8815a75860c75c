#include "daemon/http/metrics_process.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/core/rows.h"
#include "daemon/http/metrics_cluster.h"
#include "daemon/http/metrics_format.h"
#include "daemon/net/listener.h"

static uint64_t resident_bytes(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	if (!file)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void write_system(struct buffer *out, const struct http *http, unsigned n_fds)
{
	struct rusage usage;
	struct rlimit files;
	metrics_value(out, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
	metrics_heading(out, "process_start_time_seconds", "gauge", "When the daemon was started, since 1970.");
	metrics_append(out, "process_start_time_seconds ");
	metrics_seconds(out, http->start_us);
	metrics_append(out, "\n");
	if (n_fds)
		metrics_value(out, "process_open_fds", "gauge", "Open file descriptors.", n_fds);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
		metrics_value(out, "process_max_fds", "gauge", "How many there may be.", files.rlim_cur);
	if (getrusage(RUSAGE_SELF, &usage) < 0)
		return;
	metrics_heading(out, "process_cpu_seconds_total", "counter", "Processor time, of user and system.");
	metrics_append(out, "process_cpu_seconds_total ");
	metrics_seconds(out, (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
				     (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
	metrics_append(out, "\n");
}

/* Until when each listener's certificate holds. */
static void write_certificates(struct buffer *out, const struct http *http)
{
	static const char name[] = "millrace_certificate_expiry_timestamp_seconds";
	const struct listener *const chains[] = {http->listeners ? *http->listeners : NULL, http->listener};
	bool has_heading = false;
	for (size_t i = 0; i < 2; i++) {
		for (const struct listener *listener = chains[i]; listener; listener = listener_next(listener)) {
			int64_t expiry_s;
			char url[LISTENER_URL_BYTES];
			if (!listener_certificate_expiry(listener, &expiry_s))
				continue;
			if (!has_heading)
				metrics_heading(out, name, "gauge", "When the certificate of an address expires.");
			has_heading = true;
			listener_url(listener, url);
			metrics_append(out, name);
			metrics_append(out, "{address=\"");
			metrics_append(out, url);
			metrics_append(out, "\"} ");
			buffer_append_uint(out, expiry_s > 0 ? (uint64_t)expiry_s : 0);
			metrics_append(out, "\n");
		}
	}
}

static void write_daemon(struct buffer *out, const struct sessions *sessions)
{
	struct core_totals totals;
	const struct loop_turns *turns = loop_turns(sessions->loop);
	core_totals(sessions->core, &totals);
	metrics_heading(out, "millrace_build_info", "gauge", "The version.");
	metrics_append(out, "millrace_build_info{version=\"" MILLRACE_VERSION "\"} 1\n");
	metrics_heading(out, "millrace_connections", "gauge", "Open connections.");
	metrics_append(out, "millrace_connections{wire=\"frames\"} ");
	buffer_append_uint(out, sessions->n - sessions->n_http);
	metrics_append(out, "\nmillrace_connections{wire=\"http\"} ");
	buffer_append_uint(out, sessions->n_http);
	metrics_append(out, "\n");
	metrics_value(out, "millrace_connections_max", "gauge", "The limit max_connections.",
		      sessions->limits.max_connections);
	metrics_value(out, "millrace_channels", "gauge", "Channels, reply channels included.", totals.channels);
	metrics_value(out, "millrace_parked_requests", "gauge", "Requests that wait, each once.", totals.parked);
	metrics_value(out, "millrace_value_bytes", "gauge",
		      "Bytes of all values that are buffered, leased or parked to be put, and 64 for each of them.",
		      totals.bytes);
	metrics_value(out, "millrace_unsent_bytes", "gauge", "Bytes of values in replies that are not sent yet.",
		      stream_group_unsent_value_bytes(sessions->streams));
	metrics_value(out, "millrace_taps", "gauge", "Taps, those of subscriptions included.", totals.taps);
	metrics_value(out, "millrace_taps_held", "gauge", "Taps that hold a value for which their target has no room.",
		      totals.tapped.held);
	metrics_value(out, "millrace_tap_carried_total", "counter",
		      "Values that taps have brought to their targets; what was shed there does not count.",
		      totals.tapped.carried);
	metrics_value(out, "millrace_tap_unmatched_total", "counter", "Values that came to a tap, and did not match.",
		      totals.tapped.unmatched);
	metrics_value(out, "millrace_tap_muted_total", "counter", "Values that came to a tap that was muted.",
		      totals.tapped.muted);
	metrics_value(out, "millrace_producers", "gauge",
		      "Producers, each on each of its channels, whose puts are remembered, to enter once.",
		      totals.producers);
	metrics_value(out, "millrace_producer_bytes", "gauge",
		      "What remembering them takes: it counts towards max_memory.", totals.producer_bytes);
	metrics_value(out, "millrace_memory_max_bytes", "gauge", "The limit max_memory, for both together.",
		      totals.max_memory);
	metrics_value(out, "millrace_parked_bytes", "gauge",
		      "What parked requests, leases and delayed puts take, beside their values.", totals.parked_bytes);
	metrics_value(out, "millrace_parked_max_bytes", "gauge", "The limit max_parked, for them.", totals.max_parked);
	metrics_value(out, "millrace_buffer_bytes", "gauge", "Bytes of input and output buffers, and of TLS.",
		      stream_group_buffer_bytes(sessions->streams));
	metrics_value(out, "millrace_buffer_max_bytes", "gauge", "The limit max_buffers, for them.",
		      sessions->limits.max_buffers);
	metrics_value(out, "millrace_log_lines_dropped_total", "counter",
		      "Lines of the log that were dropped, as nobody read it.", log_dropped());
	metrics_value(out, "millrace_draining", "gauge", "1 if the daemon is about to end.", totals.is_draining);
	metrics_heading(out, "millrace_turn_seconds", "histogram", "How long a turn of the event loop was busy.");
	metrics_histogram(out, "millrace_turn_seconds", "", loop_turn_bounds_us, LOOP_TURN_BOUNDS, turns->n,
			  turns->sum_us);
	metrics_heading(out, "millrace_turn_longest_seconds", "gauge",
			"The longest turn of the event loop, by the processor's time: since the start, and in the last "
			"minute.");
	metrics_append(out, "millrace_turn_longest_seconds{within=\"start\"} ");
	metrics_seconds(out, turns->longest_us);
	metrics_append(out, "\nmillrace_turn_longest_seconds{within=\"minute\"} ");
	metrics_seconds(out, loop_longest_turn_us(sessions->loop));
	metrics_append(out, "\n");
}

/* Errors alone that there were: all pairs of op and code would be hundreds. */
static void write_requests(struct buffer *out, const struct request_counts *counts)
{
	static const char requests[] = "millrace_requests_total", errors[] = "millrace_request_errors_total";
	char labels[96];
	metrics_heading(out, requests, "counter",
			"Requests, by op; none: it could not be read. Those of HTTP that are no op do not count.");
	for (enum message_op op = OP_NONE; op < OP_COUNT; op++) {
		snprintf(labels, sizeof(labels), "{op=\"%s\"} ", message_op_name(op));
		metrics_append(out, requests);
		metrics_append(out, labels);
		buffer_append_uint(out, counts->requests[op]);
		metrics_append(out, "\n");
	}
	metrics_heading(out, errors, "counter",
			"Error replies, by op and code; op none: to no request of the protocol.");
	for (enum message_op op = OP_NONE; op < OP_COUNT; op++) {
		for (enum error error = ERROR_NONE; error < ERROR_COUNT; error++) {
			if (!counts->errors[op][error])
				continue;
			snprintf(labels, sizeof(labels), "{op=\"%s\",code=\"%s\"} ", message_op_name(op),
				 error_name(error));
			metrics_append(out, errors);
			metrics_append(out, labels);
			buffer_append_uint(out, counts->errors[op][error]);
			metrics_append(out, "\n");
		}
	}
	metrics_value(out, "millrace_refused_logins_total", "counter",
		      "Logins with a token, a certificate or a uid that was none of a user.", counts->refused_logins);
}

/* Of the journal, where there is one. */
static void write_journal(struct buffer *out, const struct journal *journal)
{
	const struct carrier_status *status = &journal->status;
	metrics_value(out, "millrace_journal_bytes", "gauge", "Bytes of the journal that are in use.", status->bytes);
	metrics_value(out, "millrace_journal_segments", "gauge", "Files of the journal.", status->segments);
	metrics_value(out, "millrace_journal_full", "gauge",
		      "1 if its disk is full: puts on durable channels are refused.", status->is_full);
	metrics_value(out, "millrace_journal_pending_bytes", "gauge", "Bytes of records that are not on disk yet.",
		      journal_pending_bytes(journal));
	metrics_value(out, "millrace_journal_batches_total", "counter", "Batches on disk, since it was made.",
		      status->committed);
	metrics_value(out, "millrace_journal_checkpoints_total", "counter", "Checkpoints since the start.",
		      journal->checkpoints);
	metrics_heading(out, "millrace_journal_commit_seconds", "histogram",
			"How long a write to the journal and its fdatasync took.");
	metrics_histogram(out, "millrace_journal_commit_seconds", "", carrier_bounds_us, CARRIER_BOUNDS,
			  status->commits, status->commits_us);
}

void metrics_process(struct buffer *out, const struct http *http, unsigned n_fds)
{
	write_daemon(out, http->sessions);
	write_requests(out, &http->sessions->counts);
	if (http->sessions->broker->journal)
		write_journal(out, http->sessions->broker->journal);
	if (http->sessions->cluster)
		metrics_cluster(out, http->sessions->cluster);
	write_certificates(out, http);
	write_system(out, http, n_fds);
}
