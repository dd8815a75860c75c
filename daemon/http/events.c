#include "daemon/http/events.h"

#include <stdlib.h>

#include "daemon/http/jobs.h"
#include "daemon/http/snapshot.h"
#include "daemon/session/channel_row.h"

enum {
	TICK_MS = 1000,
	WALK_ROWS = 64, /* in a slice */
	SYNC_ROWS = 32,
	MAX_SUBSCRIBERS = 32,
	MAX_SUBSCRIBERS_OF_USER = 8,
};

struct subscriber {
	struct http_job job; /* must come first */
	struct http_session *session;
	struct subscriber *next, **at; /* in events->first; *at points here */
	bool is_begun, is_synced;
	bool is_lagging;            /* has missed something */
	struct buffer rows, gone;   /* of a user, who may not see all */
	char after[NAME_MAX_BYTES]; /* the last channel that it was told while it is not synced */
	size_t after_len;
};

struct events {
	struct http *http;
	struct loop_timer *timer;
	struct subscriber *first;
	unsigned n;
	bool is_walking, has_baseline;
	uint64_t walk_us; /* when the last walk began */
	struct snapshot last, now;
	struct snapshot_cursor last_cursor, now_cursor;
	const struct snapshot_row *last_row, *now_row; /* the next of the last walk's and of this one's */
	struct buffer rows, gone;
};

static void append(struct buffer *out, const char *text)
{
	buffer_append(out, text, strlen(text));
}

/* -- Telling -- */

/* What a subscriber gets beside its answers is dropped while it has not read so much of it. */
static void tell(struct subscriber *subscriber, const struct buffer *event)
{
	if (stream_is_full(&subscriber->session->session.stream))
		subscriber->is_lagging = true;
	else
		http_write_slice(subscriber->session, buffer_slice(event));
}

static void tell_if_begun(struct subscriber *subscriber, const struct buffer *event)
{
	if (event->failed)
		subscriber->is_lagging = true;
	else if (buffer_len(event) && subscriber->is_begun && !subscriber->is_lagging)
		tell(subscriber, event);
}

static void empty(struct buffer *event)
{
	if (event->failed)
		buffer_finish(event);
	buffer_clear(event);
}

/* To all who have begun; the event is then empty again. Without memory for it, they have missed it. */
static void tell_all(struct events *events, struct buffer *event)
{
	for (struct subscriber *at = events->first; at; at = at->next)
		tell_if_begun(at, event);
	empty(event);
}

/* Before each element of an event that is an array. */
static void begin_element(struct buffer *event, const char *name)
{
	if (buffer_len(event)) {
		append(event, ",");
		return;
	}
	append(event, "event: ");
	append(event, name);
	append(event, "\ndata: [");
}

static void end_array(struct buffer *event)
{
	if (buffer_len(event))
		append(event, "]\n\n");
}

/* -- Walks -- */

static bool differs(const struct core_channel_row *a, const struct core_channel_row *b)
{
	return a->definition.kind != b->definition.kind || a->definition.capacity != b->definition.capacity ||
	       a->closed != b->closed || a->buffered != b->buffered || a->leased != b->leased ||
	       a->parked_puts != b->parked_puts || a->parked_takes != b->parked_takes || a->bytes != b->bytes ||
	       a->accepted != b->accepted || a->taken != b->taken || a->returned != b->returned ||
	       a->dropped != b->dropped || a->evicted != b->evicted || a->dead_lettered != b->dead_lettered ||
	       a->discarded != b->discarded || a->oldest_put_us != b->oldest_put_us ||
	       a->oldest_take_us != b->oldest_take_us || a->definition.max_waiters != b->definition.max_waiters ||
	       a->definition.ephemeral != b->definition.ephemeral;
}

static void next_of_last(struct events *events)
{
	events->last_row = snapshot_next(&events->last, &events->last_cursor);
}

static bool has_user(const struct subscriber *subscriber)
{
	return session_user(&subscriber->session->session);
}

static void write_gone(struct buffer *event, struct slice name)
{
	begin_element(event, "gone");
	message_text(event, name);
}

static void write_row(struct buffer *event, const struct core_channel_row *row, uint64_t now_us)
{
	begin_element(event, "rows");
	channel_row_write(event, row, now_us);
}

static void tell_gone(struct events *events)
{
	struct slice name = events->last_row->row.name;
	write_gone(&events->gone, name);
	for (struct subscriber *at = events->first; at; at = at->next) {
		if (has_user(at) && session_may_see(&at->session->session, name))
			write_gone(&at->gone, name);
	}
	next_of_last(events);
}

static void tell_row(struct events *events, const struct core_channel_row *row, uint64_t now_us)
{
	write_row(&events->rows, row, now_us);
	for (struct subscriber *at = events->first; at; at = at->next) {
		if (has_user(at) && session_may_see(&at->session->session, row->name))
			write_row(&at->rows, row, now_us);
	}
}

/* One step of the walk: both are in order of name, and are compared as they go on. False: it has come to the end. */
static bool walk_on(struct events *events, uint64_t now_us)
{
	struct core_channel_row row;
	if (!events->now_row && snapshot_next_channel(&events->now, events->http->sessions->core, &row) &&
	    snapshot_copy(&events->now, &row))
		events->now_row = snapshot_next(&events->now, &events->now_cursor);
	const struct snapshot_row *last = events->last_row, *now = events->now_row;
	if (events->now.failed || (!last && !now))
		return false;
	int order = !now ? -1 : !last ? 1 : slice_compare(last->row.name, now->row.name);
	if (order < 0) {
		tell_gone(events);
		return true;
	}
	if (events->has_baseline && (order > 0 || differs(&last->row, &now->row)))
		tell_row(events, &now->row, now_us);
	if (order == 0)
		next_of_last(events);
	events->now_row = NULL;
	return true;
}

static void write_tick(struct events *events, struct buffer *out)
{
	const struct sessions *sessions = events->http->sessions;
	const struct loop_turns *turns = loop_turns(sessions->loop);
	struct core_totals totals;
	uint64_t n_turns = 0;
	core_totals(sessions->core, &totals);
	for (int i = 0; i <= LOOP_TURN_BOUNDS; i++)
		n_turns += turns->n[i];
	append(out, "event: tick\ndata: {\"version\":\"" MILLRACE_VERSION "\"");
	message_uint(out, "now_us", loop_now_us(sessions->loop));
	message_uint(out, "channels", totals.channels);
	message_uint(out, "connections", sessions->n - sessions->n_http);
	message_uint(out, "http_connections", sessions->n_http);
	message_uint(out, "parked", totals.parked);
	message_uint(out, "value_bytes", totals.bytes);
	message_uint(out, "unsent_bytes", stream_group_unsent_value_bytes(sessions->streams));
	message_uint(out, "max_memory", totals.max_memory);
	message_bool(out, "draining", totals.is_draining);
	message_bool(out, "cluster", sessions->cluster != NULL);
	message_uint(out, "turns", n_turns);
	message_uint(out, "turns_us", turns->sum_us);
	append(out, "}\n\n");
}

static void begin_walk(struct events *events)
{
	events->is_walking = true;
	events->walk_us = loop_now_us(events->http->sessions->loop);
	events->last_cursor = snapshot_begin(&events->last);
	events->now_cursor = snapshot_begin(&events->now);
	events->last_row = events->now_row = NULL;
	if (events->has_baseline)
		next_of_last(events);
}

static void end_walk(struct events *events)
{
	events->is_walking = false;
	events->has_baseline = !events->now.failed;
	snapshot_finish(&events->last);
	events->last = events->now;
	events->now = (struct snapshot){.first = NULL};
	for (struct subscriber *at = events->first; at; at = at->next) {
		at->is_lagging |= !events->has_baseline;
		if (!at->is_begun || at->is_lagging)
			http_wake(at->session);
	}
}

static void forget(struct events *events)
{
	events->is_walking = events->has_baseline = false;
	snapshot_finish(&events->last);
	snapshot_finish(&events->now);
	buffer_finish(&events->rows);
	buffer_finish(&events->gone);
}

/* What a slice of the walk has found: to those who may see all, and to each user their own. */
static void tell_changes(struct events *events)
{
	end_array(&events->gone);
	end_array(&events->rows);
	for (struct subscriber *at = events->first; at; at = at->next) {
		bool is_own = has_user(at);
		end_array(&at->gone);
		end_array(&at->rows);
		tell_if_begun(at, is_own ? &at->gone : &events->gone);
		tell_if_begun(at, is_own ? &at->rows : &events->rows);
		empty(&at->gone);
		empty(&at->rows);
	}
	empty(&events->gone);
	empty(&events->rows);
}

static void on_timer(void *arg)
{
	struct events *events = arg;
	struct sessions *sessions = events->http->sessions;
	uint64_t now_us = loop_now_us(sessions->loop);
	if (!events->n) {
		forget(events);
		return;
	}
	if (!events->is_walking)
		begin_walk(events);
	uint64_t until = session_rights_cost(sessions) + WALK_ROWS;
	bool more = true;
	for (unsigned n = 0; more && session_rights_cost(sessions) + n < until; n++)
		more = walk_on(events, now_us);
	if (!more)
		end_walk(events);
	tell_changes(events);
	if (!more) {
		write_tick(events, &events->rows);
		tell_all(events, &events->rows);
	}
	loop_timer_set(events->timer, more ? now_us : events->walk_us + TICK_MS * 1000);
}

/* -- Subscribers -- */

static bool pump(struct http_session *session, struct http_job *job)
{
	struct subscriber *subscriber = (struct subscriber *)job;
	struct sessions *all = session->session.all;
	struct buffer *out = &session->http->scratch;
	struct core_channel_row row;
	struct slice after = {subscriber->after, subscriber->after_len};
	uint64_t until = session_rights_cost(all) + SYNC_ROWS;
	bool more = true;
	if (!session->http->events->has_baseline)
		return true;
	buffer_clear(out);
	if (!subscriber->is_begun || subscriber->is_lagging) {
		http_write_slice(session, SLICE("event: reset\ndata: {}\n\n"));
		subscriber->is_begun = true;
		subscriber->is_synced = subscriber->is_lagging = false;
		after.len = 0;
	}
	if (subscriber->is_synced)
		return true;
	for (unsigned n = 0; session_rights_cost(all) + n < until; n++) {
		if (!(more = core_next_channel(all->core, after, &row)))
			break;
		after = row.name;
		if (session_may_see(&session->session, row.name))
			write_row(out, &row, loop_now_us(all->loop));
	}
	end_array(out);
	subscriber->is_synced = !more;
	if (subscriber->is_synced)
		append(out, "event: synced\ndata: {}\n\n");
	subscriber->after_len = after.len;
	if (after.len && after.bytes != subscriber->after)
		memcpy(subscriber->after, after.bytes, after.len);
	if (out->failed) {
		buffer_finish(out);
		subscriber->is_lagging = true;
	} else {
		http_write_slice(session, buffer_slice(out));
	}
	if (!subscriber->is_synced)
		http_wake(session);
	return true;
}

static void destroy(struct http_session *session, struct http_job *job)
{
	struct subscriber *subscriber = (struct subscriber *)job;
	*subscriber->at = subscriber->next;
	if (subscriber->next)
		subscriber->next->at = subscriber->at;
	session->http->events->n--;
	buffer_finish(&subscriber->rows);
	buffer_finish(&subscriber->gone);
	free(subscriber);
}

static struct events *events_of(struct http *http)
{
	if (http->events)
		return http->events;
	struct events *events = calloc(1, sizeof(*events));
	if (!events)
		return NULL;
	events->http = http;
	events->timer = loop_timer_create(http->sessions->loop, on_timer, events);
	if (!events->timer) {
		free(events);
		return NULL;
	}
	http->events = events;
	return events;
}

struct http_response events_serve(struct http_session *session, const struct http_request *request)
{
	if (request->head.query.len)
		return http_error(session, 0, ERROR_BAD_REQUEST, "events have no parameters");
	struct events *events = events_of(session->http);
	if (http_jobs_of_user(session, pump) >= MAX_SUBSCRIBERS_OF_USER) {
		return http_error(session, 0, ERROR_OVERLOADED, "this user listens to events too often at once");
	}
	struct subscriber *subscriber = events && events->n < MAX_SUBSCRIBERS ? calloc(1, sizeof(*subscriber)) : NULL;
	if (!subscriber) {
		return http_error(session, 0, ERROR_OVERLOADED, "there are too many who listen to events");
	}
	*subscriber = (struct subscriber){.job = {.pump = pump, .destroy = destroy},
					  .session = session,
					  .next = events->first,
					  .at = &events->first};
	if (subscriber->next)
		subscriber->next->at = &subscriber->next;
	events->first = subscriber;
	if (events->n++ == 0)
		loop_timer_set(events->timer, loop_now_us(session->session.all->loop));
	return http_begin_job(session, "text/event-stream", &subscriber->job);
}

void events_destroy(struct events *events)
{
	if (!events)
		return;
	forget(events);
	loop_timer_destroy(events->timer);
	free(events);
}
