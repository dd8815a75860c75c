/* A reply with an array of rows, of which there may be any number: `list`, `waiters`, `leases`, `peek`. A page ends
 * early, before a row that would make the reply longer than a frame, and once PAGE_ROWS rows have been looked at, shown
 * or not; it then says `more`, and `next`, behind which the next page begins.
 *
 *   if (!page_begin_at_seq(&page, session, request, "waiters"))
 *           return;
 *   while (!page.more && ...there is a row behind page.after... && page_look(&page)) {
 *           if (...the row is to be shown... && page_row(&page)) {
 *                   ...write it to page.out...
 *                   page_row_end(&page);
 *           }
 *           page_pass(&page, ...this row...);
 *   }
 *   page_end_at_seq(&page);
 *
 * All pages of one turn share TURN_ROWS: once these are used up, a page looks at PAGE_MIN_ROWS rows and no more, and
 * its connection goes on in the next turn; as does one whose own pages have looked at PAGE_ROWS rows. */
#ifndef MILLRACE_SESSION_PAGE_H
#define MILLRACE_SESSION_PAGE_H

#include "daemon/session/session.h"

struct page {
	struct buffer *out; /* where rows are written to */
	bool more;          /* it has ended, and there are other rows */
	uint64_t after;     /* of rows that have a seq: the last that the page is done with */
	struct session *session;
	struct answer answer;
	size_t row_start;
	uint64_t n;         /* rows */
	uint64_t limit;     /* of rows */
	uint64_t rows_left; /* how many may still be looked at */
	uint64_t rights;    /* what looking into the user's rights had cost, in rows, when it was last counted */
	size_t max_bytes;
};

void page_begin(struct page *page, struct session *session, uint64_t id, uint64_t limit, const char *key);

/* The same for rows that have a seq, of all channels or of one, as the request says. False: that channel is not there,
 * which was answered. */
bool page_begin_at_seq(struct page *page, struct session *session, const struct message_request *request,
		       const char *key);

/* Another row is about to be looked at. False: the page has ended before it. What was looked into for the last one, to
 * see whether the user may see it, is counted by then. */
bool page_look(struct page *page);
/* Counts looking at this row as if it had been so many. */
void page_spend(struct page *page, uint64_t rows);

/* The row is about to be written. False: the page has ended before it. */
bool page_row(struct page *page);
/* Keeps so many bytes free, which the row needs elsewhere in the reply. */
void page_reserve(struct page *page, size_t bytes);
/* The row is written. If it does not fit it is taken back, and the page has ended before it. */
void page_row_end(struct page *page);

/* The page is done with the row of this seq, unless it has ended before it. */
void page_pass(struct page *page, uint64_t seq);

/* Ends the reply. `next` is the last row that the page is done with. */
void page_end_at_name(struct page *page, struct slice next);
void page_end_at_seq(struct page *page);
/* Ends the rows alone, of which no `after` leads to more: there is no `next`, and other members may follow before the
 * answer ends. */
void page_end_rows(struct page *page);

#endif
