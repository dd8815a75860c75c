/* Cancelling, and the end of a connection. */
#include <stdio.h>

#include "tests/lib/core_fixture.h"

START_TEST(a_parked_request_can_be_cancelled_and_its_reply_comes_first)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c", "");
	expect("b2 cancel 1", "b1 cancelled; b2 ok");
	expect_waiters("", "");
	expect("b3 put c x", "");
	expect("b4 cancel 3", "b3 cancelled; b4 ok");
	expect("b5 alts take:c put:c=x", "");
	expect("b6 cancel 5", "b5 cancelled; b6 ok");
	expect_books("c", "");
}
END_TEST

START_TEST(only_by_its_own_connection)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c", "");
	expect("c1 cancel 1", "c1 error no_such_request");
	expect_waiters("", "b1 take c");
}
END_TEST

START_TEST(what_has_completed_cannot_be_cancelled)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c", "");
	expect("a2 put c x", "b1 ok x; a2 ok");
	expect("b2 cancel 1", "b2 error no_such_request");
	expect("b3 cancel 3", "b3 error no_such_request");
}
END_TEST

START_TEST(a_cancelled_batch_says_how_much_of_it_is_in)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("b1 puts c x y z", "");
	expect("b2 cancel 1", "b1 cancelled accepted 1; b2 ok");
	expect_buffer("c", "x");
}
END_TEST

START_TEST(cancelling_the_first_lets_nobody_in_who_has_no_room)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 put c y", "");
	expect("c1 put c z", "");
	expect("b2 cancel 1", "b1 cancelled; b2 ok");
	expect("a3 take c max 5", "a3 ok x z; c1 ok");
}
END_TEST

START_TEST(an_id_is_free_again_once_its_request_has_completed)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c", "");
	expect("b1 take c", "b1 error duplicate_id");
	expect("b1 put c x", "b1 error duplicate_id");
	expect("a2 put c x", "b1 ok x; a2 ok");
	expect("b1 take c", "");
}
END_TEST

START_TEST(at_the_end_of_a_connection_its_parked_requests_are_cancelled_without_a_reply)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c", "");
	expect("b2 take c timeout 5", "");
	expect("b3 leaves", "");
	expect_waiters("", "");
	ck_assert(core_deadline(fixture.core) == CORE_NEVER);
	expect("a2 put c x timeout 0", "a2 timeout");
}
END_TEST

START_TEST(nothing_of_a_batch_that_leaves_is_put_any_more)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("b1 puts c x y z", "");
	expect("b2 leaves", "");
	expect("a2 take c max 9", "a2 ok x");
	expect_books("c", "accepted 1 taken 1");
}
END_TEST

START_TEST(a_connection_that_leaves_with_alts_parked_leaves_no_arm)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("b1 alts take:c put:d=x take:d put:c=y", "");
	expect("b2 leaves", "");
	expect_books("c", "");
	expect_books("d", "");
}
END_TEST

START_TEST(ephemeral_channels_go_last)
{
	expect("a1 create r bounded 1 ephemeral", "a1 ok created");
	expect("a2 put r x", "a2 ok");
	expect("a3 put r y", "");
	expect("b1 put r z", "");
	expect("a4 leaves", "b1 closed");
	expect_books("r", "none");
}
END_TEST

START_TEST(what_the_connection_has_no_right_to_any_more_is_denied)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d bounded 1", "a2 ok created");
	expect("a3 create full bounded 1", "a3 ok created");
	expect("a4 put full x", "a4 ok");
	expect("b1 take c", "");
	expect("b2 alts take:d take:c", "");
	expect("b3 take c count 3", "");
	expect("b4 put full y", "");
	expect("b puts full p q", "");
	expect("b5 take d", "");
	expect("c1 take c", "");
	expect("b revoke take:nowhere put:c take:full", "");
	expect("b revoke take:c put:full",
	       "b1 error denied; b2 error denied; b4 error denied; b error denied accepted 0; "
	       "b3 error denied left 3");
	expect_waiters("", "b5 take d; c1 take c");
	expect("a5 put c z", "c1 ok z; a5 ok");
	expect("a6 put d z", "b5 ok z; a6 ok");
	expect_books("full", "buffered 1 bytes 1 accepted 1");
}
END_TEST

START_TEST(who_rests_is_denied_too)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("b1 take c count 3", "");
	expect("b pauses", "");
	expect("b revoke take:c", "b1 error denied left 3");
	expect("a2 put c x", "a2 ok");
	expect("b resumes", "");
}
END_TEST

START_TEST(cancelling_one_of_very_many_is_not_a_scan)
{
	enum { MANY = 20000 };
	char line[64];
	fixture.limits.max_inflight = MANY + 1;
	fixture.limits.max_waiters = MANY + 1;
	fixture_set_limits();
	expect("a1 create c unbuffered", "a1 ok created");
	struct core_effects effects = {0};
	struct core_event event = {.op = CORE_TAKE, .channel = SLICE("c"), .max = 1, .now_us = fixture.now_us};
	fixture_do("b0 take c timeout 0");
	event.connection = fixture.connections[1];
	for (event.id = 1; event.id <= MANY; event.id++) {
		core_step(fixture.core, &event, &effects);
		core_effects_release(fixture.core, &effects);
	}
	/* From the middle: all of these would take minutes if each looked for its place. */
	event.op = CORE_CANCEL;
	for (uint64_t i = 0; i < MANY; i++) {
		event.id = MANY + 1;
		event.cancel_id = (MANY / 2 + i * 7919) % MANY + 1;
		core_step(fixture.core, &event, &effects);
		core_effects_release(fixture.core, &effects);
	}
	snprintf(line, sizeof(line), "%s", fixture_books("c"));
	ck_assert_str_eq(line, "");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_parked_request_can_be_cancelled_and_its_reply_comes_first,
		only_by_its_own_connection,
		what_has_completed_cannot_be_cancelled,
		a_cancelled_batch_says_how_much_of_it_is_in,
		cancelling_the_first_lets_nobody_in_who_has_no_room,
		an_id_is_free_again_once_its_request_has_completed,
		at_the_end_of_a_connection_its_parked_requests_are_cancelled_without_a_reply,
		nothing_of_a_batch_that_leaves_is_put_any_more,
		a_connection_that_leaves_with_alts_parked_leaves_no_arm,
		ephemeral_channels_go_last,
		what_the_connection_has_no_right_to_any_more_is_denied,
		who_rests_is_denied_too,
		cancelling_one_of_very_many_is_not_a_scan,
	};
	return fixture_main("core: cancel and disconnect", tests, sizeof(tests) / sizeof(tests[0]));
}
