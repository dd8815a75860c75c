#include "daemon/http/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "daemon/net/listener.h"
#include "daemon/http/jobs.h"
#include "daemon/http/snapshot.h"

enum {
	COPY_ROWS = 64,      /* in a slice */
	WRITE_SAMPLES = 250, /* likewise, about */
	MAX_SCRAPES = 4,     /* at once: each holds a copy of all channels' numbers */
	MAX_SCRAPES_OF_USER = 2,
};

struct scrape {
	struct http_job job; /* must come first */
	struct snapshot snapshot;
	bool is_copied, has_begun;
	size_t family;
	struct snapshot_cursor cursor;
	uint64_t now_us; /* of the copy */
};

/* -- Writing -- */

static void append(struct buffer *out, const char *text)
{
	buffer_append(out, text, strlen(text));
}

static void append_seconds(struct buffer *out, uint64_t us)
{
	char text[40];
	buffer_append(out, text,
		      (size_t)snprintf(text, sizeof(text), "%llu.%06u", (unsigned long long)(us / 1000000),
				       (unsigned)(us % 1000000)));
}

static void write_heading(struct buffer *out, const char *name, const char *type, const char *help)
{
	append(out, "# HELP ");
	append(out, name);
	append(out, " ");
	append(out, help);
	append(out, "\n# TYPE ");
	append(out, name);
	append(out, " ");
	append(out, type);
	append(out, "\n");
}

/* NAME{channel="…"MORE; names of channels have nothing that would need an escape. */
static void begin_sample(struct buffer *out, const char *name, const struct core_channel_row *row, const char *more)
{
	append(out, name);
	append(out, "{channel=\"");
	buffer_append(out, row->name.bytes, row->name.len);
	append(out, more);
	append(out, "} ");
}

/* A histogram's samples. `labels` stand before `le`, with a comma behind, if there are any. */
static unsigned write_histogram(struct buffer *out, const char *name, const char *labels, const uint64_t *bounds_us,
				size_t n_bounds, const uint64_t *n, uint64_t sum_us)
{
	char text[400];
	uint64_t sum = 0;
	for (size_t i = 0; i <= n_bounds; i++) {
		char bound[32] = "+Inf";
		sum += n[i];
		if (i < n_bounds)
			snprintf(bound, sizeof(bound), "%g", (double)bounds_us[i] / 1e6);
		buffer_append(out, text,
			      (size_t)snprintf(text, sizeof(text), "%s_bucket{%sle=\"%s\"} %llu\n", name, labels, bound,
					       (unsigned long long)sum));
	}
	int len = (int)strlen(labels) - (labels[0] ? 1 : 0);
	const char *open = labels[0] ? "{" : "", *close = labels[0] ? "}" : "";
	buffer_append(out, text,
		      (size_t)snprintf(text, sizeof(text), "%s_sum%s%.*s%s ", name, open, len, labels, close));
	append_seconds(out, sum_us);
	buffer_append(out, text,
		      (size_t)snprintf(text, sizeof(text), "\n%s_count%s%.*s%s %llu\n", name, open, len, labels, close,
				       (unsigned long long)sum));
	return (unsigned)n_bounds + 3;
}

/* -- Of channels -- */

struct family {
	const char *name, *type, *help;
	/* Writes the samples of one channel; returns how many. */
	unsigned (*write)(struct buffer *out, const struct family *family, const struct core_channel_row *row,
			  uint64_t now_us);
	size_t offset; /* of the number in the row, for write_number */
};

static unsigned write_number(struct buffer *out, const struct family *family, const struct core_channel_row *row,
			     uint64_t now_us)
{
	(void)now_us;
	begin_sample(out, family->name, row, "\"");
	buffer_append_uint(out, *(const uint64_t *)((const char *)row + family->offset));
	append(out, "\n");
	return 1;
}

static unsigned write_info(struct buffer *out, const struct family *family, const struct core_channel_row *row,
			   uint64_t now_us)
{
	char more[48];
	(void)now_us;
	snprintf(more, sizeof(more), "\",kind=\"%s\"", channel_kind_name(row->definition.kind));
	begin_sample(out, family->name, row, more);
	append(out, "1\n");
	return 1;
}

static unsigned write_closed(struct buffer *out, const struct family *family, const struct core_channel_row *row,
			     uint64_t now_us)
{
	(void)now_us;
	begin_sample(out, family->name, row, "\"");
	append(out, row->closed ? "1\n" : "0\n");
	return 1;
}

/* What a put finds taken: leases count where they count for it. */
static unsigned write_fill(struct buffer *out, const struct family *family, const struct core_channel_row *row,
			   uint64_t now_us)
{
	char text[32];
	(void)now_us;
	enum channel_kind kind = row->definition.kind;
	if (!row->definition.capacity)
		return 0;
	uint64_t n = row->buffered + (kind == KIND_BOUNDED || kind == KIND_DROPPING ? row->leased : 0);
	begin_sample(out, family->name, row, "\"");
	buffer_append(out, text,
		      (size_t)snprintf(text, sizeof(text), "%.6g\n", (double)n / (double)row->definition.capacity));
	return 1;
}

static void write_oldest_of(struct buffer *out, const struct family *family, const struct core_channel_row *row,
			    const char *more, uint64_t since_us, uint64_t now_us)
{
	begin_sample(out, family->name, row, more);
	append_seconds(out, since_us < now_us ? now_us - since_us : 0);
	append(out, "\n");
}

static unsigned write_oldest(struct buffer *out, const struct family *family, const struct core_channel_row *row,
			     uint64_t now_us)
{
	write_oldest_of(out, family, row, "\",side=\"put\"", row->oldest_put_us, now_us);
	write_oldest_of(out, family, row, "\",side=\"take\"", row->oldest_take_us, now_us);
	return 2;
}

static unsigned write_waits(struct buffer *out, const struct family *family, const struct core_channel_row *row,
			    uint64_t now_us)
{
	const struct core_waits *const sides[] = {row->put_waits, row->take_waits};
	(void)now_us;
	unsigned n = 0;
	for (int i = 0; i < 2 && row->put_waits; i++) {
		char labels[200];
		snprintf(labels, sizeof(labels), "channel=\"%.*s\",side=\"%s\",", (int)row->name.len, row->name.bytes,
			 i ? "take" : "put");
		n += write_histogram(out, family->name, labels, core_wait_bounds_us, CORE_WAIT_BOUNDS, sides[i]->n,
				     sides[i]->sum_us);
	}
	return n;
}

#define NUMBER(name, type, member, help)                                                                               \
	{                                                                                                              \
		"millrace_channel_" name, type, help, write_number, offsetof(struct core_channel_row, member)          \
	}

static const struct family families[] = {
	{"millrace_channel_info", "gauge", "What kind of channel it is.", write_info, 0},
	NUMBER("capacity", "gauge", definition.capacity, "How many values fit into the buffer; 0: unbuffered."),
	NUMBER("depth", "gauge", buffered, "Values in the buffer."),
	{"millrace_channel_fill_ratio", "gauge",
	 "How full the channel is for a put, leased values included where they count: 1 is full.", write_fill, 0},
	NUMBER("leased", "gauge", leased, "Values that are leased, or wait for the end of a nack's delay."),
	NUMBER("parked_puts", "gauge", parked_puts, "Puts, and put arms of alts, that wait for room."),
	NUMBER("parked_takes", "gauge", parked_takes, "Takes, and take arms of alts, that wait for a value."),
	NUMBER("bytes", "gauge", bytes, "Bytes of the values that are buffered, leased or parked to be put."),
	{"millrace_channel_closed", "gauge", "1 if the channel is closed.", write_closed, 0},
	{"millrace_channel_oldest_waiter_seconds", "gauge",
	 "How long the first put, and the first take, in the queue has waited; 0: nobody waits.", write_oldest, 0},
	NUMBER("accepted_total", "counter", accepted, "Values that entered."),
	NUMBER("taken_total", "counter", taken, "Values that were taken, and acknowledged if they were leased."),
	NUMBER("returned_total", "counter", returned, "Values that came back because they could not be sent."),
	NUMBER("dropped_total", "counter", dropped, "New values that were shed."),
	NUMBER("evicted_total", "counter", evicted, "Oldest values that were shed."),
	NUMBER("dead_lettered_total", "counter", dead_lettered, "Values that went to the dead_letter channel."),
	NUMBER("discarded_total", "counter", discarded, "Values that went with a delete."),
	{"millrace_channel_wait_seconds", "histogram", "How long those who had to wait waited until they were served.",
	 write_waits, 0},
};

enum { N_FAMILIES = sizeof(families) / sizeof(families[0]) };

/* -- Of the process -- */

static void write_value(struct buffer *out, const char *name, const char *type, const char *help, uint64_t value)
{
	write_heading(out, name, type, help);
	append(out, name);
	append(out, " ");
	buffer_append_uint(out, value);
	append(out, "\n");
}

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

static void write_system(struct buffer *out)
{
	struct rusage usage;
	write_value(out, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
	if (getrusage(RUSAGE_SELF, &usage) < 0)
		return;
	write_heading(out, "process_cpu_seconds_total", "counter", "Processor time, of user and system.");
	append(out, "process_cpu_seconds_total ");
	append_seconds(out, (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
				    (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
	append(out, "\n");
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
				write_heading(out, name, "gauge", "When the certificate of an address expires.");
			has_heading = true;
			listener_url(listener, url);
			append(out, name);
			append(out, "{address=\"");
			append(out, url);
			append(out, "\"} ");
			buffer_append_uint(out, expiry_s > 0 ? (uint64_t)expiry_s : 0);
			append(out, "\n");
		}
	}
}

/* Of the journal, where there is one. */
static void write_journal(struct buffer *out, const struct journal *journal)
{
	const struct carrier_status *status = &journal->status;
	write_value(out, "millrace_journal_bytes", "gauge", "Bytes of the journal that are in use.", status->bytes);
	write_value(out, "millrace_journal_segments", "gauge", "Files of the journal.", status->segments);
	write_value(out, "millrace_journal_full", "gauge",
		    "1 if its disk is full: puts on durable channels are refused.", status->is_full);
	write_value(out, "millrace_journal_pending_bytes", "gauge", "Bytes of records that are not on disk yet.",
		    journal_pending_bytes(journal));
	write_value(out, "millrace_journal_batches_total", "counter", "Batches on disk, since it was made.",
		    status->committed);
	write_value(out, "millrace_journal_checkpoints_total", "counter", "Checkpoints since the start.",
		    journal->checkpoints);
	write_heading(out, "millrace_journal_commit_seconds", "histogram",
		      "How long a write to the journal and its fdatasync took.");
	write_histogram(out, "millrace_journal_commit_seconds", "", carrier_bounds_us, CARRIER_BOUNDS, status->commits,
			status->commits_us);
}

static void write_process(struct buffer *out, const struct sessions *sessions)
{
	struct core_totals totals;
	const struct loop_turns *turns = loop_turns(sessions->loop);
	core_totals(sessions->core, &totals);
	write_heading(out, "millrace_build_info", "gauge", "The version.");
	append(out, "millrace_build_info{version=\"" MILLRACE_VERSION "\"} 1\n");
	write_heading(out, "millrace_connections", "gauge", "Open connections.");
	append(out, "millrace_connections{wire=\"frames\"} ");
	buffer_append_uint(out, sessions->n - sessions->n_http);
	append(out, "\nmillrace_connections{wire=\"http\"} ");
	buffer_append_uint(out, sessions->n_http);
	append(out, "\n");
	write_value(out, "millrace_connections_max", "gauge", "The limit max_connections.",
		    sessions->limits.max_connections);
	write_value(out, "millrace_channels", "gauge", "Channels, reply channels included.", totals.channels);
	write_value(out, "millrace_parked_requests", "gauge", "Requests that wait, each once.", totals.parked);
	write_value(out, "millrace_value_bytes", "gauge",
		    "Bytes of all values that are buffered, leased or parked to be put, and 64 for each of them.",
		    totals.bytes);
	write_value(out, "millrace_unsent_bytes", "gauge", "Bytes of values in replies that are not sent yet.",
		    stream_group_unsent_value_bytes(sessions->streams));
	write_value(out, "millrace_memory_max_bytes", "gauge", "The limit max_memory, for both together.",
		    totals.max_memory);
	write_value(out, "millrace_buffer_bytes", "gauge", "Bytes of input and output buffers, and of TLS.",
		    stream_group_buffer_bytes(sessions->streams));
	write_value(out, "millrace_buffer_max_bytes", "gauge", "The limit max_buffers, for them.",
		    sessions->limits.max_buffers);
	write_value(out, "millrace_log_lines_dropped_total", "counter",
		    "Lines of the log that were dropped, as nobody read it.", log_dropped());
	write_value(out, "millrace_draining", "gauge", "1 if the daemon is about to end.", totals.is_draining);
	write_heading(out, "millrace_turn_seconds", "histogram", "How long a turn of the event loop was busy.");
	write_histogram(out, "millrace_turn_seconds", "", loop_turn_bounds_us, LOOP_TURN_BOUNDS, turns->n,
			turns->sum_us);
	write_heading(out, "millrace_turn_longest_seconds", "gauge",
		      "The longest turn of the event loop, by the processor's time: since the start, and in the last "
		      "minute.");
	append(out, "millrace_turn_longest_seconds{within=\"start\"} ");
	append_seconds(out, turns->longest_us);
	append(out, "\nmillrace_turn_longest_seconds{within=\"minute\"} ");
	append_seconds(out, loop_longest_turn_us(sessions->loop));
	append(out, "\n");
	if (sessions->broker->journal)
		write_journal(out, sessions->broker->journal);
	write_system(out);
}

/* -- Slices -- */

static bool is_told(const struct session *session, const struct core_channel_row *row)
{
	return (row->name.len < 3 || memcmp(row->name.bytes, "_r.", 3) != 0) && session_may_see(session, row->name);
}

/* Writes samples until there are enough for a slice; false when all are written. */
static bool write_slice(const struct session *session, struct scrape *scrape, struct buffer *out)
{
	unsigned n = 0;
	while (n < WRITE_SAMPLES) {
		const struct family *family = &families[scrape->family];
		if (scrape->family == N_FAMILIES)
			return false;
		if (!scrape->has_begun) {
			write_heading(out, family->name, family->type, family->help);
			scrape->cursor = snapshot_begin(&scrape->snapshot);
			scrape->has_begun = true;
		}
		const struct snapshot_row *row = snapshot_next(&scrape->snapshot, &scrape->cursor);
		if (!row) {
			scrape->family++;
			scrape->has_begun = false;
		} else if (is_told(session, &row->row)) {
			n += family->write(out, family, &row->row, scrape->now_us);
		}
	}
	return true;
}

static bool pump(struct http_session *session, struct http_job *job)
{
	struct scrape *scrape = (struct scrape *)job;
	struct sessions *all = session->session.all;
	struct buffer *out = &session->http->scratch;
	bool more = true;
	buffer_clear(out);
	if (!scrape->is_copied) {
		scrape->is_copied = !snapshot_slice(&scrape->snapshot, all->core, COPY_ROWS);
		scrape->now_us = loop_now_us(all->loop);
		if (scrape->is_copied)
			write_process(out, all);
		if (scrape->is_copied)
			write_certificates(out, session->http);
	} else {
		more = write_slice(&session->session, scrape, out);
	}
	if (out->failed || scrape->snapshot.failed) { /* less than all would be taken for all: the connection breaks */
		buffer_finish(out);
		stream_break(&session->session.stream);
		return false;
	}
	http_write_slice(session, (struct slice){buffer_front(out), buffer_len(out)});
	if (more)
		http_wake(session);
	return more;
}

static void destroy(struct http_session *session, struct http_job *job)
{
	struct scrape *scrape = (struct scrape *)job;
	session->http->n_scrapes--;
	snapshot_finish(&scrape->snapshot);
	free(scrape);
}

struct http_response metrics_serve(struct http_session *session, const struct http_request *request)
{
	(void)request;
	if (http_jobs_of_user(session, pump) >= MAX_SCRAPES_OF_USER) {
		return http_error(session, 0, ERROR_OVERLOADED, "this user has too many scrapes at once");
	}
	struct scrape *scrape = session->http->n_scrapes < MAX_SCRAPES ? calloc(1, sizeof(*scrape)) : NULL;
	if (!scrape) {
		return http_error(session, 0, ERROR_OVERLOADED, "there are too many scrapes at once");
	}
	session->http->n_scrapes++;
	scrape->job = (struct http_job){pump, destroy};
	return http_begin_job(session, "text/plain; version=0.0.4; charset=utf-8", &scrape->job);
}
