/* Dead letters that tell where they came from, and move, which brings values back. */
#include <stdio.h>

#include "tests/lib/core_fixture.h"

/* c sends its letters to `dead` after one delivery, d to `dead` too. */
static void make_channels(void)
{
	expect("a1 create dead bounded 9", "a1 ok created");
	expect("a2 create c bounded 3 dead 1 dead", "a2 ok created");
	expect("a3 create d bounded 3 dead 1 dead", "a3 ok created");
}

static void kill_value(const char *channel, const char *value, uint64_t lease)
{
	char line[80], reply[80];
	snprintf(line, sizeof(line), "h1 put %s %s", channel, value);
	expect(line, "h1 ok");
	snprintf(line, sizeof(line), "h2 take %s lease 1000", channel);
	snprintf(reply, sizeof(reply), "h2 ok %s lease %llu deliveries 1", value, (unsigned long long)lease);
	expect(line, reply);
	snprintf(line, sizeof(line), "h3 nack %llu", (unsigned long long)lease);
	expect(line, "h3 ok");
}

START_TEST(a_dead_letter_says_where_it_came_from_and_why)
{
	make_channels();
	kill_value("c", "x", 1);
	fixture_later(7);
	expect("b1 take dead", "b1 ok x from c deliveries 1 nack 7 ms ago");
	expect("a4 puts c y z", "a4 ok accepted 2");
	expect("b2 take c lease 10", "b2 ok y lease 2 deliveries 1");
	fixture_later(10);
	expect("tick", "");
	expect("b3 take dead lease 10", "b3 ok y lease 3 deliveries 1 from c deliveries 1 expired 0 ms ago");
	expect("d1 take c lease 10", "d1 ok z lease 4 deliveries 1");
	expect("d leaves", "");
	expect("b4 alts take:dead", "b4 ok arm 0 take dead z from c deliveries 1 disconnected 0 ms ago");
	expect("b5 nack 3", "b5 ok"); /* back in `dead` it keeps it */
	expect("b6 take dead", "b6 ok y from c deliveries 1 expired 0 ms ago");
}
END_TEST

START_TEST(a_delayed_nack_is_a_nack_when_it_ends)
{
	make_channels();
	expect("a4 put c x", "a4 ok");
	expect("b1 take c lease 1000", "b1 ok x lease 1 deliveries 1");
	expect("b2 nack 1 delay 5", "b2 ok");
	fixture_later(5);
	expect("b3 take dead", "b3 ok x from c deliveries 1 nack 0 ms ago");
}
END_TEST

START_TEST(the_last_channel_that_gave_it_up_counts)
{
	expect("a1 create worse bounded 1", "a1 ok created");
	expect("a2 create dead bounded 1 dead 2 worse", "a2 ok created");
	expect("a3 create c bounded 1 dead 1 dead", "a3 ok created");
	kill_value("c", "x", 1);
	for (int i = 2; i <= 3; i++) {
		char reply[80];
		snprintf(reply, sizeof(reply), "b1 ok x lease %d deliveries %d from c deliveries 1 nack 0 ms ago", i,
			 i - 1);
		expect("b1 take dead lease 1000", reply);
		expect(i == 2 ? "b2 nack 2" : "b2 nack 3", "b2 ok");
	}
	expect("b3 take worse", "b3 ok x from dead deliveries 2 nack 0 ms ago");
}
END_TEST

START_TEST(a_dead_letter_that_waits_to_enter_has_its_origin_when_it_does_and_not_if_it_goes_back)
{
	expect("a1 create dead bounded 1", "a1 ok created");
	expect("a2 create c bounded 3 dead 1 dead", "a2 ok created");
	kill_value("c", "x", 1);
	kill_value("c", "y", 2);
	kill_value("c", "z", 3);
	fixture_later(9);
	expect("b1 take dead max 9", "b1 ok x y z from c deliveries 1 nack 9 ms ago from c deliveries 1 nack 9 ms ago "
				     "from c deliveries 1 nack 9 ms ago");
	expect("a3 put dead full", "a3 ok");
	kill_value("c", "w", 4);
	expect("a4 delete dead force", "a4 ok discarded 1; undeliverable 1 c");
	expect("b2 take c", "b2 ok w");
}
END_TEST

START_TEST(move_without_to_brings_each_value_to_where_it_came_from)
{
	make_channels();
	kill_value("c", "x", 1);
	kill_value("d", "y", 2);
	kill_value("c", "z", 3);
	expect("a4 put dead mine", "a4 ok"); /* what has no origin stays */
	expect("a5 move dead", "a5 ok moved 3 left 1");
	expect_buffer("dead", "mine");
	expect_books("dead", "buffered 1 bytes 4 accepted 4 taken 3");
	expect("b1 take c max 9 lease 10", "b1 ok x z lease 4 deliveries 1 1"); /* no origin, and deliveries from 0 */
	expect("b2 take d", "b2 ok y");
}
END_TEST

START_TEST(what_finds_no_room_stays_in_its_place)
{
	make_channels();
	kill_value("c", "x", 1);
	kill_value("d", "y", 2);
	kill_value("c", "z", 3);
	expect("a4 puts c 1 2", "a4 ok accepted 2");
	expect("a5 move dead", "a5 ok moved 2 left 1");
	expect_buffer("dead", "z");
	expect_buffer("c", "1 2 x");
	expect("a6 close c", "a6 ok");
	expect("b1 take c max 9", "b1 ok 1 2 x");
	expect("a7 move dead", "a7 ok moved 0 left 1"); /* nor to what is closed */
	expect("a8 delete c", "a8 ok");
	expect("a9 move dead", "a9 ok moved 0 left 1"); /* nor to what is gone */
	expect("b2 take dead", "b2 ok z from c deliveries 1 nack 0 ms ago");
}
END_TEST

START_TEST(move_to_a_channel_takes_the_oldest_as_far_as_there_is_room)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 3", "a2 ok created");
	expect("a3 puts c 1 2 3 4 5", "a3 ok accepted 5");
	expect("a4 move c to d max 2", "a4 ok moved 2 left 3");
	expect("a5 move c to d", "a5 ok moved 1 left 2");
	expect("a6 move c to d", "a6 ok moved 0 left 2");
	expect_buffer("c", "4 5");
	expect_buffer("d", "1 2 3");
	expect_books("c", "buffered 2 bytes 2 accepted 5 taken 3");
	expect_books("d", "buffered 3 bytes 3 accepted 3");
}
END_TEST

START_TEST(nothing_is_evicted_or_shed_for_it)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create s sliding 2", "a2 ok created");
	expect("a3 create d dropping 1", "a3 ok created");
	expect("a4 puts c 1 2 3 4 5", "a4 ok accepted 5");
	expect("a5 put s old", "a5 ok");
	expect("a6 move c to s", "a6 ok moved 1 left 4");
	expect_buffer("s", "old 1");
	expect("a7 move c to d", "a7 ok moved 1 left 3");
	expect_books("d", "buffered 1 bytes 1 accepted 1");
}
END_TEST

START_TEST(parked_takes_are_room_and_parked_puts_follow)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 create u unbuffered", "a2 ok created");
	expect("a3 puts c 1 2 3", "");
	expect("b1 take u", "");
	expect("b2 take u", "");
	expect("a4 move c to u", "b1 ok 1; b2 ok 2; a4 ok moved 2 left 0; a3 ok accepted 3");
	expect("a5 move c to u", "a5 ok moved 0 left 1"); /* it never parks */
}
END_TEST

START_TEST(a_promise_takes_one_and_gives_none)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 create p promise", "a2 ok created");
	expect("a3 puts c 1 2", "a3 ok accepted 2");
	expect("b1 take p", "");
	expect("a4 move c to p", "b1 ok 1; a4 ok moved 1 left 1");
	expect("a5 move p to c", "a5 error bad_request");
	expect("a6 move c to p", "a6 ok moved 0 left 1");
}
END_TEST

START_TEST(takes_that_wait_for_a_promise_that_is_fulfilled_are_no_room)
{
	expect("a1 create p promise", "a1 ok created");
	expect("a2 create c bounded 2", "a2 ok created");
	expect("b1 take p", "");
	expect("b pauses", "");
	expect("a3 put p x", "a3 ok"); /* b gets it when it resumes */
	expect("a4 put c y", "a4 ok");
	expect("a5 move c to p", "a5 ok moved 0 left 1");
	expect("b resumes", "b1 ok x");
}
END_TEST

START_TEST(a_closed_target_is_closed_and_itself_is_refused)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 create d bounded 2", "a2 ok created");
	expect("a3 put c x", "a3 ok");
	expect("a4 close d", "a4 ok");
	expect("a5 move c to d", "a5 closed");
	expect("a6 move c to c", "a6 error bad_request");
	expect("a7 move c to nowhere", "a7 error no_such_channel");
	expect("a8 move nowhere to c", "a8 error no_such_channel");
	expect_buffer("c", "x");
}
END_TEST

START_TEST(a_closed_source_that_is_emptied_ends_its_takes)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 create d bounded 2", "a2 ok created");
	expect("a3 put c x", "a3 ok");
	expect("a4 close c", "a4 ok");
	expect("a5 move c to d", "a5 ok moved 1 left 0");
	expect("b1 take c", "b1 closed");
}
END_TEST

START_TEST(values_that_came_back_move_in_their_order)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 2", "a2 ok created");
	expect("a3 puts c 1 2 3 4", "a3 ok accepted 4");
	expect("b1 take c lease 1000", "b1 ok 1 lease 1 deliveries 1");
	expect("b2 take c lease 1000", "b2 ok 2 lease 2 deliveries 1");
	expect("b3 nack 2", "b3 ok");
	expect("b4 nack 1", "b4 ok");
	expect("a4 move c to d", "a4 ok moved 2 left 2");
	expect_buffer("d", "1 2");
	expect("b5 take d max 2", "b5 ok 1 2");
	expect("a5 move c to d max 1", "a5 ok moved 1 left 1");
	expect_buffer("c", "4");
}
END_TEST

START_TEST(leases_are_listed_in_the_order_in_which_they_began)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 puts c 1 2 3 4", "a2 ok accepted 4");
	expect("b1 take c lease 1000", "b1 ok 1 lease 1 deliveries 1");
	expect("b2 nack 1", "b2 ok");
	expect("b1 take c max 2 lease 100", "b1 ok 1 2 lease 2 deliveries 2 1");
	fixture_later(10);
	expect("d1 take c lease 50 sticky", "d1 ok 3 lease 3 deliveries 1");
	expect("b3 extend 2 200", "b3 ok");
	expect_leases(0, "2 c 2 deliveries 2 by b age 10 left 200; 3 c 1 deliveries 1 by d sticky age 0 left 50");
	expect_leases(2, "3 c 1 deliveries 1 by d sticky age 0 left 50");
	expect_leases(3, "");
	expect("d leaves", "");
	expect_leases(0, "2 c 2 deliveries 2 by b age 10 left 200; 3 c 1 deliveries 1 by - sticky age 0 left 50");
	expect("b4 ack 2", "b4 ok");
	expect("b5 nack 3 delay 5", "b5 ok"); /* nobody holds it any more */
	expect_leases(0, "");
}
END_TEST

START_TEST(a_page_of_leases_that_begins_in_a_gap_is_found_by_looking_on)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 puts c first last", "a2 ok accepted 2");
	expect("b1 take c lease 1000", "b1 ok first lease 1 deliveries 1");
	for (int i = 0; i < CORE_LEASE_LOOKS + 10; i++) {
		struct core_effects effects = {0};
		struct core_event take = {.op = CORE_TAKE,
					  .now_us = fixture.now_us,
					  .connection = fixture.connections[1],
					  .id = 7,
					  .channel = SLICE("c"),
					  .max = 1,
					  .lease_ms = 9};
		core_step(fixture.core, &take, &effects);
		struct core_event nack = {.op = CORE_NACK,
					  .now_us = fixture.now_us,
					  .connection = fixture.connections[1],
					  .id = 8,
					  .token = effects.head->lease};
		core_effects_release(fixture.core, &effects);
		core_step(fixture.core, &nack, &effects);
		core_effects_release(fixture.core, &effects);
	}
	fixture.n_tokens = 1;
	char rows[200], on[40];
	expect("b2 take c lease 1000", "b2 ok last lease 2 deliveries 5011");
	snprintf(on, sizeof(on), "go on at %d", 1 + CORE_LEASE_LOOKS);
	expect_leases(1, on);
	snprintf(rows, sizeof(rows), "%d c 1 deliveries 5011 by b age 0 left 1000", CORE_LEASE_LOOKS + 12);
	expect_leases(1 + CORE_LEASE_LOOKS, rows);
	expect("b3 ack 1", "b3 ok");
	expect_leases(1, rows); /* the oldest is found at once */
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_dead_letter_says_where_it_came_from_and_why,
		a_delayed_nack_is_a_nack_when_it_ends,
		the_last_channel_that_gave_it_up_counts,
		a_dead_letter_that_waits_to_enter_has_its_origin_when_it_does_and_not_if_it_goes_back,
		move_without_to_brings_each_value_to_where_it_came_from,
		what_finds_no_room_stays_in_its_place,
		move_to_a_channel_takes_the_oldest_as_far_as_there_is_room,
		nothing_is_evicted_or_shed_for_it,
		parked_takes_are_room_and_parked_puts_follow,
		a_promise_takes_one_and_gives_none,
		takes_that_wait_for_a_promise_that_is_fulfilled_are_no_room,
		a_closed_target_is_closed_and_itself_is_refused,
		a_closed_source_that_is_emptied_ends_its_takes,
		values_that_came_back_move_in_their_order,
		leases_are_listed_in_the_order_in_which_they_began,
		a_page_of_leases_that_begins_in_a_gap_is_found_by_looking_on,
	};
	return fixture_main("core: dead letters, move, leases", tests, sizeof(tests) / sizeof(tests[0]));
}
