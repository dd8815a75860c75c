#include "daemon/session/query.h"

#include <string.h>

#include "daemon/session/channel_row.h"
#include "daemon/session/login.h"
#include "daemon/session/value_origin.h"
#include "daemon/session/page.h"
#include "proto/name.h"

/* -- Channels -- */

void session_stat(struct session *session, const struct message_request *request)
{
	struct core_channel_row row;
	if (!core_stat(session->all->core, request->channel, &row)) {
		session_refuse(session, request->id, ERROR_NO_SUCH_CHANNEL, request->channel);
		return;
	}
	struct answer answer = answer_begin(session, request->id, STATUS_OK, 0);
	channel_row_write_members(answer.out, &row, loop_now_us(session->all->loop));
	answer_end(session, answer);
}

/* Rights come first: matching a glob costs more, and tells nothing of what may not be seen. */
static bool is_listed(struct page *page, const struct message_request *request, struct slice name)
{
	if (!session_may_see(page->session, name))
		return false;
	page_spend(page, name.len * request->match.len / GLOB_STEPS_A_ROW);
	return !message_has(request, MEMBER_MATCH) || name_matches(name, request->match);
}

void session_list(struct session *session, const struct message_request *request)
{
	struct page page;
	struct core_channel_row row;
	struct slice after = request->after;
	page_begin(&page, session, request->id, request->limit, "channels");
	while (!page.more && core_next_channel(session->all->core, after, &row) && page_look(&page)) {
		if (is_listed(&page, request, row.name) && page_row(&page)) {
			channel_row_write(page.out, &row, loop_now_us(session->all->loop));
			page_row_end(&page);
		}
		after = page.more ? after : row.name;
	}
	page_end_at_name(&page, after);
}

void session_peek(struct session *session, const struct message_request *request)
{
	struct core_peek peek;
	if (!core_peek_begin(session->all->core, request->channel, &peek)) {
		session_refuse(session, request->id, ERROR_NO_SUCH_CHANNEL, request->channel);
		return;
	}
	struct core_peek again = peek;
	struct page page;
	bool has_origins = false;
	page_begin(&page, session, request->id, request->max, "values");
	for (const struct value *value;
	     !page.more && (value = core_peek_next(&peek)) && page_look(&page) && page_row(&page);) {
		has_origins = has_origins || value->origin;
		buffer_append(page.out, value->bytes, value->len);
		page_reserve(&page, core_origin_bytes(value));
		page_row_end(&page);
	}
	page_end_rows(&page);
	for (uint64_t i = 0; has_origins && i < page.n; i++) {
		buffer_append(page.out, i ? "," : ",\"origins\":[", i ? 1 : strlen(",\"origins\":["));
		origin_write_or_null(page.out, core_peek_next(&again), loop_now_us(session->all->loop));
	}
	if (has_origins && page.n > 0)
		buffer_append(page.out, "]", 1);
	answer_end(session, page.answer);
}

/* -- Waiters -- */

static const char *waiter_op(const struct core_waiter_row *row)
{
	if (row->op == CORE_TAP)
		return "tap";
	if (!row->cookie)
		return "dead_letter";
	return message_op_name(row->op == CORE_PUT ? OP_PUT : row->op == CORE_TAKE ? OP_TAKE : OP_ALTS);
}

/* Whose it is; a dead letter and a tap are nobody's. */
void session_write_owner(struct buffer *out, const struct session *owner)
{
	char peer[128];
	stream_peer(&owner->stream, peer, sizeof(peer));
	message_uint(out, "connection", owner->number);
	if (session_user(owner))
		message_string(out, "user", slice_from(user_name(session_user(owner))));
	if (owner->name)
		message_string(out, "name", slice_from(owner->name));
	message_string(out, "peer", slice_from(peer));
}

enum { ARMS_A_ROW = 8, PASSED_A_ROW = 64 };

/* Whether any of its arms is on a channel that the session may see. Many arms count as several rows, as do many others
 * that had to be passed over to find it. */
static bool is_waiter_shown(struct page *page, const struct core_waiter_row *row)
{
	bool is_put, may_see = false;
	for (uint32_t i = 0; i < row->n_arms && !may_see; i++)
		may_see = session_may_see(page->session, core_waiter_arm(row, i, &is_put));
	page_spend(page, row->n_arms / ARMS_A_ROW + row->n_passed / PASSED_A_ROW);
	return may_see;
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
		if (!session_may_see(session, channel))
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
		session_write_owner(out, row->cookie);
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
	struct page page;
	struct core_waiter_row row = {0};
	if (!page_begin_at_seq(&page, session, request, "waiters"))
		return;
	while (!page.more && core_next_waiter(core, request->channel, page.after, &row) && page_look(&page)) {
		if (is_waiter_shown(&page, &row) && page_row(&page)) {
			write_waiter(page.out, &row, session);
			page_row_end(&page);
		}
		page_pass(&page, row.seq);
	}
	page_end_at_seq(&page);
}
