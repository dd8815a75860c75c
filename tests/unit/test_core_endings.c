/* Many who end together are told so in slices: by the close or deletion of their channel, by time, by the daemon's end.
 * The new state holds at once for who comes; and each request has exactly one outcome. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/core_fixture.h"

enum { TAKES = 10, A_TURN = 4, WORK = A_TURN * 5 }; /* to end a put or take costs 5 */

static const char *line(const char *format, int n)
{
	static char text[64];
	snprintf(text, sizeof(text), format, n, n);
	return text;
}

static const char *tick(void)
{
	ck_assert(core_has_backlog(fixture.core));
	ck_assert_uint_eq(core_deadline(fixture.core), fixture.now_us + 1);
	fixture_later(1);
	return fixture_do("- tick");
}

static void expect_end(void)
{
	ck_assert(!core_has_backlog(fixture.core));
	expect_waiters("", "");
}

/* -- close -- */

static void close_with_takes(void)
{
	fixture_limit_work(WORK);
	expect("a1 create c unbuffered", "a1 ok created");
	for (int i = 1; i <= TAKES; i++)
		fixture_do(line("b%d take c", i));
	expect("a2 close c", "b1 closed; b2 closed; b3 closed; b4 closed; a2 ok");
}

START_TEST(takes_on_a_closed_channel_end_in_slices)
{
	close_with_takes();
	expect("c1 take c", "c1 closed"); /* who comes now finds it closed */
	expect("c2 put c x", "c2 closed");
	expect("c3 alts take:c", "c3 closed arm 0 take c");
	expect("b11 cancel 6", "b6 cancelled; b11 ok");
	ck_assert_str_eq(tick(), "b5 closed; b7 closed; b8 closed; b9 closed");
	ck_assert_str_eq(tick(), "b10 closed");
	expect_end();
}
END_TEST

START_TEST(who_waits_on_a_closed_channel_may_time_out_or_leave)
{
	fixture_limit_work(WORK);
	expect("a1 create c bounded 1", "a1 ok created");
	for (int i = 1; i <= 2 * TAKES; i++)
		fixture_do(line(i % 2 ? "b%d take c timeout 1" : "d%d take c", i));
	expect("a2 close c", "b1 closed; d2 closed; b3 closed; d4 closed; a2 ok");
	expect("d leaves", "");
	ck_assert_str_eq(tick(), "b5 closed; b7 closed; b9 closed; b11 closed; b13 timeout; b15 timeout; b17 timeout");
	ck_assert_str_eq(tick(), "b19 closed");
	expect_end();
}
END_TEST

START_TEST(an_alts_that_a_close_has_yet_to_end_may_be_matched_once)
{
	fixture_limit_work(WORK);
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	for (int i = 1; i <= A_TURN; i++)
		fixture_do(line("b%d take c", i));
	expect("b5 alts take:c take:d", "");
	expect("b6 alts take:d take:c", "");
	expect("a3 close c", "b1 closed; b2 closed; b3 closed; b4 closed; a3 ok");
	expect("a4 put d x", "b5 ok arm 1 take d x; a4 ok");
	ck_assert_str_eq(tick(), "b6 closed arm 1 take c");
	expect_end();
	expect("a5 put d y timeout 0", "a5 timeout");
}
END_TEST

START_TEST(what_comes_back_unsent_goes_to_who_still_waits)
{
	fixture_limit_work(WORK);
	expect("a1 create c bounded 1", "a1 ok created");
	expect("d keeps", "");
	expect("a2 put c x", "a2 ok");
	expect("d1 take c", "d1 ok x");
	for (int i = 1; i <= TAKES; i++)
		fixture_do(line(i == A_TURN + 1 ? "b%d take c lease 100" : "b%d take c", i));
	expect("a3 close c", "b1 closed; b2 closed; b3 closed; b4 closed; a3 ok");
	expect("d leaves", "b5 ok x lease 1 deliveries 1");
	ck_assert_str_eq(tick(), ""); /* it may come back again, so takes wait for it */
	ck_assert(!core_has_backlog(fixture.core));
	expect("c1 take c timeout 0", "c1 timeout");
	expect("b11 ack 1", "b11 ok; b6 closed; b7 closed; b8 closed; b9 closed");
	ck_assert_str_eq(tick(), "b10 closed");
	expect_end();
}
END_TEST

/* -- delete -- */

START_TEST(who_is_parked_on_a_deleted_channel_is_told_in_slices)
{
	fixture_limit_work(WORK);
	expect("a1 create c unbuffered", "a1 ok created");
	for (int i = 1; i <= 6; i++)
		fixture_do(line("b%d put c %d", i));
	expect("b7 puts c 7 8 9", "");
	expect("b8 alts put:c=8 put:c=9", "");
	expect("a2 delete c", "a2 error not_empty");
	expect("a3 delete c force", "b1 closed; b2 closed; b3 closed; b4 closed; a3 ok");
	expect("a4 take c", "a4 error no_such_channel");
	expect("a5 create c bounded 3", "a5 ok created"); /* another one, of the same name */
	expect("a6 put c x", "a6 ok");
	expect_books("c", "buffered 1 bytes 1 accepted 1");
	expect("b9 cancel 5", "b5 cancelled; b9 ok");
	ck_assert_str_eq(tick(), "b6 closed; b7 closed accepted 0; b8 closed arm 0 put c");
	while (core_has_backlog(fixture.core))
		ck_assert_str_eq(tick(), "");
	expect_books("c", "buffered 1 bytes 1 accepted 1");
}
END_TEST

START_TEST(a_take_with_a_count_gets_nothing_of_a_deleted_channel)
{
	fixture_limit_work(WORK);
	expect("a1 create c bounded 100", "a1 ok created");
	for (int i = 1; i <= A_TURN + 1; i++)
		fixture_do(line("b%d take c count 9", i));
	expect("b pauses", ""); /* they rest, and are behind those who do not */
	for (int i = 1; i <= 5; i++)
		fixture_do(line("a2 put c %d", i));
	expect("a3 delete c force", "b1 closed left 9; b2 closed left 9; b3 closed left 9; b4 closed left 9; a3 ok "
				    "discarded 5");
	expect("b resumes", "b5 closed left 9");
	while (core_has_backlog(fixture.core))
		ck_assert_str_eq(tick(), "");
	expect_end();
}
END_TEST

START_TEST(a_deleted_promise_is_lent_to_nobody)
{
	fixture_limit_work(WORK);
	expect("a1 create p promise", "a1 ok created");
	for (int i = 1; i <= A_TURN + 2; i++)
		fixture_do(line("b%d take p", i));
	expect("b pauses", "");
	expect("a2 put p x", "a2 ok");
	expect("a3 delete p force", "b1 closed; b2 closed; b3 closed; b4 closed; a3 ok discarded 1");
	expect("b resumes", "");
	ck_assert_str_eq(tick(), "b5 closed; b6 closed");
	while (core_has_backlog(fixture.core))
		ck_assert_str_eq(tick(), "");
	expect_end();
}
END_TEST

START_TEST(dead_letters_that_wait_on_a_deleted_channel_go_back_in_slices)
{
	fixture_limit_work(WORK);
	expect("a1 create dead bounded 1", "a1 ok created");
	expect("a2 create c bounded 10 dead 1 dead", "a2 ok created");
	expect("a3 put dead x", "a3 ok");
	for (int i = 1; i <= 6; i++) {
		fixture_do(line("a4 put c %d", i));
		fixture_do("b1 take c lease 1000");
		fixture_do(line("b2 nack %d", i));
	}
	expect_books("c", "leased 6 accepted 6");
	expect("a5 delete dead force", "a5 ok discarded 1; undeliverable 4 c");
	expect_buffer("c", "1 2 3 4");
	ck_assert_str_eq(tick(), "undeliverable 2 c");
	expect_buffer("c", "1 2 3 4 5 6");
}
END_TEST

/* -- Time -- */

enum { DUE_A_TURN = 3 }; /* it has half of the work, and a little more */

START_TEST(time_outs_come_in_slices_before_anything_else)
{
	fixture_limit_work(WORK);
	expect("a1 create c unbuffered", "a1 ok created");
	for (int i = 1; i <= TAKES; i++)
		fixture_do(line("b%d take c timeout 5", i));
	fixture_later(5);
	expect("- tick", "b1 timeout; b2 timeout; b3 timeout");
	expect("a2 put c x", "b4 ok x; a2 ok"); /* late, and served: it has one outcome */
	expect("b11 cancel 5", "b5 cancelled; b11 ok");
	ck_assert_str_eq(tick(), "b6 timeout; b7 timeout; b8 timeout");
	ck_assert_str_eq(tick(), "b9 timeout; b10 timeout");
	expect_end();
}
END_TEST

START_TEST(leases_that_end_together_come_back_in_slices)
{
	fixture_limit_work(WORK);
	expect("a1 create c bounded 10", "a1 ok created");
	for (int i = 1; i <= 6; i++) {
		fixture_do(line("a2 put c %d", i));
		fixture_do("b1 take c lease 5");
	}
	fixture_later(5);
	expect("- tick", "");
	expect_buffer("c", "1 2 3");
	expect("b2 ack 4", "b2 ok"); /* it has not ended yet */
	ck_assert_str_eq(tick(), "");
	expect_buffer("c", "1 2 3 5 6");
	ck_assert(!core_has_backlog(fixture.core));
}
END_TEST

START_TEST(who_times_out_much_does_not_hold_the_others_up)
{
	fixture_limit_work(WORK);
	expect("a1 create c bounded 100", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("b99 take d count 100", "");
	for (int i = 1; i <= 4 * DUE_A_TURN; i++)
		fixture_do(line("d%d take c timeout 5", i));
	for (int i = 0; i < CORE_TURN_VALUES; i++)
		fixture_do("a3 put d x");
	fixture_do("a4 put d x");
	ck_assert_uint_eq(fixture_parked('a'), 1);
	fixture_later(5);
	expect("- tick", "d1 timeout; d2 timeout; d3 timeout"); /* what is due comes first ... */
	ck_assert_str_eq(tick(), "d4 timeout; d5 timeout; d6 timeout; b99 ok x left 35; a4 ok"); /* ... for a turn */
}
END_TEST

/* -- The daemon's end -- */

START_TEST(all_that_is_parked_is_abandoned_in_slices)
{
	fixture_limit_work(WORK);
	expect("a1 create c unbuffered", "a1 ok created");
	for (int i = 1; i <= 5; i++)
		fixture_do(line("b%d take c", i));
	expect("d1 take c count 7", "");
	expect("d pauses", "");
	expect("abandon", "b1 error draining; b2 error draining; b3 error draining; b4 error draining");
	expect("e1 take c", ""); /* it comes late */
	ck_assert_str_eq(tick(), "b5 error draining; e1 error draining; d1 error draining left 7");
	expect_end();
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		takes_on_a_closed_channel_end_in_slices,
		who_waits_on_a_closed_channel_may_time_out_or_leave,
		an_alts_that_a_close_has_yet_to_end_may_be_matched_once,
		what_comes_back_unsent_goes_to_who_still_waits,
		who_is_parked_on_a_deleted_channel_is_told_in_slices,
		a_take_with_a_count_gets_nothing_of_a_deleted_channel,
		a_deleted_promise_is_lent_to_nobody,
		dead_letters_that_wait_on_a_deleted_channel_go_back_in_slices,
		time_outs_come_in_slices_before_anything_else,
		leases_that_end_together_come_back_in_slices,
		who_times_out_much_does_not_hold_the_others_up,
		all_that_is_parked_is_abandoned_in_slices,
	};
	return fixture_main("core: endings", tests, sizeof(tests) / sizeof(tests[0]));
}
