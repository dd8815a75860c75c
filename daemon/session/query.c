/* list, stat, peek and waiters: what there is to see. A reply stops before a row that would make it longer than a
 * frame, but has at least one, and says whether there is more. */
#include "daemon/session/session_private.h"

#include <string.h>

#include "proto/name.h"

/* A reply with an array of rows. */
struct page {
	struct buffer *out;
	struct session *session;
	struct answer answer;
	size_t row_start;
	uint64_t n;     /* rows */
	uint64_t limit; /* of rows */
	size_t max_bytes;
	bool more;
};

static void page_begin(struct page *page, struct session *session, const struct message_request *request,
		       const char *key)
{
	*page = (struct page){
		.session = session,
		.answer = answer_begin(session, request->id, STATUS_OK, 0),
		.limit = request->limit,
		.max_bytes = (size_t)session->all->limits.max_frame,
	};
	page->out = page->answer.out;
	message_key(page->out, key);
	buffer_append(page->out, "[", 1);
}

/* Whether another row may be written; call it only when there is one. */
static bool page_row(struct page *page)
{
	if (page->n == page->limit) {
		page->more = true;
		return false;
	}
	page->row_start = page->out->end - page->out->start;
	if (page->n)
		buffer_append(page->out, ",", 1);
	return true;
}

/* Whether the row fits; it is taken back if not. */
static bool page_row_end(struct page *page)
{
	size_t len = page->out->end - page->out->start;
	if (page->n && len - page->answer.mark > page->max_bytes) {
		page->out->end = page->out->start + page->row_start;
		page->more = true;
		return false;
	}
	page->n++;
	return true;
}

static void page_end(struct page *page)
{
	buffer_append(page->out, "]", 1);
	message_bool(page->out, "more", page->more);
	answer_end(page->session, page->answer);
}

/* -- Channels -- */

static void write_age(struct buffer *out, const char *key, uint64_t since_us, uint64_t now_us)
{
	if (since_us != CORE_NEVER)
		message_uint(out, key, now_us > since_us ? (now_us - since_us) / 1000 : 0);
}

static void write_channel(struct buffer *out, const struct core_channel_row *row, uint64_t now_us)
{
	message_string(out, "kind", slice_from(channel_kind_name(row->definition.kind)));
	message_uint(out, "capacity", row->definition.capacity);
	message_bool(out, "ephemeral", row->definition.ephemeral);
	message_bool(out, "closed", row->closed);
	message_uint(out, "buffered", row->buffered);
	message_uint(out, "leased", row->leased);
	message_uint(out, "parked_puts", row->parked_puts);
	message_uint(out, "parked_takes", row->parked_takes);
	write_age(out, "oldest_put_ms", row->oldest_put_us, now_us);
	write_age(out, "oldest_take_ms", row->oldest_take_us, now_us);
	message_uint(out, "bytes", row->bytes);
	message_uint(out, "max_waiters", row->definition.max_waiters);
	if (row->definition.max_deliveries) {
		message_uint(out, "max_deliveries", row->definition.max_deliveries);
		message_string(out, "dead_letter", row->definition.dead_letter);
	}
	message_uint(out, "accepted", row->accepted);
	message_uint(out, "taken", row->taken);
	message_uint(out, "returned", row->returned);
	message_uint(out, "dropped", row->dropped);
	message_uint(out, "evicted", row->evicted);
	message_uint(out, "dead_lettered", row->dead_lettered);
	message_uint(out, "discarded", row->discarded);
}

void session_write_channel(struct buffer *out, const struct core_channel_row *row, uint64_t now_us)
{
	buffer_append(out, "{\"channel\":", strlen("{\"channel\":"));
	message_text(out, row->name);
	write_channel(out, row, now_us);
	buffer_append(out, "}", 1);
}
void session_stat(struct session *session, const struct message_request *request)
{
	struct core_channel_row row;
	if (!core_stat(session->all->core, request->channel, &row)) {
		session_refuse(session, request->id, ERROR_NO_SUCH_CHANNEL, request->channel);
		return;
	}
	struct answer answer = answer_begin(session, request->id, STATUS_OK, 0);
	message_string(answer.out, "channel", row.name);
	write_channel(answer.out, &row, loop_now_us(session->all->loop));
	answer_end(session, answer);
}

void session_list(struct session *session, const struct message_request *request)
{
	struct page page;
	struct core_channel_row row;
	struct slice after = request->after;
	page_begin(&page, session, request, "channels");
	while (core_next_channel(session->all->core, after, &row)) {
		after = row.name;
		if (message_has(request, MEMBER_MATCH) && !name_matches(row.name, request->match))
			continue;
		if (!auth_may_see(session, row.name))
			continue;
		if (!page_row(&page))
			break;
		session_write_channel(page.out, &row, loop_now_us(session->all->loop));
		if (!page_row_end(&page))
			break;
	}
	page_end(&page);
}

void session_peek(struct session *session, const struct message_request *request)
{
	struct core_peek peek;
	if (!core_peek_begin(session->all->core, request->channel, &peek)) {
		session_refuse(session, request->id, ERROR_NO_SUCH_CHANNEL, request->channel);
		return;
	}
	struct page page;
	page_begin(&page, session, request, "values");
	page.limit = request->max;
	for (const struct value *value; (value = core_peek_next(&peek));) {
		if (!page_row(&page))
			break;
		buffer_append(page.out, value->bytes, value->len);
		if (!page_row_end(&page))
			break;
	}
	page_end(&page);
}

/* -- Waiters -- */

static const char *waiter_op(const struct core_waiter_row *row)
{
	if (!row->cookie)
		return "dead_letter";
	return message_op_name(row->op == CORE_PUT ? OP_PUT : row->op == CORE_TAKE ? OP_TAKE : OP_ALTS);
}

/* Whose it is; a dead letter is nobody's. */
static void write_owner(struct buffer *out, const struct session *owner)
{
	char peer[128];
	stream_peer(&owner->stream, peer, sizeof(peer));
	message_uint(out, "connection", owner->number);
	if (auth_user(owner))
		message_string(out, "user", slice_from(user_name(auth_user(owner))));
	if (owner->name)
		message_string(out, "name", slice_from(owner->name));
	message_string(out, "peer", slice_from(peer));
}

/* Whether any of its arms is on a channel that the session may see. */
static bool may_see_waiter(const struct session *session, const struct core_waiter_row *row)
{
	bool is_put, may = false;
	for (uint32_t i = 0; i < row->n_arms && !may; i++)
		may = auth_may_see(session, core_waiter_arm(row, i, &is_put));
	return may;
}

/* Those arms alone. */
static void write_arms(struct buffer *out, const struct core_waiter_row *row, const struct session *session)
{
	bool is_first = true;
	message_key(out, "arms");
	for (uint32_t i = 0; i < row->n_arms; i++) {
		bool is_put;
		struct slice channel = core_waiter_arm(row, i, &is_put);
		const char *opening = is_put ? "{\"put\":" : "{\"take\":";
		if (!auth_may_see(session, channel))
			continue;
		buffer_append(out, is_first ? "[" : ",", 1);
		is_first = false;
		buffer_append(out, opening, strlen(opening));
		message_text(out, channel);
		buffer_append(out, "}", 1);
	}
	buffer_append(out, "]", 1);
}

static void write_waiter(struct buffer *out, const struct core_waiter_row *row, const struct session *session)
{
	uint64_t now_us = loop_now_us(session->all->loop);
	buffer_append(out, "{\"seq\":", strlen("{\"seq\":"));
	buffer_append_uint(out, row->seq);
	if (row->cookie)
		write_owner(out, row->cookie);
	if (row->id != CORE_NO_ID)
		message_uint(out, "request", row->id);
	message_string(out, "op", slice_from(waiter_op(row)));
	write_arms(out, row, session);
	message_uint(out, "age_ms", (now_us - row->parked_us) / 1000);
	if (row->deadline_us != CORE_NEVER)
		message_uint(out, "deadline_ms", row->deadline_us > now_us ? (row->deadline_us - now_us) / 1000 : 0);
	buffer_append(out, "}", 1);
}

void session_waiters(struct session *session, const struct message_request *request)
{
	const struct core *core = session->all->core;
	struct core_channel_row channel;
	if (message_has(request, MEMBER_CHANNEL) && !core_stat(core, request->channel, &channel)) {
		session_refuse(session, request->id, ERROR_NO_SUCH_CHANNEL, request->channel);
		return;
	}
	struct page page;
	struct core_waiter_row row = {0};
	uint64_t after = request->after_seq;
	page_begin(&page, session, request, "waiters");
	while (core_next_waiter(core, request->channel, after, &row)) {
		after = row.seq;
		if (!may_see_waiter(session, &row))
			continue;
		if (!page_row(&page))
			break;
		write_waiter(page.out, &row, session);
		if (!page_row_end(&page))
			break;
	}
	page_end(&page);
}
