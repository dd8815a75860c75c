/* Who comes along with the next run. Clients that ask again once they are answered form two companies: one waits while
 * the other is written, and each run takes half of what it could. So when a run is committed, what has gathered waits
 * for those who are answered by it: until they are back, or half of the time has passed that the run took. Whoever
 * waited in vain does not wait for some runs to come, so that it costs little where nobody comes back.
 *
 * It counts steps that have recorded something, which is about one a request. */
#ifndef MILLRACE_JOURNAL_COMPANY_H
#define MILLRACE_JOURNAL_COMPANY_H

#include <stdint.h>

struct company {
	uint64_t n_gathered;
	uint64_t n_under_way;
	uint64_t n_expected; /* to gather once all are back; 0: nobody is waited for */
	uint64_t left_us;    /* when the run that is under way, or was last, had gathered */
	uint64_t until_us;   /* how long they are waited for; 0: that was not asked yet */
	uint32_t n_alone;    /* runs that wait for nobody */
};

/* A step has recorded something. */
void company_gather(struct company *company);
/* What has gathered is under way. */
void company_leave(struct company *company, uint64_t now_us);
/* All of that is committed. */
void company_is_answered(struct company *company);
/* Until when what has gathered waits for others; 0: it does not. */
uint64_t company_awaited_until(struct company *company, uint64_t now_us);

#endif
