/* leases: who works on what since when. Of the channels that the session may take from. */
#include <string.h>

#include "daemon/core/rows.h"
#include "daemon/session/login.h"
#include "daemon/session/page.h"
#include "daemon/session/query.h"

static void write_lease(struct buffer *out, const struct core_lease_row *row, const struct session *session)
{
	uint64_t now_us = loop_now_us(session->all->loop);
	buffer_append(out, "{\"seq\":", strlen("{\"seq\":"));
	buffer_append_uint(out, row->seq);
	message_string(out, "channel", row->channel);
	message_uint(out, "values", row->n_values);
	message_uint(out, "deliveries", row->deliveries);
	if (row->cookie)
		session_write_owner(out, row->cookie);
	message_bool(out, "sticky", row->is_sticky);
	message_uint(out, "age_ms", (now_us - row->begun_us) / 1000);
	message_uint(out, "left_ms", row->deadline_us > now_us ? (row->deadline_us - now_us) / 1000 : 0);
	buffer_append(out, "}", 1);
}

static bool is_shown(const struct page *page, const struct message_request *request, const struct core_lease_row *row)
{
	if (message_has(request, MEMBER_CHANNEL) && !slice_equal(row->channel, request->channel))
		return false;
	return session_may_take(page->session, row->channel);
}

void session_leases(struct session *session, const struct message_request *request)
{
	const struct core *core = session->all->core;
	struct page page;
	struct core_lease_row row = {0};
	uint64_t go_on = 0;
	if (!page_begin_at_seq(&page, session, request, "leases"))
		return;
	while (!page.more && core_next_lease(core, page.after, &row, &go_on) && page_look(&page)) {
		if (is_shown(&page, request, &row) && page_row(&page)) {
			write_lease(page.out, &row, session);
			page_row_end(&page);
		}
		page_pass(&page, row.seq);
	}
	if (go_on) { /* those that follow are not found yet: it cost as much as a page to look for them */
		page_spend(&page, page.rows_left);
		page.more = true;
		page.after = go_on;
	}
	page_end_at_seq(&page);
}
