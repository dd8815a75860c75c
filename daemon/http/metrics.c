#include "daemon/http/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/http/jobs.h"
#include "daemon/http/metrics_format.h"
#include "daemon/http/metrics_process.h"
#include "daemon/http/snapshot.h"

enum {
	COPY_ROWS = 64,      /* in a slice */
	COUNT_FDS = 500,     /* likewise */
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
	DIR *fds;        /* they are counted while the channels are copied; NULL: that is done, or cannot be */
	unsigned n_fds;
};

/* -- Of channels -- */

/* NAME{channel="…"MORE; names of channels have nothing that would need an escape. */
static void begin_sample(struct buffer *out, const char *name, const struct core_channel_row *row, const char *more)
{
	metrics_append(out, name);
	metrics_append(out, "{channel=\"");
	buffer_append(out, row->name.bytes, row->name.len);
	metrics_append(out, more);
	metrics_append(out, "} ");
}

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
	metrics_append(out, "\n");
	return 1;
}

static unsigned write_info(struct buffer *out, const struct family *family, const struct core_channel_row *row,
			   uint64_t now_us)
{
	char more[48];
	(void)now_us;
	snprintf(more, sizeof(more), "\",kind=\"%s\"", channel_kind_name(row->definition.kind));
	begin_sample(out, family->name, row, more);
	metrics_append(out, "1\n");
	return 1;
}

static unsigned write_closed(struct buffer *out, const struct family *family, const struct core_channel_row *row,
			     uint64_t now_us)
{
	(void)now_us;
	begin_sample(out, family->name, row, "\"");
	metrics_append(out, row->closed ? "1\n" : "0\n");
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
	metrics_seconds(out, since_us < now_us ? now_us - since_us : 0);
	metrics_append(out, "\n");
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
		n += metrics_histogram(out, family->name, labels, core_wait_bounds_us, CORE_WAIT_BOUNDS, sides[i]->n,
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
	NUMBER("leased", "gauge", leased, "Values that are leased, or wait for the end of a delay."),
	NUMBER("delayed", "gauge", delayed, "Of those, values of delayed puts, which have yet to enter."),
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

/* -- Slices -- */

static bool is_told(const struct session *session, struct slice name)
{
	return (name.len < 3 || memcmp(name.bytes, "_r.", 3) != 0) && session_may_see(session, name);
}

/* Writes samples until there are enough for a slice; false when all are written. */
static bool write_slice(struct scrape *scrape, struct buffer *out)
{
	unsigned n = 0;
	while (n < WRITE_SAMPLES) {
		const struct family *family = &families[scrape->family];
		if (scrape->family == N_FAMILIES)
			return false;
		if (!scrape->has_begun) {
			metrics_heading(out, family->name, family->type, family->help);
			scrape->cursor = snapshot_begin(&scrape->snapshot);
			scrape->has_begun = true;
		}
		const struct snapshot_row *row = snapshot_next(&scrape->snapshot, &scrape->cursor);
		if (!row) {
			scrape->family++;
			scrape->has_begun = false;
		} else {
			n += family->write(out, family, &row->row, scrape->now_us);
		}
	}
	return true;
}

static void end_fds(struct scrape *scrape)
{
	if (scrape->fds)
		closedir(scrape->fds);
	scrape->fds = NULL;
}

/* Counts some of the open descriptors: the kernel takes its time for each. */
static void count_fds(struct scrape *scrape)
{
	enum { BESIDE = 3 }; /* "." and "..", and the directory itself */
	for (unsigned n = 0; n < COUNT_FDS && scrape->fds; n++) {
		if (readdir(scrape->fds)) {
			scrape->n_fds++;
			continue;
		}
		scrape->n_fds -= scrape->n_fds < BESIDE ? scrape->n_fds : BESIDE;
		end_fds(scrape);
	}
}

/* Copies, and then writes what is of no channel. */
static void copy_slice(struct http_session *session, struct scrape *scrape, struct buffer *out)
{
	struct sessions *all = session->session.all;
	struct core_channel_row row;
	uint64_t until = session_rights_cost(all) + COPY_ROWS;
	bool more = true;
	for (unsigned n = 0; more && session_rights_cost(all) + n < until; n++)
		more = snapshot_next_channel(&scrape->snapshot, all->core, &row) &&
		       (!is_told(&session->session, row.name) || snapshot_copy(&scrape->snapshot, &row));
	count_fds(scrape);
	scrape->now_us = loop_now_us(all->loop);
	scrape->is_copied = !more && !scrape->fds;
	if (scrape->is_copied)
		metrics_process(out, session->http, scrape->n_fds);
}

static bool pump(struct http_session *session, struct http_job *job)
{
	struct scrape *scrape = (struct scrape *)job;
	struct buffer *out = &session->http->scratch;
	bool more = true;
	buffer_clear(out);
	if (!scrape->is_copied)
		copy_slice(session, scrape, out);
	else
		more = write_slice(scrape, out);
	if (out->failed || scrape->snapshot.failed) { /* less than all would be taken for all: the connection breaks */
		buffer_finish(out);
		stream_break(&session->session.stream);
		return false;
	}
	http_write_slice(session, buffer_slice(out));
	if (more)
		http_wake(session);
	return more;
}

static void destroy(struct http_session *session, struct http_job *job)
{
	struct scrape *scrape = (struct scrape *)job;
	session->http->n_scrapes--;
	snapshot_finish(&scrape->snapshot);
	end_fds(scrape);
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
	scrape->job = (struct http_job){.pump = pump, .destroy = destroy};
	scrape->fds = opendir("/proc/self/fd");
	return http_begin_job(session, "text/plain; version=0.0.4; charset=utf-8", &scrape->job);
}
