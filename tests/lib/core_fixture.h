/* Drives the core by short lines, on a clock that only tests move, and tells its replies as short lines: so that a test
 * reads like the sentence that it proves.
 *
 *   expect("a1 create c bounded 2", "a1 ok created");
 *   expect("b2 take c timeout 50", "");                  (nothing: it has parked)
 *   expect("a3 put c x", "b2 ok x; a3 ok");
 *
 * A line begins with who asks: a connection's letter (a … h; it is there from its first line on) and the request's id,
 * if it has one; `-` is the daemon itself. A word that holds spaces stands in single quotes. Then comes one of
 *
 *   create CHANNEL KIND [CAPACITY] [ephemeral] [durable] [waiters N] [dead N CHANNEL]
 *   alter CHANNEL KIND [CAPACITY] [durable] [waiters N] [dead N CHANNEL]                 (the whole definition)
 *   tap CHANNEL TARGET [new KIND [CAPACITY]] [match LETTER] [STATE] [stays]
 *   untap CHANNEL TARGET
 *   close CHANNEL
 *   delete CHANNEL [force]
 *   put CHANNEL VALUE [delay MS] [timeout MS] [once PRODUCER SEQ]
 *   puts CHANNEL VALUE... [delay MS] [timeout MS] [once PRODUCER SEQ]     (a batch)
 *   take CHANNEL [max N] [count N] [timeout MS] [lease MS [sticky]]
 *   alts [priority] ARM... [timeout MS] [lease MS [sticky]]               (arms: take:CHANNEL put:CHANNEL=VALUE)
 *   cancel ID
 *   ack LEASE
 *   nack LEASE [delay MS] [uncounted]
 *   extend LEASE MS
 *   move FROM [to CHANNEL] [max N]
 *   revoke ACCESS...                                                      (take:CHANNEL put:CHANNEL)
 *   adopt GROUP, serve GROUP, release GROUP
 *   tick, join, checkpoint, abandon
 *   hangs up, leaves, pauses, resumes, keeps, sends
 *
 * A tap with a match carries the values that begin with the letter; one that `stays` does not close its target.
 * `dead N CHANNEL` are max_deliveries and dead_letter. A LEASE is 1 for the first that was told in the test, 2 for the
 * second ... A connection that `keeps` has from then on all its replies unsent, when it leaves, until it `sends`.
 *
 * Replies are joined by "; ". Each names the connection, the id and the status, and then what there is to say: the
 * values of a take, `lease N deliveries N...`, `left N` of a take with a count, `accepted N` of a batch, `evicted N`,
 * `duplicate`, `from CHANNEL deliveries N REASON N ms ago` of each dead letter, `moved N left N`, `arm N take CHANNEL
 * VALUE`, `arm N put CHANNEL`, `created`, `circle CHANNEL...`, `discarded N`, an error's code; and at the end,
 * `undeliverable N CHANNEL`. core_check() is asserted after every line.
 */
#ifndef MILLRACE_TESTS_CORE_FIXTURE_H
#define MILLRACE_TESTS_CORE_FIXTURE_H

#include <check.h>

#include "daemon/core/rows.h"

struct core_fixture {
	struct core *core;
	struct core_limits limits; /* change them, then call fixture_set_limits() */
	uint64_t now_us, unsent_bytes;
	uint64_t stepped_us;            /* the time of the last line */
	struct core_recorder *recorder; /* the test's; NULL: none */
	struct core_restore *restore;   /* what the next `adopt` has; NULL: nothing */
	struct core_connection *connections[8];
	char letters[8]; /* the cookies */
	struct core_token tokens[64];
	uint64_t n_tokens;
	struct fixture_unsent { /* what a connection that keeps has unsent */
		bool keeps;
		struct core_unsent at[64];
		size_t n;
	} unsent[8];
};

extern struct core_fixture fixture;

/* Called just before and just after the core carries out a line, if set: for tests that make its allocations fail. */
extern void (*fixture_before_step)(void), (*fixture_after_step)(void);

/* Generous limits, time 1 s, no channels. Also as libcheck's checked fixtures. */
void fixture_start(void);
void fixture_start_seeded(uint64_t seed);
void fixture_stop(void);

/* A seed of the core from one number. */
struct core_seed core_seed_from(uint64_t number);

/* Carries out one line, and returns the replies: static text, until the next call. */
const char *fixture_do(const char *line);
/* fixture.limits are in force. */
void fixture_set_limits(void);
/* A turn does so much of what can go on in the next. 0: as much as by default. */
void fixture_limit_work(uint32_t work);
/* How many turns it takes until nothing goes on any more: less than so many. */
int fixture_finish(int most);
/* The connection of that letter counts on the quota; NULL: on none. */
void fixture_join_quota(char letter, struct core_quota *quota);
void fixture_set_quota(struct core_quota *quota, struct core_quota_limits limits);
void fixture_drain(void);

void fixture_later(uint64_t ms); /* only the clock: nothing happens before the next line */

struct core_totals fixture_totals(void);
/* How many requests of that connection are parked. */
uint32_t fixture_parked(char letter);

/* What core_stat() says and is not 0, such as "closed buffered 1 bytes 2 accepted 1"; "none" without the channel. */
const char *fixture_books(const char *channel);

/* Who is parked, oldest first, with arms: "a1 take c; b2 alts take c put d". channel "" is all. */
const char *fixture_waiters(const char *channel);

/* Held leases behind a seq: "1 c 2 deliveries 1 by b sticky age 0 left 100" (ms); `by -`: its connection has ended. At
 * the end "go on at N", if there may be more. */
const char *fixture_leases(uint64_t after);

/* The taps, oldest first, with what is not as by default, or not 0: "c>d; c>e pause match x held carried 2". */
const char *fixture_taps(void);

/* The buffer, oldest first: "x y". */
const char *fixture_buffer(const char *channel);

#define expect(line, replies)          ck_assert_str_eq(fixture_do(line), replies)
#define expect_books(channel, books)   ck_assert_str_eq(fixture_books(channel), books)
#define expect_waiters(channel, text)  ck_assert_str_eq(fixture_waiters(channel), text)
#define expect_leases(after, rows)     ck_assert_str_eq(fixture_leases(after), rows)
#define expect_taps(taps)              ck_assert_str_eq(fixture_taps(), taps)
#define expect_buffer(channel, values) ck_assert_str_eq(fixture_buffer(channel), values)

/* The main of a test program: one suite, one case of tests that each start with fresh limits and an empty core. */
int fixture_main(const char *suite, const TTest *const *tests, size_t n);

#endif
