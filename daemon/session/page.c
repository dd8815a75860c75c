#include "daemon/session/page.h"

#include "daemon/core/rows.h"
#include "daemon/session/login.h"

static void spend_on_rights(struct page *page)
{
	uint64_t cost = session_rights_cost(page->session->all);
	page_spend(page, cost - page->rights);
	page->rights = cost;
}

void page_begin(struct page *page, struct session *session, uint64_t id, uint64_t limit, const char *key)
{
	struct sessions *all = session->all;
	uint64_t now_us = loop_now_us(all->loop);
	if (all->rows_us != now_us) {
		all->rows_us = now_us;
		all->turn_rows = 0;
	}
	uint64_t left = all->turn_rows < TURN_ROWS ? TURN_ROWS - all->turn_rows : 0;
	*page = (struct page){
		.session = session,
		.answer = answer_begin(session, id, STATUS_OK, 0),
		.limit = limit,
		.rows_left = left > PAGE_ROWS       ? PAGE_ROWS
			     : left < PAGE_MIN_ROWS ? PAGE_MIN_ROWS
						    : left,
		.rights = session_rights_cost(all),
		.max_bytes = (size_t)all->limits.max_frame,
	};
	page->out = page->answer.out;
	message_key(page->out, key);
	buffer_append(page->out, "[", 1);
}

bool page_begin_at_seq(struct page *page, struct session *session, const struct message_request *request,
		       const char *key)
{
	struct core_channel_row channel;
	if (message_has(request, MEMBER_CHANNEL) && !core_stat(session->all->core, request->channel, &channel)) {
		session_refuse(session, request->id, ERROR_NO_SUCH_CHANNEL, request->channel);
		return false;
	}
	page_begin(page, session, request->id, request->limit, key);
	page->after = request->after_seq;
	return true;
}

bool page_look(struct page *page)
{
	spend_on_rights(page);
	if (page->rows_left == 0) {
		page->more = true;
		return false;
	}
	page_spend(page, 1);
	return true;
}

void page_spend(struct page *page, uint64_t rows)
{
	page->session->all->turn_rows += rows;
	page->rows_left -= rows < page->rows_left ? rows : page->rows_left;
	bool is_used_up = page->session->all->turn_rows >= TURN_ROWS;
	stream_count_work(&page->session->stream,
			  is_used_up ? TURN_OUTPUT_BYTES + 1 : (uint32_t)(rows * ROW_WORK_BYTES));
}

bool page_row(struct page *page)
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

void page_reserve(struct page *page, size_t bytes)
{
	page->max_bytes -= bytes < page->max_bytes ? bytes : page->max_bytes;
}

void page_row_end(struct page *page)
{
	size_t len = page->out->end - page->out->start;
	if (page->n && len - page->answer.mark > page->max_bytes) {
		page->out->end = page->out->start + page->row_start;
		page->more = true;
		return;
	}
	page->n++;
}

void page_pass(struct page *page, uint64_t seq)
{
	if (!page->more)
		page->after = seq;
}

void page_end_rows(struct page *page)
{
	spend_on_rights(page);
	buffer_append(page->out, "]", 1);
	message_bool(page->out, "more", page->more);
}

void page_end_at_name(struct page *page, struct slice next)
{
	page_end_rows(page);
	if (page->more)
		message_string(page->out, "next", next);
	answer_end(page->session, page->answer);
}

void page_end_at_seq(struct page *page)
{
	page_end_rows(page);
	if (page->more)
		message_uint(page->out, "next", page->after);
	answer_end(page->session, page->answer);
}
