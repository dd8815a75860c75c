#include "daemon/session/overload_log.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/core/rows.h"
#include "daemon/log.h"

enum { MAX_LINES = 10 }; /* in LOG_SELDOM_MS, of all clients */

struct overload_record { /* of a session */
	struct log_seldom shed_log, slow_log;
	char *full_channel; /* of the reply that made its output full, or NULL */
};

/* NULL: no memory, and nothing is told. */
static struct overload_record *need_record(struct session *session)
{
	if (!session->overload)
		session->overload = calloc(1, sizeof(*session->overload));
	return session->overload;
}

void overload_log_forget(struct session *session)
{
	if (session->overload)
		free(session->overload->full_channel);
	free(session->overload);
	session->overload = NULL;
}

/* Whether there is a line left for anybody. */
static bool take_line(struct sessions *sessions, uint64_t now_us)
{
	struct overload_lines *lines = &sessions->overload_lines;
	if (now_us >= lines->until_us) {
		if (lines->n > MAX_LINES)
			log_warning("%llu more warnings of overload were left out",
				    (unsigned long long)(lines->n - MAX_LINES));
		*lines = (struct overload_lines){.until_us = now_us + LOG_SELDOM_MS * UINT64_C(1000)};
	}
	return ++lines->n <= MAX_LINES;
}

struct who {
	char text[300]; /* client 12 "worker" (127.0.0.1:4711) */
	char peer[128];
	char channel[NAME_MAX_BYTES + 1];
	struct log_field fields[4];
};

static void describe(struct who *who, const struct session *session, struct slice channel)
{
	const char *name = session->name;
	stream_peer(&session->stream, who->peer, sizeof(who->peer));
	snprintf(who->channel, sizeof(who->channel), "%.*s", (int)channel.len, channel.bytes);
	snprintf(who->text, sizeof(who->text), "client %llu%s%.128s%s (%s)", (unsigned long long)session->number,
		 name ? " \"" : "", name ? name : "", name ? "\"" : "", who->peer);
	who->fields[0] = (struct log_field){"client", NULL, session->number};
	who->fields[1] = (struct log_field){"name", name ? name : "", 0};
	who->fields[2] = (struct log_field){"peer", who->peer, 0};
	who->fields[3] = (struct log_field){"channel", who->channel, 0};
}

void overload_log_shed(struct session *session, const struct core_reply *reply)
{
	struct sessions *all = session->all;
	struct core_channel_row row;
	struct who who;
	uint64_t n, now_us = loop_now_us(all->loop);
	struct overload_record *record = need_record(session);
	if (!record || !log_is_due(&record->shed_log, now_us, &n) || !core_stat(all->core, reply->channel, &row) ||
	    row.definition.kind == KIND_PROMISE || !take_line(all, now_us))
		return;
	describe(&who, session, reply->channel);
	log_with(row.definition.kind == KIND_SLIDING ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, who.fields, 4,
		 "%s puts into channel %s (%s) faster than it is taken from: %llu puts have shed values since the last "
		 "such line",
		 who.text, who.channel, channel_kind_name(row.definition.kind), (unsigned long long)n);
}

/* One large reply does that until the turn's end, too: only then can be told who is slow. */
void overload_log_full(struct session *session, struct slice channel)
{
	struct overload_record *record = need_record(session);
	if (record && !record->full_channel && channel.len && (record->full_channel = malloc(channel.len + 1))) {
		memcpy(record->full_channel, channel.bytes, channel.len);
		record->full_channel[channel.len] = '\0';
	}
}

void overload_log_slow(struct session *session)
{
	struct sessions *all = session->all;
	struct who who;
	uint64_t n, now_us = loop_now_us(all->loop);
	struct overload_record *record = session->overload;
	if (!record || !record->full_channel || !log_is_due(&record->slow_log, now_us, &n) || !take_line(all, now_us))
		return;
	describe(&who, session, slice_from(record->full_channel));
	log_with(LOG_LEVEL_WARNING, who.fields, 4,
		 "%s does not read its replies of channel %s: %llu bytes wait (max_output), and it is not read either "
		 "until it does",
		 who.text, who.channel,
		 (unsigned long long)(stream_written(&session->stream) - stream_sent(&session->stream)));
	free(record->full_channel);
	record->full_channel = NULL;
}
