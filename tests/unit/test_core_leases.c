/* Leases: what is taken stays the daemon's until an ack, and comes back otherwise, to its place. */
#include <stdio.h>

#include "tests/lib/core_fixture.h"

START_TEST(an_ack_ends_it)
{
	expect("a1 create c bounded 4", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 take c lease 100", "b1 ok x lease 1 deliveries 1");
	expect_books("c", "leased 1 bytes 1 accepted 1");
	expect("d1 ack 1", "d1 ok"); /* any connection that knows the token */
	expect_books("c", "accepted 1 taken 1");
	expect("b2 ack 1", "b2 error no_such_lease");
	expect("b3 nack 1", "b3 error no_such_lease");
	expect("b4 extend 1 5", "b4 error no_such_lease");
}
END_TEST

START_TEST(a_nack_brings_it_back)
{
	expect("a1 create c bounded 4", "a1 ok created");
	expect("a2 puts c x y", "a2 ok accepted 2");
	expect("b1 take c lease 100", "b1 ok x lease 1 deliveries 1");
	expect("b2 nack 1", "b2 ok");
	expect_buffer("c", "x y");
	expect("b3 take c lease 100", "b3 ok x lease 2 deliveries 2");
	expect("b4 take c", "b4 ok y");
}
END_TEST

START_TEST(so_does_its_end)
{
	expect("a1 create c bounded 4", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 take c lease 100", "b1 ok x lease 1 deliveries 1");
	ck_assert_uint_eq(core_deadline(fixture.core), fixture.now_us + 100000);
	fixture_later(99);
	expect("tick", "");
	expect_buffer("c", "");
	fixture_later(1);
	expect("b2 ack 1", "b2 error no_such_lease"); /* what is due happens first */
	expect_buffer("c", "x");
}
END_TEST

START_TEST(so_does_the_end_of_its_connection)
{
	expect("a1 create c bounded 4", "a1 ok created");
	expect("a2 puts c x y z", "a2 ok accepted 3");
	expect("b1 take c lease 100", "b1 ok x lease 1 deliveries 1");
	expect("b2 take c lease 100 sticky", "b2 ok y lease 2 deliveries 1");
	expect("d1 take c lease 100", "d1 ok z lease 3 deliveries 1");
	expect("b hangs up", "");
	expect_buffer("c", "");
	expect("b leaves", "");
	expect_buffer("c", "x");
	expect_books("c", "buffered 1 leased 2 bytes 3 accepted 3");
	expect("d2 ack 2", "d2 ok");
}
END_TEST

START_TEST(extend_gives_it_that_much_from_now)
{
	expect("a1 create c bounded 4", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 take c lease 100", "b1 ok x lease 1 deliveries 1");
	fixture_later(90);
	expect("d1 extend 1 50", "d1 ok");
	fixture_later(49);
	expect("tick", "");
	expect_books("c", "leased 1 bytes 1 accepted 1");
	fixture_later(1);
	expect("tick", "");
	expect_buffer("c", "x");
}
END_TEST

START_TEST(values_come_back_in_any_order_to_their_places)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 puts c r s t u v w", "a2 ok accepted 6");
	for (int i = 0; i < 4; i++)
		fixture_do("b1 take c lease 1000");
	expect("b2 nack 3", "b2 ok");
	expect_buffer("c", "t v w");
	expect("b3 nack 1", "b3 ok");
	expect("b4 nack 4", "b4 ok");
	expect("a3 put c x", "a3 ok");
	expect("b5 nack 2", "b5 ok");
	expect_buffer("c", "r s t u v w x");
	expect("b6 take c max 9", "b6 ok r s t u v w x");
}
END_TEST

START_TEST(if_a_take_is_parked_it_goes_there)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 puts c x y", "a2 ok accepted 2");
	expect("b1 take c max 2 lease 1000", "b1 ok x y lease 1 deliveries 1 1");
	expect("d1 take c lease 1000", "");
	expect("d2 take c", "");
	expect("d3 alts take:c", "");
	expect("b2 nack 1", "b2 ok; d1 ok x lease 2 deliveries 2; d2 ok y");
	expect("d4 nack 2", "d4 ok; d3 ok arm 0 take c x");
	expect_books("c", "accepted 2 taken 2");
}
END_TEST

START_TEST(a_batch_is_one_lease)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("a2 puts c x y z", "a2 ok accepted 3");
	expect("b1 take c lease 1000", "b1 ok x lease 1 deliveries 1");
	expect("b2 nack 1", "b2 ok");
	expect("b3 take c max 2 lease 1000", "b3 ok x y lease 2 deliveries 2 1");
	expect_books("c", "buffered 1 leased 2 bytes 3 accepted 3");
	expect("b4 ack 2", "b4 ok");
	expect_books("c", "buffered 1 bytes 1 accepted 3 taken 2");
}
END_TEST

START_TEST(each_value_of_a_count_has_its_own)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 take c count 3 lease 1000", "b1 ok x lease 1 deliveries 1 left 2");
	expect("a3 put c y", "b1 ok y lease 2 deliveries 1 left 1; a3 ok");
	expect("b2 ack 1", "b2 ok");
	expect("b3 nack 2", "b3 ok; b1 ok y lease 3 deliveries 2 left 0");
	expect("b leaves", "");
	expect_buffer("c", "y");
}
END_TEST

START_TEST(a_parked_take_that_ends_leases_nothing)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("b1 take c timeout 5 lease 1000", "");
	fixture_later(5);
	expect("tick", "b1 timeout");
	ck_assert_uint_eq(core_deadline(fixture.core), CORE_NEVER);
	expect("b2 take c timeout 0 lease 1000", "b2 timeout");
	expect("b3 take c lease 1000", "");
	expect("b leaves", "");
}
END_TEST

START_TEST(alts_lease_what_a_take_arm_takes)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("a2 create d bounded 3", "a2 ok created");
	expect("a3 put c x", "a3 ok");
	expect("b1 alts take:c take:d lease 1000", "b1 ok arm 0 take c x lease 1 deliveries 1");
	expect("b2 alts take:c take:d lease 1000", "");
	expect("a4 put d y", "b2 ok arm 1 take d y lease 2 deliveries 1; a4 ok");
	expect("b3 alts put:c=z lease 1000", "b3 ok arm 0 put c");
	expect("b4 nack 2", "b4 ok");
	expect_buffer("d", "y");
}
END_TEST

START_TEST(a_nack_that_is_not_counted_leaves_deliveries_as_they_were)
{
	expect("a1 create dead bounded 1", "a1 ok created");
	expect("a2 create c bounded 2 dead 2 dead", "a2 ok created");
	expect("a3 put c x", "a3 ok");
	for (int i = 1; i <= 5; i++) { /* it would be dead after two that count */
		char line[40], reply[40];
		snprintf(reply, sizeof(reply), "b1 ok x lease %d deliveries 1", i);
		expect("b1 take c lease 1000", reply);
		snprintf(line, sizeof(line), "b2 nack %d uncounted", i);
		expect(line, "b2 ok");
	}
	expect("b1 take c lease 1000", "b1 ok x lease 6 deliveries 1");
	expect("b2 nack 6", "b2 ok");
	expect("b1 take c lease 1000", "b1 ok x lease 7 deliveries 2");
	expect("b2 nack 7 delay 10 uncounted", "b2 ok"); /* the delay changes nothing of it */
	fixture_later(10);
	expect("b1 take c lease 1000", "b1 ok x lease 8 deliveries 2");
	expect("b2 nack 8", "b2 ok");
	expect_buffer("dead", "x");
}
END_TEST

START_TEST(leased_values_are_backpressure)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 take c lease 1000", "b1 ok x lease 1 deliveries 1");
	expect("a3 put c y", "");
	expect("b2 nack 1 delay 50", "b2 ok"); /* counts as leased */
	expect_waiters("c", "a3 put c");
	fixture_later(50);
	expect("tick", "");
	expect_buffer("c", "x");
	expect("b3 take c lease 1000", "b3 ok x lease 2 deliveries 2");
	expect("b4 ack 2", "b4 ok; a3 ok");
	expect("a4 create d dropping 1", "a4 ok created");
	expect("a5 put d x", "a5 ok");
	expect("b5 take d lease 1000", "b5 ok x lease 3 deliveries 1");
	expect("a6 put d y", "a6 dropped");
	expect("b6 take d", "");
	expect("a7 put d z", "b6 ok z; a7 ok"); /* it is not buffered */
}
END_TEST

START_TEST(what_comes_back_may_go_over_the_capacity)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 puts c x y", "a2 ok accepted 2");
	expect("b1 take c max 2 lease 1000", "b1 ok x y lease 1 deliveries 1 1");
	expect("a3 create u unbuffered", "a3 ok created");
	expect("a4 put u z", "");
	expect("b2 take u lease 1000", "b2 ok z lease 2 deliveries 1; a4 ok");
	expect("b3 nack 2", "b3 ok");
	expect_books("u", "buffered 1 bytes 1 accepted 1");
	expect("a5 put u w", "");
	expect("b4 take u max 2", "b4 ok z w; a5 ok");
}
END_TEST

START_TEST(a_full_sliding_channel_sheds_it)
{
	expect("a1 create c sliding 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 take c lease 1000", "b1 ok x lease 1 deliveries 1");
	expect("a3 put c y", "a3 ok");
	expect("b2 nack 1", "b2 ok");
	expect_buffer("c", "y");
	expect_books("c", "buffered 1 bytes 1 accepted 2 evicted 1");
}
END_TEST

START_TEST(a_closed_channel_waits_for_its_leases)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 take c lease 1000", "b1 ok x lease 1 deliveries 1");
	expect("d1 take c", "");
	expect("a3 close c", "a3 ok");
	expect("d2 take c lease 1000", "");
	expect("d3 take c count 2", "");
	expect("d4 alts take:c", "");
	expect("b2 nack 1", "b2 ok; d1 ok x; d2 closed; d3 closed left 2; d4 closed arm 0 take c");
	expect("d5 take c", "d5 closed");
}
END_TEST

START_TEST(on_a_closed_channel_an_ack_is_the_end)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 take c lease 1000", "b1 ok x lease 1 deliveries 1");
	expect("a3 close c", "a3 ok");
	expect("d1 take c", "");
	expect("b2 nack 1 delay 10", "b2 ok");
	fixture_later(10);
	expect("tick", "d1 ok x");
	expect("d2 take c", "d2 closed");
}
END_TEST

START_TEST(delete_refuses_or_discards)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("a2 puts c x y", "a2 ok accepted 2");
	expect("b1 take c max 2 lease 1000", "b1 ok x y lease 1 deliveries 1 1");
	expect("a3 delete c", "a3 error not_empty");
	expect("a4 delete c force", "a4 ok discarded 2");
	expect("b2 ack 1", "b2 error no_such_lease");
	ck_assert_uint_eq(core_deadline(fixture.core), CORE_NEVER);
}
END_TEST

START_TEST(a_promise_is_never_leased)
{
	expect("a1 create p promise", "a1 ok created");
	expect("b1 take p lease 5", "b1 error bad_request");
	expect("a2 create c bounded 1", "a2 ok created");
	expect("b2 alts take:c take:p lease 5", "b2 error bad_request arm 1");
	expect("b3 alts take:c put:p=x lease 5", "b3 ok arm 1 put p");
}
END_TEST

/* -- memory, draining -- */

START_TEST(leased_values_count_as_memory)
{
	fixture.limits.max_memory = 3 + VALUE_OVERHEAD;
	fixture_set_limits();
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 put c xx", "a2 ok");
	expect("b1 take c lease 1000", "b1 ok xx lease 1 deliveries 1");
	expect("a3 put c yy", "a3 error overloaded");
	expect("b2 ack 1", "b2 ok");
	expect("a4 put c yy", "a4 ok");
}
END_TEST

START_TEST(a_core_that_drains_takes_nothing_new)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 create p promise", "a2 ok created");
	expect("a3 put p x", "a3 ok");
	expect("a4 put c x", "a4 ok");
	expect("a5 put c y", "");
	expect("b1 take c lease 1000", "b1 ok x lease 1 deliveries 1");
	fixture_drain();
	expect("a6 put c z", "a6 error draining");
	expect("a7 alts take:c put:c=z", "a7 error draining");
	expect("a8 create d bounded 1", "a8 error draining");
	expect("a9 create c bounded 1", "a9 ok");
	ck_assert(!core_is_drained(fixture.core));
	expect("b2 ack 1", "b2 ok; a5 ok");
	ck_assert(!core_is_drained(fixture.core));
	expect("b3 take c", "b3 ok y");
	ck_assert(core_is_drained(fixture.core));
	expect("b4 take c", "");
	expect("b5 take c count 4", "");
	expect("b6 take c count 4", "");
	expect("b pauses", "");
	expect("abandon", "b4 error draining; b5 error draining left 4; b6 error draining left 4");
}
END_TEST

START_TEST(tokens_are_all_different)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	for (int i = 1; i <= 50; i++) {
		char line[32];
		fixture_do("b1 take c lease 1000");
		snprintf(line, sizeof(line), "b2 nack %d", i);
		expect(line, "b2 ok");
		for (int k = 0; k < i - 1; k++)
			ck_assert_mem_ne(&fixture.tokens[k], &fixture.tokens[i - 1], sizeof(fixture.tokens[0]));
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		an_ack_ends_it,
		a_nack_brings_it_back,
		so_does_its_end,
		so_does_the_end_of_its_connection,
		extend_gives_it_that_much_from_now,
		values_come_back_in_any_order_to_their_places,
		if_a_take_is_parked_it_goes_there,
		a_batch_is_one_lease,
		each_value_of_a_count_has_its_own,
		a_parked_take_that_ends_leases_nothing,
		alts_lease_what_a_take_arm_takes,
		a_nack_that_is_not_counted_leaves_deliveries_as_they_were,
		leased_values_are_backpressure,
		what_comes_back_may_go_over_the_capacity,
		a_full_sliding_channel_sheds_it,
		a_closed_channel_waits_for_its_leases,
		on_a_closed_channel_an_ack_is_the_end,
		delete_refuses_or_discards,
		a_promise_is_never_leased,
		leased_values_count_as_memory,
		a_core_that_drains_takes_nothing_new,
		tokens_are_all_different,
	};
	return fixture_main("core: leases", tests, sizeof(tests) / sizeof(tests[0]));
}
