/* The op taps: who feeds whom. */
#include <string.h>

#include "daemon/core/rows.h"
#include "daemon/session/login.h"
#include "daemon/session/page.h"
#include "daemon/session/query.h"

static void write_tap(struct buffer *out, const struct core_tap_row *row, uint64_t now_us)
{
	bool is_held = row->held_since_us != CORE_NEVER;
	buffer_append(out, "{\"seq\":", strlen("{\"seq\":"));
	buffer_append_uint(out, row->seq);
	message_string(out, "from", row->from);
	message_string(out, "to", row->to);
	if (row->match.len)
		message_raw(out, "match", row->match);
	message_bool(out, "close", row->closes);
	message_string(out, "state", slice_from(core_tap_state_name(row->state)));
	message_uint(out, "carried", row->carried);
	message_uint(out, "unmatched", row->unmatched);
	message_uint(out, "muted", row->muted);
	message_uint(out, "held", is_held);
	message_uint(out, "held_ms", is_held ? (now_us - row->held_since_us) / 1000 : 0);
	buffer_append(out, "}", 1);
}

/* A row names both channels, so both have to be such as the session may see. */
static bool is_shown(const struct session *session, const struct message_request *request,
		     const struct core_tap_row *row)
{
	bool is_asked_for = !message_has(request, MEMBER_CHANNEL) || slice_equal(row->from, request->channel) ||
			    slice_equal(row->to, request->channel);
	return is_asked_for && session_may_see(session, row->from) && session_may_see(session, row->to);
}

void session_taps(struct session *session, const struct message_request *request)
{
	const struct core *core = session->all->core;
	struct page page;
	struct core_tap_row row = {0};
	if (!page_begin_at_seq(&page, session, request, "taps"))
		return;
	while (!page.more && core_next_tap(core, page.after, &row) && page_look(&page)) {
		if (is_shown(session, request, &row) && page_row(&page)) {
			write_tap(page.out, &row, loop_now_us(session->all->loop));
			page_row_end(&page);
		}
		page_pass(&page, row.seq);
	}
	page_end_at_seq(&page);
}
